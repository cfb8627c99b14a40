"""A picture grown past its borders.

The layout is made on a reduced picture, strip by strip (`strips`): each strip starts from nothing, sees the strips
before it as known, but copies from the old picture only, so that copies are not copied again (`growth`). Then the whole
layout climbs the pyramid at once; the last vote is blended into the border (`poisson`, `tone`).

So the layout costs about the same for any size of picture, and the rest grows with the new area: one short sweep for a
pixel of a large one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from frisket.engines.patch.bands import Bands, usual_threads
from frisket.engines.patch.growth import ROWS, SHARE, Taste, grown, hole_of, settled, uses
from frisket.engines.patch.match import Field, mixed
from frisket.engines.patch.poisson import blended
from frisket.engines.patch.pyramid import MIN_SOURCES, Level, built, halved
from frisket.engines.patch.repaint import PREVIEW_PIXELS, repainted
from frisket.engines.patch.scale import Scale
from frisket.engines.patch.standout import standout
from frisket.engines.patch.strips import Strip, known_box, strips
from frisket.engines.patch.tone import cut, rise, spread
from frisket.engines.spec import Report, Silent, Task, Work
from frisket.raster.geometry import Box

LAYOUT_KNOWN = 70_000  # px of the old picture where the layout is made: halving leaves 130 to 260 px a side
LAYOUT_HOLE = 600_000  # px of the new area there, at most
LAYOUT_WORK = 0.3  # of the progress bar
STEPS = 1000  # of a report, for each seed


def extended(work: Work, report: Report, threads: int = 0) -> list[np.ndarray]:
    """One picture for each seed, (h, w, c) float32 like work.crop, and equal to it outside work.hole > 0.

    The new area (work.hole > 0) surrounds the known one on one to four sides; holes within the known area are filled
    too. work.sources: where to copy from. work.params: "quality". What cannot grow (nothing new outside the known
    area's box, or no whole patch to copy) is filled like any other hole. threads: 0 = numba's own number. Raises
    errors.Cancelled (from `report`), errors.NothingToSampleFrom.
    """
    known = work.hole <= 0
    h, w = known.shape
    report.check()
    if not known.any() or known_box(known) == Box(0, 0, w, h):
        return repainted(work, report, threads)
    report.check()
    scale = Scale.of(work.crop, known)
    report.check()
    sources = known if work.sources is None else known & work.sources
    I = np.empty((h, w, 4), np.float32)
    for y in range(0, h, ROWS):
        I[y : y + ROWS] = scale.enter(work.crop[y : y + ROWS])
        report.check()
    levels = _reduced(I, known, sources, report.check)
    if not levels[-1].valid.any():
        return repainted(work, report, threads)
    pictures = []
    with Bands(threads or usual_threads(), report.check) as bands:
        odd = standout(levels[-1].I, levels[-1].known, bands)
        for number, seed in enumerate(work.seeds):
            tick = _Progress(report, scale, number, len(work.seeds))
            grown = _outpainted(levels, odd, int(work.params["quality"]), seed, bands, tick)
            pictures.append(_left(work.crop, known, scale, grown, report.check))
    return pictures


def _left(crop: np.ndarray, known: np.ndarray, scale: Scale, I: np.ndarray, check: Callable[[], None]) -> np.ndarray:
    """crop with its unknown pixels from I."""
    out = np.empty_like(crop)
    for y in range(0, len(crop), ROWS):
        part = slice(y, y + ROWS)
        out[part] = np.where(known[part][..., None], crop[part], scale.leave(I[part]))
        check()
    return out


def warm(threads: int = 0) -> None:
    """Runs every kernel once, on a picture of 64 x 64."""
    crop, hole = np.random.default_rng(0).random((64, 64, 3), np.float32), np.zeros((64, 64), np.float32)
    hole[:, 40:] = 1
    extended(Work(Task.OUTPAINT, crop, hole, {"structure": "auto", "quality": 1}, (0,)), Silent(), threads)


@dataclass(frozen=True, slots=True)
class _Progress:
    """Told after each strip and round; shows the picture, thinned where it is large."""

    report: Report
    scale: Scale
    number: int
    count: int

    def __call__(self, I: np.ndarray, share: float) -> None:
        thin = 1
        while (I.shape[0] // thin) * (I.shape[1] // thin) > PREVIEW_PIXELS:
            thin += 1
        step = self.number * STEPS + min(STEPS, round(share * STEPS))
        self.report(step, self.count * STEPS, self.scale.leave(I[::thin, ::thin]))


def _reduced(I: np.ndarray, known: np.ndarray, sources: np.ndarray, check: Callable[[], None]) -> list[Level]:
    """Levels from the full size to that of the layout."""
    levels = [Level.of(I, known, sources)]
    while np.count_nonzero(levels[-1].known) > LAYOUT_KNOWN or levels[-1].hole_pixels > LAYOUT_HOLE:
        last = levels[-1]
        check()
        I, known = halved(last.I, last.known)
        level = Level.of(I, known, known & halved(last.I, last.sources)[1])
        if np.count_nonzero(level.valid) < MIN_SOURCES:
            break
        levels.append(level)
    return levels


def _outpainted(
    levels: list[Level], odd: np.ndarray, quality: int, seed: int, bands: Bands, tick: _Progress
) -> np.ndarray:
    """(h, w, 4) float32. odd: `standout` of levels[-1]."""
    I, field = _laid_out(levels[-1], odd, quality, seed, bands, lambda I, share: tick(I, LAYOUT_WORK * share))
    base = levels[-1]
    trusted = hole_of(base, bands)[2][field.ty, field.tx]
    correction = rise(I, ~base.known, field, trusted, len(levels[0].I) / len(base.I), bands)
    I, field, sure = settled(
        levels, I, field, quality, seed, bands, lambda I, share: tick(I, LAYOUT_WORK + (1 - LAYOUT_WORK) * 0.9 * share)
    )
    hy, hx, trusted = hole_of(levels[0], bands)
    weight, hole = trusted[field.ty, field.tx] * sure, ~levels[0].known
    bands.check()
    edges = cut(I, hole, field, weight, bands)
    blended(I, hole, field, weight, hy, hx, bands)
    I[edges.y, edges.x] = edges.colour
    h, w = hole.shape
    for y in range(0, h, ROWS):
        part = slice(y, min(y + ROWS, h))
        I[part] += spread(correction, (h, w), part) * hole[part][..., None]
        bands.check()
    tick(I, 1)
    return I


def _laid_out(
    base: Level, odd: np.ndarray, quality: int, seed: int, bands: Bands, tick: Callable[[np.ndarray, float], None]
) -> tuple[np.ndarray, Field]:
    """Picture and field of the whole new area at the level `base`."""
    h, w = base.known.shape
    I, known, past = base.I.copy(), base.known.copy(), np.zeros((h, w), np.float32)
    source = np.full((2, h, w), -1, np.int32)  # (y, x) of each target's source
    area, filled, total = np.count_nonzero(base.sources), 0, base.hole_pixels
    for number, strip in enumerate(strips(Box(0, 0, w, h), known_box(base.known))):
        here, corner = strip.grown.slices, (strip.grown.y, strip.grown.x)
        filled += int(np.count_nonzero(~known[here]))
        now, there, usable = (np.ascontiguousarray(a[here]) for a in (I, known, base.sources))
        levels = built(now, there, usable)
        taste = Taste(odd[here], past[here], max(1.0, SHARE * filled / area), _sideways(strip), quality)
        I[here], field = grown(levels, taste, mixed(seed, number), bands)
        past[here] += uses(field)
        for axis, s in enumerate((field.sy, field.sx)):
            source[axis][here][field.ty, field.tx] = s + corner[axis]
        known[here] = True
        tick(I, filled / total)
    field = Field.over(~base.known)
    field.scatter(base.valid, mixed(seed, 0))
    sy, sx = source[:, field.ty, field.tx]
    field.sy, field.sx = np.where(sy >= 0, sy, field.sy), np.where(sx >= 0, sx, field.sx)
    return I, field


def _sideways(strip: Strip) -> bool:
    return strip.grown.width > strip.known.width
