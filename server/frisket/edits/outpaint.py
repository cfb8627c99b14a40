"""Outpaint: a larger canvas around the old picture, which stays as it is, bit for bit."""

from __future__ import annotations

import numpy as np

from frisket.edits.plan import extended, new_area, smaller
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import EditRequest, OutpaintParams
from frisket.edits.results import ResultMeta
from frisket.edits.steps import cut, paint, restore, settle
from frisket.engines.spec import Engine
from frisket.raster import masks, pixels
from frisket.raster.geometry import Box

RING = 16  # px of the old picture in which a generator's tone is measured


def run(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> list[Painted]:
    """One picture for each of request.seeds, covering the new area in the old canvas's coordinates (they may be
    negative). planes.mask is not looked at: the new area is what changes.

    Raises ImageNotFinite, NothingToSampleFrom, Cancelled.
    """
    params, region = request.params, request.region
    assert isinstance(params, OutpaintParams)
    pixels.check_finite(planes.image)
    new = new_area(request.canvas, params)
    sheet = region.joined(new)  # everything the engine sees
    image, hole = _spread_out(planes.image, region.relative_to(sheet), sheet)
    with progress.part(0, 1, sheet):
        made = cut(image, hole, request, engine.spec, _sources(planes, region.relative_to(sheet), hole))
        fills = paint(made, engine, request, progress)
    shown = _added(request, sheet)
    box = masks.bounds(shown)
    assert box is not None
    told = smaller(sheet.size, engine.spec)
    results = []
    for seed, fill in zip(request.seeds, fills, strict=True):
        painted = restore(settle(fill, made, engine.spec, RING), made, request.format)
        meta = ResultMeta(box.moved(sheet.x, sheet.y), seed, told)
        results.append(Painted(meta, np.ascontiguousarray(painted[box.slices]), shown[box.slices].copy()))
    return results


def _spread_out(image: np.ndarray, old: Box, sheet: Box) -> tuple[np.ndarray, np.ndarray]:
    """The old pixels on the sheet, 0 elsewhere, and the hole (h, w) float32 around them."""
    wide = np.zeros((sheet.height, sheet.width, image.shape[2]), image.dtype)
    wide[old.slices] = image
    hole = np.ones((sheet.height, sheet.width), np.float32)
    hole[old.slices] = 0
    return wide, hole


def _sources(planes: Planes, old: Box, hole: np.ndarray) -> np.ndarray | None:
    if planes.sources is None:
        return None
    wide = np.zeros(hole.shape, bool)
    wide[old.slices] = planes.sources > 127
    return wide


def _added(request: EditRequest, sheet: Box) -> np.ndarray:
    """(h, w) uint8 over the sheet: 255 on what the larger canvas adds."""
    params = request.params
    assert isinstance(params, OutpaintParams)
    shown = np.zeros((sheet.height, sheet.width), np.uint8)
    shown[extended(request.canvas, params).clipped(sheet).relative_to(sheet).slices] = 255
    shown[Box.of(request.canvas).clipped(sheet).relative_to(sheet).slices] = 0
    return shown
