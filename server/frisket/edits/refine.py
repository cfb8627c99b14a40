"""The second pass over a large hole: laid out at a size that the engine can hold, then gone over in tiles at full size.

A crop beyond the engine's largest size is worked on reduced and enlarged again, which leaves it soft. An engine that
can start from what is there (`EngineSpec.refines`) then repaints that with a low strength, in overlapping tiles of its
native side. Where a tile reaches into one that is done its hole fades out, so that it begins with what is there and
leaves no seam. Two passes are what is known as a high-resolution fix, done here without being asked.
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from frisket.engines.share import Share
from frisket.engines.spec import Engine, Report, Work
from frisket.errors import EngineFailed
from frisket.raster import fit as fitting
from frisket.raster.geometry import Box, Size

STRENGTH = 0.4  # of the second pass: new detail, the same things
OVERLAP = 1 / 4  # of a tile's side, at least
FIRST = 0.4  # of the progress bar, for the first pass


def tiles(area: Box, within: Box, side: int) -> list[Box]:
    """Boxes of at most `side` px a side that cover `area`, row by row, spread evenly, none beyond `within`.

    Neighbours overlap by OVERLAP of the side or more. Both boxes in the same coordinates; `within` holds `area`.
    """
    columns = _spread(area.x, area.right, within.x, within.right, side)
    rows = _spread(area.y, area.bottom, within.y, within.bottom, side)
    return [Box.spanning(left, top, right, bottom) for top, bottom in rows for left, right in columns]


def _spread(low: int, high: int, least: int, most: int, side: int) -> list[tuple[int, int]]:
    """Intervals of `side` px that cover low...high within least...most."""
    side = min(side, most - least)
    if high - low <= side:
        start = min(max((low + high - side) // 2, least), most - side)
        return [(start, start + side)]
    count = math.ceil((high - low - side) / (side * (1 - OVERLAP))) + 1
    starts = [low + round((high - low - side) * k / (count - 1)) for k in range(count)]
    return [(start, start + side) for start in starts]


def refined(first: np.ndarray, hole: np.ndarray, work: Work, engine: Engine, report: Report) -> np.ndarray:
    """`first` (h, w, c) float32, the enlarged result of the first pass, with its hole (h, w) float32 gone over again.

    work: of the first pass; its crop, hole and sources are not looked at, its one seed is used for each tile. report:
    for the second pass alone. Raises EngineFailed, and whatever the engine raises.
    """
    (seed,) = work.seeds
    ys, xs = np.nonzero(hole.any(1))[0], np.nonzero(hole.any(0))[0]
    if not len(ys):
        return first
    area = Box.spanning(int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1)
    boxes = tiles(area, Box(0, 0, hole.shape[1], hole.shape[0]), engine.spec.size.native_side)
    boxes = [box for box in boxes if hole[box.slices].any()]
    now, done = first.copy(), np.zeros(hole.shape, bool)
    strength = min(STRENGTH, work.strength)
    params = dict(work.params)
    if "steps" in params and strength > 0:  # a few, as some models need: of those one at least is to be made
        params["steps"] = max(int(params["steps"]), math.ceil(1 / strength))
    for number, box in enumerate(boxes):
        here = box.slices
        weight = hole[here] * fade(done[here])
        if not weight.any():
            continue
        share = Share(report, now, box, number / len(boxes), (number + 1) / len(boxes))
        tile = replace(work, seeds=(seed,), sources=None, strength=strength, params=params, tileable=False)
        new = _repainted(now[here], weight, tile, engine, share)
        now[here] += weight[..., None] * (new - now[here])
        done[here] = True
    return now


def fade(done: np.ndarray) -> np.ndarray:
    """(h, w) float32, how much each pixel of a tile counts: 1 where nothing is done yet; where other tiles are `done`
    (h, w) bool, from 0 at the tile's edge to 1 at what is new."""
    h, w = done.shape
    if not done.any():
        return np.ones((h, w), np.float32)
    if done.all():
        return np.zeros((h, w), np.float32)
    y, x = np.arange(h, dtype=np.float32) + 0.5, np.arange(w, dtype=np.float32) + 0.5
    edge = np.minimum(np.minimum(y, h - y)[:, None], np.minimum(x, w - x)[None])
    new = cv2.distanceTransform(done.astype(np.uint8), cv2.DIST_L2, 3)
    return np.where(done, edge / (edge + new), np.float32(1)).astype(np.float32)


def _repainted(tile: np.ndarray, weight: np.ndarray, work: Work, engine: Engine, report: Report) -> np.ndarray:
    """One tile at the engine's size and back, (h, w, c) float32."""
    fit = engine.spec.size.plan(Size(tile.shape[1], tile.shape[0]))
    tile = np.ascontiguousarray(tile)
    crop, hole = fitting.apply(tile, fit, report.check), fitting.apply_mask(weight, fit, report.check)
    fills = engine.run(replace(work, crop=crop, hole=hole), report)
    if len(fills) != 1 or np.shape(fills[0])[:2] != crop.shape[:2] or not np.isfinite(fills[0]).all():
        raise EngineFailed(engine=engine.spec.id, reason="a tile came back in another size, or with no numbers in it")
    return fitting.undo(np.asarray(fills[0], np.float32), fit, report.check)
