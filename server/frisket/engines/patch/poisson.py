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
from frisket.engines.patch.vote import voted

SCREEN = 0.01  # a seam's step has faded to 1/e about 10 px into the hole
SWEEPS = 60  # the error shrinks by OMEGA - 1 = 0.87 a sweep: to 0.02 % of the seam
OMEGA = 2 / (1 + math.sqrt(1 - (4 / (4 + SCREEN)) ** 2))  # Young's optimum for a Jacobi radius of 4 / (4 + SCREEN)
NEIGHBOURS = ((0, 1), (1, 0), (0, -1), (-1, 0))


def blended(
    I: np.ndarray, hole: np.ndarray, field: Field, weight: np.ndarray, hy: np.ndarray, hx: np.ndarray, bands: Bands
) -> None:
    """Writes the solution into I (h, w, 4) float32 at the pixels (hy, hx), those where hole (h, w) bool is true."""
    V = voted(I, field, weight, hy, hx, bands)
    b = np.float32(SCREEN) * V
    towards = {}
    for dy, dx in NEIGHBOURS[:2]:
        g = voted(I, field, weight, hy, hx, bands, dy, dx) - V
        towards[dy, dx] = g
        b -= _inside(hole, hy, hx, dy, dx)[:, None] * g
    number = np.full(hole.shape, -1, np.int32)
    number[hy, hx] = np.arange(len(hy), dtype=np.int32)
    for dy, dx in NEIGHBOURS[2:]:
        inside = _inside(hole, hy, hx, dy, dx)
        q = np.where(inside, number[hy + dy * inside, hx + dx * inside], -1)
        ours = q >= 0
        b[ours] += towards[-dy, -dx][q[ours]]
        rim = np.nonzero(inside & ~ours)[0]  # the known neighbour has no votes: take the pixel's own difference
        b[rim] -= voted(I, field, weight, hy[rim], hx[rim], bands, dy, dx) - V[rim]
    I[hy, hx] = V
    flat = I.reshape(-1)
    red = (hy + hx) % 2 == 0
    halves = [(hy[side], hx[side], b[side]) for side in (red, ~red)]
    for _ in range(SWEEPS):
        for y, x, part in halves:
            args = (flat, hole.shape[0], hole.shape[1], y, x, part, np.float32(SCREEN), np.float32(OMEGA))
            bands.run(_relax, len(y), *args, band=32768)


def _inside(hole: np.ndarray, hy: np.ndarray, hx: np.ndarray, dy: int, dx: int) -> np.ndarray:
    h, w = hole.shape
    return (hy + dy >= 0) & (hy + dy < h) & (hx + dx >= 0) & (hx + dx < w)


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
