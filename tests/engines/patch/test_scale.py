"""Scales: there and back, and what a crop's channels become."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.engines.patch.scale import Scale


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 40.0)])
def test_there_and_back(channels: int, low: float, high: float) -> None:
    crop = np.random.default_rng(0).uniform(low, high, (8, 9, channels)).astype(np.float32)
    known = np.ones((8, 9), bool)
    scale = Scale.of(crop, known)
    I = scale.enter(crop)
    assert I.shape == (8, 9, 4)
    assert I.flags.c_contiguous
    covered = np.minimum(crop, crop[..., -1:]) if scale.covered else crop
    assert scale.leave(I) == pytest.approx(covered, abs=1e-5 * high)


def test_ordinary_pictures_span_255_and_wide_ones_no_more() -> None:
    known = np.ones((10, 100), bool)
    ramp = np.linspace(0, 1, 1000, dtype=np.float32).reshape(10, 100, 1)
    assert Scale.of(ramp, known).gain == 255
    assert Scale.of(ramp * np.float32(0.1) + np.float32(0.5), known).gain == 255
    assert Scale.of(ramp * 60, known).gain == pytest.approx(255 / 60, rel=0.02)
    glint = ramp.copy()
    glint[0, 0] = 1000  # one glowing pixel does not darken all others
    assert Scale.of(glint, known).gain == 255


def test_grey_is_repeated_and_alpha_comes_last() -> None:
    known = np.ones((1, 1), bool)
    for crop, expected in (
        ([0.5], [127.5] * 3 + [0]),
        ([0.25, 0.5], [63.75] * 3 + [127.5]),
        ([0, 0.5, 1], [0, 127.5, 255, 0]),
    ):
        values = np.array(crop, np.float32).reshape(1, 1, -1)
        assert Scale.of(values, known).enter(values)[0, 0].tolist() == expected


def test_results_stay_in_the_range_of_the_known_and_below_their_alpha() -> None:
    crop = np.array([[[0.2, 0.4], [0.3, 0.9]]], np.float32)
    scale = Scale.of(crop, np.ones((1, 2), bool))
    assert scale.covered
    wild = np.array([[500, 500, 500, 127.5], [-9, -9, -9, 500]], np.float32)
    assert scale.leave(wild) == pytest.approx(np.array([[0.3, 0.5], [0.2, 0.9]]))
    glowing = np.array([[[0.2, 0.1]]], np.float32)
    assert not Scale.of(glowing, np.ones((1, 1), bool)).covered
