"""Exhaustive patch search in both directions, for the coarse scales where every pair can be afforded.

Bidirectional similarity (Simakov, Caspi, Shechtman & Irani, CVPR 2008) as GPNN has it (Granot, Feinstein, Shocher,
Bagon & Irani, CVPR 2022): a source patch that already has a close target is made dear, so that the ones nobody shows
yet are shown. Letters as there:
  Q      (m, d) float32, the target patches ("queries")
  K      (d, n) float32, the source patches ("keys"), one in each column
  alpha  float, > 0: how little completeness counts; large = each target just takes its nearest source
All loops run over bands with sums in a fixed order: no library decides how to split the work, so nothing depends on
threads.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import FAR, P

PAIRS = 8_000_000  # compared at most in one direction: 60 ms for colour patches on one core
TILE = 512  # sources compared at a time; their distances stay in the first cache
STEP = 4  # entries of a patch added up at a time: d is a multiple of it


def patches(A: np.ndarray, y: np.ndarray, x: np.ndarray, channels: int) -> np.ndarray:
    """(m, d) float32: the patches of A around (y, x), then zeros up to a multiple of 4.

    A: (h, w, 4) float32, of which the first `channels` are taken; coordinates beyond its border wrap around. y, x: (m,)
    int.
    """
    h, w = A.shape[:2]
    o = np.arange(-P, P + 1)
    values = A[(y[:, None, None] + o[:, None]) % h, (x[:, None, None] + o) % w, :channels].reshape(len(y), -1)
    return np.pad(values, ((0, 0), (0, -values.shape[1] % STEP)))


def nearest(Q: np.ndarray, K: np.ndarray, price: np.ndarray, bands: Bands) -> tuple[np.ndarray, np.ndarray]:
    """(m,) int32 and (m,) float32: argmin and min over j of price[j] ||Q[i] - K[:, j]||^2. price: (n,) float32."""
    index, D = np.empty(len(Q), np.int32), np.empty(len(Q), np.float32)
    bands.run(_nearest, len(Q), Q, np.ascontiguousarray(K), price, index, D, band=64)
    return index, D


def bidirectional(Q: np.ndarray, K: np.ndarray, alpha: float, bands: Bands) -> np.ndarray:
    """(m,) int32: for each target i argmin over j of D[i, j] / (alpha + min over i of D[i, j]).

    D[i, j] = ||Q[i] - K[:, j]||^2; alpha in the same unit.
    """
    ones = np.ones(max(len(Q), K.shape[1]), np.float32)
    _, least = nearest(np.ascontiguousarray(K.T), Q.T, ones[: len(Q)], bands)
    return nearest(Q, K, 1 / (np.float32(alpha) + least), bands)[0]


@njit(nogil=True, fastmath=True, cache=True)
def _nearest(low, high, Q, K, price, index, D):
    d, n = K.shape
    s = np.empty(TILE, np.float32)
    t = np.empty(TILE, np.float32)
    for i in range(low, high, 2):
        j = min(i + 1, high - 1)  # two targets at a time share what is loaded
        bi, bj = FAR, FAR
        ki, kj = 0, 0
        for start in range(0, n, TILE):
            m = min(TILE, n - start)
            s[:m] = 0
            t[:m] = 0
            for c in range(0, d, 4):
                p0, p1, p2, p3 = Q[i, c], Q[i, c + 1], Q[i, c + 2], Q[i, c + 3]
                q0, q1, q2, q3 = Q[j, c], Q[j, c + 1], Q[j, c + 2], Q[j, c + 3]
                r0, r1 = K[c, start : start + m], K[c + 1, start : start + m]
                r2, r3 = K[c + 2, start : start + m], K[c + 3, start : start + m]
                for k in range(m):
                    a, b, e, f = r0[k], r1[k], r2[k], r3[k]
                    s[k] += (p0 - a) ** 2 + (p1 - b) ** 2 + (p2 - e) ** 2 + (p3 - f) ** 2
                    t[k] += (q0 - a) ** 2 + (q1 - b) ** 2 + (q2 - e) ** 2 + (q3 - f) ** 2
            for k in range(m):
                v = price[start + k] * s[k]
                if v < bi:
                    bi, ki = v, start + k
                v = price[start + k] * t[k]
                if v < bj:
                    bj, kj = v, start + k
        index[i], D[i] = ki, bi
        index[j], D[j] = kj, bj
