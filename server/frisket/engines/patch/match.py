"""The nearest-neighbour field: for every target patch a source patch that looks like it.

PatchMatch (Barnes, Shechtman, Finkelstein & Goldman, SIGGRAPH 2009) with jumped propagation. Propagation is of the
Jacobi kind: a sweep reads the field that the last sweep left and writes another one, and its random numbers are hashes
of seed and index. So the field depends neither on the order in which targets are visited nor on the number of threads.

Letters as in the paper and in Wexler, Shechtman & Irani (PAMI 2007):
  I        (H, w, 4) float32, the picture in its upper h rows; see `scale`. H > h: there are sources below it (`turned`)
  P        half a patch: patches are (2P + 1)^2 = 7x7 px around their centre
  t, s     centres (y, x) of a target and of a source patch
  D        ||patch(t) - patch(s)||^2 + prior |s - t|^2, or what a `Lean` adds, float32; below 0: "not known yet"
  valid    (H, w) bool, centres of source patches
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit, uint64

from frisket.engines.patch.bands import Bands
from frisket.raster.spans import mapped, row_spans, spans

P = 3
SIDE = 2 * P + 1
CHANNELS = 4
RUN = SIDE * CHANNELS  # floats in one row of a patch
JUMPS = (1, 8, 4, 2)  # px: how far propagation looks besides the four neighbours, sweep by sweep
FAR = np.float32(1e30)


@dataclass(frozen=True, slots=True)
class Lean:
    """Which sources are preferred among those that look alike: adds down (sy-ay)^2 + across (sx-ax)^2 + price[s] to D.

    (ay, ax) is the target's own place, moved into rows top...bottom and columns left...right (inclusive).
    price: (h, w) float32 of each source, not negative.
    """

    down: float
    across: float
    top: int
    bottom: int
    left: int
    right: int
    price: np.ndarray

    def cost(self, field: Field) -> np.ndarray:
        """(n,) float32: what it adds to each target's D."""
        dy = (field.sy - field.ty.clip(self.top, self.bottom)).astype(np.float32)
        dx = (field.sx - field.tx.clip(self.left, self.right)).astype(np.float32)
        return self.down * dy**2 + self.across * dx**2 + self.price[field.sy, field.sx]


