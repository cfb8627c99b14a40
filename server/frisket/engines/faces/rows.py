"""What detectors give back, (n, 15) float32 (`engines.spec.Engine.run`): merged, moved, scaled.

Columns: x, y, width, height of a box; x, y of the five points, NaN = not known; score.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.float32]

BOX = slice(0, 4)
POINTS = slice(4, 14)
SCORE = 14
COLUMNS = 15
OVERLAP = 0.4  # of the area that two boxes cover: where they share more, they are one face
COVERED = 0.75  # of its own area: a weaker box so much inside another is a part of that face


def none() -> Rows:
    return np.zeros((0, COLUMNS), np.float32)


def row(box: Sequence[float] | np.ndarray, points: np.ndarray | None, score: float) -> Rows:
    """(15,): points (5, 2), None = not known."""
    five = np.full(10, np.nan) if points is None else np.asarray(points).reshape(10)
    return np.concatenate([np.asarray(box), five, [score]]).astype(np.float32)


def stacked(rows: Sequence[np.ndarray]) -> Rows:
    """Rows (15,) or (n, 15) as one array (n, 15)."""
    return np.concatenate([none(), *(np.atleast_2d(r) for r in rows)]).astype(np.float32)


def scaled(rows: Rows, x: float, y: float) -> Rows:
    """In a picture so many times as wide and as high."""
    out = rows.copy()
    out[:, 0:SCORE:2] *= x
    out[:, 1:SCORE:2] *= y
    return out


def moved(rows: Rows, x: float, y: float) -> Rows:
    """In a picture in which this one lies at (x, y)."""
    out = rows.copy()
    out[:, [0, *range(4, 14, 2)]] += x
    out[:, [1, *range(5, 14, 2)]] += y
    return out


def best(rows: Rows, overlap: float = OVERLAP) -> Rows:
    """Each face once, best first: of boxes that overlap too much the one with the highest score (greedy non-maximum
    suppression), and none that lies inside a better one. Equal scores: the larger box first, then the upper left one.
    """
    areas = rows[:, 2] * rows[:, 3]
    order = np.lexsort((rows[:, 0], rows[:, 1], -areas, -rows[:, SCORE]))
    kept: list[int] = []
    for index in order:
        if kept:
            shared = _shared(rows[index], rows[kept])
            union = areas[index] + areas[kept] - shared
            if (shared > overlap * union).any() or (shared > COVERED * areas[index]).any():
                continue
        kept.append(int(index))
    return rows[kept]


def _shared(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    """px² that a box has in common with each of the others."""
    low = np.maximum(one[:2], others[:, :2])
    high = np.minimum(one[:2] + one[2:4], others[:, :2] + others[:, 2:4])
    return np.prod(np.maximum(high - low, 0), axis=1)


def within(rows: Rows, width: float, height: float) -> Rows:
    """Those that a picture of that size shows some of, and whose box is one."""
    x, y, w, h = rows[:, BOX].T
    fine = np.isfinite(rows[:, BOX]).all(axis=1) & np.isfinite(rows[:, SCORE])
    return rows[fine & (w > 0) & (h > 0) & (x < width) & (y < height) & (x + w > 0) & (y + h > 0)]
