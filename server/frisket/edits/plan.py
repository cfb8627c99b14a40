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

from frisket.edits.requests import EditRequest, InpaintParams, MaskDials
from frisket.edits.results import Degradation, DegradationKind, Piece, Plan
from frisket.engines.spec import EngineSpec, MaskLaw
from frisket.errors import MaskEmpty
from frisket.raster.geometry import Box
from frisket.raster.masks import Dials, exact_dials, soft_dials

MAX_PIECES = 32


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


def parts_of(selection: Sequence[Box], params: InpaintParams, spec: EngineSpec, within: Box) -> list[Part]:
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


def _part(box: Box, params: InpaintParams, spec: EngineSpec, within: Box) -> Part:
    dials = resolve_dials(params.dials, spec, box, params.strength)
    return Part(box, dials, box.grown(max(dials.context, dials.reach)).clipped(within))


def plan_inpaint(request: EditRequest, selection: Sequence[Box], spec: EngineSpec) -> Plan:
    """Answer PlanEdit. `selection`: canvas boxes of the selection or of each of its parts. Raises MaskEmpty."""
    assert isinstance(request.params, InpaintParams)
    canvas = Box.of(request.canvas)
    boxes = [box for box in (b.clipped(canvas) for b in selection) if not box.empty]
    if not boxes:
        raise MaskEmpty(width=canvas.width, height=canvas.height)
    while len(boxes) > MAX_PIECES:
        boxes = _halved(boxes)
    parts = parts_of(boxes, request.params, spec, canvas)
    region = parts[0].crop
    for part in parts:
        region = region.joined(part.crop)
    fits = [spec.size.plan(part.crop.size) for part in parts]
    pieces = tuple(Piece(part.crop, fit.scaled) for part, fit in zip(parts, fits, strict=True))
    return Plan(region, pieces, tuple(smaller_sizes(parts, spec)), spec.id)


def smaller_sizes(parts: Sequence[Part], spec: EngineSpec) -> list[Degradation]:
    """Which parts the engine will see smaller than they are."""
    told = []
    for part in parts:
        fit = spec.size.plan(part.crop.size)
        if fit.reduced:
            detail = f"{part.crop.size} px around the selection were worked on at {fit.scaled}, then enlarged."
            told.append(Degradation(DegradationKind.SMALLER_SIZE, detail))
    return told


def less_context(parts: Sequence[Part], params: InpaintParams, spec: EngineSpec, canvas: Box) -> list[Degradation]:
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
