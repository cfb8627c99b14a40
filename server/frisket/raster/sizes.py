"""Which sizes an engine can work at, and which one a crop gets. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass

from frisket.errors import RequestInvalid
from frisket.raster.geometry import Size

MAX_UPSCALE = 8  # a crop is never enlarged more than this towards an engine's native side: there is nothing to see


@dataclass(frozen=True, slots=True)
class Fit:
    """How a crop becomes a working picture: scaled from `source` to `scaled`, then padded right and below."""

    source: Size
    scaled: Size
    padded: Size

    @property
    def scale(self) -> float:
        """Working px per crop px, along the longer side."""
        return self.scaled.longer / self.source.longer

    @property
    def unchanged(self) -> bool:
        """The crop is the working picture."""
        return self.source == self.scaled == self.padded

    @property
    def reduced(self) -> bool:
        """Detail is lost: the engine works at less than the crop's resolution."""
        return self.scaled.longer < self.source.longer


@dataclass(frozen=True, slots=True)
class SizeRule:
    """Which working sizes an engine takes. `multiple`: both sides are divisible by it. `max_pixels` 0 = no limit.

    `native_side` 0 means that the engine works at any scale; otherwise small crops are scaled up towards it. Raises
    RequestInvalid when no size at all would satisfy it.
    """

    min_side: int = 1
    max_side: int = 1 << 16
    multiple: int = 1
    max_pixels: int = 0
    native_side: int = 0

    def __post_init__(self) -> None:
        if min(self.min_side, self.max_side, self.multiple) < 1 or min(self.max_pixels, self.native_side) < 0:
            raise RequestInvalid(detail=f"{self} has a side or a multiple below 1, or a limit below 0")
        if not self._allows(self._padded(Size(1, 1))):
            raise RequestInvalid(detail=f"no size satisfies {self}")

    def plan(self, size: Size) -> Fit:
        """The largest working size for a crop of `size` px: its own, or `native_side`, or as much as the limits allow.

        The aspect is kept up to rounding, each side is at least 1. A side below `min_side` is met by padding, never by
        scaling; so are multiples. All limits hold for the padded size. Raises RequestInvalid for an empty `size`.
        """
        if size.shorter < 1:
            raise RequestInvalid(detail=f"a picture of {size} has no pixels")
        longest = size.longer
        if longest < self.native_side:
            longest = min(self.native_side, MAX_UPSCALE * longest)
        # The padded size grows with the longer side, so bisect for the largest that the limits allow; 1 always is.
        good, bad = 1, longest + 1
        while bad - good > 1:
            middle = (good + bad) // 2
            if self._allows(self._padded(_scaled(size, middle))):
                good = middle
            else:
                bad = middle
        scaled = _scaled(size, good)
        return Fit(size, scaled, self._padded(scaled))

    def _padded(self, size: Size) -> Size:
        """Both sides at least `min_side` and rounded up to `multiple`."""
        width, height = (-(-max(side, self.min_side) // self.multiple) * self.multiple for side in _sides(size))
        return Size(width, height)

    def _allows(self, size: Size) -> bool:
        return size.longer <= self.max_side and (self.max_pixels == 0 or size.area <= self.max_pixels)


def _sides(size: Size) -> tuple[int, int]:
    return size.width, size.height


def _scaled(size: Size, longer: int) -> Size:
    """`size` with its longer side at `longer`, the other rounded half up, at least 1."""
    width, height = (max(1, (2 * side * longer + size.longer) // (2 * size.longer)) for side in _sides(size))
    return Size(width, height)
