"""From a field that was searched on a smaller picture to the pixels of the full one.

Searching cost and memory end at `ladder.SEARCHED` pixels. Beyond that nothing is searched: every pixel of the full
picture follows the offsets of its four nearest targets and mixes, bilinearly, the four pixels of the full picture that
they point at. Within a piece that was copied whole all four point at the same pixel, so detail stays as it is.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import CHANNELS, Field, P


def copied(V: np.ndarray, field: Field, y: np.ndarray, x: np.ndarray, bands: Bands, wraps: bool) -> np.ndarray:
    """(m, 4) float32: new colours for the pixels (y, x), both (m,) int32, of V (h, w, 4) float32, the full picture.

    field: of the same picture at a smaller size. NaN for a pixel that is not near any target.
    """
    out = np.empty((len(y), CHANNELS), np.float32)
    bands.run(_copy, len(y), V, field.index, field.sy, field.sx, y, x, wraps, out)
    return out


@njit(nogil=True, fastmath={"reassoc", "contract", "arcp"}, cache=True)
def _copy(low, high, V, index, sy, sx, py, px, wraps, out):
    H, W = V.shape[:2]
    h, w = index.shape
    up, across = H / h, W / w
    for m in range(low, high):
        y, x = py[m], px[m]
        fy, fx = (y + 0.5) / up - 0.5, (x + 0.5) / across - 0.5
        qy, qx = int(np.floor(fy)), int(np.floor(fx))
        a0, a1, a2, a3 = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        total = np.float32(0)
        for k in range(4):
            cy, cx = qy + (k >> 1), qx + (k & 1)
            v = np.float32((1 - abs(fy - cy)) * (1 - abs(fx - cx))) + np.float32(1e-6)
            iy, ix = cy, cx
            if wraps:
                iy, ix = cy % h, cx % w
            else:  # no patch is centred nearer to the border: the nearest one reaches there
                cy, cx = min(max(cy, P), h - 1 - P), min(max(cx, P), w - 1 - P)
                iy, ix = cy, cx
            t = index[iy, ix]
            if t < 0:
                continue
            zy = int(np.floor((sy[t] - cy) * up + y + 0.5))
            zx = int(np.floor((sx[t] - cx) * across + x + 0.5))
            zy, zx = min(max(zy, 0), H - 1), min(max(zx, 0), W - 1)
            a0 += v * V[zy, zx, 0]
            a1 += v * V[zy, zx, 1]
            a2 += v * V[zy, zx, 2]
            a3 += v * V[zy, zx, 3]
            total += v
        if total > 0:
            out[m, 0], out[m, 1], out[m, 2], out[m, 3] = a0 / total, a1 / total, a2 / total, a3 / total
        else:
            out[m, :] = np.nan
