"""Instruct: what is selected, or the whole layer, changed as a sentence says ("make it winter")."""

from __future__ import annotations

from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes, repainted
from frisket.edits.requests import EditRequest
from frisket.engines.spec import Engine


def run(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> list[Painted]:
    """One picture for each of request.seeds. The engine sees the selection with its context and the hole; of what it
    paints only the selection is taken. Transparent pixels stay transparent.

    Raises MaskEmpty, ImageNotFinite, Cancelled.
    """
    return repainted(request, planes, engine, progress)
