"""Which label each pixel of a hole takes: sequential tree-reweighted message passing (TRW-S).

Kolmogorov, "Convergent tree-reweighted message passing for energy minimization" (PAMI 2006), on the 4-connected grid of
hole pixels. Minimised over labels l:   sum_m U[m, l_m]  +  sum_{m~n} A[m, l_m, l_n] + A[n, l_m, l_n]

  U   (M, K) float32, cost of label k at pixel m
  A   (M, K, K) float32, symmetric, zero diagonal: how differently labels a and b look at pixel m
  F   (M, 2, K) messages from m to its right (0) and lower (1) neighbour; B  (M, 2, K) from that neighbour back to m

A pixel needs its left and upper neighbours' messages of the same sweep. Any order that respects this gives the same
bits, so pixels are visited in tiles, and the tiles of one anti-diagonal run side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from frisket.engines.patch.bands import Bands

TILE = 16  # px; about a fifth of a millisecond of work at 50 labels


@dataclass(frozen=True, slots=True)
class Grid:
    """Hole pixels and their neighbours.

    after, before: (M, 2) int32, numbers of the right and lower, left and upper neighbours, -1 = none in the hole.
    order: (M,) int32, all pixels tile by tile. tiles: (T + 1,) int32, where each tile starts in `order`.
    diagonals: pairs (first, end) of tiles that may run side by side, in order.
    """

    after: np.ndarray
    before: np.ndarray
    order: np.ndarray
    tiles: np.ndarray
    diagonals: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, hole: np.ndarray) -> Grid:
        """hole: (h, w) bool; pixels are numbered in raster order."""
        y, x = np.nonzero(hole)
        number = np.full((hole.shape[0] + 2, hole.shape[1] + 2), -1, np.int32)
        number[y + 1, x + 1] = np.arange(len(y), dtype=np.int32)
        after = np.stack([number[y + 1, x + 2], number[y + 2, x + 1]], 1)
        before = np.stack([number[y + 1, x], number[y, x + 1]], 1)
        ty, tx = y // TILE, x // TILE
        order = np.lexsort((x, y, ty, ty + tx)).astype(np.int32)
        key = ((ty + tx) * (hole.shape[0] // TILE + 1) + ty)[order]
        tiles = np.append(np.nonzero(np.diff(key, prepend=-1))[0], len(y)).astype(np.int32)
        diagonal = (ty + tx)[order][tiles[:-1]]
        cuts = np.append(np.nonzero(np.diff(diagonal, prepend=-1))[0], len(diagonal))
        return cls(after, before, order, tiles, tuple(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True)))


def labelled(U: np.ndarray, A: np.ndarray, grid: Grid, sweeps: int, bands: Bands) -> tuple[np.ndarray, float]:
    """(M,) int32 labels and their energy: the best that any of `sweeps` forward and backward passes decodes."""
    M, K = U.shape
    F, B = np.zeros((M, 2, K), np.float32), np.zeros((M, 2, K), np.float32)
    label, best, least = np.zeros(M, np.int32), np.zeros(M, np.int32), np.inf
    for _ in range(sweeps):
        for first, end in grid.diagonals:
            args = (grid.tiles, grid.order, 1, U, A, grid.after, grid.before, F, B)
            bands.run(_pass, end, *args, band=_share(first, end, bands.threads), start=first)
        for first, end in reversed(grid.diagonals):
            args = (grid.tiles, grid.order, -1, U, A, grid.before, grid.after, B, F)
            bands.run(_pass, end, *args, band=_share(first, end, bands.threads), start=first)
        energy = _decode(U, A, grid.after, grid.before, B, label)
        if energy < least:
            least = energy
            best[:] = label
    return best, float(least)


def _share(first: int, end: int, threads: int) -> int:
    return -(-(end - first) // threads)


@njit(nogil=True, fastmath=True, cache=True)
def _pass(low, high, tiles, order, way, U, A, ahead, behind, out, back):
    """One pass over tiles low...high. way 1: forward, `out` = F, `back` = B; way -1: backward, the two swapped.

    Forward, the message to the neighbour ahead is kept by m itself and the one from behind by the neighbour; backward
    it is the other way round.
    """
    K = U.shape[1]
    S, H, v = np.empty(K, np.float32), np.empty(K, np.float32), np.empty(K, np.float32)
    for t in range(low, high):
        for i in range(tiles[t], tiles[t + 1]):
            m = order[i] if way > 0 else order[tiles[t] + tiles[t + 1] - 1 - i]
            S[:] = U[m]
            nahead, nbehind = 0, 0
            for e in range(2):
                n, q = ahead[m, e], behind[m, e]
                if n >= 0:
                    nahead += 1
                    incoming = back[m, e] if way > 0 else back[n, e]
                    for k in range(K):
                        S[k] += incoming[k]
                if q >= 0:
                    nbehind += 1
                    incoming = out[q, e] if way > 0 else out[m, e]
                    for k in range(K):
                        S[k] += incoming[k]
            share = np.float32(1) / np.float32(max(1, max(nahead, nbehind)))
            for e in range(2):
                n = ahead[m, e]
                if n < 0:
                    continue
                incoming = back[m, e] if way > 0 else back[n, e]
                for k in range(K):
                    H[k] = share * S[k] - incoming[k]
                _min_plus(H, A[m], A[n], v)
                target = out[m, e] if way > 0 else out[n, e]
                least = v.min()
                for k in range(K):
                    target[k] = v[k] - least


@njit(fastmath=True)
def _min_plus(H, Am, An, v):
    """v[b] = min_a H[a] + Am[a, b] + An[a, b]. Labels that cannot win anywhere are skipped, which changes nothing."""
    K = H.shape[0]
    a = 0
    for k in range(1, K):
        if H[k] < H[a]:
            a = k
    for b in range(K):
        v[b] = min(H[b], H[a] + Am[a, b] + An[a, b])
    worst = v.max()
    for a in range(K):
        if H[a] >= worst:
            continue
        for b in range(K):
            v[b] = min(v[b], H[a] + Am[a, b] + An[a, b])


@njit(nogil=True, fastmath=True, cache=True)
def _decode(U, A, after, before, B, label):
    """Labels in raster order, each the best given those already chosen; returns the energy."""
    M, K = U.shape
    energy = 0.0
    cost = np.empty(K, np.float32)
    link = np.empty(K, np.float32)
    for m in range(M):
        link[:] = 0
        for e in range(2):
            q = before[m, e]
            if q >= 0:
                l = label[q]
                for k in range(K):
                    link[k] += A[q, l, k] + A[m, l, k]
        for k in range(K):
            cost[k] = U[m, k] + link[k]
        for e in range(2):
            if after[m, e] >= 0:
                for k in range(K):
                    cost[k] += B[m, e, k]
        best = cost.argmin()
        label[m] = best
        energy += U[m, best] + link[best]
    return energy
