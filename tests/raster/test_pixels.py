"""Depth, curve and alpha: every integer value there and back, floats beyond 0...1, hidden colour."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from frisket.errors import ImageNotFinite, RequestInvalid
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Size
from frisket.raster.pixels import (
    DTYPES,
    as_rgb,
    check_finite,
    check_pixels,
    decoded,
    encoded,
    extremes,
    from_bytes,
    from_rgb,
    from_work,
    premultiply,
    preview_rgb8,
    to_work,
    unpremultiply,
)
from frisket.raster.spans import SPAN

BOTH = [Transfer.PERCEPTUAL, Transfer.LINEAR]


@pytest.mark.parametrize("transfer", BOTH)
@pytest.mark.parametrize(("samples", "full"), [(Samples.U8, 255), (Samples.U16, 65535)])
def test_every_integer_value_comes_back(samples, full, transfer):
    for layout in (Layout.GRAY, Layout.GRAY_ALPHA):
        values = np.arange(full + 1, dtype=DTYPES[samples])
        array = np.stack([values] * layout.channels, axis=1)[None]
        fmt = PixelFormat(samples, layout, transfer)
        work = to_work(array, fmt)
        assert work.dtype == np.float32
        assert work.min() == 0
        assert work.max() == pytest.approx(1, abs=1e-7)
        np.testing.assert_array_equal(from_work(work, fmt), array)


@given(hnp.arrays(np.float32, (2, 3, 4), elements=st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_perceptual_floats_come_back_bit_for_bit(array):
    fmt = PixelFormat(Samples.F32, Layout.RGBA)
    assert from_work(to_work(array, fmt), fmt).tobytes() == array.tobytes()


@given(hnp.arrays(np.float16, (2, 3, 1), elements=st.floats(allow_nan=False, allow_infinity=False, width=16)))
def test_perceptual_half_floats_come_back_bit_for_bit(array):
    fmt = PixelFormat(Samples.F16, Layout.GRAY)
    assert from_work(to_work(array, fmt), fmt).tobytes() == array.tobytes()


def test_linear_floats_come_back_within_a_millionth():
    size = np.logspace(-9, 5, 200_001, dtype=np.float32)
    array = np.concatenate([-size, [0], size]).astype(np.float32).reshape(1, -1, 1)
    fmt = PixelFormat(Samples.F32, Layout.GRAY, Transfer.LINEAR)
    back = from_work(to_work(array, fmt), fmt)
    assert (np.abs(back - array) <= 1e-6 * np.abs(array)).all()


def test_curve_golden():
    """Mid gray of a photograph, the joint of the two pieces, white; odd below zero, on above one."""
    linear = np.array([0, 0.0031308, 0.18, 0.21404114, 1, 4, -0.18], np.float32)
    want = [0, 0.04045, 0.46135613, 0.5, 1, 1.82479630, -0.46135613]
    np.testing.assert_allclose(encoded(linear), want, rtol=2e-6)
    np.testing.assert_allclose(decoded(np.array(want, np.float32)), linear, rtol=3e-6)


def test_curve_is_monotone_across_its_joint():
    x = np.linspace(0.0025, 0.004, 5001, dtype=np.float32)
    assert (np.diff(encoded(x)) >= -1e-8).all()


def test_alpha_is_not_gamma_encoded():
    fmt = PixelFormat(Samples.F32, Layout.RGBA, Transfer.LINEAR)
    array = np.full((1, 1, 4), 0.21404114, np.float32)
    work = to_work(array, fmt)
    np.testing.assert_allclose(work[0, 0], [0.5, 0.5, 0.5, 0.21404114], atol=1e-6)
    assert array[0, 0, 0] == np.float32(0.21404114)  # the input is left alone


def test_rounding_is_half_up_and_clips_integers_only():
    work = np.array([[[0.5 / 255], [1.49 / 255], [1.5 / 255], [-3], [7]]], np.float32)
    assert from_work(work, PixelFormat(Samples.U8, Layout.GRAY)).ravel().tolist() == [1, 1, 2, 0, 255]
    assert from_work(work, PixelFormat(Samples.F32, Layout.GRAY)).ravel().tolist()[3:] == [-3, 7]
    huge = np.array([[[1e6], [-1e6]]], np.float32)
    assert from_work(huge, PixelFormat(Samples.F16, Layout.GRAY)).ravel().tolist() == [65504, -65504]


def test_arrays_that_are_not_what_the_format_says_are_refused():
    fmt = PixelFormat(Samples.U8, Layout.RGB)
    for array in (np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 3), np.uint16), np.zeros((2, 2), np.uint8)):
        with pytest.raises(RequestInvalid):
            check_pixels(array, fmt)
        with pytest.raises(RequestInvalid):
            to_work(array, fmt)


def test_raw_bytes_are_the_pixels():
    fmt = PixelFormat(Samples.U16, Layout.GRAY_ALPHA)
    got = from_bytes(bytes(range(12)), Size(3, 1), fmt)
    assert got.tolist() == [[[0x0100, 0x0302], [0x0504, 0x0706], [0x0908, 0x0B0A]]]
    assert not got.flags.writeable
    for wrong in (b"", bytes(11), bytes(13)):
        with pytest.raises(RequestInvalid):
            from_bytes(wrong, Size(3, 1), fmt)


def test_not_finite_is_counted():
    check_finite(np.ones((2, 2), np.uint8))
    check_finite(np.ones((2, 2), np.float16))
    with pytest.raises(ImageNotFinite) as caught:
        check_finite(np.array([1, np.nan, np.inf, -np.inf, 0], np.float32))
    assert caught.value.data == {"count": "3"}


def test_premultiplied_golden():
    work = np.array([[[0.8, 0.4, 0.2, 0.5], [0.7, 0.6, 0.5, 0.0], [2.0, -1.0, 0.0, 1.0]]], np.float32)
    there = premultiply(work, Layout.RGBA)
    np.testing.assert_allclose(there[0], [[0.4, 0.2, 0.1, 0.5], [0, 0, 0, 0], [2, -1, 0, 1]], rtol=1e-6)
    back = unpremultiply(there, Layout.RGBA)
    np.testing.assert_allclose(back[0, [0, 2]], work[0, [0, 2]], rtol=1e-6)
    assert back[0, 1].tolist() == [0, 0, 0, 0]  # what was hidden under full transparency is gone
    assert unpremultiply(np.array([[[0.3, 0.0]]], np.float32), Layout.GRAY_ALPHA).tolist() == [[[0, 0]]]


def test_without_alpha_nothing_is_multiplied():
    work = np.ones((1, 2, 3), np.float32)
    assert premultiply(work, Layout.RGB) is work
    assert unpremultiply(work, Layout.RGB) is work


@given(hnp.arrays(np.float32, (3, 3, 4), elements=st.floats(0, 1, width=32)))
def test_unpremultiply_inverts_where_something_is_seen(work):
    seen = work[..., 3] > 1e-3
    back = unpremultiply(premultiply(work, Layout.RGBA), Layout.RGBA)
    np.testing.assert_allclose(back[seen], work[seen], rtol=1e-5, atol=1e-30)


@pytest.mark.parametrize("layout", list(Layout))
def test_rgb_and_back(layout):
    rng = np.random.default_rng(4)
    work = rng.random((5, 6, layout.channels), dtype=np.float32)
    rgb = as_rgb(work, layout)
    assert rgb.shape == (5, 6, 3)
    assert not np.shares_memory(rgb, work)
    np.testing.assert_allclose(from_rgb(rgb, work, layout), work, atol=2e-7)


def test_gray_of_rgb_is_luma():
    rgb = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1]]], np.float32)
    got = from_rgb(rgb, np.zeros((1, 3, 1), np.float32), Layout.GRAY)
    np.testing.assert_allclose(got[0, :, 0], [0.2126, 0.7152, 0.0722], rtol=1e-6)


def test_preview_golden():
    work = np.array([[[1.0, 1.0], [1.0, 0.0], [0.0, 0.5], [9.0, 1.0]]], np.float32)
    got = preview_rgb8(work, Layout.GRAY_ALPHA)
    assert got.dtype == np.uint8
    assert got[0].tolist() == [[255] * 3, [128] * 3, [64] * 3, [255] * 3]


def test_preview_is_small_and_does_not_bleed_hidden_colour():
    work = np.zeros((300, 1000, 4), np.float32)
    work[..., 0] = 1  # red everywhere, but seen in the left half only
    work[:, :500, 3] = 1
    got = preview_rgb8(work, Layout.RGBA, max_side=100)
    assert got.shape == (30, 100, 3)
    assert got[10, 20].tolist() == [255, 0, 0]
    assert got[10, 80].tolist() == [128, 128, 128]
    assert preview_rgb8(work[:1, :1], Layout.RGBA).shape == (1, 1, 3)


def test_extremes_are_those_of_each_channel():
    image = np.random.default_rng(0).normal(0, 1, (900, 700, 3)).astype(np.float32)
    asked: list[None] = []
    low, high = extremes(image, lambda: asked.append(None))
    np.testing.assert_array_equal(low, image.min(axis=(0, 1)))
    np.testing.assert_array_equal(high, image.max(axis=(0, 1)))
    assert len(asked) >= 900 * 700 // SPAN


@pytest.mark.parametrize("samples", list(Samples))
def test_conversions_ask_at_least_once_for_each_span(samples):
    fmt = PixelFormat(samples, Layout.RGBA, Transfer.LINEAR)
    array = np.random.default_rng(0).integers(0, 200, (1200, 700, 4)).astype(DTYPES[samples])
    asked: list[None] = []
    work = to_work(array, fmt, lambda: asked.append(None))
    np.testing.assert_array_equal(work[1000:], to_work(array[1000:], fmt))
    assert len(asked) >= 1200 * 700 // SPAN
    asked.clear()
    np.testing.assert_array_equal(from_work(work, fmt, lambda: asked.append(None))[1000:], from_work(work[1000:], fmt))
    assert len(asked) >= 1200 * 700 // SPAN
