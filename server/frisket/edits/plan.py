"""Where an edit happens: which pieces of the canvas, with how much context, at which working size. No pixels here.

All boxes are canvas space. The law, for a selection box b (of one part of the selection):

    reach   = grow + feather                 how far the repainted area may go beyond the selection
    crop    = b grown by context, or by reach where that is more, clipped to the canvas
    working = the engine's size rule applied to the crop

Parts are edited together when one reaches into another's crop, else each on its own; so the cost follows the selection,
not the canvas and not the distance between two selections.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from frisket.edits.requests import (
    EditRequest,
    InpaintParams,
    InstructParams,
    MaskDials,
    OutpaintParams,
    RestoreFacesParams,
    UpscaleParams,
    VariationParams,
    strength_of,
)
from frisket.edits.results import Degradation, DegradationKind, Piece, Plan
from frisket.engines.spec import EngineSpec, MaskLaw, Task
from frisket.errors import MaskEmpty, RequestInvalid
from frisket.raster.geometry import Box, Size
from frisket.raster.masks import CONTEXT_MIN, Dials, exact_dials, soft_dials

MAX_PIECES = 32
FACE_CONTEXT = 128  # px around a selection in which faces are looked for, at least
WORTH = 0.8  # working px per px of the crop: where less is lost, a second pass shows nothing
REFINED = frozenset({Task.INPAINT, Task.OUTPAINT, Task.VARIATION})  # tasks that may take one

Selective = InpaintParams | VariationParams | InstructParams  # tasks that change what is selected


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of work: the selection's box there, the dials that hold for it, and the crop around it."""

    selection: Box
    dials: Dials
    crop: Box


def resolve_dials(wanted: MaskDials, spec: EngineSpec, selection: Box, strength: float) -> Dials:
    """The four dials in px: what the user set, and for the rest the engine's law applied to the selection's box."""
    if spec.mask_law is MaskLaw.EXACT:
        auto = exact_dials(selection, spec.context_share, spec.context_min)
    else:
        auto = soft_dials(selection, strength)
    return Dials(
        grow=auto.grow if wanted.grow is None else wanted.grow,
        feather=auto.feather if wanted.feather is None else wanted.feather,
        blend=auto.blend if wanted.blend is None else wanted.blend,
        context=auto.context if wanted.context is None else wanted.context,
    )


def parts_of(selection: Sequence[Box], params: Selective, spec: EngineSpec, within: Box) -> list[Part]:
    """The selection's boxes as parts whose crops do not hold each other's selection. Crops are clipped to `within`."""
    parts: list[Part] = []
    for box in selection:
        part = _part(box, params, spec, within)
        while True:
            near = [p for p in parts if p.crop.meets(part.selection) or part.crop.meets(p.selection)]
            if not near:
                break
            parts = [p for p in parts if p not in near]
            joined = part.selection
            for p in near:
                joined = joined.joined(p.selection)
            part = _part(joined, params, spec, within)
        parts.append(part)
    return sorted(parts, key=lambda p: (p.selection.y, p.selection.x))


def _part(box: Box, params: Selective, spec: EngineSpec, within: Box) -> Part:
    dials = resolve_dials(params.dials, spec, box, strength_of(params))
    return Part(box, dials, box.grown(max(dials.context, dials.reach)).clipped(within))


def plan_selection(request: EditRequest, selection: Sequence[Box], spec: EngineSpec) -> Plan:
    """Answer PlanEdit for inpaint, variation and instruct. `selection`: canvas boxes of the selection or of its parts.

    Raises MaskEmpty.
    """
    params = request.params
    assert isinstance(params, Selective)
    canvas = Box.of(request.canvas)
    boxes = [box for box in (b.clipped(canvas) for b in selection) if not box.empty]
    if not boxes:
        raise MaskEmpty(width=canvas.width, height=canvas.height)
    while len(boxes) > MAX_PIECES:
        boxes = _halved(boxes)
    parts = parts_of(boxes, params, spec, canvas)
    region = parts[0].crop
    for part in parts:
        region = region.joined(part.crop)
    if isinstance(params, InpaintParams):
        for box in boxes:
            region = region.joined(box.moved(*params.move).clipped(canvas))
    return Plan(
        region, _pieces([part.crop for part in parts], spec), tuple(smaller_sizes(parts, request.task, spec)), spec.id
    )