@dataclass(slots=True)
class Field:
    """The field of one pyramid level, changed in place.

    index: (h, w) int32, number of the target centred there or -1. ty, tx, sy, sx: (n,) int32. D: (n,) float32.
    """

    index: np.ndarray
    ty: np.ndarray
    tx: np.ndarray
    sy: np.ndarray
    sx: np.ndarray
    D: np.ndarray

    @classmethod
    def over(cls, hole: np.ndarray, check: Callable[[], None] | None = None) -> Field:
        """Targets are the patches that touch `hole` (h, w) bool and lie in the picture; sources are still (0, 0).

        check: called now and then, may raise errors.Cancelled.
        """
        h, w = hole.shape
        index = np.empty((h, w), np.int32)
        parts, count = [], 0
        for rows in row_spans((h, w), check):
            above = min(P, rows.start)
            near = hole[rows.start - above : rows.stop + P].astype(np.uint8)
            touched = cv2.dilate(near, np.ones((SIDE, SIDE), np.uint8))[above : above + rows.stop - rows.start]
            touched[: max(0, P - rows.start)] = 0
            touched[max(0, h - P - rows.start) :] = 0
            touched[:, :P] = touched[:, max(0, w - P) :] = 0
            found = np.stack(np.nonzero(touched)).astype(np.int32)
            found[0] += rows.start
            index[rows] = -1
            index[found[0], found[1]] = np.arange(count, count + found.shape[1], dtype=np.int32)
            parts.append(found)
            count += found.shape[1]
        (ty, tx), low = np.empty((2, count), np.int32), 0
        for found in parts:
            ty[low : low + found.shape[1]], tx[low : low + found.shape[1]] = found
            low += found.shape[1]
            if check is not None:
                check()
        unknown = mapped(lambda t: np.full(len(t), -1, np.float32), np.float32, check, ty)
        return cls(index, ty, tx, np.zeros(count, np.int32), np.zeros(count, np.int32), unknown)

    def scatter(self, valid: np.ndarray, seed: int, check: Callable[[], None] | None = None) -> None:
        """Every target gets a random source. check: called now and then, may raise errors.Cancelled."""
        self._scatter(None, valid, seed, check)

    def _scatter(
        self, targets: np.ndarray | None, valid: np.ndarray, seed: int, check: Callable[[], None] | None
    ) -> None:
        """targets: (m,) int of those that get one; None = all."""
        count = len(self.ty) if targets is None else len(targets)
        if not count:
            return
        places, w = np.empty(np.count_nonzero(valid), np.int32), valid.shape[1]
        low = 0
        for rows in row_spans(valid.shape, check):
            found = np.flatnonzero(valid[rows])
            places[low : low + len(found)] = found + rows.start * w
            low += len(found)
        rng = np.random.default_rng(seed)
        for s in spans(count, check):
            here = s if targets is None else targets[s]
            self.sy[here], self.sx[here] = np.divmod(places[rng.integers(0, len(places), s.stop - s.start)], w)

    def inherit(self, parent: Field, valid: np.ndarray, seed: int, check: Callable[[], None] | None = None) -> None:
        """Sources from the field of the next coarser level: offsets doubled; random where that is not valid."""
        lost = [np.empty(0, np.int64)]
        for s in spans(len(self.ty), check):
            fields = (valid, self.ty, self.tx, self.sy, self.sx)
            _inherit(s.start, s.stop, parent.index, parent.sy, parent.sx, *fields)
            lost.append(np.flatnonzero(self.sy[s] < 0) + s.start)
        self._scatter(np.concatenate(lost), valid, seed, check)

    def refine(
        self,
        I: np.ndarray,
        valid: np.ndarray,
        bands: Bands,
        *,
        seed: int,
        sweeps: int,
        radius: int,
        prior: float = 0.0,
        trust: np.ndarray | None = None,
        lean: Lean | None = None,
    ) -> None:
        """`sweeps` rounds of PatchMatch on the picture as it is now.

        I: (H, w, 4) float32, C order. radius: px, where random search starts. prior: cost of 1 px of offset, squared;
        `lean`, when given, takes its place. trust: (h, w) float32, what a difference at that pixel of a target counts;
        None = 1 everywhere.
        """
        h, w = valid.shape
        if lean is None:
            lean = Lean(prior, prior, 0, h - 1, 0, w - 1, np.zeros((1, 1), np.float32))
        costs = np.array([lean.down, lean.across], np.float32)
        reach = np.array([lean.top, lean.bottom, lean.left, lean.right], np.int64)
        weights = np.zeros((1, 1), np.float32)
        if trust is not None:
            weights = np.empty((*trust.shape, CHANNELS), np.float32)
            for rows in row_spans(trust.shape, bands.check):
                weights[rows] = trust[rows, :, None]
        self.D.fill(-1)
        flat = I.reshape(-1)
        oy, ox, oD = np.empty_like(self.sy), np.empty_like(self.sx), np.empty_like(self.D)
        for k in range(sweeps):
            key, jump = np.uint64(mixed(seed, k)), JUMPS[k % len(JUMPS)]
            args = (
                flat,
                weights.reshape(-1),
                RUN,
                self.index,
                valid,
                self.ty,
                self.tx,
                self.sy,
                self.sx,
                self.D,
                oy,
                ox,
                oD,
            )
            bands.run(_sweep, len(self.ty), *args, key, jump, radius, costs, reach, lean.price)
            self.sy, self.sx, self.D, oy, ox, oD = oy, ox, oD, self.sy, self.sx, self.D


def mixed(seed: int, *steps: int) -> int:
    """A 64-bit key for a seed and the numbers of the steps it is used in (splitmix64 finaliser)."""
    z = seed & 0xFFFFFFFFFFFFFFFF
    for step in steps:
        z = (z + 0x9E3779B97F4A7C15 * (step + 1)) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        z ^= z >> 31
    return z


def valid_sources(known: np.ndarray, check: Callable[[], None] | None = None) -> np.ndarray:
    """(h, w) bool: centres of patches that lie in the picture and are known with one pixel around (for differences).

    check: called now and then, may raise errors.Cancelled.
    """
    h, w = known.shape
    valid = np.zeros((h, w), bool)
    for rows in row_spans((h, w), check):
        above = min(P + 1, rows.start)
        near = known[rows.start - above : rows.stop + P + 1].astype(np.uint8)
        whole = cv2.erode(near, np.ones((SIDE + 2, SIDE + 2), np.uint8), borderValue=1) > 0
        valid[rows] = whole[above : above + rows.stop - rows.start]
    valid[:P] = valid[max(0, h - P) :] = valid[:, :P] = valid[:, max(0, w - P) :] = False
    return valid


