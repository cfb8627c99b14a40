"""A picture cut into tiles that overlap: what is kept of each, and what is shown to whoever works on it."""

from __future__ import annotations

from collections.abc import Iterator

from frisket.raster.geometry import Box, Size

Tile = tuple[Box, Box]  # what is kept of it, and what is seen

LEAST = 64  # px: a tile keeps at least that, however large the apron


def tiles(size: Size, side: int, apron: int, grid: int = 1) -> Iterator[Tile]:
    """Boxes that make `size` up without overlap, and each with `apron` px more around it, clipped to the picture.

    What is seen is `side` px wide and high at most (unless less than LEAST would be kept) and begins at multiples of
    `grid`. A picture that is as small as one tile is one; side 0: any is.
    """
    whole, grid = Box.of(size), max(1, grid)
    if not side or size.area <= side * side:
        yield whole, whole
        return
    apron = -(-apron // grid) * grid
    step = max((side - 2 * apron) // grid, -(-LEAST // grid)) * grid
    for y in range(0, size.height, step):
        for x in range(0, size.width, step):
            kept = Box(x, y, step, step)
            yield kept.clipped(whole), kept.grown(apron).clipped(whole)
