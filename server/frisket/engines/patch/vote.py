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
from frisket.raster.spans import SPAN, mapped, row_spans, spans

GAMMA = np.float32(1.5)  # alpha = GAMMA^-distance; Wexler's 1.3 keeps less structure at the rim
SHARPNESS = 10.0  # of exp(-SHARPNESS D / D75), D75 = the 75th percentile of D
LEAST = np.float32(1e-8)
DEEPEST = 35.0  # px: from here on nothing is less trusted, see `trust`


def certainty(field: Field, check: Callable[[], None] | None = None) -> np.ndarray:
    """(n,) float32, 1e-8...1: how much each target's source resembles it, against the others of this field.

    check: called now and then, may raise errors.Cancelled.
    """
    steep = np.float32(-SHARPNESS / max(third_quartile(field.D, check), 1.0))
    return mapped(lambda D: np.maximum(np.exp(D * steep), LEAST), np.float32, check, field.D)


def third_quartile(D: np.ndarray, check: Callable[[], None] | None = None) -> float:
    """np.percentile(D, 75) of (n,) float32, n > 0, none below 0. check: called now and then.

    numpy partitions all of it in one call. Here the value of a rank is read off two counts: of the upper halves of all
    numbers (as bits, numbers that are not negative lie in order), then of the lower halves of those that share the
    upper one.
    """
    if len(D) <= SPAN:
        return float(np.percentile(D, 75))
    place = np.float32(len(D) - 1) * np.float32(0.75)
    rank = int(place)
    bits = np.ascontiguousarray(D).view(np.uint32)
    low, high = (np.uint32(_ranked(bits, r, check)).view(np.float32) for r in (rank, min(rank + 1, len(D) - 1)))
    share = place - np.float32(rank)
    return float(low + (high - low) * share if share < 0.5 else high - (high - low) * (np.float32(1) - share))


def _ranked(bits: np.ndarray, rank: int, check: Callable[[], None] | None) -> int:
    """The rank-th smallest (from 0) of (n,) uint32."""
    counts = np.zeros(1 << 16, np.int64)
    for s in spans(len(bits), check):
        counts += np.bincount(bits[s] >> 16, minlength=1 << 16)
    upper = int(np.searchsorted(np.cumsum(counts), rank, "right"))
    rank -= int(counts[:upper].sum())
    counts[:] = 0
    for s in spans(len(bits), check):
        counts += np.bincount(bits[s][bits[s] >> 16 == upper] & 0xFFFF, minlength=1 << 16)
    return upper << 16 | int(np.searchsorted(np.cumsum(counts), rank, "right"))


def put(I: np.ndarray, hy: np.ndarray, hx: np.ndarray, values: np.ndarray, bands: Bands) -> None:
    """Writes values (m, 4) into I (H, w, 4) at the pixels (hy, hx)."""
    for s in bands.spans(len(hy)):
        I[hy[s], hx[s]] = values[s]


def trust(distance: np.ndarray, check: Callable[[], None] | None = None) -> np.ndarray:
    """Like `distance`, float32, 1e-6...1: from the distance in px to the nearest known pixel.

    check: called now and then, may raise errors.Cancelled.
    """
    sure = np.empty(distance.shape, np.float32)
    for rows in row_spans(distance.shape, check):
        inside = distance[rows] > 0
        sure[rows] = 1
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
