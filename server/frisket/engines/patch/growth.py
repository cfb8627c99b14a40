"""Growing a picture: a strip's layout in pieces (`pieces`), then EM as in `fill`, which keeps to that layout.

What a source costs beyond how it looks, in grey levels for each pixel that shows it:

  place     its distance from the nearest point of the known area: dear upright (sky up, ground down; dearest where the
            picture grows sideways, which keeps horizons level), cheap sideways
  standout  how much it belongs to a thing of its own (`standout`): nobody wants the cup twice
  use       how often earlier strips copied it, against its fair share: Kaspar, Neubert, Lischinski, Pauly & Kopf, "Self
            tuning texture optimization" (EUROGRAPHICS 2015), section 4.1, keep track of uses to the same end

EM does not ask these prices: it would drift into whatever is plain and cheap. It only looks for a better fit nearby.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.fill import handed_down
from frisket.engines.patch.match import SIDE, Field, mixed
from frisket.engines.patch.pieces import MOST_PIXELS, laid
from frisket.engines.patch.pyramid import Level
from frisket.engines.patch.smooth import pushpull
from frisket.engines.patch.vote import LEAST, SHARPNESS, certainty, trust, voted

LEVEL = 120.0  # upright, a picture's longer side away, where the picture grows sideways
DOWN = 40.0  # upright elsewhere
ACROSS = 10.0  # sideways
STANDOUT = 150.0  # of a thing of its own: more than any seam, for a low price has things copied in slices
PLAIN, THING = 0.1, 0.4  # standout that costs nothing, and in full
USE = 3.0  # for each time the fair share
MOST_USES = 4.0  # beyond which it does not get dearer
SHARE = 1.5  # of what even use of all sources would give
KEEP = 8  # px: how far EM looks for a better source at random; propagation goes farther
LARGE = 1_000_000  # hole px: a larger level gets one round of one short sweep, its field has been settled below
NEAR_SEARCH = 2  # px, there
SAMPLE = 500_000  # targets
ROWS = 256  # of a picture, between two questions whether to stop

Tick = Callable[[np.ndarray, float], None]


@dataclass(frozen=True, slots=True)
class Taste:
    """standout, past: (h, w) float32 of the area that is worked on, at any scale. past: uses so far, per pixel.

    share: uses that are free of charge. sideways: the picture grows to the left or right. quality: 1...4.
    """

    standout: np.ndarray
    past: np.ndarray
    share: float
    sideways: bool
    quality: int

    def price(self, level: Level) -> np.ndarray:
        """(h, w) float32 grey levels, of showing each pixel of this level."""
        h, w = level.known.shape
        shown = cv2.resize(self.standout, (w, h), interpolation=cv2.INTER_LINEAR)
        total = cv2.resize(self.past, (w, h), interpolation=cv2.INTER_AREA)
        price = STANDOUT * np.clip((shown - PLAIN) / (THING - PLAIN), 0, 1)
        return (price + USE * np.clip(total / self.share, 0, MOST_USES)).astype(np.float32)


def uses(field: Field) -> np.ndarray:
    """(h, w) float32: how many targets a source serves, the mean over the patches that show it."""
    h, w = field.index.shape
    count = np.bincount(field.sy.astype(np.int64) * w + field.sx, minlength=h * w).reshape(h, w)
    return cv2.boxFilter(count.astype(np.float32), -1, (SIDE, SIDE), borderType=cv2.BORDER_CONSTANT)


def grown(levels: list[Level], taste: Taste, seed: int, bands: Bands) -> tuple[np.ndarray, Field]:
    """A strip, from nothing: its picture (h, w, 4) float32 and its field, both at the scale of levels[0].

    levels: fine to coarse, each with at least one source patch. Raises errors.Cancelled from `bands`.
    """
    top = next((k for k, level in enumerate(levels) if level.hole_pixels <= MOST_PIXELS), len(levels) - 1)
    I, field, sure = _started(levels[top], taste, mixed(seed, top), bands)
    for k in range(top, -1, -1):
        level = levels[k]
        if k < top:
            I, field = descended(level, field, sure, mixed(seed, k), bands)
        hy, hx, trusted = hole_of(level, bands)
        for n in range(_rounds(k, top, taste.quality)):
            field.refine(I, level.valid, bands, seed=mixed(seed, k, n), sweeps=2, radius=KEEP, prior=0)
            sure = certain(field, bands)
            I[hy, hx] = voted(I, field, trusted[field.ty, field.tx] * sure, hy, hx, bands)
    return I, field


def _started(level: Level, taste: Taste, seed: int, bands: Bands) -> tuple[np.ndarray, Field, np.ndarray]:
    """Picture, field and certainty of a strip's first layout; smooth and random where there is nothing to lay out."""
    I = pushpull(level.I, level.known)
    bands.check()
    upright = LEVEL if taste.sideways else DOWN
    field = laid(level, taste.price(level), upright, ACROSS, seed, bands)
    if field is None:
        field = Field.over(~level.known)
        field.scatter(level.valid, seed)
        return I, field, np.ones(len(field.ty), np.float32)
    hy, hx, _ = hole_of(level, bands)
    sure = np.ones(len(field.ty), np.float32)
    I[hy, hx] = voted(I, field, sure, hy, hx, bands)
    return I, field, sure


