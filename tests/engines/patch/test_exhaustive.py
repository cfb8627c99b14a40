"""Exhaustive search against plain loops, and what completeness does."""

from __future__ import annotations

import numpy as np

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.exhaustive import STEP, bidirectional, nearest, patches
from frisket.engines.patch.match import SIDE


def quiet(threads: int = 2) -> Bands:
    return Bands(threads, lambda: None)


def plain(Q: np.ndarray, K: np.ndarray) -> np.ndarray:
    return ((Q[:, :, None].astype(float) - K[None]) ** 2).sum(1)


def test_nearest_finds_what_a_plain_loop_finds() -> None:
    rng = np.random.default_rng(0)
    Q, K = rng.random((131, 3 * STEP), np.float32), rng.random((3 * STEP, 1100), np.float32)
    price = rng.uniform(0.5, 2, 1100).astype(np.float32)
    with quiet() as bands:
        index, D = nearest(Q, K, price, bands)
    expected = plain(Q, K) * price
    assert (index == expected.argmin(1)).all()
    np.testing.assert_allclose(D, expected.min(1), rtol=1e-5)


def test_bidirectional_is_the_formula() -> None:
    rng = np.random.default_rng(1)
    Q, K = rng.random((70, 2 * STEP), np.float32), rng.random((2 * STEP, 90), np.float32)
    with quiet() as bands:
        index = bidirectional(Q, K, 0.1, bands)
    D = plain(Q, K)
    assert (index == (D / (0.1 + D.min(0))).argmin(1)).all()


def test_completeness_shows_what_nobody_showed() -> None:
    """Ten targets, nine of them on source 0 and one between 0 and 1: a small alpha lets that one show source 1."""
    Q, K = np.zeros((10, STEP), np.float32), np.zeros((STEP, 2), np.float32)
    Q[9, 0], K[0, 1] = 0.4, 1.0
    with quiet() as bands:
        assert bidirectional(Q, K, 100.0, bands).tolist() == [0] * 10
        assert bidirectional(Q, K, 0.01, bands).tolist() == [0] * 9 + [1]


def test_patches_are_rows_of_pixels_that_wrap() -> None:
    A = np.arange(9 * 10 * 4, dtype=np.float32).reshape(9, 10, 4)
    got = patches(A, np.array([4, 0]), np.array([5, 0]), 3)
    assert got.shape == (2, SIDE * SIDE * 3 + 1)  # 147 and one zero
    assert (got[0, :-1] == A[1:8, 2:9, :3].ravel()).all()
    assert (got[1, :-1] == np.roll(A, (3, 3), (0, 1))[:7, :7, :3].ravel()).all()
    assert (got[:, -1] == 0).all()
