"""From a mask at a working size to one with the picture's own edges: guided filtering, clean-up. Pure functions.

Pictures are (h, w, 3) float32 0...1, masks (h, w) float32 0...1.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.raster.fit import shrunk
from frisket.raster.geometry import Size
from frisket.raster.sizes import SizeRule
from frisket.raster.spans import Check, mapped

Float32 = NDArray[np.float32]

RADIUS = 4  # px of the working picture: how far an edge may be moved
EPSILON = 1e-4  # variance below which a neighbourhood is flat
STEEP = (0.15, 0.85)  # of what the filter says: below and above it is 0 and 1
SPECK = 0.03  # of the largest part's area: smaller parts and holes are none


def reduced(picture: Float32, side: int, check: Check) -> Float32:
    """With its longer side at `side` px at most, by area means; values beyond 0...1 are clipped."""
    size = Size(picture.shape[1], picture.shape[0])
    fit = SizeRule(max_side=side).plan(size).scaled
    return np.clip(picture if fit == size else shrunk(picture, fit, check), 0, 1)


def cleaned(chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Without parts and holes that are smaller than SPECK of the largest part."""
    out = chosen.astype(np.uint8)
    count, _, stats, _ = cv2.connectedComponentsWithStats(out, connectivity=8)
    if count < 2:
        return np.zeros(chosen.shape, bool)
    least = SPECK * stats[1:, cv2.CC_STAT_AREA].max()
    return ~_without(~_without(out.astype(bool), least, 8), least, 4)


def _without(chosen: NDArray[np.bool_], least: float, connectivity: int) -> NDArray[np.bool_]:
    _, labels, stats, _ = cv2.connectedComponentsWithStats(chosen.astype(np.uint8), connectivity=connectivity)
    kept = stats[:, cv2.CC_STAT_AREA] >= least
    kept[0] = False
    return kept[np.asarray(labels, np.int32)]


def refined(mask: Float32, small: Float32, picture: Float32, check: Check) -> Float32:
    """`mask`, at the size of `small`, at the size of `picture` and with its edges; small: the picture, reduced.

    He, Sun and Tang, "Guided Image Filtering" (TPAMI 2013), for a guide in colour; its coefficients are found in the
    reduced picture and enlarged (He and Sun, "Fast Guided Filter", 2015). Farther than 2 * RADIUS px of `small` from
    the mask's edge nothing changes. Raises what `check` raises.
    """
    slopes, offset = _guided(mask, small)
    check()
    height, width = picture.shape[:2]

    def enlarged(plane: Float32) -> Float32:
        check()
        return np.asarray(cv2.resize(plane, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)

    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (4 * RADIUS + 1,) * 2)
    surely, maybe = (enlarged(np.asarray(f(mask, kernel), np.float32)) for f in (cv2.erode, cv2.dilate))
    out = enlarged(offset)
    for channel in range(3):
        out += enlarged(slopes[..., channel]) * picture[..., channel]
    low, high = STEEP
    out = mapped(lambda q: np.clip((q - low) / (high - low), 0, 1), np.float32, check, out)
    return mapped(lambda q, a, b: np.clip(q, np.minimum(a, b), b), np.float32, check, out, surely, maybe)


def _guided(mask: Float32, guide: Float32) -> tuple[Float32, Float32]:
    """(slopes (h, w, 3), offset (h, w)): mask is about slopes . guide + offset around each px."""

    def mean(plane: np.ndarray) -> np.ndarray:
        return cv2.blur(plane, (2 * RADIUS + 1,) * 2, borderType=cv2.BORDER_REFLECT)

    m, g = mask.astype(np.float64), guide.astype(np.float64)
    middle, level = mean(g), mean(m)
    spread = np.empty((*mask.shape, 3, 3))
    for i in range(3):
        for j in range(i, 3):
            spread[..., i, j] = spread[..., j, i] = mean(g[..., i] * g[..., j]) - middle[..., i] * middle[..., j]
    spread[..., range(3), range(3)] += EPSILON
    along = mean(g * m[..., None]) - middle * level[..., None]
    slopes = np.linalg.solve(spread, along[..., None])[..., 0]
    offset = level - (slopes * middle).sum(axis=-1)
    return np.asarray(mean(slopes), np.float32), np.asarray(mean(offset), np.float32)
