"""Codecs: every format there and back, golden bytes, and a test for each way in which data can lie."""

from __future__ import annotations

import os
import struct
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from frisket.errors import RequestInvalid, UploadCorrupt
from frisket.raster.codecs import STRIP_ROWS, decode, encode, jpeg_preview, max_encoded_bytes, strip_filtered
from frisket.raster.formats import Codec, Layout, PixelFormat, Samples
from frisket.raster.geometry import Size
from frisket.raster.pixels import DTYPES

FORMATS = [PixelFormat(s, layout) for s in Samples for layout in Layout]
RGB8 = PixelFormat(Samples.U8, Layout.RGB)
GRAY8 = PixelFormat(Samples.U8, Layout.GRAY)

# A 3 x 2 picture: its strip after the four steps, and a whole STRIP_ZSTD stream of it with the frame stored raw.
SMALL = np.array([[[10, 20, 30], [11, 22, 33], [255, 0, 1]], [[10, 21, 30], [0, 0, 0], [254, 1, 3]]], np.uint8)
FILTERED = [
    *(246, 245, 255, 255, 11, 254),  # red - green: 246 245 255 / 245 0 253, the second row less the first
    *(20, 22, 0, 1, 234, 1),  # green: 20 22 0 / 21 0 1
    *(10, 11, 1, 255, 245, 1),  # blue - green: 10 11 1 / 9 0 2
]
STREAM = bytes.fromhex("1b00000028b52ffd2012910000f6f5ffff0bfe14160001ea010a0b01fff501")


def fits(codec: Codec, fmt: PixelFormat) -> bool:
    return codec is not Codec.PNG or not fmt.samples.is_float


def noise(fmt: PixelFormat, size: Size, seed: int = 0) -> np.ndarray:
    """Any bit pattern, NaN included: codecs move bits."""
    data = np.random.default_rng(seed).bytes(size.area * fmt.pixel_bytes)
    return np.frombuffer(data, DTYPES[fmt.samples]).reshape(size.height, size.width, fmt.layout.channels)


def whole(array: np.ndarray, fmt: PixelFormat, codec: Codec) -> bytes:
    return b"".join(encode(array, fmt, codec))


def refused(data: bytes, fmt: PixelFormat, size: Size, codec: Codec) -> str:
    """The reason of the refusal; the memory taken until then must be less than the picture twice and a little."""
    tracemalloc.start()
    try:
        with pytest.raises(UploadCorrupt) as caught:
            decode(data, fmt, size, codec, "image")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * size.area * fmt.pixel_bytes + (1 << 20)
    assert caught.value.data["plane"] == "image"
    assert caught.value.data["codec"] == codec.value
    return caught.value.data["reason"]


# --- there and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_every_format_comes_back_bit_for_bit(fmt, codec):
    if not fits(codec, fmt):
        with pytest.raises(RequestInvalid):
            encode(noise(fmt, Size(3, 3)), fmt, codec)
        with pytest.raises(RequestInvalid):
            max_encoded_bytes(fmt, Size(3, 3), codec)
        return
    for size in (Size(1, 1), Size(7, STRIP_ROWS), Size(33, 2 * STRIP_ROWS + 5)):
        array = noise(fmt, size)
        data = whole(array, fmt, codec)
        back = decode(data, fmt, size, codec, "image")
        assert back.dtype == array.dtype
        assert back.tobytes() == array.tobytes()
        assert not back.flags.writeable
        assert len(data) <= max_encoded_bytes(fmt, size, codec)
        assert decode(memoryview(bytearray(data)), fmt, size, codec, "image").tobytes() == array.tobytes()


@given(st.sampled_from(FORMATS), st.sampled_from(list(Codec)), st.integers(1, 9), st.integers(1, 9), st.integers(0, 9))
def test_any_small_picture_comes_back(fmt, codec, width, height, seed):
    if fits(codec, fmt):
        array = noise(fmt, Size(width, height), seed)
        back = decode(whole(array, fmt, codec), fmt, Size(width, height), codec, "image")
        assert back.tobytes() == array.tobytes()


@pytest.mark.parametrize("codec", list(Codec))
def test_a_view_with_strides_is_encoded_like_its_copy(codec):
    array = noise(PixelFormat(Samples.U16, Layout.RGBA), Size(40, 30))[3:20:2, 5:30]
    fmt = PixelFormat(Samples.U16, Layout.RGBA)
    assert whole(array, fmt, codec) == whole(array.copy(), fmt, codec)


