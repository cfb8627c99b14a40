"""PatchMatch and voting between two pictures: targets in one, sources in another, the first endless if it is to tile.

`match` and `vote` work within one picture that has a hole. Here the targets' picture Y and the sources' picture V
differ (Granot et al., CVPR 2022), and Y may wrap around. The rest is the same: a `Field`, Jacobi sweeps (Barnes et al.,
SIGGRAPH 2009) whose random numbers are hashes, so that neither order nor number of threads matters.
  Y      (h, w, 4) float32, C order, the picture that is being made
  V      (h, w, 4) float32, C order, the picture that patches are copied from
  D      ||patch of Y at t - patch of V at s||^2
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numba import njit, uint64

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import CHANNELS, FAR, JUMPS, RUN, SIDE, Field, P, mixed

EVEN = 0.1  # of the mean D: what a perfect source's D counts as when votes are weighed


def targets(hole: np.ndarray, wraps: bool, check: Callable[[], None] | None = None) -> Field:
    """The field of the patches that touch `hole` (h, w) bool; if the picture wraps, those across its border too.

    check: called now and then, may raise errors.Cancelled.
    """
    if not wraps:
        return Field.over(hole, check)
    touched = cv2.dilate(np.pad(hole, P, mode="wrap").astype(np.uint8), np.ones((SIDE, SIDE), np.uint8))[P:-P, P:-P]
    ty, tx = (a.astype(np.int32) for a in np.nonzero(touched))
    index = np.full(hole.shape, -1, np.int32)
    index[ty, tx] = np.arange(len(ty), dtype=np.int32)
    return Field(index, ty, tx, np.zeros_like(ty), np.zeros_like(tx), np.full(len(ty), -1, np.float32))


def inherit(field: Field, parent: Field, valid: np.ndarray, seed: int, bands: Bands) -> None:
    """Sources from a smaller picture's field: its offsets scaled up. A random one where that is not valid."""
    field.scatter(valid, seed, bands.check)
    args = (parent.index, parent.sy, parent.sx, valid, field.ty, field.tx, field.sy, field.sx)
    bands.run(_inherit, len(field.ty), *args, band=32768)


def refine(
    field: Field, Y: np.ndarray, V: np.ndarray, valid: np.ndarray, bands: Bands, *, seed: int, sweeps: int, radius: int
) -> None:
    """`sweeps` rounds of PatchMatch.

    valid: (h, w) bool, centres of source patches that lie in V. radius: px, where random search starts.
    """
    field.D.fill(-1)
    oy, ox, oD = np.empty_like(field.sy), np.empty_like(field.sx), np.empty_like(field.D)
    for k in range(sweeps):
        key, jump = np.uint64(mixed(seed, k)), JUMPS[k % len(JUMPS)]
        args = (Y.reshape(-1), V.reshape(-1), field.index, valid, field.ty, field.tx, field.sy, field.sx, field.D)
        bands.run(_sweep, len(field.ty), *args, oy, ox, oD, RUN, key, jump, radius, band=2048)
        field.sy, field.sx, field.D, oy, ox, oD = oy, ox, oD, field.sy, field.sx, field.D


def certainty(field: Field) -> np.ndarray:
    """(n,) float32, > 0: the weight of each target's vote, 1 / (D + a share of the mean D)."""
    even = np.float32(EVEN * float(field.D.mean(dtype=np.float64)) + 1e-3)
    return even / (np.maximum(field.D, 0) + even)


def voted(
    V: np.ndarray, field: Field, weight: np.ndarray, y: np.ndarray, x: np.ndarray, bands: Bands, wraps: bool
) -> np.ndarray:
    """(m, 4) float32: weighted means of what the sources show at the pixels (y, x), both (m,) int32.

    NaN for a pixel that no target covers. weight: (n,) float32, of each target.
    """
    out = np.empty((len(y), CHANNELS), np.float32)
    bands.run(_vote, len(y), V.reshape(-1), field.index, y, x, field.sy, field.sx, weight, wraps, out)
    return out


@njit(inline="always")
def _hash(z):
    z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return z ^ (z >> uint64(31))


@njit(fastmath=True)
def _distance(T, F, b, stride, run, bound):
    """Sum of squared differences of the patch T (flat) and the one whose first float is F[b]; may stop at `bound`."""
    total = np.float32(0)
    a = uint64(0)
    for _ in range(SIDE):
        row = np.float32(0)
        for k in range(run):
            d = T[a + k] - F[b + k]
            row += d * d
        total += row
        if total >= bound:
            break
        a += run
        b += stride
    return total


@njit(inline="always")
def _gather(Y, h, w, y, x, T):
    """Copies the patch around (y, x), wrapped at the border, to T."""
    k = 0
    for dy in range(-P, P + 1):
        row = ((y + dy + h) % h) * w
        for dx in range(-P, P + 1):
            a = (row + (x + dx + w) % w) * CHANNELS
            for c in range(CHANNELS):
                T[k] = Y[a + c]
                k += 1


