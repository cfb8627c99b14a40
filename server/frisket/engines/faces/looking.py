"""How detectors look at a picture: at a bounded size, and closer when asked.

The whole picture is seen with its longer side at `side` px at most, so that a look costs the same however large it is.
`closer` adds a second look, in tiles of that size: at the picture's own px, or at twice as many where it is small.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.engines.faces import rows as faces
from frisket.engines.faces.dials import CLOSER, SIDE, SIZES
from frisket.engines.faces.rows import Rows
from frisket.engines.spec import Report, Work
from frisket.raster.spans import Check, mapped

Picture = NDArray[np.uint8]
Find = Callable[[Picture, Check], Rows]  # faces in an RGB picture (h, w, 3), in its px

ENLARGED = 2.0  # times: what a closer look makes of a small picture
OVERLAP = 192  # px by which tiles overlap: faces up to this are whole in one of them


@dataclass(frozen=True, slots=True)
class Tile:
    """x, y: where it lies in the enlarged or reduced picture. Half open; `whole` is that picture's (width, height)."""

    x: int
    y: int
    width: int
    height: int
    whole: tuple[int, int]


def looked(find: Find, work: Work, report: Report) -> list[Rows]:
    """What Task.DETECT_FACES gives back: `find` on the whole of work.crop (h, w, 3), and on tiles of it."""
    side, limit = int(work.params[SIDE.name]), float(work.params["confidence"])
    height, width = work.crop.shape[:2]
    first = min(1.0, side / max(height, width))
    looks = [(first, tile) for tile in _tiles(width, height, first, max(height, width))]
    if work.params[CLOSER.name]:
        second = min(ENLARGED, max(1.0, SIZES.max_side / max(height, width)))
        if second > first:
            looks += [(second, tile) for tile in _tiles(width, height, second, side)]
    found = []
    for number, (scale, tile) in enumerate(looks):
        report(number, len(looks))
        found.append(_in_tile(find, work.crop, scale, tile, report.check))
    report(len(looks), len(looks))
    all_of_them = faces.within(faces.stacked(found), width, height)
    return [faces.best(all_of_them[all_of_them[:, faces.SCORE] >= limit])]


def _tiles(width: int, height: int, scale: float, side: int) -> list[Tile]:
    """The picture at that scale in tiles of at most side x side px, evenly laid."""
    whole = (max(1, round(width * scale)), max(1, round(height * scale)))
    (xs, w), (ys, h) = (_steps(length, side) for length in whole)
    return [Tile(x, y, w, h, whole) for y in ys for x in xs]


def _steps(length: int, side: int) -> tuple[list[int], int]:
    if length <= side:
        return [0], length
    count = -(-(length - OVERLAP) // (side - OVERLAP))
    return [round(k * (length - side) / (count - 1)) for k in range(count)], side


def _in_tile(find: Find, crop: np.ndarray, scale: float, tile: Tile, check: Check) -> Rows:
    x, y = crop.shape[1] / tile.whole[0], crop.shape[0] / tile.whole[1]  # px of the crop per px of the look
    left, top = int(tile.x * x), int(tile.y * y)
    right, bottom = round((tile.x + tile.width) * x), round((tile.y + tile.height) * y)
    check()
    piece = as_bytes(crop[top:bottom, left:right], check)
    if piece.shape[:2] != (tile.height, tile.width):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        piece = np.asarray(cv2.resize(piece, (tile.width, tile.height), interpolation=how), np.uint8)
    check()
    rows = find(piece, check)
    rows = rows[_uncut(rows, tile)]
    return faces.moved(faces.scaled(rows, (right - left) / tile.width, (bottom - top) / tile.height), left, top)


def _uncut(rows: Rows, tile: Tile) -> np.ndarray:
    """Which do not touch an edge of the tile where the picture goes on: the next tile has more of them. Of one of
    several tiles none that is too large to be whole in one for certain: the look at the whole picture saw those."""
    x, y, w, h = rows[:, faces.BOX].T
    fine = np.ones(len(rows), bool)
    if tile.whole != (tile.width, tile.height):
        fine &= np.maximum(w, h) <= OVERLAP
    if tile.x > 0:
        fine &= x > 0
    if tile.y > 0:
        fine &= y > 0
    if tile.x + tile.width < tile.whole[0]:
        fine &= x + w < tile.width
    if tile.y + tile.height < tile.whole[1]:
        fine &= y + h < tile.height
    return fine


def as_bytes(crop: np.ndarray, check: Check | None = None) -> Picture:
    """Work values (h, w, 3) float32, clipped to 0...1, as 0...255."""
    return mapped(lambda part: np.clip(part, 0, 1) * np.float32(255) + np.float32(0.5), np.uint8, check, crop)