def test_pieces_come_as_they_are_ready():
    array = np.zeros((1000, 1000, 3), np.uint8)
    assert [len(p) for p in encode(array, RGB8, Codec.RAW)] == [349 * 3000] * 2 + [302 * 3000]
    assert len(list(encode(array, RGB8, Codec.STRIP_ZSTD))) == 8


def test_strips_beat_a_plain_frame_on_smooth_pictures():
    ys, xs = np.mgrid[:512, :512]
    gray = 120 + 60 * np.sin(xs / 40) + 50 * np.cos(ys / 31)
    grain = np.random.default_rng(1).normal(0, 1.5, (512, 512))
    array = np.stack([gray + grain + k for k in (0, 9, 18)], axis=2).astype(np.uint8)
    assert len(whole(array, RGB8, Codec.STRIP_ZSTD)) < 0.6 * len(whole(array, RGB8, Codec.ZSTD))


# --- the format ------------------------------------------------------------------------------------------------------


def test_strip_filter_golden():
    assert strip_filtered(SMALL, RGB8).tolist() == FILTERED


def test_strip_stream_golden():
    """This stream stays readable for ever."""
    np.testing.assert_array_equal(decode(STREAM, RGB8, Size(3, 2), Codec.STRIP_ZSTD, "image"), SMALL)


def test_strip_stream_is_lengths_and_frames():
    data = whole(SMALL, RGB8, Codec.STRIP_ZSTD)
    (length,) = struct.unpack_from("<I", data)
    assert length == len(data) - 4
    assert list(zstandard.decompress(data[4:])) == FILTERED


def test_strip_filter_of_two_bytes_golden():
    fmt = PixelFormat(Samples.U16, Layout.GRAY)
    rows = np.array([[[0x0102], [0x0304]], [[0x0101], [0x1404]]], np.uint16)
    assert strip_filtered(rows, fmt).tolist() == [0x02, 0x04, 0xFF, 0x00, 0x01, 0x03, 0xFF, 0x11]


def test_strip_filter_of_four_bytes_golden():
    """1.0 is 3f800000, 2.0 is 40000000; alpha of RGBA is not touched by the green step."""
    gray = np.array([[[1.0]], [[2.0]]], np.float32)
    fmt = PixelFormat(Samples.F32, Layout.GRAY)
    assert strip_filtered(gray, fmt).tolist() == [0, 0, 0, 0, 0x80, 0x80, 0x3F, 0x00]
    rgba = np.array([[[5, 3, 4, 9]]], np.uint8)
    assert strip_filtered(rgba, PixelFormat(Samples.U8, Layout.RGBA)).tolist() == [2, 3, 1, 9]


def test_png_is_a_png():
    """What is written can be read by others, and what others write can be read."""
    data = whole(SMALL, RGB8, Codec.PNG)
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(found, SMALL[..., ::-1])
    ok, theirs = cv2.imencode(".png", SMALL[..., ::-1])
    assert ok
    np.testing.assert_array_equal(decode(theirs.tobytes(), RGB8, Size(3, 2), Codec.PNG, "image"), SMALL)


# --- lies ------------------------------------------------------------------------------------------------------------

SIDE = Size(50, 300)


def good(codec: Codec, fmt: PixelFormat = RGB8) -> bytes:
    return whole(noise(fmt, SIDE), fmt, codec)


