"""The picture at halving sizes, where coarse colours come from known pixels alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from frisket.engines.patch.match import valid_sources
from frisket.engines.patch.smooth import pushpull
from frisket.raster.spans import row_spans

DEEP_ENOUGH = 3.0  # px: the coarsest level is the one where no hole pixel is farther than this from a known one
MIN_SIDE = 45  # px: no level is smaller than about six patches
ROW_STEP = 0.95  # px, less than what OpenCV's distance takes for a step to the next row
DEPTH_SPAN = 1 << 20  # px that distances are sought in: about 10 ms
MIN_SOURCES = 40  # a level with fewer source patches is not used


@dataclass(frozen=True, slots=True)
class Level:
    """I: (H, w, 4) float32, anything where unknown. known: (h, w) bool. sources, valid: (H, w) bool.

    sources: known pixels that may be copied. valid: centres of patches that consist of them. H = h, but for `turned`
    sources, which are further rows below the picture: panels, each begins at one of the rows in `panels`.
    """

    I: np.ndarray
    known: np.ndarray
    sources: np.ndarray
    valid: np.ndarray
    panels: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, I: np.ndarray, known: np.ndarray, sources: np.ndarray, check: Callable[[], None] | None = None
    ) -> Level:
        return cls(I, known, sources, valid_sources(sources, check))

    @property
    def picture(self) -> Level:
        """The level without turned sources."""
        h = len(self.known)
        return self if len(self.I) == h else Level(self.I[:h], self.known, self.sources[:h], self.valid[:h])

    def smooth(self, check: Callable[[], None] | None = None) -> np.ndarray:
        """A copy of I, with a smooth guess where the picture is unknown. check: see `built`."""
        h = len(self.known)
        guess = pushpull(self.I[:h], self.known, check)
        return guess if len(self.I) == h else np.concatenate([guess, self.I[h:]])

    @property
    def hole_pixels(self) -> int:
        return int(self.known.size - np.count_nonzero(self.known))

    @property
    def depth(self) -> np.ndarray:
        """(h, w) float32 px: distance to the nearest known pixel. The picture's border does not count as known."""
        return _depth(self.known)

    def depth_within(self, most: float, check: Callable[[], None] | None = None) -> np.ndarray:
        """The same, true where it is below `most` px; elsewhere at least that. check: see `built`."""
        out = np.empty(self.known.shape, np.float32)
        for rows, depth in self._depths(most, check):
            out[rows] = depth
        return out

    def shallow(self, most: float, check: Callable[[], None] | None = None) -> bool:
        """Whether `depth` is at most that everywhere. check: see `built`."""
        return all(depth.max() <= most for _, depth in self._depths(2 * most, check))

    def _depths(self, most: float, check: Callable[[], None] | None) -> Iterator[tuple[slice, np.ndarray]]:
        """Rows and their `depth_within`: what is nearer than `most` lies within a margin of rows."""
        margin = math.ceil(most / ROW_STEP) + 1
        for rows in row_spans(self.known.shape, check, DEPTH_SPAN):
            above = min(margin, rows.start)
            near = self.known[rows.start - above : rows.stop + margin]
            here = near[above : above + rows.stop - rows.start]
            if here.all():
                yield rows, np.zeros(here.shape, np.float32)
            elif not near.any():
                yield rows, np.full(here.shape, most, np.float32)
            else:
                yield rows, _depth(near)[above : above + len(here)]


def built(
    I: np.ndarray, known: np.ndarray, sources: np.ndarray | None = None, check: Callable[[], None] | None = None
) -> list[Level]:
    """Levels from fine to coarse; at least the full size.

    I: (h, w, 4) float32. known: (h, w) bool, some of it true. sources: (h, w) bool, may be copied; None = all known.
    check: called now and then, may raise errors.Cancelled.
    """
    levels = [Level.of(I, known, known if sources is None else known & sources, check)]
    while True:
        if check is not None:
            check()
        last = levels[-1]
        if last.shallow(DEEP_ENOUGH, check) or min(last.known.shape) < MIN_SIDE:
            return levels
        I, known = halved(last.I, last.known, check)
        shown = known if last.sources is last.known else known & halved(last.I, last.sources, check)[1]
        level = Level.of(I, known, shown, check)
        if np.count_nonzero(level.valid) < MIN_SOURCES:
            return levels
        levels.append(level)


def _depth(known: np.ndarray) -> np.ndarray:
    hole = np.pad((~known).astype(np.uint8), 1, mode="edge")
    return cv2.distanceTransform(hole, cv2.DIST_L2, 3)[1:-1, 1:-1]


def halved(I: np.ndarray, known: np.ndarray, check: Callable[[], None] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Half the size, rounded up. A pixel is known when half of its area is; colours are means of known parts."""
    h, w = known.shape
    size = ((h + 1) // 2, (w + 1) // 2)
    half, seen = np.empty((*size, I.shape[2]), np.float32), np.empty(size, bool)
    for rows in row_spans((h, w), check):
        to = slice(rows.start // 2, (rows.stop + 1) // 2)
        half[to], seen[to] = _halved_rows(I[rows], known[rows])
    return half, seen


def _halved_rows(I: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    h, w = known.shape
    size = ((w + 1) // 2, (h + 1) // 2)
    share = known.astype(np.float32)
    if h % 2 or w % 2:
        I = cv2.copyMakeBorder(I, 0, h % 2, 0, w % 2, cv2.BORDER_REPLICATE)
        share = cv2.copyMakeBorder(share, 0, h % 2, 0, w % 2, cv2.BORDER_REPLICATE)
    total = cv2.resize(I * share[..., None], size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(share, size, interpolation=cv2.INTER_AREA)
    return total / np.maximum(share, np.float32(1e-6))[..., None], share > 0.49
