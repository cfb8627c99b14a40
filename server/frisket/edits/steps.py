"""The pure steps between a picture and an engine, each small enough to test with a toy engine.

cut       canvas pixels -> crop in working values, and the hole in it
shrink    crop and hole -> the engine's working size (raster.fit)
repaint   the engine itself
settle    tone and seam: only for engines that repaint the transition themselves
enlarge   back to the crop's size; where much was lost, refine (`refine`): the engine again, tile by tile
restore   working values -> the document's own samples
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from frisket.edits.plan import two_passes
from frisket.edits.refine import FIRST, refined
from frisket.edits.requests import EditRequest, VariationParams, Worded, strength_of
from frisket.engines.share import Share
from frisket.engines.spec import Channels, Engine, EngineSpec, MaskLaw, Report, Task, Work
from frisket.errors import EngineFailed
from frisket.raster import fit as fitting
from frisket.raster import masks, paste, pixels
from frisket.raster.formats import Layout, PixelFormat
from frisket.raster.geometry import Box, Size
from frisket.raster.sizes import Fit
from frisket.raster.spans import Check, copied, every, filled, mapped, row_spans

# Tasks that start from what the hole shows: there its alpha counts too.
FROM_THE_HOLE = frozenset({Task.VARIATION, Task.INSTRUCT})

RING = 16  # px of the working picture, around the hole, in which a generator's tone is measured


@dataclass(frozen=True, slots=True)
class Cut:
    """A crop ready for an engine. image: (h, w, c) float32 in the engine's channels; hole: (h, w) float32 0...1;
    alpha: (h, w) float32 straight alpha to give back, or None when the picture has none or the engine paints it;
    sources: (h, w) bool, where content may be copied from, or None for everywhere.
    """

    image: np.ndarray
    hole: np.ndarray
    alpha: np.ndarray | None
    paints_alpha: bool
    sources: np.ndarray | None = None


def cut(
    crop: np.ndarray,
    hole: np.ndarray,
    request: EditRequest,
    spec: EngineSpec,
    sources: np.ndarray | None = None,
    check: Check | None = None,
) -> Cut:
    """crop: (h, w, c) in the document's samples. hole: (h, w) float32.

    A picture that is opaque wherever it counts (the hole counts for tasks FROM_THE_HOLE, for others it does not) is
    worked on without its alpha, and what is painted is opaque. Else an engine of Channels.ANY paints alpha too, as a
    channel of premultiplied colour; one of Channels.RGB leaves it alone. check: asked every some milliseconds, here and
    in `restore`; raises errors.Cancelled.
    """
    fmt = request.format
    work = pixels.to_work(crop, fmt, check)
    alpha = work[..., -1] if fmt.layout.has_alpha else None
    colors = work[..., : fmt.layout.colors]
    most = np.inf if request.task in FROM_THE_HOLE else 0  # of the hole, where alpha counts
    if alpha is not None and every(lambda alpha, hole: (alpha >= 1.0) | (hole > most), check, alpha, hole):
        alpha = filled(alpha.shape, 1, np.float32, check)
    elif alpha is not None and spec.channels is Channels.ANY:
        return Cut(pixels.premultiply(work, fmt.layout, check), hole, None, True, sources)
    if spec.channels is Channels.RGB:
        colors = pixels.as_rgb(work, fmt.layout)
    if not colors.flags.c_contiguous:
        colors = copied(colors, check)
    return Cut(colors, hole, alpha, False, sources)


def paint(made: Cut, engine: Engine, request: EditRequest, report: Report) -> list[np.ndarray]:
    """Shrink, run the engine, enlarge. One (h, w, c) float32 for each seed, of the cut's size and channels.

    Raises EngineFailed for an engine that breaks its contract, and whatever the engine raises.
    """
    h, w = made.hole.shape
    fit = engine.spec.size.plan(Size(w, h))
    report.check()
    made = replace(made, image=_in_range(made.image, request.format, engine.spec, report.check))
    crop, hole = fitting.apply(made.image, fit, report.check), fitting.apply_mask(made.hole, fit, report.check)
    sources = _fitted(made.sources, fit, report.check)
    if not two_passes(fit.source, request.task, engine.spec):
        return fills_of(crop, hole, fit, engine, request, report, sources)
    whole = Box(0, 0, w, h)
    told = Share(report, made.image, whole, 0, FIRST)
    fills = fills_of(crop, hole, fit, engine, request, told, sources)
    for number, (fill, seed) in enumerate(zip(fills, request.seeds, strict=True)):
        start, end = (FIRST + (1 - FIRST) * k / len(fills) for k in (number, number + 1))
        work = replace(work_of(request, crop, hole), seeds=(seed,))
        laid = np.where(made.hole[..., None] > 0, fill, made.image)  # unmixed, as one pass gives it: shown by the mask
        fills[number] = refined(laid, made.hole, work, engine, Share(report, laid, whole, start, end))
    return fills


def _in_range(image: np.ndarray, fmt: PixelFormat, spec: EngineSpec, check: Check) -> np.ndarray:
    """What a generator can see: 0...1. Beyond it (float documents, and colours that sRGB lacks) its paint would be
    compared with what it was never shown, and all of it shifted in tone. Other engines see the values themselves."""
    if spec.mask_law is MaskLaw.EXACT or not fmt.samples.is_float:
        return image
    return mapped(lambda part: np.clip(part, 0, 1), np.float32, check, image)


def fills_of(
    crop: np.ndarray,
    hole: np.ndarray,
    fit: Fit,
    engine: Engine,
    request: EditRequest,
    report: Report,
    sources: np.ndarray | None = None,
) -> list[np.ndarray]:
    """Run the engine on what `Work` says of crop, hole and sources (all of fit.padded), and enlarge to fit.source.

    Raises EngineFailed for an engine that breaks its contract, and whatever the engine raises.
    """
    work = work_of(request, crop, hole, sources)
    fills = []
    for fill in engine.run(work, report):
        report.check()
        if np.shape(fill)[:2] != crop.shape[:2]:
            raise EngineFailed(engine=engine.spec.id, reason="it gave back a picture of another size")
        if not every(np.isfinite, report.check, np.asarray(fill)):
            raise EngineFailed(engine=engine.spec.id, reason="it gave back values that are no numbers")
        settled = settle(np.asarray(fill, np.float32), crop, hole, engine.spec)
        fills.append(fitting.undo(settled, fit, report.check))
    report.check()
    if len(fills) != len(request.seeds):
        raise EngineFailed(engine=engine.spec.id, reason="it gave back another number of pictures")
    return fills


def work_of(request: EditRequest, crop: np.ndarray, hole: np.ndarray, sources: np.ndarray | None = None) -> Work:
    """What an engine gets of the request for this crop (h, w, c) and hole (h, w)."""
    params = request.params
    assert isinstance(params, Worded)
    return Work(
        task=request.task,
        crop=crop,
        hole=hole,
        params=request.engine_params,
        seeds=request.seeds,
        prompt=params.prompt,
        negative_prompt=params.negative_prompt,
        strength=strength_of(params),
        sources=sources,
        tileable=isinstance(params, VariationParams) and params.tileable,
    )


def _fitted(sources: np.ndarray | None, fit: Fit, check: Check) -> np.ndarray | None:
    """A working pixel may be copied from when all that it stands for may."""
    if sources is None:
        return None
    barred = fitting.apply_mask(mapped(np.logical_not, np.float32, check, sources), fit, check)
    return mapped(lambda part: part <= 0, bool, check, barred)


def settle(fill: np.ndarray, crop: np.ndarray, hole: np.ndarray, spec: EngineSpec) -> np.ndarray:
    """Tone and seam of a generator's fill; an engine of MaskLaw.EXACT has already met the border.

    All at the working size: enlarging would mix what is new into the pixels around the hole, which say what the
    generator makes of what it was to keep. For the same reason `spec.bleed` px around the hole are not asked.
    """
    if spec.mask_law is MaskLaw.EXACT:
        return fill
    new = masks.spread(hole, spec.bleed, 0) if spec.bleed else hole
    return paste.membrane(paste.match_ring(fill, crop, new, RING), crop, new)


def restore(fill: np.ndarray, made: Cut, fmt: PixelFormat, check: Check | None = None) -> np.ndarray:
    """The fill in the document's samples and layout, (h, w, c)."""
    out = np.empty((*fill.shape[:2], fmt.layout.channels), pixels.DTYPES[fmt.samples])
    for rows in row_spans(fill.shape, check):
        part = fill[rows]
        if made.paints_alpha:
            part = pixels.unpremultiply(part, fmt.layout)
        elif fmt.layout.colors == 1 and part.shape[2] == 3:
            part = pixels.from_rgb(part, part[..., :0], Layout.GRAY)
        if made.alpha is not None:
            part = np.concatenate([part, made.alpha[rows, :, None]], axis=2)
        out[rows] = pixels.from_work(part, fmt)
    return out
