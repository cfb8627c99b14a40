"""Detect faces: where they are, and nothing painted."""

from __future__ import annotations

from frisket.edits.faces import found_in, picked
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import DetectFacesParams, EditRequest
from frisket.edits.results import ResultMeta
from frisket.engines.spec import Engine
from frisket.raster import pixels
from frisket.raster.geometry import Box


def run(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> list[Painted]:
    """For each of request.seeds (detectors do not look at them) a result whose meta.faces are in canvas space, best
    first: those whose middle is selected. Its box is empty at the region's corner, and so are its planes.

    Transparent pixels are looked at over gray, integers of any depth and floats as an eye sees them. A picture longer
    than `edits.faces.LOOKED_AT` px is looked at reduced, and that is told. Raises ImageNotFinite, EngineFailed,
    Cancelled.
    """
    assert isinstance(request.params, DetectFacesParams)
    region = request.region
    pixels.check_finite(planes.image, progress.check)
    with progress.part(0, 1, region):
        found = found_in(request, planes.image, engine, progress)
    faces = tuple(found[k].face for k in picked(found, (), planes.mask))
    nowhere = Box(region.x, region.y, 0, 0)
    nothing = planes.image[:0, :0].copy()
    mask = planes.mask[:0, :0].copy()
    return [Painted(ResultMeta(nowhere, seed, faces=faces), nothing, mask) for seed in request.seeds]
