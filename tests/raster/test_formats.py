"""What samples mean: sizes and channel counts as one table."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.raster.formats import Codec, Layout, PixelFormat, Samples, Transfer


@pytest.mark.parametrize(
    ("samples", "size", "is_float"),
    [(Samples.U8, 1, False), (Samples.U16, 2, False), (Samples.F16, 2, True), (Samples.F32, 4, True)],
)
def test_samples(samples, size, is_float):
    assert samples.bytes == size
    assert samples.is_float is is_float


@pytest.mark.parametrize(
    ("layout", "channels", "colors", "has_alpha"),
    [
        (Layout.GRAY, 1, 1, False),
        (Layout.GRAY_ALPHA, 2, 1, True),
        (Layout.RGB, 3, 3, False),
        (Layout.RGBA, 4, 3, True),
    ],
)
def test_layouts(layout, channels, colors, has_alpha):
    assert (layout.channels, layout.colors, layout.has_alpha) == (channels, colors, has_alpha)


def test_tables_have_no_holes():
    for samples in Samples:
        for layout in Layout:
            fmt = PixelFormat(samples, layout)
            dtype = np.dtype({"u": "u", "f": "f"}[samples.value[0]] + str(samples.bytes))
            assert fmt.pixel_bytes == np.zeros(layout.channels, dtype).nbytes


def test_defaults_and_words():
    fmt = PixelFormat()
    assert fmt == PixelFormat(Samples.U8, Layout.RGB, Transfer.PERCEPTUAL)
    assert str(PixelFormat(Samples.F16, Layout.GRAY_ALPHA, Transfer.LINEAR)) == "gray+alpha f16 linear"
    assert fmt.pixel_bytes == 3


def test_names_on_the_wire_stay():
    assert [c.value for c in Codec] == ["raw", "strip-zstd", "png", "zstd"]
    assert [s.value for s in Samples] == ["u8", "u16", "f16", "f32"]
    assert [layout.value for layout in Layout] == ["gray", "gray+alpha", "rgb", "rgba"]
    assert [t.value for t in Transfer] == ["perceptual", "linear"]
