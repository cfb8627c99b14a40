"""A layout for the hole: every pixel takes one of a few shifts, so that whole structures are continued.

Shift maps (Pritch, Kav-Venaki & Peleg, ICCV 2009) over dominant offsets (He & Sun, ECCV 2012), solved by TRW-S.

  s_k      offset of label k; pixel x labelled k shows the picture at x + s_k
  G        (H, w, 6) float32: the four channels and the luminance's two derivatives
  A[x]     |G(x + s_a) - G(x + s_b)| for all a, b: what a seam between labels a and b costs at x
  U[x, k]  twice the colour step to each known neighbour, plus the price of the shift itself
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import Field
from frisket.engines.patch.offsets import candidates, serves, soundly
from frisket.engines.patch.pyramid import Level
from frisket.engines.patch.trws import Grid, labelled

MOST_PIXELS = (
    14_000  # of a hole on the level where the layout is made: A takes 46^2 floats for each, 118 MB; 74^2 with turns
)
MOST_LEVEL = 2_000_000  # px of that level: counting the offsets of a larger one takes seconds and half a gigabyte
DOMINANT = 32
SWEEPS = 10
UNREACHABLE = 20_000.0  # for a label whose source is unknown: above any sum of seams around a pixel
LENGTH_PRICE = 30.0  # of an offset as long as the diagonal: far copies are seldom the right thing
TURN_PRICE = 1.0  # instead, of an offset to a turned source: there its length says nothing
ACROSS_PRICE = 40.0  # of an offset as high as the picture: floors, horizons and house fronts run sideways
WHIM = 8.0  # grey levels, the most that chance adds to a label's price: as good a layout, and another one for each seed
NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))


@dataclass(frozen=True, slots=True)
class Prices:
    """What an offset costs beyond its length: `down` for |dy| / h, `across` for |dx| / w; grey levels of 255."""

    down: float = ACROSS_PRICE
    across: float = 0.0


def layout(level: Level, prices: Prices, seed: int, bands: Bands) -> np.ndarray | None:
    """(m, 2) int32: the offset (dy, dx) of each hole pixel in raster order, maybe to a turned source.

    None when no shift fits, or the level is larger than MOST_LEVEL.
    """
    if level.known.size > MOST_LEVEL:  # a thin hole in a large picture, where no level is small enough
        return None
    I = level.smooth(bands.check)
    s = candidates(level, I, DOMINANT, seed, bands)
    if not len(s):
        return None
    hole = ~level.known
    hy, hx = (a.astype(np.int32) for a in np.nonzero(hole))
    bands.check()
    U = _unary(level, I, s, hy, hx, prices, bands)
    whim = np.random.default_rng(seed).uniform(0, WHIM, len(s)).astype(np.float32)
    whim[hy.min() + s[:, 0] >= len(level.known)] = 0  # turned sources were asked for: chance shall not lose them
    U += whim
    label, _ = labelled(U, seams(I, s, hy, hx, bands), Grid.of(hole), SWEEPS, bands)
    return s[label]


def seams(I: np.ndarray, s: np.ndarray, hy: np.ndarray, hx: np.ndarray, bands: Bands) -> np.ndarray:
    """A: (m, K, K) float32, of the pixels (hy, hx) and the offsets s (K, 2) int32."""
    A = np.empty((len(hy), len(s), len(s)), np.float32)
    bands.run(_seams, len(hy), _features(I), hy, hx, s, A, band=1024)
    return A


def follow(field: Field, level: Level, offset: np.ndarray) -> None:
    """Each target's source is the one at the offset of its nearest hole pixel, where that is a source.

    offset: (m, 2) int32 of the hole's pixels in raster order, as `layout` gives it.
    """
    h, w = level.valid.shape
    of = _nearest(~level.known)[field.ty, field.tx]
    sy, sx = field.ty + offset[of, 0], field.tx + offset[of, 1]
    fits = (sy >= 0) & (sy < h) & (sx >= 0) & (sx < w)
    fits &= level.valid[sy.clip(0, h - 1), sx.clip(0, w - 1)]
    field.sy[fits], field.sx[fits] = sy[fits], sx[fits]


def _nearest(hole: np.ndarray) -> np.ndarray:
    """(h, w) int32: number, in raster order, of the hole pixel nearest to each pixel."""
    seen = (~hole).astype(np.uint8)
    _, label = cv2.distanceTransformWithLabels(seen, cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL)
    label = np.asarray(label, np.int32)
    number = np.zeros(label.max() + 1, np.int32)
    number[label[hole]] = np.arange(np.count_nonzero(hole), dtype=np.int32)
    return number[label]


def _unary(
    level: Level, I: np.ndarray, s: np.ndarray, hy: np.ndarray, hx: np.ndarray, prices: Prices, bands: Bands
) -> np.ndarray:
    """U: (m, K) float32."""
    known = level.known
    h, w = known.shape
    U = np.where(serves(s, soundly(level.sources), hy, hx, bands.check), np.float32(0), np.float32(UNREACHABLE))
    price = (
        LENGTH_PRICE * np.hypot(s[:, 0], s[:, 1]) / math.hypot(h, w)
        + prices.down * np.abs(s[:, 0]) / h
        + prices.across * np.abs(s[:, 1]) / w
    ).astype(np.float32)
    U += np.where(hy[:, None] + s[None, :, 0] < h, price, np.float32(TURN_PRICE))
    for dy, dx in NEIGHBOURS:
        bands.check()
        y, x = hy + dy, hx + dx
        inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
        rim = np.nonzero(inside)[0]
        rim = rim[known[y[rim], x[rim]]]
        y, x = y[rim], x[rim]
        yy, xx = (y[:, None] + s[None, :, 0]).clip(0, len(I) - 1), (x[:, None] + s[None, :, 1]).clip(0, w - 1)
        U[rim] += 2 * np.sqrt(((I[y, x][:, None] - I[yy, xx]) ** 2).sum(-1))
    return U


def _features(I: np.ndarray) -> np.ndarray:
    """G: (h, w, 6) float32."""
    luminance = I[..., :3].mean(-1)
    slopes = [np.gradient(luminance, axis=a) if luminance.shape[a] > 1 else 0 * luminance for a in (1, 0)]
    return np.concatenate([I, np.stack(slopes, -1)], -1).astype(np.float32)


@njit(nogil=True, fastmath=True, cache=True)
def _seams(low, high, G, hy, hx, s, A):
    h, w, C = G.shape
    K = s.shape[0]
    g = np.empty((C, K), np.float32)
    row = np.empty(K, np.float32)
    for m in range(low, high):
        for k in range(K):
            y, x = min(max(hy[m] + s[k, 0], 0), h - 1), min(max(hx[m] + s[k, 1], 0), w - 1)
            for c in range(C):
                g[c, k] = G[y, x, c]
        for a in range(K):
            row[:] = 0
            for c in range(C):
                v = g[c, a]
                for b in range(K):
                    d = g[c, b] - v
                    row[b] += d * d
            for b in range(K):
                A[m, a, b] = math.sqrt(row[b])
