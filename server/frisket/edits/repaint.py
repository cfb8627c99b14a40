"""Repainting a selection part by part: what inpaint, variation and instruct have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frisket.edits.plan import MAX_PIECES, Part, Selective, less_context, parts_of, smaller_sizes
from frisket.edits.progress import Progress
from frisket.edits.requests import EditRequest
from frisket.edits.results import Degradation, ResultMeta
from frisket.edits.steps import cut, paint, restore
from frisket.engines.spec import Engine
from frisket.errors import MaskEmpty
from frisket.raster import masks, pixels
from frisket.raster.geometry import Box
from frisket.raster.spans import Check, copied, copy_into, mapped, row_spans

BLOB_GAP = 8  # px: specks nearer than this are one part from the start


@dataclass(frozen=True, slots=True)
class Planes:
    """What was sent, over request.region: image (h, w, c) in the document's samples, mask (h, w) uint8, 255 = change,
    sources (h, w) uint8, above 127 = content may be copied from here; None = from everything that is known.
    """

    image: np.ndarray
    mask: np.ndarray
    sources: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Painted:
    """One finished picture: pixels (h, w, c) in the document's samples, mask (h, w) uint8, both covering meta.box."""

    meta: ResultMeta
    pixels: np.ndarray
    mask: np.ndarray


def repainted(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> list[Painted]:
    """One picture for each of request.seeds. Raises MaskEmpty, ImageNotFinite, NothingToSampleFrom, Cancelled."""
    params, region = request.params, request.region
    assert isinstance(params, Selective)
    pixels.check_finite(planes.image, progress.check)
    selection = masks.as_mask(planes.mask, progress.check)
    parts = parts_of(_boxes(selection, region, progress.check), params, engine.spec, region)
    alpha = np.zeros(selection.shape, np.float32)
    layers = [copied(planes.image, progress.check) for _ in request.seeds]
    for number, part in enumerate(parts):
        with progress.part(number, len(parts), part.crop):
            _paint(part, request, planes, selection, alpha, layers, engine, progress)
    told = (
        *smaller_sizes(parts, request.task, engine.spec),
        *less_context(parts, params, engine.spec, Box.of(request.canvas)),
    )
    return as_results(request, layers, rounded(alpha, progress.check), told, engine, progress.check)


def _boxes(selection: np.ndarray, region: Box, check: Check) -> list[Box]:
    """Canvas boxes of the selection's parts, at most MAX_PIECES. Raises MaskEmpty."""
    gap = BLOB_GAP
    boxes = masks.blobs(selection, gap, check)
    while len(boxes) > MAX_PIECES:
        gap *= 2
        boxes = masks.joined(boxes, gap, check)
    if not boxes:
        raise MaskEmpty(width=region.width, height=region.height)
    return [box.moved(region.x, region.y) for box in boxes]


def _paint(
    part: Part,
    request: EditRequest,
    planes: Planes,
    selection: np.ndarray,
    alpha: np.ndarray,
    layers: Sequence[np.ndarray],
    engine: Engine,
    progress: Progress,
) -> None:
    """Paint one part into `layers` and its share of the result's mask into `alpha`."""
    here = part.crop.relative_to(request.region).slices
    own = _only(selection[here], part.selection.relative_to(part.crop), progress.check)
    sources = planes.sources
    if sources is not None:
        sources = mapped(lambda plane: plane > 127, bool, progress.check, sources[here])
    hole = masks.work_mask(own, part.dials)
    progress.check()
    made = cut(planes.image[here], hole, request, engine.spec, sources, progress.check)
    progress.check()
    share = masks.paste_alpha(own, part.dials)
    fills = paint(made, engine, request, progress)
    for layer, fill in zip(layers, fills, strict=True):
        progress.check()
        new = restore(fill, made, request.format, progress.check)
        show(layer[here], new, share, progress.check)
    seen = alpha[here]
    for rows in row_spans(share.shape, progress.check):
        np.maximum(seen[rows], share[rows], out=seen[rows])


def _only(selection: np.ndarray, box: Box, check: Check) -> np.ndarray:
    """The selection within the box, 0 elsewhere: a part never repaints what belongs to another."""
    kept = np.zeros(selection.shape, selection.dtype)
    copy_into(kept[box.slices], selection[box.slices], check)
    return kept


def show(layer: np.ndarray, new: np.ndarray, share: np.ndarray, check: Check) -> None:
    """Writes `new` (h, w, c) into `layer` wherever `share` (h, w) is above 0."""
    for rows in row_spans(share.shape, check):
        touched = share[rows] > 0
        layer[rows][touched] = new[rows][touched]


def rounded(alpha: np.ndarray, check: Check | None = None) -> np.ndarray:
    """To 8 bit; what is above 0 stays above 0, so that the mask says where the picture changed."""
    return mapped(lambda a: np.where(a > 0, np.maximum(np.rint(a * 255), 1), 0), np.uint8, check, alpha)


def as_results(
    request: EditRequest,
    layers: Sequence[np.ndarray],
    mask8: np.ndarray,
    told: tuple[Degradation, ...],
    engine: Engine,
    check: Check,
) -> list[Painted]:
    """Layers and mask8 over request.region, cut down to where the mask is above 0."""
    shown = masks.bounds(mask8, check)
    if shown is None:
        raise MaskEmpty(width=mask8.shape[1], height=mask8.shape[0])
    notes = []
    if getattr(request.params, "prompt", "") and not engine.spec.uses_prompt:
        notes.append(f"{engine.spec.title} paints from the picture itself; the prompt had no effect.")
    box = shown.moved(request.region.x, request.region.y)
    where = shown.slices
    return [
        Painted(ResultMeta(box, seed, told, tuple(notes)), copied(layer[where], check), copied(mask8[where], check))
        for seed, layer in zip(request.seeds, layers, strict=True)
    ]