@pytest.mark.parametrize("codec", list(Codec))
def test_truncated_anywhere(codec):
    data = good(codec)
    for end in {0, 1, 3, 4, 5, 20, len(data) // 2, len(data) - 1}:
        assert refused(data[:end], RGB8, SIDE, codec)


@pytest.mark.parametrize("codec", list(Codec))
def test_followed_by_junk(codec):
    for junk in (b"\0", b"junk" * 9, good(codec)):
        assert refused(good(codec) + junk, RGB8, SIDE, codec)


@pytest.mark.parametrize("codec", list(Codec))
@pytest.mark.parametrize("size", [Size(51, 300), Size(50, 301), Size(50, 128), Size(49, 300), Size(2, 3)], ids=str)
def test_another_size_than_declared(codec, size):
    assert refused(good(codec), RGB8, size, codec)


@pytest.mark.parametrize("codec", list(Codec))
def test_another_format_than_declared(codec):
    for fmt in (GRAY8, PixelFormat(Samples.U8, Layout.RGBA), PixelFormat(Samples.U16, Layout.RGB)):
        assert refused(good(codec), fmt, SIDE, codec)


@pytest.mark.parametrize("codec", [Codec.STRIP_ZSTD, Codec.PNG, Codec.ZSTD])
def test_random_bytes(codec):
    for length in (0, 4, 33, 1000):
        assert refused(os.urandom(length), RGB8, SIDE, codec)


def test_a_strip_that_claims_to_be_longer_than_the_data():
    data = good(Codec.STRIP_ZSTD)
    for length in (len(data), 0x7FFFFFFF, 0xFFFFFFFF):
        assert refused(struct.pack("<I", length) + data[4:], RGB8, SIDE, Codec.STRIP_ZSTD) == "it ends too early"


def test_zstd_bombs():
    """One that admits its size, one that hides it, one that asks for a huge window; alone and as a strip."""
    zeros = bytes(64 << 20)
    admits = zstandard.ZstdCompressor(level=1).compress(zeros)
    hides = zstandard.ZstdCompressor(level=1, write_content_size=False).compress(zeros)
    wide = zstandard.ZstdCompressionParameters(window_log=30, write_content_size=False)
    window = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    asks = window.compress(b"x" * 1000) + window.flush()
    for bomb in (admits, hides, asks):
        assert len(bomb) < 20_000
        assert "zstd frame" in refused(bomb, RGB8, Size(50, 100), Codec.ZSTD)
        strip = struct.pack("<I", len(bomb)) + bomb
        assert "zstd frame" in refused(strip, RGB8, Size(50, 100), Codec.STRIP_ZSTD)


def test_a_frame_that_hides_its_size_is_fine_when_it_holds_the_picture():
    frame = zstandard.ZstdCompressor(write_content_size=False).compress(SMALL.tobytes())
    np.testing.assert_array_equal(decode(frame, RGB8, Size(3, 2), Codec.ZSTD, "mask"), SMALL)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of(width: int, height: int, rows: bytes, *more: bytes) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_png_lies():
    fine = png_of(2, 1, b"\0\1\2")
    assert decode(fine, GRAY8, Size(2, 1), Codec.PNG, "mask").ravel().tolist() == [1, 2]
    size = Size(2, 1)
    assert (
        refused(png_of(60000, 60000, b""), GRAY8, size, Codec.PNG)
        == "the file holds 60000 x 60000 pixels instead of 2 x 1"
    )
    assert "number of pixels" in refused(png_of(2, 1, b"\0\1"), GRAY8, size, Codec.PNG)
    assert "number of pixels" in refused(png_of(2, 1, b"\0\1\2\0"), GRAY8, size, Codec.PNG)
    assert "number of pixels" in refused(png_of(2, 1, bytes(64 << 20)), GRAY8, size, Codec.PNG)
    assert "cannot be decoded" in refused(png_of(2, 1, b"\7\1\2"), GRAY8, size, Codec.PNG)  # no such filter
    broken = bytearray(fine)
    broken[-20] ^= 1
    assert "checksum" in refused(bytes(broken), GRAY8, size, Codec.PNG)
    second = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0))
    assert "cannot be decoded" in refused(png_of(2, 1, b"\0\1\2", second), GRAY8, size, Codec.PNG)


def test_png_colour_key_does_not_add_a_channel():
    keyed = png_of(2, 1, b"\0\1\2", chunk(b"tRNS", b"\0\1"))
    assert decode(keyed, GRAY8, Size(2, 1), Codec.PNG, "mask").ravel().tolist() == [1, 2]


# --- bounds and previews ---------------------------------------------------------------------------------------------


def test_bounds_golden():
    size = Size(100, 200)
    assert max_encoded_bytes(RGB8, size, Codec.RAW) == 60000
    assert max_encoded_bytes(RGB8, size, Codec.ZSTD) == 60000 + 234 + 34
    assert max_encoded_bytes(RGB8, size, Codec.STRIP_ZSTD) == (4 + 38400 + 150 + 45) + (4 + 21600 + 84 + 53)
    assert max_encoded_bytes(RGB8, size, Codec.PNG) == 60200 + 235 + (1 << 20)


def test_jpeg_preview_keeps_colours_in_order():
    rgb = np.zeros((40, 60, 3), np.uint8)
    rgb[..., 0] = 200
    data = jpeg_preview(rgb)
    assert data[:2] == b"\xff\xd8"
    back = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert back is not None
    assert np.abs(back[..., ::-1].astype(int) - rgb).max() <= 3
    grain = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    assert len(jpeg_preview(grain, 20)) < len(jpeg_preview(grain, 90))
