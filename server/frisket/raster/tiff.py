"""TIFF files of 16 bit and float, which Pillow cuts to 8; written with what cv2 leaves out: profile and kind of alpha.

The format is that of Adobe's TIFF 6.0, with deflate (Adobe Photoshop TIFF Technical Notes) and the ICC profile's tag.
"""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import TiffImagePlugin

from frisket.raster.formats import Layout, Samples
from frisket.raster.geometry import Size

ROWS = 256  # of a strip
SAMPLES = {(8, 1): Samples.U8, (16, 1): Samples.U16, (32, 3): Samples.F32}  # by bits and sample format
GRAY, RGB = 1, 2  # photometric interpretation: black is zero
KINDS = {0: "gray with white as zero", 3: "an indexed picture (palette)", 5: "CMYK", 6: "YCbCr", 8: "CIE L*a*b*"}
ASSOCIATED, UNASSOCIATED = 1, 2  # alpha multiplied in, or straight

# tag numbers
WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS, ORIENTATION = 256, 257, 258, 259, 262, 273, 274
CHANNELS, STRIP_ROWS, COUNTS, EXTRA, FORMAT, XMP, ICC = 277, 278, 279, 338, 339, 700, 34675
DEFLATE = 8


class TiffBroken(ValueError):
    """The bytes are no sound TIFF; the text says why."""


class TiffForeign(ValueError):
    """A TIFF of a kind that is not read; the text completes "The picture is ..."."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first directory says. Size is before the orientation is applied."""

    size: Size
    samples: Samples
    layout: Layout
    icc: bytes
    xmp: bytes = b""


def header(data: bytes) -> Header:
    """The first picture's kind. Raises TiffBroken, TiffForeign."""
    try:
        directory = TiffImagePlugin.ImageFileDirectory_v2(data[: 16 if data[2:4] in (b"+\0", b"\0+") else 8])
        file = io.BytesIO(data)
        file.seek(directory.next)
        directory.load(file)
        bits = directory.get(BITS, (1,))
        size = Size(int(directory[WIDTH]), int(directory[HEIGHT]))
        channels, kind = int(directory.get(CHANNELS, 1)), int(directory[PHOTOMETRIC])
        form, extra = directory.get(FORMAT, (1,))[0], directory.get(EXTRA, ())
        icc, xmp = bytes(directory.get(ICC, b"")), directory.get(XMP, b"")
    except Exception as error:  # the parser raises whatever its parts do
        raise TiffBroken("its directory cannot be read") from error
    if kind not in (GRAY, RGB):
        raise TiffForeign(KINDS.get(kind, f"a TIFF of the kind {kind}"))
    samples = SAMPLES.get((bits[0], form))
    if samples is None or len(set(bits)) > 1:
        raise TiffForeign(f"a TIFF with {bits[0]} bits of the sample format {form}")
    layout = next((x for x in Layout if x.channels == channels and x.colors == (1 if kind == GRAY else 3)), None)
    if layout is None:
        raise TiffForeign(f"a TIFF with {channels} channels")
    if layout is Layout.GRAY_ALPHA and samples is not Samples.U8:
        raise TiffForeign(f"a TIFF of gray with alpha in {bits[0]} bit")
    if layout.has_alpha and ASSOCIATED in extra and samples is not Samples.U8:
        raise TiffForeign("a TIFF with alpha multiplied into the colours")
    return Header(size, samples, layout, icc, xmp if isinstance(xmp, bytes) else b"")


def read(data: bytes, head: Header) -> np.ndarray:
    """The pixels of the first picture, upright, (h, w, c) uint16 or float32. Allocates what the header says.

    8 bit is Pillow's to read, which knows its many kinds of compression and alpha. Raises TiffBroken.
    """
    try:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        found = None
    if found is None:
        raise TiffBroken("its pixels cannot be decoded")
    found = found.reshape(*found.shape[:2], -1)
    if found.shape[2] != head.layout.channels or found.dtype.itemsize != head.samples.bytes:
        raise TiffBroken("its pixels are not what its directory says")
    if head.layout.colors == 3:
        found[..., :3] = found[..., 2::-1].copy()
    return found


def write(array: np.ndarray, layout: Layout, icc: bytes = b"", xmp: bytes = b"") -> bytes:
    """An (h, w, c) array of uint8, uint16 or float32 as a TIFF file: one picture, deflated strips, straight alpha.

    `icc` is an ICC profile, `xmp` a packet in UTF-8 (XMP specification part 3: tag 700, bytes).
    """
    height, width, channels = array.shape
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    strips = [zlib.compress(little[top : top + ROWS].data, 1) for top in range(0, height, ROWS)]
    offsets = np.cumsum([8, *(len(s) for s in strips)]).tolist()
    longs = {
        WIDTH: [width],
        HEIGHT: [height],
        OFFSETS: offsets[:-1],
        STRIP_ROWS: [ROWS],
        COUNTS: [len(s) for s in strips],
    }
    shorts = {
        BITS: [8 * array.itemsize] * channels,
        COMPRESSION: [DEFLATE],
        PHOTOMETRIC: [GRAY if layout.colors == 1 else RGB],
        ORIENTATION: [1],
        CHANNELS: [channels],
        FORMAT: [3 if array.dtype.kind == "f" else 1] * channels,
    }
    if layout.has_alpha:
        shorts[EXTRA] = [UNASSOCIATED]
    entries = {tag: (4, len(v), struct.pack(f"<{len(v)}I", *v)) for tag, v in longs.items()}
    entries |= {tag: (3, len(v), struct.pack(f"<{len(v)}H", *v)) for tag, v in shorts.items()}
    if icc:
        entries[ICC] = (7, len(icc), icc)
    if xmp:
        entries[XMP] = (1, len(xmp), xmp)
    body = b"".join(strips)
    body += b"\0" * (len(body) % 2)  # directories begin on even bytes
    return struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + _directory(entries, 8 + len(body))


def _directory(entries: dict[int, tuple[int, int, bytes]], at: int) -> bytes:
    """Tags in ascending order; a value of more than 4 bytes lies behind the directory."""
    rows, values = [], b""
    behind = at + 2 + 12 * len(entries) + 4
    for tag, (kind, count, value) in sorted(entries.items()):
        if len(value) > 4:
            where = struct.pack("<I", behind + len(values))
            values += value + b"\0" * (len(value) % 2)
        else:
            where = value.ljust(4, b"\0")
        rows.append(struct.pack("<HHI", tag, kind, count) + where)
    return struct.pack("<H", len(rows)) + b"".join(rows) + bytes(4) + values
