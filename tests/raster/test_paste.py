"""Pasting: bit-identical outside, exact inside, premultiplied between; tone repaired by known amounts."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frisket.errors import ImageNotFinite, RequestInvalid
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.paste import match_ring, membrane, paste
from frisket.raster.pixels import DTYPES, from_work, to_work

PHOTOS = Path(__file__).resolve().parents[3] / "shared" / "photos"
FORMATS = [PixelFormat(s, layout, t) for s in Samples for layout in Layout for t in Transfer]


def picture(fmt: PixelFormat, height: int, width: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if fmt.samples.is_float:
        return rng.normal(0.5, 0.7, (height, width, fmt.layout.channels)).astype(DTYPES[fmt.samples])
    full = np.iinfo(DTYPES[fmt.samples]).max
    return rng.integers(0, full + 1, (height, width, fmt.layout.channels)).astype(DTYPES[fmt.samples])


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean((a.astype(float) - b) ** 2)))


# --- paste -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_outside_is_untouched_and_inside_is_the_fill(fmt):
    canvas = picture(fmt, 12, 15, 1)
    fill = np.random.default_rng(2).random(canvas.shape, dtype=np.float32)
    alpha = np.zeros((12, 15), np.float32)
    alpha[3:9, 4:12] = 0.5
    alpha[5:7, 6:10] = 1
    before = canvas.copy()
    got = paste(canvas, fill, alpha, fmt)
    assert got.dtype == canvas.dtype
    assert got[alpha == 0].tobytes() == canvas[alpha == 0].tobytes()
    assert got[alpha == 1].tobytes() == from_work(fill, fmt)[alpha == 1].tobytes()
    assert (got != canvas)[alpha == 0.5].any()
    assert canvas.tobytes() == before.tobytes()


@given(st.sampled_from(FORMATS), st.integers(0, 2**32 - 1))
def test_alpha_of_nothing_changes_nothing(fmt, seed):
    canvas = picture(fmt, 4, 5, seed)
    fill = np.full(canvas.shape, np.nan, np.float32)  # what is not seen may be anything
    assert paste(canvas, fill, np.zeros((4, 5), np.float32), fmt).tobytes() == canvas.tobytes()


def test_blend_golden():
    fmt = PixelFormat(Samples.U8, Layout.GRAY)
    canvas = np.array([[[100], [100], [100], [100]]], np.uint8)
    fill = np.full((1, 4, 1), 200 / 255, np.float32)
    got = paste(canvas, fill, np.array([[0, 0.25, 0.5, 1]], np.float32), fmt)
    assert got.ravel().tolist() == [100, 125, 150, 200]


def test_blend_of_transparent_pixels_golden():
    """Red that is hidden does not bleed into what is seen; the coverage is the mean of both."""
    fmt = PixelFormat(Samples.U8, Layout.RGBA)
    canvas = np.array([[[255, 0, 0, 0], [0, 0, 255, 255], [9, 8, 7, 0]]], np.uint8)
    fill = np.array([[[0, 1, 0, 1], [0, 1, 0, 0], [1, 1, 1, 0]]], np.float32)
    got = paste(canvas, fill, np.full((1, 3), 0.5, np.float32), fmt)
    assert got[0].tolist() == [[0, 255, 0, 128], [0, 0, 255, 128], [9, 8, 7, 0]]


def test_linear_documents_are_blended_to_the_eye():
    fmt = PixelFormat(Samples.F32, Layout.GRAY, Transfer.LINEAR)
    canvas = np.zeros((1, 1, 1), np.float32)
    got = paste(canvas, np.ones((1, 1, 1), np.float32), np.full((1, 1), 0.5, np.float32), fmt)
    assert got[0, 0, 0] == pytest.approx(0.21404114, rel=1e-5)  # perceptual 0.5


@given(st.integers(0, 255), st.integers(0, 255), st.floats(0, 1, width=32))
def test_a_blend_lies_between(below, above, share):
    fmt = PixelFormat(Samples.U8, Layout.GRAY)
    fill = to_work(np.full((1, 1, 1), above, np.uint8), fmt)
    got = int(paste(np.full((1, 1, 1), below, np.uint8), fill, np.full((1, 1), share, np.float32), fmt)[0, 0, 0])
    assert min(below, above) <= got <= max(below, above)
    assert abs(got - (below + share * (above - below))) <= 0.5 + 1e-3


def test_paste_refuses():
    fmt = PixelFormat(Samples.U8, Layout.RGB)
    canvas, fill = np.zeros((3, 4, 3), np.uint8), np.zeros((3, 4, 3), np.float32)
    alpha = np.ones((3, 4), np.float32)
    with pytest.raises(RequestInvalid):
        paste(canvas, fill[:2], alpha, fmt)
    with pytest.raises(RequestInvalid):
        paste(canvas, fill, alpha[:, :2], fmt)
    fill[1, 1, 1] = np.inf
    with pytest.raises(ImageNotFinite):
        paste(canvas, fill, alpha, fmt)


# --- tone ------------------------------------------------------------------------------------------------------------


def photograph(name: str) -> np.ndarray:
    path = PHOTOS / name
    if not path.exists():
        pytest.skip(f"needs the photograph {name} beside the repository; it is not there")
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return (image[..., ::-1] / np.float32(255)).astype(np.float32)


def synthetic() -> np.ndarray:
    ys, xs = np.mgrid[:300, :400].astype(np.float32)
    planes = [0.5 + 0.2 * np.sin(xs / (7 + k)) + 0.1 * np.cos(ys / (3 + k)) for k in range(3)]
    return np.stack(planes, axis=2).astype(np.float32)


def hole_in(image: np.ndarray) -> np.ndarray:
    height, width = image.shape[:2]
    hole = np.zeros((height, width), np.float32)
    cv2.ellipse(hole, (width // 2, height // 2), (width // 5, height // 4), 20, 0, 360, 1.0, -1)
    hole[height // 2 - 3 :, width // 2 : width // 2 + 30] = 1  # and a leg that reaches the border
    return hole


def shifted(image: np.ndarray) -> np.ndarray:
    return (image * np.array([1.10, 1.0, 0.92], np.float32) + np.float32(6 / 255)).astype(np.float32)


def darkened(image: np.ndarray) -> np.ndarray:
    return image ** np.float32(1.18)


def ramped(image: np.ndarray) -> np.ndarray:
    return image + np.linspace(-22 / 255, 22 / 255, image.shape[1], dtype=np.float32)[None, :, None]


def test_match_ring_undoes_gain_and_offset_exactly():
    image = synthetic()
    hole = hole_in(image)
    got = match_ring(shifted(image), image, hole, 12)
    inside = hole > 0
    assert psnr(shifted(image)[inside], image[inside]) < 30
    assert psnr(got[inside], image[inside]) > 100


def test_match_ring_looks_at_unmasked_pixels_only():
    """What the crop holds inside the hole, and beyond the ring, has no say."""
    image, fill = synthetic(), shifted(synthetic())
    hole = hole_in(image)
    clean = match_ring(fill, image, hole, 12)
    near = cv2.dilate((hole > 0).astype(np.uint8), np.ones((27, 27), np.uint8)) > 0
    spoiled = np.where((hole > 0)[..., None] | ~near[..., None], np.float32(77), image)
    np.testing.assert_array_equal(match_ring(fill, spoiled, hole, 12), clean)


def test_match_ring_limits_its_gain():
    image = synthetic()
    hole = hole_in(image)
    dull = (image - np.float32(0.5)) * np.float32(0.25) + np.float32(0.5)
    got = match_ring(dull, image, hole, 12)
    inside = hole > 0
    np.testing.assert_allclose(got[inside].std(axis=0), 1.25 * dull[inside].std(axis=0), rtol=1e-4)


def test_match_ring_takes_lost_or_invented_grain_for_no_gain():
    smooth = synthetic()
    grainy = smooth + np.random.default_rng(2).normal(0, 0.1, smooth.shape).astype(np.float32)
    hole = hole_in(smooth)
    inside = hole > 0
    for crop, fill in [(grainy, smooth), (smooth, grainy)]:
        assert not np.allclose(crop[inside].std(axis=0), fill[inside].std(axis=0), rtol=0.1)
        got = match_ring(fill, crop, hole, 16)
        np.testing.assert_allclose(got[inside].std(axis=0), fill[inside].std(axis=0), rtol=0.03)
        np.testing.assert_allclose(got[inside].mean(axis=0), fill[inside].mean(axis=0), atol=0.01)
    dull = match_ring(np.float32(0.85) * smooth + np.float32(0.05), grainy, hole, 16)
    np.testing.assert_allclose(dull[inside], smooth[inside], atol=0.02)


def test_match_ring_of_a_flat_fill_corrects_the_offset():
    image, hole = np.full((40, 40, 1), 0.7, np.float32), np.zeros((40, 40), np.float32)
    hole[10:30, 10:30] = 1
    got = match_ring(np.full((40, 40, 1), 0.2, np.float32), image, hole, 5)
    np.testing.assert_allclose(got, 0.7, atol=1e-6)


@pytest.mark.parametrize("repair", [lambda f, c, h: match_ring(f, c, h, 12), membrane], ids=["match_ring", "membrane"])
def test_repairs_leave_their_input_and_odd_holes_alone(repair):
    image = synthetic()
    hole = hole_in(image)
    fill = shifted(image)
    kept = fill.copy()
    got = repair(fill, image, hole)
    if repair is membrane:
        assert got[hole == 0].tobytes() == fill[hole == 0].tobytes()
    np.testing.assert_array_equal(fill, kept)
    for odd in (np.zeros_like(hole), np.ones_like(hole)):
        np.testing.assert_array_equal(repair(fill, image, odd), fill)


def test_membrane_is_harmonic():
    """The difference is x^2 - y^2 on the border, and so it is in the whole hole: measured against the formula."""
    ys, xs = np.mgrid[-60:61, -80:81].astype(np.float32)
    want = ((xs / 80) ** 2 - (ys / 80) ** 2)[..., None] * np.float32(0.1)
    hole = np.zeros(want.shape[:2], np.float32)
    hole[1:-1, 1:-1] = 1
    got = membrane(np.zeros_like(want), want, hole)
    error = np.abs(got - want)[1:-1, 1:-1]
    assert error.max() < 0.0025  # of +-0.1; measured 0.0018


def test_membrane_of_a_constant_difference_is_that_constant():
    image = synthetic()
    hole = hole_in(image)
    got = membrane(image - np.float32(0.05), image, hole)
    np.testing.assert_allclose(got[hole > 0], image[hole > 0], atol=1e-5)


def test_membrane_limits_the_difference():
    image = np.zeros((50, 50, 3), np.float32)
    hole = np.zeros((50, 50), np.float32)
    hole[10:40, 10:40] = 0.5
    got = membrane(image, image + np.float32(0.9), hole, limit=0.1)
    np.testing.assert_allclose(got[hole > 0], 0.1, atol=1e-5)


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_membrane_takes_any_channel_count_and_single_pixels(channels):
    crop = np.full((9, 7, channels), 0.3, np.float32)
    hole = np.zeros((9, 7), np.float32)
    hole[4, 3] = hole[0, 0] = 1
    got = membrane(np.full_like(crop, 0.25), crop, hole)
    np.testing.assert_allclose(got[hole > 0], 0.3, atol=1e-6)


# dB gained at least; a ring cannot see a slope, it only must not spoil it
@pytest.mark.parametrize("name", ["coffee.png", "chelsea.png", "astronaut.png"])
def test_right_content_in_the_wrong_tone_is_repaired_on_photographs(name):
    image = photograph(name)
    hole = hole_in(image)
    inside = hole > 0
    for distort, ring_gain, membrane_gain in ((shifted, 100, 7), (darkened, 5, 5), (ramped, -1, 35)):
        fill = distort(image)
        before = psnr(fill[inside], image[inside])
        assert psnr(match_ring(fill, image, hole, 12)[inside], image[inside]) > before + ring_gain
        assert psnr(membrane(fill, image, hole)[inside], image[inside]) > before + membrane_gain
