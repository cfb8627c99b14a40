"""Inpaint: repaint what is selected, or move it and repaint the place it left."""

from __future__ import annotations

import numpy as np

from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes, as_results, repainted, rounded, show
from frisket.edits.requests import EditRequest, InpaintParams
from frisket.engines.spec import Engine
from frisket.errors import MoveLeavesNothing
from frisket.raster import masks, paste, pixels
from frisket.raster.geometry import Box
from frisket.raster.spans import copied


def run(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> list[Painted]:
    """One picture for each of request.seeds.

    Raises MaskEmpty, ImageNotFinite, NothingToSampleFrom, MoveLeavesNothing, Cancelled.
    """
    params = request.params
    assert isinstance(params, InpaintParams)
    if params.move == (0, 0):
        return repainted(request, planes, engine, progress)
    return _moved(request, planes, params.move, engine, progress)


def _moved(
    request: EditRequest, planes: Planes, move: tuple[int, int], engine: Engine, progress: Progress
) -> list[Painted]:
    """Content-aware move: the selected pixels go `move` (right, down) px away, and the place they left is repainted.

    What was moved is not copied from, so that the fill does not show a second one.
    """
    check = progress.check
    pixels.check_finite(planes.image, check)
    selection = masks.as_mask(planes.mask, check)
    there = _shifted(selection, move)
    if not there.any():
        raise MoveLeavesNothing(x=move[0], y=move[1])
    work = pixels.to_work(planes.image, request.format, check)
    check()
    image = paste.paste(planes.image, _shifted(work, move), there, request.format)
    check()
    left = np.where(there >= 0.5, np.uint8(0), planes.mask)
    free = there <= 0 if planes.sources is None else (there <= 0) & (planes.sources > 127)
    check()
    alpha = rounded(np.maximum(selection, there), check)
    if not left.any():
        return as_results(request, [copied(image, check) for _ in request.seeds], alpha, (), engine, check)
    filled = repainted(request, Planes(image, left, free.astype(np.uint8) * 255), engine, progress)
    layers = []
    for done in filled:
        layer = copied(image, check)
        where = done.meta.box.relative_to(request.region).slices
        show(layer[where], done.pixels, done.mask, check)
        layers.append(layer)
    return as_results(request, layers, alpha, filled[0].meta.degraded, engine, check)


def _shifted(array: np.ndarray, move: tuple[int, int]) -> np.ndarray:
    """(h, w, ...) moved by whole px; what comes in from outside is 0."""
    h, w = array.shape[:2]
    out = np.zeros_like(array)
    target = Box(move[0], move[1], w, h).clipped(Box(0, 0, w, h))
    if not target.empty:
        out[target.slices] = array[target.moved(-move[0], -move[1]).slices]
    return out