def plan_outpaint(request: EditRequest, selection: Sequence[Box], spec: EngineSpec) -> Plan:
    """Answer PlanEdit for outpaint: the old picture around the new area. `selection`: canvas boxes of what is
    transparent, when that is asked for; none = it may be anywhere.

    Raises RequestInvalid when there is nothing to paint.
    """
    params, canvas = request.params, Box.of(request.canvas)
    assert isinstance(params, OutpaintParams)
    gaps = None
    if params.transparent:
        gaps = bounds_of([box.clipped(canvas) for box in selection]) or canvas
    new = new_area(request.canvas, params, gaps)
    dials = resolve_dials(params.dials, spec, new, 1.0)
    region = new.grown(max(dials.context, 1)).clipped(canvas)
    sheet = region.joined(new)
    return Plan(region, _pieces([sheet], spec), smaller(sheet.size, request.task, spec), spec.id)


def plan_text_to_layer(request: EditRequest, selection: Sequence[Box], spec: EngineSpec) -> Plan:
    """Answer PlanEdit for text-to-layer: the request's region, or the whole canvas where that is empty.

    `selection` is not looked at.
    """
    region = Box.of(request.canvas) if request.region.empty else request.region
    return Plan(region, _pieces([region], spec), smaller(region.size, request.task, spec), spec.id)


def plan_restore_faces(request: EditRequest, selection: Sequence[Box], spec: EngineSpec) -> Plan:
    """Answer PlanEdit for restore-faces: what is selected, with as much around it as a face may reach beyond it. The
    whole canvas when nothing is selected, when all is to be enlarged, or when faces are named: those were found in it,
    and a detector need not find them again in a part.

    selection: canvas boxes; none = everything.
    """
    params, canvas = request.params, Box.of(request.canvas)
    assert isinstance(params, RestoreFacesParams)
    wanted = bounds_of([box.clipped(canvas) for box in selection])
    region = canvas
    if wanted is not None and params.upscale == 1 and not params.faces:
        region = wanted.grown(max(FACE_CONTEXT, wanted.size.longer)).clipped(canvas)
    return Plan(region, (Piece(region, region.size),), (), spec.id)


def plan_upscale(request: EditRequest, selection: Sequence[Box], spec: EngineSpec) -> Plan:
    """Answer PlanEdit for upscale: the request's region, or the whole canvas where that is empty; in tiles, at its own
    size. `selection` is not looked at: all of the region is enlarged.
    """
    region = Box.of(request.canvas) if request.region.empty else request.region
    return Plan(region, (Piece(region, region.size),), (), spec.id)


def plan_detect_faces(request: EditRequest, selection: Sequence[Box], spec: EngineSpec) -> Plan:
    """Answer PlanEdit for detect-faces: the whole canvas, or what is selected (canvas boxes) with as much around it as
    a face may reach beyond."""
    canvas = Box.of(request.canvas)
    wanted = bounds_of([box.clipped(canvas) for box in selection])
    region = canvas if wanted is None else wanted.grown(max(FACE_CONTEXT, wanted.size.longer)).clipped(canvas)
    return Plan(region, _pieces([region], spec), (), spec.id)


