"""What the sources of the field say about a pixel: the weighted mean of all patches that cover it.

The M step of Wexler, Shechtman & Irani (PAMI 2007). Weights fall with the distance to the known area (their alpha) and
steeply with the patch distance D, so that the best of 49 voters wins instead of all being averaged: no blur.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit, uint64

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import CHANNELS, SIDE, Field, P
from frisket.raster.spans import row_spans

GAMMA = np.float32(1.5)  # alpha = GAMMA^-distance; Wexler's 1.3 keeps less structure at the rim
SHARPNESS = 10.0  # of exp(-SHARPNESS D / D75), D75 = the 75th percentile of D
LEAST = np.float32(1e-8)


def certainty(field: Field) -> np.ndarray:
    """(n,) float32, 1e-8...1: how much each target's source resembles it, against the others of this field."""
    D75 = max(float(np.percentile(field.D, 75)), 1.0)
    return np.maximum(np.exp(field.D * np.float32(-SHARPNESS / D75)), LEAST)


def trust(distance: np.ndarray, check: Callable[[], None] | None = None) -> np.ndarray:
    """Like `distance`, float32, 1e-6...1: from the distance in px to the nearest known pixel.

    check: called now and then, may raise errors.Cancelled.
    """
    sure = np.ones(distance.shape, np.float32)
    for rows in row_spans(distance.shape, check):
        inside = distance[rows] > 0
        sure[rows][inside] = np.maximum(np.power(GAMMA, -distance[rows][inside]), np.float32(1e-6))
    return sure


def voted(
    I: np.ndarray,
    field: Field,
    weight: np.ndarray,
    hy: np.ndarray,
    hx: np.ndarray,
    bands: Bands,
    at: tuple[int, int] = (0, 0),
) -> np.ndarray:
    """(m, 4) float32: the votes for the pixels (hy, hx), both (m,) int32.

    I: (H, w, 4) float32, C order, H >= h: see `match`. weight: (n,) float32, of each target. at: (dy, dx), -1...1 each:
    the votes for the neighbour there, as the same sources show it. voted(at=(0, 1)) - voted() is the voted gradient:
    voting is linear.
    """
    out = np.empty((len(hy), CHANNELS), np.float32)
    args = (I.reshape(-1), field.index, hy, hx, field.sy, field.sx, weight, *at, out)
    bands.run(_vote, len(hy), *args)
    return out


@njit(nogil=True, fastmath=True, cache=True)
def _vote(low, high, F, index, hy, hx, sy, sx, weight, oy, ox, out):
    h, w = index.shape
    last = F.shape[0] // (w * CHANNELS) - 1
    for m in range(low, high):
        y, x = hy[m], hx[m]
        a0, a1, a2, a3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        total = np.float32(0)
        for k in range(SIDE * SIDE):
            dy, dx = k // SIDE - P, k % SIDE - P
            if y + dy < 0 or y + dy >= h or x + dx < 0 or x + dx >= w:
                continue
            t = index[y + dy, x + dx]
            if t < 0:
                continue
            py = min(max(np.int64(sy[t]) - dy + oy, 0), last)
            px = min(max(np.int64(sx[t]) - dx + ox, 0), w - 1)
            a = uint64((py * w + px) * CHANNELS)
            v = weight[t]
            a0 += v * F[a]
            a1 += v * F[a + uint64(1)]
            a2 += v * F[a + uint64(2)]
            a3 += v * F[a + uint64(3)]
            total += v
        if total > 0:
            out[m, 0], out[m, 1], out[m, 2], out[m, 3] = a0 / total, a1 / total, a2 / total, a3 / total
        else:
            a = uint64((np.int64(y) * w + x) * CHANNELS)
            out[m, 0], out[m, 1], out[m, 2], out[m, 3] = F[a], F[a + uint64(1)], F[a + uint64(2)], F[a + uint64(3)]
