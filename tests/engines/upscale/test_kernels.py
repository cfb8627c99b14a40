"""The compiled kernels: known numbers, nothing beyond what is there, and a tile like the whole."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from frisket.engines.patch.bands import Bands
from frisket.engines.upscale.kernels import REACH, cubic, enlarged, lanczos

SCALES = (2, 3, 4)
COFFEE = Path(__file__).parents[4] / "shared" / "photos" / "coffee.png"
rng = np.random.default_rng(5)


def large(x: np.ndarray, scale: int, threads: int = 1) -> np.ndarray:
    with Bands(threads, lambda: None) as bands:
        return enlarged(np.ascontiguousarray(x, np.float32), scale, bands)


def test_taps_are_those_of_opencv() -> None:
    line = rng.random((1, 40)).astype(np.float32)
    for taps, how in ((lanczos(2), cv2.INTER_LANCZOS4), (cubic(2), cv2.INTER_CUBIC)):
        wide = cv2.resize(line, (80, 1), interpolation=how)[0]
        n = taps.shape[1]
        for at in range(20, 60):
            first = at // 2 - n // 2 + at % 2
            assert taps[at % 2] @ line[0, first : first + n] == pytest.approx(wide[at], abs=3e-3), at


@pytest.mark.parametrize("scale", SCALES)
def test_a_tile_is_the_same_bits_as_the_whole(scale: int) -> None:
    x = rng.random((2 * REACH + 6, 2 * REACH + 9, 4))
    x[..., :2] = cv2.GaussianBlur(x[..., :2], (0, 0), 2)  # edges as well as noise
    whole = large(x, scale)
    cut = large(x[:, 5:], scale)
    assert np.array_equal(cut[:, REACH * scale :], whole[:, (REACH + 5) * scale :])
    cut = large(x[: REACH + 4], scale)
    assert np.array_equal(cut[: 4 * scale], whole[: 4 * scale])


@pytest.mark.parametrize("scale", SCALES)
def test_no_value_is_beyond_those_around_it(scale: int) -> None:
    """What rings does that. A step of any height, values below 0 and above 1 as well."""
    x = np.where(np.add.outer(np.arange(17), np.arange(19)) > 17, 7.5, -2.0)[..., None]
    x = x + rng.random(x.shape) * 0.1
    y = large(x, scale)
    low, high = (np.kron(f(x[..., 0].astype(np.float32), np.ones((3, 3))), np.ones((scale, scale))) for f in
                 (cv2.erode, cv2.dilate))  # fmt: skip
    assert (y[..., 0] >= low).all()
    assert (y[..., 0] <= high).all()


@pytest.mark.parametrize("scale", SCALES)
def test_what_is_flat_or_repeated_stays_so(scale: int) -> None:
    assert np.array_equal(large(np.full((5, 7, 2), 0.3), scale), np.full((5 * scale, 7 * scale, 2), np.float32(0.3)))
    x = rng.random((9, 9, 1))
    assert np.array_equal(
        large(np.concatenate([x, x], 2), scale)[..., 0], large(np.concatenate([x, x], 2), scale)[..., 1]
    )


def test_it_shrinks_back_to_what_it_came_from() -> None:
    x = cv2.GaussianBlur(rng.random((40, 40, 3)), (0, 0), 1.5)
    for scale in SCALES:
        y = large(x, scale)
        plain = cv2.resize(x, None, fx=scale, fy=scale, interpolation=cv2.INTER_LANCZOS4)
        lost, lost_plain = (
            np.abs(cv2.resize(p, (40, 40), interpolation=cv2.INTER_AREA) - x).mean() for p in (y, plain)
        )
        assert lost < 0.35 * lost_plain, scale


def test_a_slanted_edge_gets_no_steps() -> None:
    """Against the edge drawn at the larger size: nearer to it than Lanczos comes, by a third at least."""

    def drawn(size: int, thin: int) -> np.ndarray:
        u, v = np.meshgrid(np.arange(size * 8) + 0.5, np.arange(size * 8) + 0.5)
        edge = (u * 0.31 + v - 0.62 * size * 8 > 0).astype(np.float32)
        return cv2.resize(edge, (size, size), interpolation=cv2.INTER_AREA)

    x, truth = drawn(32, 8), drawn(128, 8)
    y = large(x[..., None], 4)[..., 0]
    plain = cv2.resize(x, (128, 128), interpolation=cv2.INTER_LANCZOS4)
    assert np.square(y - truth).mean() < 0.67 * np.square(plain - truth).mean()


@pytest.mark.skipif(not COFFEE.exists(), reason=f"no {COFFEE}: the photographs are not here")
def test_a_photograph_comes_out_nearer_than_by_lanczos() -> None:
    """In dB over a crop of 120 px; `bench.upscale` has more pictures."""
    truth = np.asarray(cv2.imread(str(COFFEE)))[100:220, 200:320].astype(np.float32) / 255
    for scale, gain in ((2, 0.5), (3, 0.2), (4, 0.2)):
        x = cv2.resize(truth, (120 // scale, 120 // scale), interpolation=cv2.INTER_AREA)
        plain = cv2.resize(x, (120, 120), interpolation=cv2.INTER_LANCZOS4)
        ours, theirs = (-10 * np.log10(np.square(made - truth)[8:-8, 8:-8].mean()) for made in (large(x, scale), plain))
        assert ours > theirs + gain, (scale, ours - theirs)


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 3), (7, 1, 2), (2, 2, 4)])
def test_the_smallest_pictures(shape: tuple[int, int, int]) -> None:
    x = rng.random(shape)
    for scale in SCALES:
        y = large(x, scale)
        assert y.shape == (shape[0] * scale, shape[1] * scale, shape[2])
        assert np.isfinite(y).all()


def test_threads_change_no_bit() -> None:
    x = rng.random((40, 12, 3))
    assert np.array_equal(large(x, 3, 1), large(x, 3, 3))
