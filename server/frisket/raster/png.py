"""PNG files of 8 and 16 bit, strictly: what neither Pillow (16-bit colour) nor cv2 (profiles, gray with alpha) can do.

The format is that of the W3C's Portable Network Graphics specification, third edition. Written: filter Up on every row,
deflate level 1, no interlace. Read: every chunk's length and checksum is checked, and the length of what the pixels
inflate to, before a decoder sees them.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import cv2
import numpy as np

from frisket.raster.formats import Layout
from frisket.raster.geometry import Size

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOR_TYPES = {Layout.GRAY: 0, Layout.RGB: 2, Layout.GRAY_ALPHA: 4, Layout.RGBA: 6}
LAYOUTS = {number: layout for layout, number in COLOR_TYPES.items()}
SAMPLES_OF_TYPE = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
ROWS = 256  # written at a time
INFLATED = 1 << 16  # bytes looked at a time


class PngBroken(ValueError):
    """The bytes are no sound PNG; the text says why. The caller knows what they were and names it in its own error."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first chunk says. `layout` is None for a palette; `depth` is in bits per sample."""

    size: Size
    depth: int
    layout: Layout | None
    inflated: int  # bytes of all filtered rows


def header(data: memoryview | bytes) -> Header:
    """The header alone, from at least the first 33 bytes. Raises PngBroken."""
    start = bytes(data[:33])
    if len(start) < 33 or start[:8] != SIGNATURE or start[8:16] != b"\0\0\0\x0dIHDR":
        raise PngBroken("it does not begin as a PNG")
    if zlib.crc32(start[12:29]) != struct.unpack(">I", start[29:])[0]:
        raise PngBroken("the header's checksum is wrong")
    width, height, depth, kind, method, filters, interlace = struct.unpack(">IIBBBBB", start[16:29])
    if not 0 < width < 1 << 31 or not 0 < height < 1 << 31 or kind not in SAMPLES_OF_TYPE:
        raise PngBroken("the header makes no sense")
    if depth not in (1, 2, 4, 8, 16) or method or filters or interlace > 1:
        raise PngBroken("the header makes no sense")
    size = Size(width, height)
    return Header(size, depth, LAYOUTS.get(kind), _inflated(size, depth * SAMPLES_OF_TYPE[kind], bool(interlace)))


