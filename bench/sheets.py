"""Contact sheets: the same hole, filled by everybody, side by side. Numbers do not see a dog with five legs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from bench.cases import write_rgb

from frisket.raster.geometry import Box
from frisket.raster.masks import bounds

HOLE_COLOR = (255, 0, 255)
GAP = 4  # px between tiles
LABEL = 18  # px

Row = Mapping[str, np.ndarray]  # label: (h, w, 3) uint8, drawn from left to right


def marked(picture: np.ndarray, hole: np.ndarray, opacity: float = 0.65) -> np.ndarray:
    """A copy of `picture` with `hole` tinted; opacity 1 hides what is below."""
    out = picture.copy()
    out[hole] = np.rint(out[hole] * (1 - opacity) + np.array(HOLE_COLOR) * opacity).astype(np.uint8)
    return out


def view_of(hole: np.ndarray) -> Box:
    """A square around the hole, a third wider than it, or what of it the picture has."""
    height, width = hole.shape
    box = bounds(hole)
    assert box is not None
    side = int(box.size.longer * 1.35) + 40
    x = int(np.clip(box.x + box.width // 2 - side // 2, 0, max(0, width - side)))
    y = int(np.clip(box.y + box.height // 2 - side // 2, 0, max(0, height - side)))
    return Box(x, y, min(side, width), min(side, height))


def write_sheet(path: Path, rows: Sequence[Row], tile: int) -> None:
    """PNG with one row of square tiles (tile px) for each of `rows`; pictures are scaled to fit."""
    columns = max(len(row) for row in rows)
    sheet = np.full((len(rows) * (tile + GAP), columns * (tile + GAP), 3), 255, np.uint8)
    for j, row in enumerate(rows):
        for i, (label, picture) in enumerate(row.items()):
            y, x = j * (tile + GAP), i * (tile + GAP)
            sheet[y : y + tile, x : x + tile] = _tile(picture, label, tile)
    write_rgb(path, sheet)


def _tile(picture: np.ndarray, label: str, side: int) -> np.ndarray:
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(picture, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=how)
    tile = np.full((side, side, 3), 255, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    cv2.rectangle(tile, (0, 0), (9 * len(label) + 6, LABEL), (0, 0, 0), -1)
    cv2.putText(tile, label, (3, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA)
    return tile
