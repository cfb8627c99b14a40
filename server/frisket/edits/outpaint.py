"""Outpaint: a larger canvas around the old picture, or its transparent part filled; the rest stays, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from frisket.edits.plan import extended, new_area, smaller
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import EditRequest, OutpaintParams
from frisket.edits.results import ResultMeta
from frisket.edits.steps import Cut, cut, paint, restore, settle
from frisket.engines.spec import Engine
from frisket.errors import LayerUnsuitable
from frisket.raster import masks, pixels
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box

RING = 16  # px of the old picture in which a generator's tone is measured


def run(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> list[Painted]:
    """One picture for each of request.seeds, covering the new area in the old canvas's coordinates (they may be
    negative). planes.mask is not looked at: the new area is what changes. It is painted opaque, unless the picture has
    some transparency, none of which was to be filled, and the engine paints alpha too.

    Raises ImageNotFinite, LayerUnsuitable, NothingToSampleFrom, Cancelled.
    """
    params, region = request.params, request.region
    assert isinstance(params, OutpaintParams)
    pixels.check_finite(planes.image)
    gaps = _gaps(request, planes)
    found = None if gaps is None else masks.bounds(gaps)
    new = new_area(request.canvas, params, None if found is None else found.moved(region.x, region.y))
    sheet = region.joined(new)  # everything the engine sees
    old = region.relative_to(sheet)
    image, hole = _spread_out(planes.image, old, sheet)
    shown = _added(request, sheet)
    if gaps is not None:
        hole[old.slices][gaps > 0] = 1
        shown[old.slices][gaps > 0] = 255
    seen = image if gaps is None else _opaque(image, request.format)
    with progress.part(0, 1, sheet):
        made = _solid(cut(seen, hole, request, engine.spec, _sources(planes, old, hole)))
        fills = paint(made, engine, request, progress)
    box = masks.bounds(shown)
    assert box is not None
    told = smaller(sheet.size, engine.spec)
    results = []
    for seed, fill in zip(request.seeds, fills, strict=True):
        painted = restore(settle(fill, made, engine.spec, RING), made, request.format)
        layer = np.where(shown[..., None] > 0, painted, image)
        meta = ResultMeta(box.moved(sheet.x, sheet.y), seed, told)
        results.append(Painted(meta, np.ascontiguousarray(layer[box.slices]), shown[box.slices].copy()))
    return results


def _gaps(request: EditRequest, planes: Planes) -> np.ndarray | None:
    """(h, w) uint8 over the region, 255 where alpha is 0, when that is to be filled; None when it is not.

    Raises LayerUnsuitable when there is no such pixel and no side grows either.
    """
    params = request.params
    assert isinstance(params, OutpaintParams)
    if not params.transparent:
        return None
    if request.format.layout.has_alpha and (clear := planes.image[..., -1] <= 0).any():
        return clear.astype(np.uint8) * 255
    if extended(request.canvas, params) == Box.of(request.canvas):
        raise LayerUnsuitable(
            what="No pixel of it is fully transparent, and no side is to grow",
            suggestion="Say how far a side is to grow, or erase what is to be new (soft alpha stays as it is).",
        )
    return None


def _opaque(image: np.ndarray, fmt: PixelFormat) -> np.ndarray:
    """The same colours with full alpha: what is soft belongs to the picture, and what is clear to the hole."""
    full = image.copy()
    full[..., -1] = 1 if fmt.samples.is_float else np.iinfo(image.dtype).max
    return full


def _solid(made: Cut) -> Cut:
    """An engine that leaves alpha alone paints its new area opaque."""
    if made.alpha is None:
        return made
    return replace(made, alpha=np.where(made.hole > 0, np.float32(1), made.alpha))


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