def settled(
    levels: list[Level], I: np.ndarray, field: Field, quality: int, seed: int, bands: Bands, tick: Tick
) -> tuple[np.ndarray, Field, np.ndarray]:
    """From the layout of the whole picture at levels[-1] to levels[0]: its picture before the last vote, its field,
    and how sure each target is, (n,) float32.

    I, field: of levels[-1]. tick: called after each round with the picture so far and the share of the work, 0...1.
    """
    rounds = [1 if level.hole_pixels > LARGE else quality for level in levels]
    work = [n * level.hole_pixels for n, level in zip(rounds, levels, strict=True)]
    done = 0
    sure = np.ones(len(field.ty), np.float32)
    for k in range(len(levels) - 1, -1, -1):
        level, large = levels[k], levels[k].hole_pixels > LARGE
        if k < len(levels) - 1:
            I, field = descended(level, field, sure, mixed(seed, k), bands)
        bands.check()
        hy, hx, trusted = hole_of(level, bands)
        bands.check()
        sweeps, radius = (1, NEAR_SEARCH) if large else (2, KEEP)
        for n in range(rounds[k]):
            field.refine(I, level.valid, bands, seed=mixed(seed, k, n), sweeps=sweeps, radius=radius, prior=0)
            sure = certain(field, bands)
            bands.check()
            if k or n < rounds[0] - 1:
                I[hy, hx] = voted(I, field, trusted[field.ty, field.tx] * sure, hy, hx, bands)
            done += level.hole_pixels
            tick(I, done / sum(work))
    return I, field, sure


def descended(level: Level, parent: Field, sure: np.ndarray, seed: int, bands: Bands) -> tuple[np.ndarray, Field]:
    """The picture and the field of the next finer level, its offsets those of `parent`; sure: (n,) float32 of parent's
    targets."""
    hy, hx, trusted = hole_of(level, bands)
    bands.check()
    field = Field.over(~level.known)
    bands.check()
    field.inherit(parent, level.valid, seed)
    bands.check()
    weight = handed_down(parent, sure, field) * trusted[field.ty, field.tx]
    bands.check()
    I = level.I.copy()
    bands.check()
    I[hy, hx] = voted(I, field, weight, hy, hx, bands)
    return I, field


def hole_of(level: Level, bands: Bands) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinates of the unknown pixels, (m,) int32 each, and how far each pixel can be trusted, (h, w) float32."""
    hy, hx = (a.astype(np.int32) for a in np.nonzero(~level.known))
    bands.check()
    depth = level.depth
    bands.check()
    for y in range(0, len(depth), ROWS):
        depth[y : y + ROWS] = trust(depth[y : y + ROWS])
        bands.check()
    return hy, hx, depth


def certain(field: Field, bands: Bands) -> np.ndarray:
    """(n,) float32: `vote.certainty`, of a large field measured against a sample of it."""
    n = len(field.D)
    if n <= SAMPLE:
        return certainty(field)
    D75 = max(float(np.percentile(field.D[:: -(-n // SAMPLE)], 75)), 1.0)
    bands.check()
    sure = np.exp(field.D * np.float32(-SHARPNESS / D75))
    bands.check()
    return np.maximum(sure, LEAST, out=sure)


def _rounds(k: int, top: int, quality: int) -> int:
    return quality if k == top else round(quality * (1 + 6 * k / top))