def _inflated(size: Size, bits: int, interlaced: bool) -> int:
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    total = 0
    for x, y, dx, dy in passes:
        width, height = -(-(size.width - x) // dx), -(-(size.height - y) // dy)
        if width > 0 and height > 0:
            total += height * (1 + -(-width * bits // 8))
    return total


def read(data: memoryview | bytes) -> np.ndarray:
    """The pixels, (h, w, c) uint8 or uint16. Raises PngBroken, also for a palette and for less than 8 bit.

    Look at `header` first: this allocates what the header says. Gamma, profile and text chunks are not looked at.
    """
    view = memoryview(data)
    head = header(view)
    if head.layout is None or head.depth < 8:
        raise PngBroken("it has a palette or less than 8 bit")
    pieces = list(_chunks(view))
    _check_inflated(pieces, head.inflated)
    critical = b"".join([SIGNATURE, *(_chunk(kind, piece) for kind, piece in pieces if kind in _CRITICAL)])
    try:
        found = cv2.imdecode(np.frombuffer(critical, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        found = None
    if found is None:
        raise PngBroken("its pixels cannot be decoded")
    found = found.reshape(head.size.height, head.size.width, -1)
    if head.layout is Layout.GRAY_ALPHA:
        return np.ascontiguousarray(found[..., [0, -1]])
    if head.layout.colors == 3:
        cv2.cvtColor(found, cv2.COLOR_BGRA2RGBA if head.layout.has_alpha else cv2.COLOR_BGR2RGB, dst=found)
    return found


_CRITICAL = (b"IHDR", b"IDAT", b"IEND")


def _chunks(view: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """Kind and body of every chunk, checked, up to and with IEND, which must be the end."""
    at = len(SIGNATURE)
    while True:
        if at + 12 > len(view):
            raise PngBroken("it ends too early")
        (length,) = struct.unpack_from(">I", view, at)
        if at + 12 + length > len(view):
            raise PngBroken("it ends too early")
        kind, body = bytes(view[at + 4 : at + 8]), view[at + 8 : at + 8 + length]
        if zlib.crc32(view[at + 4 : at + 8 + length]) != struct.unpack_from(">I", view, at + 8 + length)[0]:
            raise PngBroken("a checksum is wrong")
        yield kind, body
        at += 12 + length
        if kind == b"IEND":
            if at != len(view):
                raise PngBroken(f"{len(view) - at} bytes follow its end")
            return


def _check_inflated(pieces: list[tuple[bytes, memoryview]], expected: int) -> None:
    """The rows must inflate to exactly what the header promises. Piece by piece, so that a bomb takes no memory."""
    inflate = zlib.decompressobj()
    total = 0
    try:
        for kind, body in pieces:
            left: bytes | memoryview = body if kind == b"IDAT" else b""
            while len(left) and not inflate.eof and total <= expected:
                total += len(inflate.decompress(left, INFLATED))
                left = inflate.unconsumed_tail
        while not inflate.eof and total <= expected and (rest := inflate.decompress(b"", INFLATED)):
            total += len(rest)
    except zlib.error as error:
        raise PngBroken("its pixels cannot be inflated") from error
    if total != expected or not inflate.eof:
        raise PngBroken("it holds another number of pixels than its header says")


def write(
    array: np.ndarray, icc: bytes = b"", exif: bytes = b"", xmp: bytes = b"", text: Mapping[str, str] | None = None
) -> Iterator[bytes]:
    """An (h, w, c) array of uint8 or uint16, c = 1 to 4 as in `Layout`, as the pieces of a PNG file.

    `icc` is an ICC profile, `exif` a TIFF-style block (with or without its leading "Exif\\0\\0"), `xmp` a packet in
    UTF-8, `text` facts by keyword (Latin-1, 1 to 79 characters).
    """
    height, width, channels = array.shape
    layout = next(layout for layout in Layout if layout.channels == channels)
    fields = struct.pack(">IIBBBBB", width, height, 8 * array.itemsize, COLOR_TYPES[layout], 0, 0, 0)
    yield SIGNATURE + _chunk(b"IHDR", fields)
    if icc:
        yield _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc))
    if exif:
        yield _chunk(b"eXIf", exif.removeprefix(b"Exif\0\0"))
    for keyword, value in (text or {}).items():
        yield _text(keyword, value.encode())
    if xmp:
        yield _chunk(b"iTXt", b"XML:com.adobe.xmp" + bytes(5) + xmp)
    deflate = zlib.compressobj(1)
    last = np.zeros(width * channels * array.itemsize, np.uint8)
    for top in range(0, height, ROWS):
        # samples are big-endian
        rows = np.ascontiguousarray(array[top : top + ROWS], array.dtype.newbyteorder(">")).view(np.uint8)
        rows = rows.reshape(len(rows), -1)
        filtered = np.empty((len(rows), rows.shape[1] + 1), np.uint8)
        filtered[:, 0] = 2  # Up
        np.subtract(rows, np.concatenate([last[None], rows[:-1]]), out=filtered[:, 1:])
        last = rows[-1]
        if body := deflate.compress(filtered.data):
            yield _chunk(b"IDAT", body)
    yield _chunk(b"IDAT", deflate.flush()) + _chunk(b"IEND", b"")


def _text(keyword: str, value: bytes) -> bytes:
    """`value` is UTF-8. A tEXt where that is plain ASCII: every reader knows it."""
    if value.isascii():
        return _chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + value)
    return _chunk(b"iTXt", keyword.encode("latin-1") + bytes(5) + value)  # not compressed, of no language


def _chunk(kind: bytes, body: bytes | memoryview) -> bytes:
    return b"".join([struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))])