def plan_select_subject(request: EditRequest, selection: Sequence[Box], spec: EngineSpec) -> Plan:
    """Answer PlanEdit for select-subject: the whole canvas, or what is roughly selected (canvas boxes) with as much
    around it as shows what does not belong to it."""
    canvas = Box.of(request.canvas)
    wanted = bounds_of([box.clipped(canvas) for box in selection])
    region = canvas if wanted is None else wanted.grown(max(CONTEXT_MIN, wanted.size.longer // 4)).clipped(canvas)
    return Plan(region, _pieces([region], spec), (), spec.id)


def extended(canvas: Size, params: OutpaintParams) -> Box:
    """The larger canvas, in the old one's coordinates."""
    right, bottom = canvas.width + params.right, canvas.height + params.bottom
    return Box.spanning(-params.left, -params.top, right, bottom)


def new_area(canvas: Size, params: OutpaintParams, gaps: Box | None = None) -> Box:
    """The box around what the larger canvas adds and around `gaps` (what is transparent), in the old one's coordinates.

    Raises RequestInvalid when that is nothing.
    """
    added = [] if extended(canvas, params) == Box.of(canvas) else [_added(canvas, params)]
    new = bounds_of([*added, *([gaps] if gaps else [])])
    if new is None:
        raise RequestInvalid(detail="Outpaint needs at least one side that grows, or the transparent part to fill")
    return new


def sheet_of(request: EditRequest) -> Box:
    """All that an edit lays out in memory: request.region, with outpaint what the canvas grows by, too, with upscale
    what becomes of it."""
    params, canvas = request.params, request.canvas
    times = params.scale if isinstance(params, UpscaleParams) else getattr(params, "upscale", 1)
    if times > 1:
        region = request.region
        return Box(region.x * times, region.y * times, region.width * times, region.height * times)
    if isinstance(params, OutpaintParams) and extended(canvas, params) != Box.of(canvas):
        return request.region.joined(_added(canvas, params))
    return request.region


def bounds_of(boxes: Sequence[Box]) -> Box | None:
    """The box around them, None when all are empty."""
    around = None
    for box in boxes:
        if not box.empty:
            around = box if around is None else around.joined(box)
    return around


def _added(canvas: Size, params: OutpaintParams) -> Box:
    whole, old = extended(canvas, params), Box.of(canvas)
    sides = {"left": params.left, "top": params.top, "right": params.right, "bottom": params.bottom}
    grown = [side for side, px in sides.items() if px]
    if grown == ["left"]:
        return Box.spanning(whole.x, 0, 0, old.bottom)
    if grown == ["right"]:
        return Box.spanning(old.right, 0, whole.right, old.bottom)
    if grown == ["top"]:
        return Box.spanning(0, whole.y, old.right, 0)
    if grown == ["bottom"]:
        return Box.spanning(0, old.bottom, old.right, whole.bottom)
    return whole


def _pieces(crops: Sequence[Box], spec: EngineSpec) -> tuple[Piece, ...]:
    return tuple(Piece(crop, spec.size.plan(crop.size).scaled) for crop in crops)


def smaller_sizes(parts: Sequence[Part], task: Task, spec: EngineSpec) -> list[Degradation]:
    """Which parts the engine will see smaller than they are."""
    return [told for part in parts for told in smaller(part.crop.size, task, spec)]


def two_passes(size: Size, task: Task, spec: EngineSpec) -> bool:
    """Whether a crop of `size` px is laid out reduced and then gone over in tiles (`refine`)."""
    return task in REFINED and spec.refines and spec.size.native_side > 0 and spec.size.plan(size).scale < WORTH


def smaller(size: Size, task: Task, spec: EngineSpec) -> tuple[Degradation, ...]:
    """Whether the engine will see a crop of that size smaller than it is."""
    fit = spec.size.plan(size)
    if not fit.reduced:
        return ()
    if two_passes(size, task, spec):
        side = spec.size.native_side
        detail = f"{size} px around the selection were laid out at {fit.scaled}, then gone over in tiles of {side} px."
        return (Degradation(DegradationKind.TILED, detail),)
    detail = f"{size} px around the selection were worked on at {fit.scaled}, then enlarged."
    return (Degradation(DegradationKind.SMALLER_SIZE, detail),)


def less_context(parts: Sequence[Part], params: Selective, spec: EngineSpec, canvas: Box) -> list[Degradation]:
    """Which parts see less of the canvas than the law asks for, because the client sent a smaller region."""
    told = []
    for part in parts:
        whole = _part(part.selection, params, spec, canvas).crop
        if whole != part.crop:
            detail = f"The law asks for {whole.size} px around the selection, the region sent holds {part.crop.size}."
            told.append(Degradation(DegradationKind.LESS_CONTEXT, detail))
    return told


def _halved(boxes: list[Box]) -> list[Box]:
    """Neighbours in reading order joined two by two."""
    ordered = sorted(boxes, key=lambda b: (b.y, b.x))
    pairs = zip(ordered[::2], [*ordered[1::2], ordered[-1]], strict=False)
    return [a.joined(b) for a, b in pairs]
