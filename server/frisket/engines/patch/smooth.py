"""Push-pull: a smooth guess for unknown pixels (Gortler, Grzeszczuk, Szeliski & Cohen, SIGGRAPH 1996, section 3.4).

Pull: halve the picture, averaging only what is known, until all is known. Push: fill each level's unknown pixels from
the coarser one, bilinearly.
"""

from __future__ import annotations

import cv2
import numpy as np


def pushpull(I: np.ndarray, known: np.ndarray) -> np.ndarray:
    """A copy of I (h, w, c) float32 with the pixels outside `known` (h, w) bool replaced; unchanged if none is known.

    The new values lie within the range of the known ones.
    """
    if known.all() or not known.any():
        return I.copy()
    h, w = known.shape
    h2, w2 = (h + 1) // 2, (w + 1) // 2
    sums = np.zeros((h2 * 2, w2 * 2, I.shape[2]), np.float32)
    counts = np.zeros((h2 * 2, w2 * 2), np.float32)
    sums[:h, :w] = np.where(known[..., None], I, 0)
    counts[:h, :w] = known
    total = sums.reshape(h2, 2, w2, 2, -1).sum((1, 3))
    count = counts.reshape(h2, 2, w2, 2).sum((1, 3))
    half = pushpull(total / np.maximum(count, 1)[..., None], count > 0)
    full = cv2.resize(half, (w2 * 2, h2 * 2), interpolation=cv2.INTER_LINEAR).reshape(h2 * 2, w2 * 2, -1)
    return np.where(known[..., None], I, full[:h, :w])
