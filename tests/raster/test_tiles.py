"""Tiles make up the picture once, and begin where they are wanted."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.raster.geometry import Box, Size
from frisket.raster.tiles import LEAST, tiles


@pytest.mark.parametrize(
    ("size", "side", "apron", "grid"),
    [
        (Size(500, 301), 128, 20, 8),
        (Size(1, 5000), 64, 24, 1),
        (Size(70, 80), 64, 40, 16),
        (Size(300, 200), 100, 5, 7),
        (Size(9, 9), 0, 3, 4),
    ],
)
def test_every_pixel_is_kept_once_with_its_apron_around_it(size: Size, side: int, apron: int, grid: int) -> None:
    counts = np.zeros((size.height, size.width), int)
    for kept, seen in tiles(size, side, apron, grid):
        counts[kept.slices] += 1
        assert (seen.x % grid, seen.y % grid) == (0, 0)
        assert seen.holds(kept.grown(apron).clipped(Box.of(size)))
        assert not side or seen.size.longer <= max(side, LEAST + 2 * apron + 3 * grid)
    assert (counts == 1).all()


def test_a_small_picture_is_one_tile() -> None:
    whole = Box(0, 0, 50, 72)
    assert list(tiles(whole.size, 60, 10, 4)) == [(whole, whole)]
    assert len(list(tiles(Size(50, 73), 60, 10, 4))) == 2
