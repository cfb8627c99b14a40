"""Sizes and boxes as values. Standard library only: an editor's plug-in uses this module too.

A box never travels without its space. Three are named in this project: *canvas* (the editor's picture), *crop* (a piece
of the canvas that an edit works on) and *working* (the crop at the size the engine likes).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in px, both >= 0."""

    width: int
    height: int

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def longer(self) -> int:
        return max(self.width, self.height)

    @property
    def shorter(self) -> int:
        return min(self.width, self.height)

    def __str__(self) -> str:
        return f"{self.width} x {self.height}"


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels: left, top, width, height in px. Half open: `right` and `bottom` lie just outside."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def of(cls, size: Size) -> Box:
        """The box of a whole picture."""
        return cls(0, 0, size.width, size.height)

    @classmethod
    def spanning(cls, x0: int, y0: int, x1: int, y1: int) -> Box:
        """From corners; empty (0 wide or high) when they cross."""
        return cls(x0, y0, max(0, x1 - x0), max(0, y1 - y0))

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def size(self) -> Size:
        return Size(self.width, self.height)

    @property
    def area(self) -> int:
        return self.width * self.height

    @property
    def empty(self) -> bool:
        return self.width <= 0 or self.height <= 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Row and column slices of an array that starts at (0, 0). The box must not reach to negative coordinates."""
        return slice(self.y, self.bottom), slice(self.x, self.right)

    def grown(self, px: int) -> Box:
        """Larger by `px` on each side; smaller (never below empty) when negative."""
        return Box.spanning(self.x - px, self.y - px, self.right + px, self.bottom + px)

    def moved(self, dx: int, dy: int) -> Box:
        return Box(self.x + dx, self.y + dy, self.width, self.height)

    def relative_to(self, other: Box) -> Box:
        """The same pixels in the space whose origin is `other`'s corner."""
        return self.moved(-other.x, -other.y)

    def clipped(self, other: Box) -> Box:
        """The part inside `other`; empty when they do not meet."""
        x0, y0 = max(self.x, other.x), max(self.y, other.y)
        return Box.spanning(x0, y0, min(self.right, other.right), min(self.bottom, other.bottom))

    def joined(self, other: Box) -> Box:
        """The smallest box that holds both; an empty one adds nothing."""
        if self.empty or other.empty:
            return other if self.empty else self
        x0, y0 = min(self.x, other.x), min(self.y, other.y)
        return Box.spanning(x0, y0, max(self.right, other.right), max(self.bottom, other.bottom))

    def holds(self, other: Box) -> bool:
        """Whether `other` lies wholly inside."""
        return self.joined(other) == self

    def meets(self, other: Box) -> bool:
        """Whether they share a pixel."""
        return not self.clipped(other).empty

    def __str__(self) -> str:
        return f"{self.width} x {self.height} at ({self.x}, {self.y})"
