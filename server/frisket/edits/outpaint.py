"""Outpaint: a larger canvas around the old picture, or its transparent part filled; the rest stays, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from frisket.edits.plan import extended, new_area, smaller
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes, show
from frisket.edits.requests import EditRequest, OutpaintParams
from frisket.edits.results import ResultMeta
from frisket.edits.steps import Cut, cut, paint, restore
from frisket.engines.spec import Engine
from frisket.errors import LayerUnsuitable
from frisket.raster import masks, pixels
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box
from frisket.raster.spans import Check, copied, copy_into, filled, mapped, row_spans


def run(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> list[Painted]:
    """One picture for each of request.seeds, covering the new area in the old canvas's coordinates (they may be
    negative). planes.mask is not looked at: the new area is what changes. It is painted opaque, unless the picture has
    some transparency, none of which was to be filled, and the engine paints alpha too.

    Raises ImageNotFinite, LayerUnsuitable, NothingToSampleFrom, Cancelled.
    """
    params, region = request.params, request.region
    assert isinstance(params, OutpaintParams)
    check = progress.check
    pixels.check_finite(planes.image, check)
    gaps = _gaps(request, planes, check)
    found = None if gaps is None else masks.bounds(gaps, check)
    new = new_area(request.canvas, params, None if found is None else found.moved(region.x, region.y))
    sheet = region.joined(new)  # everything the engine sees
    old = region.relative_to(sheet)
    image, hole = _spread_out(planes.image, old, sheet, check)
    shown = _added(request, sheet)
    if gaps is not None:
        for plane, full in ((hole[old.slices], 1), (shown[old.slices], 255)):
            for rows in row_spans(gaps.shape, check):
                plane[rows][gaps[rows] > 0] = full
    seen = image if gaps is None else _opaque(image, request.format, check)
    with progress.part(0, 1, sheet):
        made = _solid(cut(seen, hole, request, engine.spec, _sources(planes, old, hole, check), check), check)
        fills = paint(made, engine, request, progress)
    box = masks.bounds(shown, check)
    assert box is not None
    told = smaller(sheet.size, request.task, engine.spec)
    results = []
    for seed, fill in zip(request.seeds, fills, strict=True):
        painted = restore(fill, made, request.format, check)
        layer = copied(image[box.slices], check)
        show(layer, painted[box.slices], shown[box.slices], check)
        meta = ResultMeta(box.moved(sheet.x, sheet.y), seed, told)
        results.append(Painted(meta, layer, copied(shown[box.slices], check)))
    return results


def _gaps(request: EditRequest, planes: Planes, check: Check) -> np.ndarray | None:
    """(h, w) uint8 over the region, 255 where alpha is 0, when that is to be filled; None when it is not.

    Raises LayerUnsuitable when there is no such pixel and no side grows either.
    """
    params = request.params
    assert isinstance(params, OutpaintParams)
    if not params.transparent:
        return None
    if request.format.layout.has_alpha:
        gaps = mapped(lambda a: np.where(a <= 0, np.uint8(255), np.uint8(0)), np.uint8, check, planes.image[..., -1])
        if gaps.any():
            return gaps
    if extended(request.canvas, params) == Box.of(request.canvas):
        raise LayerUnsuitable(
            what="No pixel of it is fully transparent, and no side is to grow",
            suggestion="Say how far a side is to grow, or erase what is to be new (soft alpha stays as it is).",
        )
    return None


def _opaque(image: np.ndarray, fmt: PixelFormat, check: Check) -> np.ndarray:
    """The same colours with full alpha: what is soft belongs to the picture, and what is clear to the hole."""
    full = copied(image, check)
    for rows in row_spans(full.shape, check):
        full[rows, :, -1] = 1 if fmt.samples.is_float else np.iinfo(image.dtype).max
    return full


def _solid(made: Cut, check: Check) -> Cut:
    """An engine that leaves alpha alone paints its new area opaque."""
    if made.alpha is None:
        return made
    alpha = mapped(lambda hole, a: np.where(hole > 0, np.float32(1), a), np.float32, check, made.hole, made.alpha)
    return replace(made, alpha=alpha)


def _spread_out(image: np.ndarray, old: Box, sheet: Box, check: Check) -> tuple[np.ndarray, np.ndarray]:
    """The old pixels on the sheet, 0 elsewhere, and the hole (h, w) float32 around them."""
    wide = np.zeros((sheet.height, sheet.width, image.shape[2]), image.dtype)
    copy_into(wide[old.slices], image, check)
    hole = filled((sheet.height, sheet.width), 1, np.float32, check)
    known = hole[old.slices]
    for rows in row_spans(known.shape, check):
        known[rows] = 0
    return wide, hole


def _sources(planes: Planes, old: Box, hole: np.ndarray, check: Check) -> np.ndarray | None:
    if planes.sources is None:
        return None
    wide = np.zeros(hole.shape, bool)
    copy_into(wide[old.slices], mapped(lambda plane: plane > 127, bool, check, planes.sources), check)
    return wide


def _added(request: EditRequest, sheet: Box) -> np.ndarray:
    """(h, w) uint8 over the sheet: 255 on what the larger canvas adds."""
    params = request.params
    assert isinstance(params, OutpaintParams)
    shown = np.zeros((sheet.height, sheet.width), np.uint8)
    shown[extended(request.canvas, params).clipped(sheet).relative_to(sheet).slices] = 255
    shown[Box.of(request.canvas).clipped(sheet).relative_to(sheet).slices] = 0
    return shown
