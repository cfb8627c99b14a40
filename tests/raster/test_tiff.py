"""The TIFF writer next to Pillow and cv2; directories that are not read."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from frisket.raster import tiff
from frisket.raster.formats import Layout, Samples
from frisket.raster.geometry import Size


def noise(channels: int, dtype: type, height: int = 600, width: int = 21) -> np.ndarray:
    values = np.random.default_rng(channels).random((height, width, channels))
    return (values if dtype is np.float32 else values * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize(("dtype", "samples"), [(np.uint16, Samples.U16), (np.float32, Samples.F32)])
@pytest.mark.parametrize("layout", [Layout.GRAY, Layout.RGB, Layout.RGBA])
def test_there_and_back(layout, dtype, samples):
    array = noise(layout.channels, dtype)
    data = tiff.write(array, layout, b"profile" * 9)
    head = tiff.header(data)
    assert head == tiff.Header(Size(21, 600), samples, layout, b"profile" * 9)
    back = tiff.read(data, head)
    assert back.dtype == array.dtype
    assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pillow_reads_eight_bit(mode):
    array = noise(len(mode), np.uint8)
    layout = next(layout for layout in Layout if layout.channels == len(mode))
    image = Image.open(io.BytesIO(tiff.write(array, layout, b"profile")))
    assert image.mode == mode
    assert image.info["icc_profile"] == b"profile"
    np.testing.assert_array_equal(np.asarray(image).reshape(array.shape), array)


def test_what_others_write_is_read():
    array = noise(3, np.float32)
    ok, data = cv2.imencode(".tiff", array[..., ::-1])
    assert ok
    head = tiff.header(data.tobytes())
    assert (head.samples, head.layout, head.icc) == (Samples.F32, Layout.RGB, b"")
    assert tiff.read(data.tobytes(), head).tobytes() == array.tobytes()


def test_big_endian_is_read():
    pixels = np.array([[1, 2], [3, 40000]], ">u2")
    entries = [(256, 4, 2), (257, 4, 2), (258, 3, 16), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 4, 2), (279, 4, 8)]
    rows = b"".join(
        struct.pack(">HHI", t, k, 1) + struct.pack(">I" if k == 4 else ">HH", *([v, 0][: 5 - k])) for t, k, v in entries
    )
    data = b"MM\0*" + struct.pack(">I", 16) + pixels.tobytes() + struct.pack(">H", len(entries)) + rows + bytes(4)
    head = tiff.header(data)
    assert tiff.read(data, head)[..., 0].tolist() == [[1, 2], [3, 40000]]


def test_kinds_that_are_not_read_are_named():
    cases = {"P": "palette", "CMYK": "CMYK", "LAB": "L*a*b*", "1": "1 bits"}
    for mode, word in cases.items():
        file = io.BytesIO()
        Image.new(mode, (4, 4)).save(file, "TIFF")
        with pytest.raises(tiff.TiffForeign, match=word.replace("*", r"\*")):
            tiff.header(file.getvalue())
    with pytest.raises(tiff.TiffForeign, match="gray with alpha"):
        tiff.header(tiff.write(noise(2, np.uint16), Layout.GRAY_ALPHA))


def test_broken_directories():
    good = tiff.write(noise(3, np.uint16), Layout.RGB)
    for data in (good[:8], good[:-40], b"II*\0\xff\xff\xff\x7f", b"II*\0" + bytes(20), good[:4]):
        with pytest.raises(tiff.TiffBroken):
            tiff.header(data)


def test_pixels_that_are_broken():
    """The directory is whole, the first strip is not."""
    good = bytearray(tiff.write(noise(3, np.uint16), Layout.RGB))
    head = tiff.header(bytes(good))
    good[8:200] = bytes(192)  # the first strip's deflate stream
    with pytest.raises(tiff.TiffBroken):
        tiff.read(bytes(good), head)
