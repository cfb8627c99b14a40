"""Push-pull on literal arrays."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.engines.patch.smooth import pushpull


def test_known_pixels_stay_and_unknown_ones_lie_between_them() -> None:
    rng = np.random.default_rng(0)
    I, known = rng.random((37, 50, 4), np.float32), rng.random((37, 50)) > 0.8
    out = pushpull(I, known)
    assert (out[known] == I[known]).all()
    assert (out >= I[known].min(0) - 1e-6).all()
    assert (out <= I[known].max(0) + 1e-6).all()


def test_two_columns_are_joined_by_a_ramp() -> None:
    I = np.zeros((1, 8, 1), np.float32)
    I[0, 7] = 1
    known = np.zeros((1, 8), bool)
    known[0, [0, 7]] = True
    out = pushpull(I, known)[0, :, 0]
    assert (np.diff(out) >= 0).all()
    assert out == pytest.approx(1 - out[::-1], abs=1e-6)


def test_all_known_or_none_is_a_copy() -> None:
    I = np.random.default_rng(0).random((5, 4, 2), np.float32)
    for known in (np.ones((5, 4), bool), np.zeros((5, 4), bool)):
        out = pushpull(I, known)
        assert (out == I).all()
        assert out is not I


def test_strips_do_not_show() -> None:
    I = np.linspace(0, 1, 600, dtype=np.float32)[:, None, None].repeat(901, 1)  # three strips of a slope
    known = np.ones((600, 901), bool)
    known[280:300, 100:800] = False
    smooth = pushpull(I, known)
    assert (smooth[known] == I[known]).all()
    assert np.abs(smooth - I).max() < 0.02  # the slope over half of the gap: 10 rows of 600
    assert (smooth[280:300, 450] == smooth[280:300, 451]).all()
