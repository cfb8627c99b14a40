"""Candidate shifts: the rhythm of a pattern, and something for pixels that the rhythm cannot serve."""

from __future__ import annotations

import numpy as np
import pytest

from engines.patch.pictures import box, tiles
from frisket.engines.patch.bands import Bands
from frisket.engines.patch.offsets import candidates, descriptors, serves
from frisket.engines.patch.pyramid import built


def rgba(rgb: np.ndarray) -> np.ndarray:
    return np.concatenate([rgb * 255, np.zeros_like(rgb[..., :1])], 2).astype(np.float32)


def test_a_patterns_period_is_found() -> None:
    I = rgba(tiles(128, 128, 20))
    level = built(I, box(128, 128, 50, 50, 30, 30) == 0)[0]
    with Bands(1, lambda: None) as bands:
        offsets = candidates(level, I, 12, 0, bands)
    periodic = (offsets % 20 == 0).all(1)
    assert periodic[:8].all()  # dominant ones come first
    assert np.hypot(*offsets[periodic].T).min() <= 20 * 2**0.5
    hy, hx = np.nonzero(~level.known)
    assert serves(offsets, level.sources, hy, hx).any(1).all()


def test_serves_is_about_landing_on_sources() -> None:
    sources = np.ones((10, 10), bool)
    sources[2, 3] = False
    y, x = np.array([2, 9]), np.array([0, 9])
    assert serves(np.array([[0, 3], [0, 4], [1, 0]]), sources, y, x).tolist() == [[False, True, True], [False] * 3]


def test_nothing_serves_when_nothing_is_known_far_enough() -> None:
    I = np.zeros((40, 40, 4), np.float32)
    known = np.zeros((40, 40), bool)
    known[:9, :9] = True
    named = np.zeros((40, 40), bool)
    with Bands(1, lambda: None) as bands:
        level = built(I, known, None)[0]
        assert len(candidates(level, I, 8, 0, bands)) > 0
        bare = type(level)(I, known, named, level.valid)
        assert len(candidates(bare, I, 8, 0, bands)) == 0


def test_descriptors_are_an_orthonormal_view_of_the_patch() -> None:
    I = np.random.default_rng(0).random((30, 30, 4), np.float32)
    maps = np.stack(list(descriptors(I)), -1)
    assert maps.shape == (30, 30, 30)
    rng = np.random.default_rng(1)
    for _ in range(50):
        (y, x), (v, u) = rng.integers(3, 27, (2, 2))
        near = ((maps[y, x] - maps[v, u]) ** 2).sum()
        full = ((I[y - 3 : y + 4, x - 3 : x + 4] - I[v - 3 : v + 4, u - 3 : u + 4]) ** 2).sum()
        assert near <= full * 1.0001
    flat = np.stack(list(descriptors(np.full((9, 9, 4), 2, np.float32))), -1)[4, 4]
    assert (flat**2).sum() == pytest.approx(49 * 4 * 4, rel=1e-5)  # a flat patch has no other coefficients
