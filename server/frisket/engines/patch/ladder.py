"""The scales of a variation: from one where a patch spans much of the picture to the largest that is searched.

Unlike the pyramid of a fill, which halves, neighbouring scales differ by about 4/3 (Granot et al., CVPR 2022), and all
colours are there at every scale: nothing is missing, some of it is only to change.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from frisket.engines.patch.match import valid_sources
from frisket.engines.patch.smooth import pushpull
from frisket.raster.fit import shrunk
from frisket.raster.geometry import Size
from frisket.raster.spans import Check, mapped

RATIO = 4 / 3  # of neighbouring scales
LARGE, LARGE_RATIO = 300_000, 1.6  # px: from here on the field hardly changes, and a rung costs much
SEARCHED = 1_500_000  # px: larger pictures are searched at this size, see `detail`
EXTENT_PIXELS = 2_000_000  # px that the hole's width is measured on, at most
LEAST_SIDE = 12  # px: no rung is smaller


@dataclass(frozen=True, slots=True)
class Rung:
    """One scale. V: (h, w, 4) float32 without gaps. hole, valid: (h, w) bool, what changes and centres of sources.

    alpha: (h, w) float32 or None.
    """

    V: np.ndarray
    hole: np.ndarray
    valid: np.ndarray
    alpha: np.ndarray | None

    @classmethod
    def of(
        cls,
        I: np.ndarray,
        hole: np.ndarray,
        solid: np.ndarray,
        sources: np.ndarray,
        alpha: np.ndarray | None,
        check: Check | None = None,
    ) -> Rung:
        """I: (h, w, 4) float32, its colours hold where `solid`. sources: (h, w) bool, where to copy from.

        Where no whole patch is left the sources grow: to all that is solid, then to everything. check: called now and
        then, here and below; may raise errors.Cancelled.
        """
        valid = valid_sources(solid & sources, check)
        for wider in (solid, np.ones_like(solid)):
            if not valid.any():
                valid = valid_sources(wider, check)
        return cls(I if solid.all() else pushpull(I, solid, check), hole, valid, alpha)

    def reduced(
        self, size: tuple[int, int], solid: np.ndarray, sources: np.ndarray, check: Check | None = None
    ) -> Rung:
        """This rung at `size` (h, w), no larger: colours are means of solid parts, what half changes changes."""
        share = _shrunk(solid, size, check)
        if solid.all():
            I = _shrunk(self.V, size, check)
        else:
            I = _shrunk(mapped(lambda V, s: V * s[..., None], np.float32, check, self.V, solid), size, check)
            I = mapped(lambda I, s: I / np.maximum(s, np.float32(1e-6))[..., None], np.float32, check, I, share)
        hole = _shrunk(self.hole, size, check) > 0.5
        allowed = _shrunk(sources, size, check) > 0.99
        alpha = None if self.alpha is None else _shrunk(self.alpha, size, check)
        return Rung.of(I, hole, share > 0.49, allowed, alpha, check)


def built(full: Rung, solid: np.ndarray, sources: np.ndarray, side: float, check: Check) -> list[Rung]:
    """Rungs from coarse to fine. side: px, how wide what changes is at the coarsest; the finest has `SEARCHED` px.

    full: at the picture's own size. solid, sources: (h, w) bool, see `Rung.of`. check: raises errors.Cancelled.
    """
    h, w = full.hole.shape
    last = min(1.0, math.sqrt(SEARCHED / (h * w)))
    first = min(last, max(side / extent(full.hole), LEAST_SIDE / min(h, w)))
    sizes = [_sized(h, w, scale) for scale in _scales(first, last, h * w)]
    finest = full
    if sizes[0] != (h, w):
        finest = full.reduced(sizes[0], solid, sources, check)
        solid = _shrunk(solid, sizes[0], check) > 0.49
        sources = _shrunk(sources, sizes[0], check) > 0.99
    rungs = [finest]
    for size in sizes[1:]:
        check()
        rungs.append(finest.reduced(size, solid, sources, check))
    return [rung for rung in rungs[::-1] if rung.hole.any()]


def extent(hole: np.ndarray) -> float:
    """px, >= 1: how wide hole (h, w) bool is where it is widest; a border of the picture is no bound to it.

    A large one is thinned first: its width is then true to a few px of hundreds.
    """
    y, x = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
    shorter = min(y[-1] - y[0], x[-1] - x[0]) + 1
    if hole.all():
        return float(shorter)
    thin = math.ceil(math.sqrt(hole.size / EXTENT_PIXELS))
    if thin > 1:
        few = hole[::thin, ::thin]
        return thin * extent(few) if few.any() else float(thin)
    padded = np.pad(hole.astype(np.uint8), 1, mode="edge")
    return float(min(shorter, 2 * cv2.distanceTransform(padded, cv2.DIST_L2, 3).max()))


def grown(A: np.ndarray, size: tuple[int, int], wraps: bool) -> np.ndarray:
    """A (h, w, 4) float32 enlarged bilinearly to `size`; its opposite borders are neighbours if it wraps."""
    if not wraps:
        return cv2.resize(A, size[::-1], interpolation=cv2.INTER_LINEAR)
    for axis in (0, 1):
        old, new = A.shape[axis], size[axis]
        at = (np.arange(new) + 0.5) * (old / new) - 0.5
        low = np.floor(at).astype(np.int64)
        share = (at - low).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        below, above = A.take(low, axis, mode="wrap"), A.take(low + 1, axis, mode="wrap")
        A = below + share * (above - below)
    return np.ascontiguousarray(A)


def _scales(first: float, last: float, pixels: int) -> list[float]:
    """From `last` down to `first`, both exact. pixels: of the picture at scale 1."""
    scales = [last]
    while scales[-1] > first:
        ratio = LARGE_RATIO if scales[-1] ** 2 * pixels > LARGE else RATIO
        left = scales[-1] / first
        scales.append(scales[-1] / ratio if left > ratio * math.sqrt(RATIO) else first)
    return scales


def _sized(h: int, w: int, scale: float) -> tuple[int, int]:
    return (max(LEAST_SIDE, round(h * scale)), max(LEAST_SIDE, round(w * scale)))


def _shrunk(A: np.ndarray, size: tuple[int, int], check: Check | None) -> np.ndarray:
    """A: float32, or bool as 0 and 1."""
    if A.dtype == bool:
        A = mapped(lambda part: part, np.float32, check, A)
    return shrunk(A, Size(size[1], size[0]), check)
