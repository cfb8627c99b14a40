"""Text to layer: a new picture from words alone, as large as the region."""

from __future__ import annotations

import numpy as np

from frisket.edits.plan import smaller
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import EditRequest, TextToLayerParams
from frisket.edits.results import ResultMeta
from frisket.edits.steps import Cut, fills_of, restore
from frisket.engines.spec import Channels, Engine, EngineSpec
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Size

GRAY = 0.5  # what an engine is shown where there is nothing, perceptual


def run(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> list[Painted]:
    """One opaque picture for each of request.seeds, covering request.region, its mask full. planes are not looked at.

    The engine gets a crop of GRAY and a hole of 1 at the size that its rule gives for the region; nothing is there that
    tone or seam could be fitted to. Raises EngineFailed, Cancelled.
    """
    assert isinstance(request.params, TextToLayerParams)
    region, spec = request.region, engine.spec
    fit = spec.size.plan(region.size)
    blank = np.full((fit.padded.height, fit.padded.width, _channels(request.format, spec)), GRAY, np.float32)
    with progress.part(0, 1, region):
        fills = fills_of(blank, np.ones(blank.shape[:2], np.float32), fit, engine, request, progress)
    mask = np.full((region.height, region.width), 255, np.uint8)
    made = _opaque(request.format, region.size)
    told = smaller(region.size, request.task, spec)
    results = []
    for seed, fill in zip(request.seeds, fills, strict=True):
        progress.check()
        results.append(
            Painted(ResultMeta(region, seed, told), restore(fill, made, request.format, progress.check), mask)
        )
    return results


def _channels(fmt: PixelFormat, spec: EngineSpec) -> int:
    return 3 if spec.channels is Channels.RGB else fmt.layout.colors


def _opaque(fmt: PixelFormat, size: Size) -> Cut:
    """What `restore` needs to know: nothing was cut, and what is painted hides what lies below."""
    whole = np.ones((size.height, size.width), np.float32)
    return Cut(whole[..., None], whole, whole if fmt.layout.has_alpha else None, paints_alpha=False)
