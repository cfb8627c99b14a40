"""What is told of a result comes back from its JSON."""

from __future__ import annotations

import frisket
from frisket.edits.results import Degradation, DegradationKind, Maker, ResultMeta
from frisket.engines.spec import EngineSpec
from frisket.raster.geometry import Box


def test_json_gives_it_back() -> None:
    told = tuple(Degradation(kind, f"because of {kind.value}") for kind in DegradationKind)
    maker = Maker("Frisket 0.1.0", "sd15", "sd15", "c0ffee", trained=True)
    for who in (maker, None):
        meta = ResultMeta(Box(-3, 4, 5, 6), 2**32 - 1, told, ("a note", "ein Gruß"), who)
        assert ResultMeta.from_json(meta.to_json()) == meta


def test_what_an_earlier_server_stored_is_read() -> None:
    stored = '{"box": [1, 2, 3, 4], "seed": 5, "degraded": [["tiled", "In 2."]], "notes": ["n"]}'
    told = (Degradation(DegradationKind.TILED, "In 2."),)
    assert ResultMeta.from_json(stored) == ResultMeta(Box(1, 2, 3, 4), 5, told, ("n",), None)


def test_a_maker_names_the_model_that_was_used() -> None:
    spec = EngineSpec("e", "E", "An engine.", frozenset(), models=("own", "other"), trained=True, revision="r1")
    software = f"Frisket {frisket.__version__}"
    assert Maker.of(spec, "") == Maker(software, "e", "own", "r1", True)
    assert Maker.of(spec, "other").model == "other"
    assert Maker.of(EngineSpec("p", "P", "Another.", frozenset()), "") == Maker(software, "p")
