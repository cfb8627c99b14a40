"""Meeting the old picture's tone: skies fade and lenses darken towards the border, copies from elsewhere do not know.

`poisson` closes a seam within about 10 px, which leaves a frame of another tone. Here the same equation is solved on
the layout's small picture for a correction E of the votes V, twice: with a screen that lets go after half of the
picture, and with that of `poisson`. The difference is what `poisson` does not do (Perez, Gangnet & Blake, SIGGRAPH
2003; Bhat, Curless, Cohen & Zitnick, ECCV 2008):

    sum_p  screen |E_p|^2  +  sum_{p~q} |E_q - E_p + r_pq|^2,   r_pq = V_q less what the sources of p show there

r is 0 within a piece, the step in tone between two pieces or at the old picture (where E = 0 and V is the picture), and
is left out as far as it is too great for a tone: there one thing ends and another begins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import Field
from frisket.engines.patch.poisson import SCREEN
from frisket.engines.patch.vote import voted

REACH = 0.5  # of the longer side: where a correction has faded to 1/e
TONE = 16.0  # grey levels: a step of that much counts 0.6, of twice that 0.14
THING = 90.0  # grey levels, of all channels together: a step of that much is closed to 0.6
SWEEPS = 120
PART = 10  # sweeps between two questions whether to stop


def rise(I: np.ndarray, hole: np.ndarray, field: Field, weight: np.ndarray, scale: float, bands: Bands) -> np.ndarray:
    """(h, w, 4) float32: what to add to the blended fill, 0 outside the hole, at the layout's size.

    I: (h, w, 4) float32, hole: (h, w) bool, field, weight (n,) float32: of the layout. scale: px of the picture for one
    of the layout's. Raises errors.Cancelled from `bands`.
    """
    hy, hx = (a.astype(np.int32) for a in np.nonzero(hole))
    V = I.copy()
    V[hy, hx] = voted(I, field, weight, hy, hx, bands)
    b = _steps(V, hole, field, weight, hy, hx, bands)
    longer = max(hole.shape)
    far = _solved(b, hole, hy, hx, 1 / (REACH * longer) ** 2, bands)
    far -= _solved(b, hole, hy, hx, SCREEN * scale**2, bands)
    return far


@dataclass(frozen=True, slots=True)
class Edges:
    """Known pixels beside the hole: y, x (n,) int32, colour (n, 4) float32."""

    y: np.ndarray
    x: np.ndarray
    colour: np.ndarray


def cut(I: np.ndarray, hole: np.ndarray, field: Field, weight: np.ndarray, bands: Bands) -> Edges:
    """Changes I beside the hole to what the sources show there, as far as it is another thing; returns what was there.

    `poisson` then leaves an edge where one thing ends, instead of a smear from its colour into the other's.
    """
    rim = (cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~hole
    y, x = (a.astype(np.int32) for a in np.nonzero(rim))
    was = I[y, x]
    bands.check()
    V = voted(I, field, weight, y, x, bands)
    kept = np.exp(((was - V) ** 2).sum(1, keepdims=True) / np.float32(-2 * THING**2))
    I[y, x] = V + (was - V) * kept
    return Edges(y, x, was)


def spread(rise: np.ndarray, size: tuple[int, int], part: slice) -> np.ndarray:
    """(n, w, 4) float32: the rows `part` of `rise` (h', w', 4) enlarged to `size` (h, w), bilinearly."""
    h, w = size
    up = rise.shape[0] / h, rise.shape[1] / w
    y, x = np.arange(h, dtype=np.float32)[part], np.arange(w, dtype=np.float32)
    rows, columns = (y + 0.5) * np.float32(up[0]) - 0.5, (x + 0.5) * np.float32(up[1]) - 0.5
    grid = np.meshgrid(columns.astype(np.float32), rows.astype(np.float32))
    return cv2.remap(rise, *grid, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _steps(V, hole, field: Field, weight, hy, hx, bands: Bands) -> np.ndarray:
    """(h, w, 4) float32: the right side of the equation, the divergence of r where it counts as tone."""
    h, w = hole.shape
    b = np.zeros_like(V)
    for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
        y, x = hy + dy, hx + dx
        p = np.nonzero((y >= 0) & (y < h) & (x >= 0) & (x < w))[0]
        p = p[(dy + dx > 0) | ~hole[y[p], x[p]]]
        y, x = y[p], x[p]
        r = V[y, x] - voted(V, field, weight, hy[p], hx[p], bands, (dy, dx))
        r *= np.exp((r**2).sum(1, keepdims=True) / np.float32(-2 * TONE**2))
        b[hy[p], hx[p]] += r
        ours = hole[y, x]
        b[y[ours], x[ours]] -= r[ours]
    return b


def _solved(b: np.ndarray, hole: np.ndarray, hy: np.ndarray, hx: np.ndarray, screen: float, bands: Bands) -> np.ndarray:
    """E: (h, w, 4) float32, 0 outside the hole."""
    E = np.zeros_like(b)
    omega = 2 / (1 + math.sqrt(1 - (4 / (4 + max(screen, (3 / max(hole.shape)) ** 2))) ** 2))
    for _ in range(SWEEPS // PART):
        _relax(E, b, hy, hx, np.float32(screen), np.float32(omega), PART)
        bands.check()
    return E


@njit(nogil=True, fastmath=True, cache=True)
def _relax(E, b, hy, hx, screen, omega, sweeps):
    """Successive over-relaxation in raster order."""
    h, w, C = E.shape
    for _ in range(sweeps):
        for m in range(hy.shape[0]):
            y, x = hy[m], hx[m]
            n = np.float32((y > 0) + (y < h - 1) + (x > 0) + (x < w - 1))
            share = omega / (n + screen)
            for c in range(C):
                around = b[y, x, c] - (n + screen) * E[y, x, c]
                if y > 0:
                    around += E[y - 1, x, c]
                if y < h - 1:
                    around += E[y + 1, x, c]
                if x > 0:
                    around += E[y, x - 1, c]
                if x < w - 1:
                    around += E[y, x + 1, c]
                E[y, x, c] += share * around
