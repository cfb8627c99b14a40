"""Pixels as bytes and back. Apart from files (`files`, `png`) the only module that sees encoded pixels.

RAW         the array row by row, interleaved, little-endian.
ZSTD        RAW as one zstd frame.
PNG         a PNG file of the format's own depth and layout; integers only.
STRIP_ZSTD  for every 128 rows (the last strip may have fewer): uint32 little-endian length n, then n bytes, one zstd
            frame. Inflated it holds the strip's samples, taken as unsigned integers of their size, modulo 2^bits:
            1. with three colour channels, green is subtracted from red and from blue;
            2. channels one after the other (planar), rows top down, alpha last;
            3. in each channel, each row but the strip's first has the row above subtracted;
            4. samples of 2 or 4 bytes: all lowest bytes first, then all second ones, and so on.

Decoding trusts nothing: what the bytes say of their own length is compared with what the picture's size asks for before
anything is allocated.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import cv2
import numpy as np
import zstandard

from frisket.errors import RequestInvalid, UploadCorrupt
from frisket.raster import png
from frisket.raster.formats import Codec, PixelFormat, Samples
from frisket.raster.geometry import Size
from frisket.raster.pixels import DTYPES, check_pixels, from_bytes

STRIP_ROWS = 128
RAW_PIECE = 1 << 20  # bytes, about
ZSTD_LEVEL = 1
WINDOW_LEAST = 1 << 23  # bytes that a zstd frame may ask for as its window, however small the picture
PNG_EXTRA = 1 << 20  # bytes of profile and text that a PNG may carry besides its pixels

_UNSIGNED = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}

Bytes = bytes | bytearray | memoryview


def encode(array: np.ndarray, fmt: PixelFormat, codec: Codec) -> Iterator[bytes]:
    """The bytes of (h, w, c) document pixels of `fmt`, in pieces as they become ready.

    Raises RequestInvalid when the array is not of `fmt` or the codec cannot hold it.
    """
    check_pixels(array, fmt)
    if codec is Codec.RAW:
        return _raw(array)
    if codec is Codec.STRIP_ZSTD:
        return _strips(array, fmt)
    if codec is Codec.ZSTD:
        frame = zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(np.ascontiguousarray(array).data)
        return iter((frame,))
    _check_png(fmt)
    return png.write(array)


def decode(data: Bytes, fmt: PixelFormat, size: Size, codec: Codec, plane: str) -> np.ndarray:
    """The (h, w, c) pixels of `fmt` and `size` in `data`, read-only. Whatever the data says, no more memory is taken
    than for these pixels twice and one strip.

    Raises UploadCorrupt, naming `plane` ("image", "mask" ...), for data that is not exactly that picture, and
    RequestInvalid when the codec cannot hold the format.
    """
    view = memoryview(data).cast("B")
    try:
        if codec is Codec.RAW:
            array = _from_raw(view, fmt, size)
        elif codec is Codec.STRIP_ZSTD:
            array = _from_strips(view, fmt, size)
        elif codec is Codec.ZSTD:
            array = _from_raw(_inflate(view, size.area * fmt.pixel_bytes), fmt, size)
        else:
            _check_png(fmt)
            array = _from_png(view, fmt, size)
    except _Corrupt as lie:
        raise UploadCorrupt(plane=plane, codec=codec.value, reason=lie) from lie
    array.setflags(write=False)
    return array


def max_encoded_bytes(fmt: PixelFormat, size: Size, codec: Codec) -> int:
    """An upper bound for the bytes of such a picture; a longer upload can be refused before it is read.

    Tight for RAW. For zstd it is the format's own worst case, for PNG incompressible rows in 8 KiB chunks plus 1 MiB.
    Raises RequestInvalid when the codec cannot hold the format.
    """
    raw = size.area * fmt.pixel_bytes
    if codec is Codec.RAW:
        return raw
    if codec is Codec.ZSTD:
        return _zstd_bound(raw)
    if codec is Codec.STRIP_ZSTD:
        row = size.width * fmt.pixel_bytes
        full, rest = divmod(size.height, STRIP_ROWS)
        return full * (4 + _zstd_bound(STRIP_ROWS * row)) + (4 + _zstd_bound(rest * row) if rest else 0)
    _check_png(fmt)
    rows = raw + size.height
    return rows + rows // 256 + PNG_EXTRA


def jpeg_preview(rgb8: np.ndarray, quality: int = 85) -> bytes:
    """(h, w, 3) uint8 as a JPEG file; `quality` 0...100. For looking at, not for working on."""
    ok, data = cv2.imencode(".jpg", rgb8[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not ok:
        raise RequestInvalid(detail=f"a preview of the shape {rgb8.shape} cannot be encoded")
    return data.tobytes()


class _Corrupt(ValueError):
    """What is wrong with the data, as the reason of UploadCorrupt."""


# --- raw, zstd, png --------------------------------------------------------------------------------------------------


def _raw(array: np.ndarray) -> Iterator[bytes]:
    rows = max(1, RAW_PIECE // max(1, array[:1].nbytes))
    for top in range(0, len(array), rows):
        yield array[top : top + rows].tobytes()


def _from_raw(view: bytes | memoryview, fmt: PixelFormat, size: Size) -> np.ndarray:
    expected = size.area * fmt.pixel_bytes
    if len(view) != expected:
        raise _Corrupt(f"{len(view)} bytes instead of {expected}")
    return from_bytes(view, size, fmt)


def _inflate(frame: memoryview, expected: int) -> bytes:
    """One zstd frame that must hold exactly `expected` bytes; its own claim is compared before it is believed."""
    try:
        declared = zstandard.frame_content_size(frame)
        if declared not in (-1, expected):
            raise _Corrupt(f"the zstd frame declares {declared} bytes instead of {expected}")
        window = min(max(WINDOW_LEAST, expected), 1 << 30)
        inflater = zstandard.ZstdDecompressor(max_window_size=window)
        data = inflater.decompress(frame, max_output_size=expected, allow_extra_data=False)
    except zstandard.ZstdError as error:
        raise _Corrupt("the zstd frame is broken, cut off, too long or followed by other bytes") from error
    if len(data) != expected:
        raise _Corrupt(f"the zstd frame holds {len(data)} bytes instead of {expected}")
    return data


def _zstd_bound(size: int) -> int:
    """ZSTD_COMPRESSBOUND of the reference implementation's zstd.h."""
    return size + (size >> 8) + (((128 << 10) - size) >> 11 if size < 128 << 10 else 0)