@njit(nogil=True, fastmath=True, cache=True)
def _sweep(low, high, Y, V, index, valid, ty, tx, sy, sx, D, oy, ox, oD, run, key, jump, radius):
    h, w = index.shape
    stride = uint64(w * CHANNELS)
    length = uint64(run)
    T = np.empty(SIDE * RUN, np.float32)
    for n in range(low, high):
        y, x = np.int64(ty[n]), np.int64(tx[n])
        by, bx, bd = np.int64(sy[n]), np.int64(sx[n]), D[n]
        _gather(Y, h, w, y, x, T)
        if bd < 0:
            bd = _distance(T, V, uint64(((by - P) * w + bx - P) * CHANNELS), stride, length, FAR)
        z = _hash(key + uint64(n) * uint64(0x9E3779B97F4A7C15))
        ly, lx = by, bx
        r = radius
        q = 0 if jump > 1 else 4  # 0...3: neighbours at `jump`, 4...7: at 1, then random search
        while q < 8 or r >= 1:
            if q < 8:
                j = jump if q < 4 else 1
                side = q & 3
                dy = j if side == 0 else (-j if side == 1 else 0)
                dx = j if side == 2 else (-j if side == 3 else 0)
                q += 1
                t = index[(y + dy + h) % h, (x + dx + w) % w]
                if t < 0:
                    continue
                cy, cx = sy[t] - dy, sx[t] - dx
                if cy == ly and cx == lx:
                    continue
                ly, lx = cy, cx
            else:
                z = _hash(z + uint64(0x9E3779B97F4A7C15))
                span = uint64(2 * r + 1)
                cy = by + np.int64(((z >> uint64(32)) * span) >> uint64(32)) - r
                cx = bx + np.int64(((z & uint64(0xFFFFFFFF)) * span) >> uint64(32)) - r
                r >>= 1
            if cy < 0 or cx < 0 or cy >= h or cx >= w or not valid[cy, cx] or (cy == by and cx == bx):
                continue
            d = _distance(T, V, uint64(((cy - P) * w + cx - P) * CHANNELS), stride, length, bd)
            if d < bd:
                by, bx, bd = cy, cx, d
        oy[n], ox[n], oD[n] = by, bx, bd


@njit(nogil=True, fastmath={"reassoc", "contract", "arcp"}, cache=True)
def _vote(low, high, V, index, py, px, sy, sx, weight, wraps, out):
    h, w = index.shape
    for m in range(low, high):
        y, x = np.int64(py[m]), np.int64(px[m])
        a0, a1, a2, a3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        total = np.float32(0)
        for dy in range(-P, P + 1):
            cy = y + dy
            if wraps:
                cy = (cy + h) % h
            elif cy < 0 or cy >= h:
                continue
            for dx in range(-P, P + 1):
                cx = x + dx
                if wraps:
                    cx = (cx + w) % w
                elif cx < 0 or cx >= w:
                    continue
                t = index[cy, cx]
                if t < 0:
                    continue
                a = uint64(((sy[t] - dy) * np.int64(w) + sx[t] - dx) * CHANNELS)
                v = weight[t]
                a0 += v * V[a]
                a1 += v * V[a + uint64(1)]
                a2 += v * V[a + uint64(2)]
                a3 += v * V[a + uint64(3)]
                total += v
        if total > 0:
            out[m, 0], out[m, 1], out[m, 2], out[m, 3] = a0 / total, a1 / total, a2 / total, a3 / total
        else:
            out[m, :] = np.nan


@njit(nogil=True, cache=True)
def _inherit(low, high, pindex, psy, psx, valid, ty, tx, sy, sx):
    h, w = valid.shape
    ph, pw = pindex.shape
    up, across = h / ph, w / pw
    for n in range(low, high):
        y, x = ty[n], tx[n]
        py, px = int((y + 0.5) / up), int((x + 0.5) / across)
        found = False
        for k in range(9):  # the parent first, then its ring of 8
            dy, dx = _RING[k, 0], _RING[k, 1]
            qy, qx = py + dy, px + dx
            if qy < 0 or qx < 0 or qy >= ph or qx >= pw or pindex[qy, qx] < 0:
                continue
            t = pindex[qy, qx]
            cy, cx = round(y + (psy[t] - qy) * up), round(x + (psx[t] - qx) * across)
            if 0 <= cy < h and 0 <= cx < w and valid[cy, cx]:
                sy[n], sx[n] = cy, cx
                found = True
            if found:
                break


_RING = np.array(
    sorted(((dy, dx) for dy in range(-1, 2) for dx in range(-1, 2)), key=lambda o: max(abs(o[0]), abs(o[1]))), np.int32
)
