"""How a picture grows past its borders: strip by strip, the sides before the corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frisket.raster.geometry import Box

SHARE = 0.2  # of what is there, along the way that it grows: a strip is that deep
LEAST = 16  # px: no strip is less deep, except the last


@dataclass(frozen=True, slots=True)
class Strip:
    """One step of growing: what was `known` becomes `grown`, a box that contains it."""

    known: Box
    grown: Box


def strips(canvas: Box, known: Box) -> list[Strip]:
    """The steps from `known` to `canvas`, which contains it; in turn sideways, then up and down with the corners."""
    steps: list[Strip] = []
    while known != canvas:
        for sideways in (True, False):
            grown = _grown(canvas, known, sideways)
            if grown != known:
                steps.append(Strip(known, grown))
                known = grown
    return steps


def known_box(known: np.ndarray) -> Box:
    """The smallest box around what is true in `known` (h, w) bool; some of it must be."""
    rows, columns = np.nonzero(known.any(1))[0], np.nonzero(known.any(0))[0]
    x, y = int(columns[0]), int(rows[0])
    return Box(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)


def _grown(canvas: Box, known: Box, sideways: bool) -> Box:
    length = known.width if sideways else known.height
    step = max(LEAST, round(SHARE * length))
    if sideways:
        left, right = _edges(canvas.x, canvas.right, known.x, known.right, step)
        return Box(left, known.y, right - left, known.height)
    top, bottom = _edges(canvas.y, canvas.bottom, known.y, known.bottom, step)
    return Box(known.x, top, known.width, bottom - top)


def _edges(low: int, high: int, start: int, end: int, step: int) -> tuple[int, int]:
    """A sliver shorter than half a step is taken along: patches need some depth."""
    first = low if start - low < 1.5 * step else start - step
    last = high if high - end < 1.5 * step else end + step
    return first, last
