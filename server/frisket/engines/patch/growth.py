"""Growing a picture at one or more scales: EM as in `fill`, with a taste for where new content should come from.

What a source costs beyond how it looks, in thousandths of the distance of a white and a black patch:

  place     the square of its distance, in sides of the picture, from the nearest point of the known area: dear upright
            (sky up, ground down; dearest where the picture grows sideways, which keeps horizons level), cheap sideways
  standout  how much it belongs to a thing of its own (`standout`): nobody wants the cup twice
  use       how often it was copied already, beyond its fair share: Kaspar, Neubert, Lischinski, Pauly & Kopf, "Self
            tuning texture optimization" (EUROGRAPHICS 2015), section 4.1, keep track of uses to the same end
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import SIDE, Field, Lean, mixed
from frisket.engines.patch.pyramid import Level
from frisket.engines.patch.scale import WHITE
from frisket.engines.patch.smooth import pushpull
from frisket.engines.patch.vote import LEAST, certainty, trust, voted

UNIT = 1e-3 * SIDE * SIDE * 3 * WHITE**2
LEVEL = 60.0  # upright distance, where the picture grows sideways; 6 let horizons jump
DOWN = 12.0  # upright distance elsewhere
ACROSS = 1.0  # sideways distance
STANDOUT = 8.0  # 3 leaves ghosts of heads and cups, 20 prefers empty sky to everything
USE = 1.0  # for each time beyond the share
MOST_USES = 4.0  # beyond which it does not get dearer: less than what stands out costs, or the unused cup is tempting
SHARE = 1.5  # of what even use of all sources would give
FAR_SEARCH = 64  # px, on all but the two coarsest levels of a strip
LARGE = 1_000_000  # hole px: a larger level gets one round of one short sweep, its field has been settled below
NEAR_SEARCH = 2  # px, there
OPEN = 2  # levels of a strip from here on vote by price too, or ghosts win; below by look alone, or dear places blur
WARY = np.float32(0.05)  # least weight, on a strip's coarsest levels, of a pixel that is only a guess

Tick = Callable[[np.ndarray, float], None]


@dataclass(frozen=True, slots=True)
class Taste:
    """standout, past: (h, w) float32 of the area that is worked on, at any scale. past: uses so far, per pixel.

    share: uses that are free of charge. sideways: the picture grows to the left or right. quality: 1...4.
    """

    standout: np.ndarray
    past: np.ndarray | None
    share: float
    sideways: bool
    quality: int

    def lean(self, level: Level, uses: np.ndarray | None) -> Lean:
        """uses: (h, w) float32 of the field as it is, or None when use is not to count."""
        h, w = level.known.shape
        shown = cv2.resize(self.standout, (w, h), interpolation=cv2.INTER_LINEAR)
        price = STANDOUT * cv2.dilate(shown, np.ones((SIDE, SIDE), np.uint8))  # of a patch: its dearest pixel's
        if uses is not None and self.past is not None:
            total = uses + cv2.resize(self.past, (w, h), interpolation=cv2.INTER_AREA)
            price += USE * np.clip(total / self.share - 1, 0, MOST_USES)
        rows, columns = np.nonzero(level.sources.any(1))[0], np.nonzero(level.sources.any(0))[0]
        box = int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])
        unit = UNIT / max(box[1] - box[0] + 1, box[3] - box[2] + 1) ** 2
        return Lean((LEVEL if self.sideways else DOWN) * unit, ACROSS * unit, *box, (UNIT * price).astype(np.float32))


def uses(field: Field) -> np.ndarray:
    """(h, w) float32: how many targets a source serves, the mean over the patches that show it."""
    h, w = field.index.shape
    count = np.bincount(field.sy.astype(np.int64) * w + field.sx, minlength=h * w).reshape(h, w)
    return cv2.boxFilter(count.astype(np.float32), -1, (SIDE, SIDE), borderType=cv2.BORDER_CONSTANT)


def grown(levels: list[Level], taste: Taste, seed: int, bands: Bands) -> tuple[np.ndarray, Field]:
    """A strip, from nothing: its picture (h, w, 4) float32 and its field, both at the scale of levels[0].

    levels: fine to coarse, each with at least one source patch. Raises errors.Cancelled from `bands`.
    """
    top = len(levels) - 1
    I = pushpull(levels[top].I, levels[top].known)
    field = Field.over(~levels[top].known)
    field.scatter(levels[top].valid, mixed(seed, top))
    sure = np.ones(len(field.ty), np.float32)
    for k in range(top, -1, -1):
        level, coarse = levels[k], k >= top - 1
        longer = max(level.known.shape)
        if k < top:
            I, field = descended(level, field, sure, mixed(seed, k), bands)
        hy, hx, trusted = hole_of(level)
        smoothed = None if k == top else uses(field)
        for n in range(_rounds(k, top, taste.quality)):
            if n:  # all targets decide at once: without a memory they would swing between two sources
                smoothed = uses(field) if smoothed is None else (smoothed + uses(field)) / 2
            lean = taste.lean(level, smoothed)
            field.refine(
                I,
                level.valid,
                bands,
                seed=mixed(seed, k, n),
                sweeps=8 if k == top and n < 4 else (4 if coarse else 2),
                radius=longer if coarse else min(longer, FAR_SEARCH),
                prior=0,
                trust=np.maximum(trusted, WARY) if coarse else None,
                lean=lean,
            )
            sure = certainty(field) if k >= OPEN else likeness(field, lean)
            I[hy, hx] = voted(I, field, trusted[field.ty, field.tx] * sure, hy, hx, bands)
    return I, field


def settled(
    levels: list[Level], I: np.ndarray, field: Field, taste: Taste, seed: int, bands: Bands, tick: Tick
) -> tuple[np.ndarray, Field, np.ndarray]:
    """From the layout of the whole picture at levels[-1] to levels[0]: its picture before the last vote, its field,
    and how sure each target is, (n,) float32.

    I, field: of levels[-1]. tick: called after each round with the picture so far and the share of the work, 0...1.
    """
    rounds = [1 if level.hole_pixels > LARGE else taste.quality for level in levels]
    work = [n * level.hole_pixels for n, level in zip(rounds, levels, strict=True)]
    done = 0
    sure = np.ones(len(field.ty), np.float32)
    for k in range(len(levels) - 1, -1, -1):
        level, large = levels[k], levels[k].hole_pixels > LARGE
        if k < len(levels) - 1:
            I, field = descended(level, field, sure, mixed(seed, k), bands)
        bands.check()
        hy, hx, trusted = hole_of(level)
        lean, radius = taste.lean(level, None), min(max(level.known.shape), NEAR_SEARCH if large else FAR_SEARCH)
        for n in range(rounds[k]):
            sweeps = 1 if large else 2
            key = mixed(seed, k, n)
            field.refine(I, level.valid, bands, seed=key, sweeps=sweeps, radius=radius, prior=0, lean=lean)
            sure = likeness(field, lean)
            bands.check()
            if k or n < rounds[0] - 1:
                I[hy, hx] = voted(I, field, trusted[field.ty, field.tx] * sure, hy, hx, bands)
            done += level.hole_pixels
            tick(I, done / sum(work))
    return I, field, sure


def likeness(field: Field, lean: Lean) -> np.ndarray:
    """(n,) float32: `vote.certainty` by look alone, without what the lean added."""
    return certainty(replace(field, D=np.maximum(field.D - lean.cost(field), 0)))


def descended(level: Level, parent: Field, sure: np.ndarray, seed: int, bands: Bands) -> tuple[np.ndarray, Field]:
    """The picture and the field of the next finer level, its offsets those of `parent`; sure: (n,) float32 of parent's
    targets."""
    hy, hx, trusted = hole_of(level)
    bands.check()
    field = Field.over(~level.known)
    bands.check()
    field.inherit(parent, level.valid, seed)
    bands.check()
    h, w = parent.index.shape
    t = parent.index[np.minimum(field.ty >> 1, h - 1), np.minimum(field.tx >> 1, w - 1)]
    bands.check()
    weight = np.where(t >= 0, sure[t], LEAST) * trusted[field.ty, field.tx]
    bands.check()
    I = level.I.copy()
    I[hy, hx] = voted(I, field, weight, hy, hx, bands)
    return I, field


def hole_of(level: Level) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates of the unknown pixels, (m,) int32 each, and how far each pixel can be trusted, (h, w) float32."""
    hy, hx = (a.astype(np.int32) for a in np.nonzero(~level.known))
    return hy, hx, trust(level.depth)


def _rounds(k: int, top: int, quality: int) -> int:
    return quality * 7 if k == top else round(quality * (1 + 6 * k / top))
