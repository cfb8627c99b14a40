"""Push-pull: a smooth guess for unknown pixels (Gortler, Grzeszczuk, Szeliski & Cohen, SIGGRAPH 1996, section 3.4).

Pull: halve the picture, averaging only what is known, until all is known. Push: fill each level's unknown pixels from
the coarser one, bilinearly.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from frisket.raster.spans import row_spans


def pushpull(I: np.ndarray, known: np.ndarray, check: Callable[[], None] | None = None) -> np.ndarray:
    """A copy of I (h, w, c) float32 with the pixels outside `known` (h, w) bool replaced; unchanged if none is known.

    The new values lie within the range of the known ones. check: called now and then, may raise errors.Cancelled.
    """
    if known.all() or not known.any():
        return I.copy()
    h, w = known.shape
    h2, w2 = (h + 1) // 2, (w + 1) // 2
    mean, some = np.empty((h2, w2, I.shape[2]), np.float32), np.empty((h2, w2), bool)
    for rows in row_spans((h, w), check):
        to = slice(rows.start // 2, (rows.stop + 1) // 2)
        mean[to], some[to] = _pulled(I[rows], known[rows])
    half = pushpull(mean, some, check)
    out = np.empty_like(I)
    for rows in row_spans((h, w), check):
        there = known[rows]
        out[rows] = I[rows]
        if not there.all():
            first, last = max(0, rows.start // 2 - 1), (rows.stop + 1) // 2 + 1  # one row more on each side
            few = half[first:last]
            full = cv2.resize(few, (w2 * 2, len(few) * 2), interpolation=cv2.INTER_LINEAR)
            full = full.reshape(len(few) * 2, w2 * 2, -1)[rows.start - 2 * first :][: len(there), :w]
            out[rows][~there] = full[~there]
    return out


def _pulled(I: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Means of known pixels over blocks of 2 x 2, and where there are any."""
    h, w = known.shape
    h2, w2 = (h + 1) // 2, (w + 1) // 2
    sums = np.zeros((h2 * 2, w2 * 2, I.shape[2]), np.float32)
    counts = np.zeros((h2 * 2, w2 * 2), np.float32)
    sums[:h, :w] = np.where(known[..., None], I, 0)
    counts[:h, :w] = known
    total = sums.reshape(h2, 2, w2, 2, -1).sum((1, 3))
    count = counts.reshape(h2, 2, w2, 2).sum((1, 3))
    return total / np.maximum(count, 1)[..., None], count > 0
