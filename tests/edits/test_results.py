"""What is told of a result comes back from its JSON."""

from __future__ import annotations

from frisket.edits.results import Degradation, DegradationKind, ResultMeta
from frisket.raster.geometry import Box


def test_json_gives_it_back() -> None:
    told = tuple(Degradation(kind, f"because of {kind.value}") for kind in DegradationKind)
    meta = ResultMeta(Box(-3, 4, 5, 6), 2**32 - 1, told, ("a note", "ein Gruß"))
    assert ResultMeta.from_json(meta.to_json()) == meta
