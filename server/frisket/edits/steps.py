"""The pure steps between a picture and an engine, each small enough to test with a toy engine.

cut       canvas pixels -> crop in working values, and the hole in it
shrink    crop and hole -> the engine's working size (raster.fit)
repaint   the engine itself
enlarge   back to the crop's size
settle    tone and seam: only for engines that repaint the transition themselves
restore   working values -> the document's own samples
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from frisket.edits.requests import EditRequest, InpaintParams
from frisket.engines.spec import Channels, Engine, EngineSpec, MaskLaw, Report, Value, Work
from frisket.errors import EngineFailed
from frisket.raster import fit as fitting
from frisket.raster import paste, pixels
from frisket.raster.formats import Layout, PixelFormat
from frisket.raster.geometry import Size


@dataclass(frozen=True, slots=True)
class Cut:
    """A crop ready for an engine. image: (h, w, c) float32 in the engine's channels; hole: (h, w) float32 0...1;
    alpha: (h, w) float32 straight alpha to give back, or None when the picture has none or the engine paints it.
    """

    image: np.ndarray
    hole: np.ndarray
    alpha: np.ndarray | None
    paints_alpha: bool


def cut(crop: np.ndarray, hole: np.ndarray, fmt: PixelFormat, spec: EngineSpec) -> Cut:
    """crop: (h, w, c) in the document's samples. hole: (h, w) float32.

    A picture whose known pixels are all opaque is worked on without its alpha, and what is painted is opaque. Else an
    engine of Channels.ANY paints alpha too, as a channel of premultiplied colour; one of Channels.RGB leaves it alone.
    """
    work = pixels.to_work(crop, fmt)
    alpha = work[..., -1] if fmt.layout.has_alpha else None
    colors = work[..., : fmt.layout.colors]
    known = hole <= 0
    if alpha is not None and (not known.any() or bool((alpha[known] >= 1.0).all())):
        alpha = np.ones_like(alpha)
    elif alpha is not None and spec.channels is Channels.ANY:
        return Cut(pixels.premultiply(work, fmt.layout), hole, None, True)
    if spec.channels is Channels.RGB:
        colors = pixels.as_rgb(work, fmt.layout)
    return Cut(np.ascontiguousarray(colors), hole, alpha, False)


def repaint(
    made: Cut, engine: Engine, request: EditRequest, params: Mapping[str, Value], report: Report
) -> list[np.ndarray]:
    """Shrink, run the engine, enlarge. One (h, w, c) float32 for each seed, of the cut's size and channels.

    Raises EngineFailed for an engine that breaks its contract, and whatever the engine raises.
    """
    assert isinstance(request.params, InpaintParams)
    h, w = made.hole.shape
    fit = engine.spec.size.plan(Size(w, h))
    work = Work(
        task=request.task,
        crop=fitting.apply(made.image, fit),
        hole=fitting.apply_mask(made.hole, fit),
        params=params,
        seeds=request.seeds,
        prompt=request.params.prompt,
        negative_prompt=request.params.negative_prompt,
        strength=request.params.strength,
    )
    fills = [fitting.undo(np.asarray(fill, np.float32), fit) for fill in engine.run(work, report)]
    if len(fills) != len(request.seeds) or any(fill.shape[:2] != (h, w) for fill in fills):
        raise EngineFailed(engine=engine.spec.id, reason="it gave back another number or size of pictures")
    if not all(np.isfinite(fill).all() for fill in fills):
        raise EngineFailed(engine=engine.spec.id, reason="it gave back values that are no numbers")
    return fills


def settle(fill: np.ndarray, made: Cut, spec: EngineSpec, ring: int) -> np.ndarray:
    """Tone and seam of a generator's fill; an engine of MaskLaw.EXACT has already met the border."""
    if spec.mask_law is MaskLaw.EXACT:
        return fill
    return paste.membrane(paste.match_ring(fill, made.image, made.hole, ring), made.image, made.hole)


def restore(fill: np.ndarray, made: Cut, fmt: PixelFormat) -> np.ndarray:
    """The fill in the document's samples and layout, (h, w, c)."""
    if made.paints_alpha:
        return pixels.from_work(pixels.unpremultiply(fill, fmt.layout), fmt)
    if fmt.layout.colors == 1 and fill.shape[2] == 3:
        fill = pixels.from_rgb(fill, fill[..., :0], Layout.GRAY)
    if made.alpha is not None:
        fill = np.concatenate([fill, made.alpha[..., None]], axis=2)
    return pixels.from_work(fill, fmt)
