"""The PNG reader and writer next to Pillow's and cv2's; what no decoder may be shown."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from frisket.raster import png
from frisket.raster.formats import Layout
from frisket.raster.geometry import Size


def noise(channels: int, dtype: type, height: int = 300, width: int = 37) -> np.ndarray:
    full = np.iinfo(dtype).max
    return np.random.default_rng(channels).integers(0, full + 1, (height, width, channels)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("layout", list(Layout))
def test_there_and_back(layout, dtype):
    array = noise(layout.channels, dtype)
    data = b"".join(png.write(array))
    head = png.header(data)
    assert (head.size, head.depth, head.layout) == (Size(37, 300), 8 * array.itemsize, layout)
    assert head.inflated == 300 * (1 + 37 * layout.channels * array.itemsize)
    back = png.read(data)
    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pillow_agrees_both_ways(mode):
    array = noise(len(mode), np.uint8)
    image = Image.open(io.BytesIO(b"".join(png.write(array))))
    assert image.mode == mode
    np.testing.assert_array_equal(np.asarray(image).reshape(array.shape), array)
    file = io.BytesIO()
    Image.fromarray(array.squeeze()).save(file, "PNG")
    np.testing.assert_array_equal(png.read(file.getvalue()), array)


def test_cv2_agrees_on_sixteen_bit():
    array = noise(3, np.uint16)
    found = cv2.imdecode(np.frombuffer(b"".join(png.write(array)), np.uint8), cv2.IMREAD_UNCHANGED)
    assert found is not None
    np.testing.assert_array_equal(found[..., ::-1], array)


def test_profile_and_exif_are_where_others_find_them():
    icc, exif = b"profile" * 99, b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    data = b"".join(png.write(noise(3, np.uint16), icc, b"Exif\0\0" + exif))
    image = Image.open(io.BytesIO(data))
    assert image.info["icc_profile"] == icc
    image.load()
    assert image.info["exif"].removeprefix(b"Exif\0\0") == exif


@pytest.mark.parametrize("side", [(1, 1), (2, 3), (5, 4), (8, 8), (9, 17)])
@pytest.mark.parametrize("bits", [8, 24, 64])
def test_interlaced_rows_are_counted_as_the_specification_lists_them(side, bits):
    """Count pixels of each Adam7 pass in the 8 x 8 pattern printed in the specification."""
    pattern = ["16462646", "77777777", "56565656", "77777777", "36463646", "77777777", "56565656", "77777777"]
    width, height = side
    want = 0
    for number in "1234567":
        rows = [sum(pattern[y % 8][x % 8] == number for x in range(width)) for y in range(height)]
        want += sum(1 + n * bits // 8 for n in rows if n)
    assert png._inflated(Size(width, height), bits, True) == want


def test_broken_headers():
    good = b"".join(png.write(noise(3, np.uint8)))
    for data in (b"", good[:32], b"\0" + good[1:], good[:16] + b"\0\0\0\0" + good[20:]):
        with pytest.raises(png.PngBroken):
            png.header(data)


def test_palettes_are_not_read():
    file = io.BytesIO()
    Image.new("P", (4, 4)).save(file, "PNG")
    assert png.header(file.getvalue()).layout is None
    with pytest.raises(png.PngBroken):
        png.read(file.getvalue())
