"""The last step: colours that follow the voted gradients, stay near the voted colours and meet the known border.

Screened Poisson (Bhat, Curless, Cohen & Zitnick, ECCV 2008; GradientShop, TOG 2010). Unknown: I at the hole's pixels.
Known: voted colours V and voted differences g towards each neighbour. Minimised, with Dirichlet values at known pixels
and nothing beyond the picture's border:

    sum_p  SCREEN |I_p - V_p|^2  +  sum_{p~q} |I_q - I_p - g_pq|^2

Solved by successive over-relaxation in red-black order, which may run on any number of threads without a difference.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import CHANNELS, Field
from frisket.engines.patch.vote import put, voted
from frisket.raster.spans import mapped, row_spans

SCREEN = 0.01  # a seam's step has faded to 1/e about 10 px into the hole
SWEEPS = 60  # the error shrinks by OMEGA - 1 = 0.87 a sweep: to 0.02 % of the seam
OMEGA = 2 / (1 + math.sqrt(1 - (4 / (4 + SCREEN)) ** 2))  # Young's optimum for a Jacobi radius of 4 / (4 + SCREEN)
AGREED = np.float32(20)  # grey levels between a known pixel and the votes for it, see `blended`
BEYOND, KNOWN = -2, -1  # instead of the number of a hole's pixel


def blended(
    I: np.ndarray, hole: np.ndarray, field: Field, weight: np.ndarray, hy: np.ndarray, hx: np.ndarray, bands: Bands
) -> None:
    """Writes the solution into I (H, w, 4) float32 at the pixels (hy, hx), those where hole (h, w) bool is true.

    weight: (n,) float32 of each target of `field`, for the votes. A step from the hole to a known pixel counts as far
    as the sources show that pixel as it is: in full where a pattern goes on (then V is the solution), hardly where two
    pictures meet (there the step would be a seam).
    """
    V = voted(I, field, weight, hy, hx, bands)
    b = _sides(I, hole, field, weight, V, hy, hx, bands)
    put(I, hy, hx, V, bands)
    del V
    flat = I.reshape(-1)
    halves = [_half(colour, hy, hx, b, bands) for colour in (0, 1)]
    del b
    for _ in range(SWEEPS):
        for y, x, part in halves:
            args = (flat, hole.shape[0], hole.shape[1], y, x, part, np.float32(SCREEN), np.float32(OMEGA))
            bands.run(_relax, len(y), *args, band=32768)


def _half(
    colour: int, hy: np.ndarray, hx: np.ndarray, b: np.ndarray, bands: Bands
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """hy, hx and b of the red (0) or the black (1) pixels."""
    counts = [int(np.count_nonzero((hy[s] + hx[s]) % 2 == colour)) for s in bands.spans(len(hy))]
    n, low = sum(counts), 0
    out = np.empty(n, hy.dtype), np.empty(n, hx.dtype), np.empty((n, CHANNELS), b.dtype)
    for s, count in zip(bands.spans(len(hy)), counts, strict=True):
        mine = (hy[s] + hx[s]) % 2 == colour
        for to, array in zip(out, (hy, hx, b), strict=True):
            to[low : low + count] = array[s][mine]
        low += count
    return out


def _sides(
    I: np.ndarray,
    hole: np.ndarray,
    field: Field,
    weight: np.ndarray,
    V: np.ndarray,
    hy: np.ndarray,
    hx: np.ndarray,
    bands: Bands,
) -> np.ndarray:
    """(n, 4) float32: the right sides, SCREEN V - div g, of the pixels (hy, hx)."""
    b = mapped(lambda V: np.float32(SCREEN) * V, np.float32, bands.check, V)
    number, y0, x0 = _numbered(hole.shape, hy, hx, bands)
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        handed = []  # to the neighbours, after all have taken theirs: the order of a sum decides its last bit
        for s in bands.spans(len(hy)):
            q = number[hy[s] + (dy - y0), hx[s] + (dx - x0)]
            p = np.nonzero((q != BEYOND) if dy + dx > 0 else (q == KNOWN))[0]
            q, p = q[p], p + s.start
            there = voted(I, field, weight, hy[p], hx[p], bands, (dy, dx))
            g = there - V[p]
            rim = np.nonzero(q == KNOWN)[0]
            strange = ((there[rim] - I[hy[p[rim]] + dy, hx[p[rim]] + dx]) ** 2).sum(1, keepdims=True)
            g[rim] *= np.exp(strange / np.float32(-2 * AGREED**2))
            b[p] -= g
            handed.append((q[q >= 0], g[q >= 0]))
        for q, g in handed:
            b[q] += g
            bands.check()
    return b


def _numbered(shape: tuple[int, ...], hy: np.ndarray, hx: np.ndarray, bands: Bands) -> tuple[np.ndarray, int, int]:
    """Which pixel lies where: its number, KNOWN or BEYOND, for the hole's box with 1 px around; and its (y, x)."""
    y0, x0, y1, x1 = int(hy.min()) - 1, int(hx.min()) - 1, int(hy.max()) + 1, int(hx.max()) + 1
    number = np.empty((y1 - y0 + 1, x1 - x0 + 1), np.int32)
    for rows in row_spans(number.shape, bands.check):
        number[rows] = KNOWN
    number[: max(0, -y0)] = BEYOND
    number[:, : max(0, -x0)] = BEYOND
    number[shape[0] - y0 :] = BEYOND
    number[:, shape[1] - x0 :] = BEYOND
    for s in bands.spans(len(hy)):
        number[hy[s] - y0, hx[s] - x0] = np.arange(s.start, s.stop, dtype=np.int32)
    return number, y0, x0


@njit(nogil=True, fastmath=True, cache=True)
def _relax(low, high, F, h, w, hy, hx, b, screen, omega):
    for m in range(low, high):
        y, x = np.int64(hy[m]), np.int64(hx[m])
        a = (y * w + x) * CHANNELS
        up = a - w * CHANNELS if y > 0 else a
        down = a + w * CHANNELS if y < h - 1 else a
        left = a - CHANNELS if x > 0 else a
        right = a + CHANNELS if x < w - 1 else a
        n = np.float32((y > 0) + (y < h - 1) + (x > 0) + (x < w - 1))
        scale = np.float32(1) / (n + screen)
        missing = np.float32(4) - n  # a neighbour beyond the border was taken to be the pixel itself
        for c in range(CHANNELS):
            v = F[a + c]
            around = F[up + c] + F[down + c] + F[left + c] + F[right + c] - missing * v
            F[a + c] = v + omega * ((b[m, c] + around) * scale - v)
