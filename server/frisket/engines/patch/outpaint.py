"""A picture grown past its borders, band by band.

Each band is filled as a selection would be (`repaint`); it sees the bands before it as known, but copies from the old
picture only, so that copies are not copied again. A narrow band has room for the continuation of what the border cuts,
and little room for a second face. Sources that stand out (`standout`) cost more, by the user's taste.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from frisket.engines.patch.bands import Bands, usual_threads
from frisket.engines.patch.fill import Shunned
from frisket.engines.patch.match import mixed, valid_sources
from frisket.engines.patch.pyramid import halved
from frisket.engines.patch.repaint import repainted
from frisket.engines.patch.scale import Scale
from frisket.engines.patch.standout import resized, standout
from frisket.engines.share import Share
from frisket.engines.spec import Report, Silent, Task, Work
from frisket.raster.geometry import Box
from frisket.raster.spans import Check, copied, mapped, row_spans

SHARE = 1 / 16  # of the old picture's side: the width of a band; growing by a quarter takes four
MOST_BANDS = 16
LEAST = 8  # px: a narrower band is not worth a round
LOOKED_AT = 40_000  # known px of the reduced picture in which things are sought
TASTES = {"continue": (1.0, True), "background": (10.0, False)}  # Shunned.price and .throughout


def extended(work: Work, report: Report, threads: int = 0) -> list[np.ndarray]:
    """One picture for each seed, (h, w, c) float32 like work.crop, and equal to it outside work.hole > 0.

    The new area (work.hole > 0) lies around the known one on one to four sides; holes within the known area are filled
    with the first band. work.sources: where to copy from. work.params: as for `repainted`, and "growth". threads: 0 =
    numba's own number. Raises errors.Cancelled (from `report`), errors.NothingToSampleFrom.
    """
    known = mapped(lambda part: part <= 0, bool, report.check, work.hole)
    h, w = known.shape
    report.check()
    if not known.any() or known_box(known) == Box(0, 0, w, h):
        return repainted(work, report, threads)
    report.check()
    sources = known if work.sources is None else known & work.sources
    if not valid_sources(sources, report.check).any():
        return repainted(work, report, threads)
    price, throughout = TASTES[str(work.params["growth"])]
    odd = _odd(work.crop, known, threads, report.check)
    boxes = grown_boxes(known_box(known), h, w)
    areas = np.cumsum([0, *(box.width * box.height for box in boxes)])
    pictures = []
    for number, seed in enumerate(work.seeds):
        picture, now = copied(work.crop, report.check), copied(known, report.check)
        for k, box in enumerate(boxes):
            here = box.slices
            band = replace(
                work,
                crop=copied(picture[here], report.check),
                hole=mapped(np.logical_not, np.float32, report.check, now[here]),
                sources=copied(sources[here], report.check),
                seeds=(mixed(seed, k),),
            )
            start, end = ((number + area / areas[-1]) / len(work.seeds) for area in areas[k : k + 2])
            told = Share(report, picture, box, start, end)
            (painted,) = repainted(band, told, threads, Shunned(odd[here], price, throughout))
            for rows in row_spans(painted.shape, report.check):
                picture[here][rows] = painted[rows]
            now[here] = True
        pictures.append(picture)
    return pictures


def known_box(known: np.ndarray) -> Box:
    """The smallest box around what is true in `known` (h, w) bool; some of it must be."""
    rows, columns = np.nonzero(known.any(1))[0], np.nonzero(known.any(0))[0]
    x, y = int(columns[0]), int(rows[0])
    return Box(x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y)


def grown_boxes(old: Box, h: int, w: int) -> list[Box]:
    """From `old` to the whole sheet of h x w px: what is there after each band. All sides arrive with the last one."""
    sides = ((old.x, old.width), (w - old.right, old.width), (old.y, old.height), (h - old.bottom, old.height))
    wanted = max(math.ceil(grow / (SHARE * length)) for grow, length in sides)
    count = max(1, min(wanted, MOST_BANDS, max(grow for grow, _ in sides) // LEAST))
    boxes = []
    for k in range(1, count + 1):
        left, top = (round(edge * (count - k) / count) for edge in (old.x, old.y))
        right, bottom = (end + round((far - end) * k / count) for end, far in ((old.right, w), (old.bottom, h)))
        boxes.append(Box.spanning(left, top, right, bottom))
    return boxes


def warm(threads: int = 0) -> None:
    """Runs every kernel once, on a picture of 64 x 64."""
    crop, hole = np.random.default_rng(0).random((64, 64, 3), np.float32), np.zeros((64, 64), np.float32)
    hole[:, 40:] = 1
    params = {"structure": "auto", "quality": 1, "turns": "none", "growth": "continue"}
    extended(Work(Task.OUTPAINT, crop, hole, params, (0,)), Silent(), threads)


def _odd(crop: np.ndarray, known: np.ndarray, threads: int, check: Check) -> np.ndarray:
    """(h, w) float32: `standout` of the old picture, found in a reduced one."""
    h, w = known.shape
    I, seen = Scale.of(crop, known, check).enter(crop, check), known
    while np.count_nonzero(seen) > LOOKED_AT:
        I, seen = halved(I, seen, check)
    if not seen.any():
        return np.zeros((h, w), np.float32)
    with Bands(threads or usual_threads(), check) as bands:
        odd = standout(I, seen, bands)
    check()
    return resized(odd, (h, w), check)
