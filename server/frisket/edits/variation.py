"""Variation: another version of what is selected, or of the whole layer, that still is itself."""

from __future__ import annotations

from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes, repainted
from frisket.edits.requests import EditRequest
from frisket.engines.spec import Engine


def run(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> list[Painted]:
    """One picture for each of request.seeds. Transparent pixels stay transparent.

    Raises MaskEmpty, ImageNotFinite, Cancelled.
    """
    return repainted(request, planes, engine, progress)
