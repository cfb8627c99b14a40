"""A strip's layout: it is cut from a few shifted copies of the old picture, so that things go on in one piece.

A shift map as in `shiftmap` (Pritch, Kav-Venaki & Peleg, ICCV 2009), with what a border needs besides: shifts straight
back from the side that is grown, and a price for each pixel that is shown, so that a cup is not shown once more.

  s_k      offset of label k; pixel x labelled k shows the picture at x + s_k
  A[x]     |G(x + s_a) - G(x + s_b)| for all a, b: what a seam between the two costs at x; G: colour and its slopes
  U[x, k]  how well the old picture beside x goes on in x + s_k, and what the `Taste` of growth asks for it
"""

from __future__ import annotations

import cv2
import numpy as np

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import Field
from frisket.engines.patch.offsets import candidates, serves, soundly
from frisket.engines.patch.pyramid import Level
from frisket.engines.patch.shiftmap import follow, seams
from frisket.engines.patch.smooth import pushpull
from frisket.engines.patch.trws import Grid, labelled

MOST_PIXELS = 10_000  # of a hole where the layout is made: A takes 50^2 floats for each
DOMINANT = 16
STRAIGHT = 10  # shifts straight to the side, evenly spaced
SWEEPS = 8
UNREACHABLE = 20_000.0  # for a label whose source is unknown
RIM = 2.5  # of the mean colour difference in a band inside the border
BAND = 7  # px: width of that band's patches
CHUNK = 256  # pixels whose seams are priced at a time


def laid(level: Level, price: np.ndarray, down: float, across: float, seed: int, bands: Bands) -> Field | None:
    """The field of the strip that is unknown in `level`; None when no shift fits.

    price: (h, w) float32 grey levels, of showing a pixel. down, across: grey levels, of a source that is the picture's
    longer side away, up or sideways, from the nearest known point. Raises errors.Cancelled from `bands`.
    """
    I, hole = pushpull(level.I, level.known), ~level.known
    s = _shifts(level, I, seed, bands)
    hy, hx = (a.astype(np.int32) for a in np.nonzero(hole))
    s = s[serves(s, soundly(level.sources), hy, hx).any(0)] if len(s) else s
    if not len(s):
        return None
    bands.check()
    parts = [slice(low, low + CHUNK) for low in range(0, len(hy), CHUNK)]
    U = np.empty((len(hy), len(s)), np.float32)
    for part in parts:
        U[part] = _unary(level, s, hy[part], hx[part], price, down, across)
        bands.check()
    U += _rim(level, I, s, hy, hx, bands)
    label, _ = labelled(U, seams(I, s, hy, hx, bands), Grid.of(hole), SWEEPS, bands)
    field = Field.over(hole)
    field.scatter(level.valid, seed)
    follow(field, level, s[label])
    return field


def _shifts(level: Level, I: np.ndarray, seed: int, bands: Bands) -> np.ndarray:
    """(K, 2) int32, (dy, dx): the picture's rhythm, and for each side that grows STRAIGHT steps back into the picture,
    each also slantwise as far as the corners reach beyond the sources."""
    found = candidates(level, I, DOMINANT, seed, bands).reshape(-1, 2)
    spans = [np.nonzero(level.sources.any(1 - axis))[0] for axis in (0, 1)]
    shifts: list[tuple[int, int]] = []
    for axis in (0, 1):
        slants = _slants(spans[1 - axis], level.known.shape[1 - axis])
        for way in _ways(level, axis):
            along = [round(n * np.ptp(spans[axis]) / (STRAIGHT + 1)) * way for n in range(1, STRAIGHT + 1)]
            pairs = [(a, b) for k, b in enumerate(slants) for a in (along if k == 0 else along[::2])]
            shifts += pairs if axis == 0 else [(a, b) for b, a in pairs]
    return np.unique(np.concatenate([found, np.array(shifts, np.int32).reshape(-1, 2)]), axis=0)


def _slants(span: np.ndarray, length: int) -> list[int]:
    """0, and the shifts that bring what lies beyond the sources' span (n,) back into it, by the same again at most."""
    before, after = int(span[0]), length - 1 - int(span[-1])
    if not before and not after:
        return [0, *(round(share * np.ptp(span)) for share in (-0.5, -0.25, 0.25, 0.5))]
    some = [0, *(n * (before + BAND) for n in (1, 2) if before), *(-n * (after + BAND) for n in (1, 2) if after)]
    return [b for b in some if abs(b) < np.ptp(span)]


def _ways(level: Level, axis: int) -> list[int]:
    """Signs of the shifts that lead back into the picture, for the sides that are grown along this axis."""
    lines = np.asarray((~level.known).all(1 - axis))
    return [sign for sign, grows in ((1, lines[0]), (-1, lines[-1])) if grows]


def _unary(level: Level, s, hy, hx, price: np.ndarray, down: float, across: float) -> np.ndarray:
    """(m, K) float32: price and place."""
    h, w = level.known.shape
    rows, columns = np.nonzero(level.sources.any(1))[0], np.nonzero(level.sources.any(0))[0]
    served = serves(s, soundly(level.sources), hy, hx)
    y, x = (hy[:, None] + s[None, :, 0]).clip(0, h - 1), (hx[:, None] + s[None, :, 1]).clip(0, w - 1)
    away = np.abs(y - hy.clip(rows[0], rows[-1])[:, None]), np.abs(x - hx.clip(columns[0], columns[-1])[:, None])
    U = price[y, x] + ((down * away[0] + across * away[1]) / max(h, w)).astype(np.float32)
    return np.where(served, U, np.float32(UNREACHABLE)).astype(np.float32)


def _rim(level: Level, I, s, hy, hx, bands: Bands) -> np.ndarray:
    """(m, K) float32: 0 but for pixels next to a known one, there RIM times how the shift misses the band beside it."""
    h, w = level.known.shape
    near = cv2.dilate((~level.known).astype(np.uint8), np.ones((BAND, BAND), np.uint8)) > 0
    by, bx = np.nonzero(near & level.known)
    beside = cv2.dilate(level.known.astype(np.uint8), np.ones((3, 3), np.uint8))[hy, hx] > 0
    U, sound = np.zeros((len(hy), len(s)), np.float32), soundly(level.sources)
    for k, (dy, dx) in enumerate(s):
        y, x = by + dy, bx + dx
        inside = (y >= 0) & (y < h) & (x >= 0) & (x < w)
        inside[inside] = sound[y[inside], x[inside]]
        both = np.zeros((h, w, 2), np.float32)
        off = np.sqrt(((I[by[inside], bx[inside]] - I[y[inside], x[inside]]) ** 2).sum(-1))
        both[by[inside], bx[inside]] = np.stack([off, np.ones_like(off)], -1)
        both = cv2.boxFilter(both, -1, (BAND, BAND), borderType=cv2.BORDER_CONSTANT)[hy[beside], hx[beside]]
        U[beside, k] = RIM * both[:, 0] / np.maximum(both[:, 1], np.float32(1e-6))
        bands.check()
    return U