@njit(inline="always")
def _hash(z):
    z = (z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB)
    return z ^ (z >> uint64(31))


@njit(fastmath=True)
def _distance(F, a, b, stride, run, bound):
    """Sum of squared differences of the patches whose first floats are F[a] and F[b]; may stop once it is >= `bound`.

    Flat, unsigned and with a run-time length: that is what the compiler turns into wide loads without a remainder.
    """
    total = np.float32(0)
    for _ in range(SIDE):
        row = np.float32(0)
        for k in range(run):
            d = F[a + k] - F[b + k]
            row += d * d
        total += row
        if total >= bound:
            break
        a += stride
        b += stride
    return total


@njit(fastmath=True)
def _weighted(F, weights, a, b, stride, run, bound):
    """The same, each difference weighted as the target (the patch at `a`) says."""
    total = np.float32(0)
    for _ in range(SIDE):
        row = np.float32(0)
        for k in range(run):
            d = F[a + k] - F[b + k]
            row += weights[a + k] * d * d
        total += row
        if total >= bound:
            break
        a += stride
        b += stride
    return total


@njit(nogil=True, fastmath=True, cache=True)
def _sweep(
    low, high, F, weights, run, index, valid, ty, tx, sy, sx, D, oy, ox, oD, key, jump, radius, costs, reach, price
):
    h, w = index.shape
    high_y = valid.shape[0]
    down, across = costs[0], costs[1]
    priced = price.shape[0] > 1
    stride = uint64(w * CHANNELS)
    length = uint64(run)
    weighted = weights.shape[0] > 1
    for n in range(low, high):
        y, x = np.int64(ty[n]), np.int64(tx[n])
        by, bx, bd = np.int64(sy[n]), np.int64(sx[n]), D[n]
        ay, ax = min(max(y, reach[0]), reach[1]), min(max(x, reach[2]), reach[3])
        a = uint64(((y - P) * w + x - P) * CHANNELS)
        if bd < 0:
            b = uint64(((by - P) * w + bx - P) * CHANNELS)
            bd = down * np.float32((by - ay) ** 2) + across * np.float32((bx - ax) ** 2)
            if priced:
                bd += price[by, bx]
            if weighted:
                bd += _weighted(F, weights, a, b, stride, length, FAR)
            else:
                bd += _distance(F, a, b, stride, length, FAR)
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
                if y + dy < 0 or y + dy >= h or x + dx < 0 or x + dx >= w:
                    continue
                t = index[y + dy, x + dx]
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
            if cy < 0 or cx < 0 or cy >= high_y or cx >= w or not valid[cy, cx] or (cy == by and cx == bx):
                continue
            away = down * np.float32((cy - ay) ** 2) + across * np.float32((cx - ax) ** 2)
            if priced:
                away += price[cy, cx]
            if away >= bd:
                continue
            b = uint64(((cy - P) * w + cx - P) * CHANNELS)
            if weighted:
                d = away + _weighted(F, weights, a, b, stride, length, bd - away)
            else:
                d = away + _distance(F, a, b, stride, length, bd - away)
            if d < bd:
                by, bx, bd = cy, cx, d
        oy[n], ox[n], oD[n] = by, bx, bd


@njit(nogil=True, cache=True)
def _inherit(low, high, pindex, psy, psx, valid, ty, tx, sy, sx):
    h, w = valid.shape
    ph, pw = pindex.shape
    for n in range(low, high):
        y, x = ty[n], tx[n]
        py, px = min(y >> 1, ph - 1), min(x >> 1, pw - 1)
        sy[n] = -1
        for k in range(25):  # the parent first, then its ring of 8, then of 16
            dy, dx = _SPIRAL[k, 0], _SPIRAL[k, 1]
            qy, qx = py + dy, px + dx
            if qy < 0 or qx < 0 or qy >= ph or qx >= pw or pindex[qy, qx] < 0:
                continue
            t = pindex[qy, qx]
            cy, cx = y + 2 * (psy[t] - qy), x + 2 * (psx[t] - qx)
            if 0 <= cy < h and 0 <= cx < w and valid[cy, cx]:
                sy[n], sx[n] = cy, cx
                break


_SPIRAL = np.array(
    sorted(((dy, dx) for dy in range(-2, 3) for dx in range(-2, 3)), key=lambda o: max(abs(o[0]), abs(o[1]))), np.int32
)