def _check_png(fmt: PixelFormat) -> None:
    if fmt.samples not in (Samples.U8, Samples.U16):
        raise RequestInvalid(detail=f"PNG holds 8 or 16 bit integers, not {fmt}")


def _from_png(view: memoryview, fmt: PixelFormat, size: Size) -> np.ndarray:
    try:
        head = png.header(view)
        depth = 8 * fmt.samples.bytes
        if head.size != size:
            raise _Corrupt(f"the file holds {head.size} pixels instead of {size}")
        if head.layout is not fmt.layout or head.depth != depth:
            found = head.layout.value if head.layout else "palette"
            raise _Corrupt(f"the file is {found} {head.depth} bit instead of {fmt.layout.value} {depth} bit")
        return png.read(view)
    except png.PngBroken as broken:
        raise _Corrupt(broken) from broken


# --- strips ----------------------------------------------------------------------------------------------------------


def _strips(array: np.ndarray, fmt: PixelFormat) -> Iterator[bytes]:
    deflater = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
    for top in range(0, len(array), STRIP_ROWS):
        frame = deflater.compress(strip_filtered(array[top : top + STRIP_ROWS], fmt).data)
        yield struct.pack("<I", len(frame)) + frame


def strip_filtered(rows: np.ndarray, fmt: PixelFormat) -> np.ndarray:
    """Steps 1 to 4 of STRIP_ZSTD on the (h, w, c) rows of one strip: uint8, flat."""
    samples = fmt.samples.bytes
    planes = np.moveaxis(rows.view(_UNSIGNED[samples]), 2, 0).copy()
    if fmt.layout.colors == 3:
        planes[0] -= planes[1]
        planes[2] -= planes[1]
    deltas = planes.copy()
    deltas[:, 1:] -= planes[:, :-1]
    return np.ascontiguousarray(deltas.view(np.uint8).reshape(-1, samples).T).reshape(-1)


def _unfiltered(data: bytes, fmt: PixelFormat, out: np.ndarray) -> None:
    """The inverse of `strip_filtered`, into the (h, w, c) rows `out`."""
    samples, (height, width, channels) = fmt.samples.bytes, out.shape
    split = np.frombuffer(data, np.uint8).reshape(samples, -1)
    planes = np.ascontiguousarray(split.T).view(_UNSIGNED[samples]).reshape(channels, height, width)
    if not planes.flags.writeable:  # of 1-byte samples it is the data itself
        planes = planes.copy()
    for row in range(1, height):
        planes[:, row] += planes[:, row - 1]
    if fmt.layout.colors == 3:
        planes[0] += planes[1]
        planes[2] += planes[1]
    out.view(_UNSIGNED[samples])[...] = np.moveaxis(planes, 0, 2)


def _from_strips(view: memoryview, fmt: PixelFormat, size: Size) -> np.ndarray:
    row = size.width * fmt.pixel_bytes
    if len(view) < 4 * -(-size.height // STRIP_ROWS):
        raise _Corrupt("it ends too early")
    out = np.empty((size.height, size.width, fmt.layout.channels), DTYPES[fmt.samples])
    at = 0
    for top in range(0, size.height, STRIP_ROWS):
        rows = out[top : top + STRIP_ROWS]
        if at + 4 > len(view):
            raise _Corrupt("it ends too early")
        (length,) = struct.unpack_from("<I", view, at)
        if at + 4 + length > len(view):
            raise _Corrupt("it ends too early")
        _unfiltered(_inflate(view[at + 4 : at + 4 + length], len(rows) * row), fmt, rows)
        at += 4 + length
    if at != len(view):
        raise _Corrupt(f"{len(view) - at} bytes follow the last strip")
    return out
