"""What the samples of a picture mean. Standard library only: an editor's plug-in uses this module too."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Samples(enum.Enum):
    """One sample. Integers span 0...full; floats have 0...1 as their nominal range and may leave it. Little-endian."""

    U8 = "u8"
    U16 = "u16"
    F16 = "f16"
    F32 = "f32"

    @property
    def bytes(self) -> int:
        return {"u8": 1, "u16": 2, "f16": 2, "f32": 4}[self.value]

    @property
    def is_float(self) -> bool:
        return self in (Samples.F16, Samples.F32)


class Layout(enum.Enum):
    """The channels of a pixel, interleaved, in this order. Alpha is straight (not multiplied in), 0 = transparent."""

    GRAY = "gray"
    GRAY_ALPHA = "gray+alpha"
    RGB = "rgb"
    RGBA = "rgba"

    @property
    def channels(self) -> int:
        return {"gray": 1, "gray+alpha": 2, "rgb": 3, "rgba": 4}[self.value]

    @property
    def has_alpha(self) -> bool:
        return self in (Layout.GRAY_ALPHA, Layout.RGBA)

    @property
    def colors(self) -> int:
        """Channels without alpha: 1 or 3."""
        return self.channels - self.has_alpha


class Transfer(enum.Enum):
    """How values relate to light."""

    PERCEPTUAL = "perceptual"  # gamma-encoded, as in an ordinary PNG
    LINEAR = "linear"  # proportional to light


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """Samples, channels and transfer of a picture held as an (h, w, c) array or as its bytes, row by row."""

    samples: Samples = Samples.U8
    layout: Layout = Layout.RGB
    transfer: Transfer = Transfer.PERCEPTUAL

    @property
    def pixel_bytes(self) -> int:
        return self.samples.bytes * self.layout.channels

    def __str__(self) -> str:
        return f"{self.layout.value} {self.samples.value} {self.transfer.value}"


class Codec(enum.Enum):
    """How the samples of one plane travel as bytes."""

    RAW = "raw"  # row by row, interleaved, little-endian
    STRIP_ZSTD = "strip-zstd"  # strips of rows: planar, subtract green, vertical delta, zstd level 1
    PNG = "png"  # a PNG file; integers only
    ZSTD = "zstd"  # the raw bytes as one zstd frame; masks travel so
