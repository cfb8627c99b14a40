"""Every error has words, numbers and a way back over any border."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import pytest

from frisket import errors
from frisket.cli.exits import EXIT
from frisket.errors import FrisketError, Kind, UnknownError, rebuild
from frisket.rpc.convert import error_from_proto, error_to_proto
from frisket.rpc.status import STATUS

CONCRETE = [
    cls for slug, cls in sorted(FrisketError.registry.items()) if not cls.__name__.startswith("_") and slug != "unknown"
]
DOCS = Path(__file__).resolve().parent.parent / "docs" / "errors.md"


def sample(cls: type[FrisketError]) -> FrisketError:
    return cls(**{name: f"<{name}>" for name in cls.fields()})


@pytest.mark.parametrize("cls", CONCRETE, ids=lambda c: c.slug)
def test_has_words_that_hold_its_data(cls: type[FrisketError]) -> None:
    error = sample(cls)
    assert error.title
    assert not error.title.endswith(".")
    assert error.cause.endswith((".", ">"))
    assert len(error.remedy) > 3
    for value in error.data.values():
        assert value in error.cause + error.remedy


@pytest.mark.parametrize("cls", CONCRETE, ids=lambda c: c.slug)
def test_survives_the_wire_and_the_pipe(cls: type[FrisketError]) -> None:
    error = sample(cls)
    over_wire = error_from_proto(error_to_proto(error))
    assert over_wire == error
    assert type(over_wire) is cls
    piped = pickle.loads(pickle.dumps(error))
    assert piped == error
    assert type(piped) is cls


def test_a_newer_servers_error_keeps_its_words() -> None:
    error = rebuild("mask-too-pretty", "bad-request", "Too pretty", "It is.", "Uglify it.", {"score": "11"})
    assert isinstance(error, UnknownError)
    assert (error.slug, error.kind, error.remedy) == ("mask-too-pretty", Kind.BAD_REQUEST, "Uglify it.")
    assert error_from_proto(error_to_proto(error)) == error


def test_a_known_slug_with_other_data_falls_back_softly() -> None:
    error = rebuild("mask-empty", "bad-request", "t", "c", "r", {"new": "1"})
    assert isinstance(error, UnknownError)
    assert error.cause == "c"


def test_an_unknown_kind_is_internal() -> None:
    assert rebuild("x", "astral", "t", "c", "r", {}).kind is Kind.INTERNAL


def test_data_must_be_what_the_templates_name() -> None:
    with pytest.raises(TypeError):
        errors.MaskEmpty(width=3)


def test_tables_over_kinds_have_no_holes() -> None:
    assert set(STATUS) == set(Kind)
    assert set(EXIT) == set(Kind)
    assert len(set(EXIT.values())) == len(Kind)
    assert not set(EXIT.values()) & {0, 1, 2}


def test_the_drawing_at_the_top_is_complete() -> None:
    drawn = set(re.findall(r"\b[A-Z]\w+", errors.__doc__ or ""))
    missing = [c.__name__ for c in CONCRETE if c.__name__ not in drawn]
    assert not missing


def test_the_docs_list_is_up_to_date() -> None:
    from docs_tables import errors_table  # type: ignore[import-not-found]

    assert errors_table() in DOCS.read_text(), "run `python docs/docs_tables.py`"


def test_near_misses_are_offered() -> None:
    assert errors.did_you_mean("pach", ["patch", "other"]) == "Did you mean patch?"
    assert errors.did_you_mean("zzz", ["patch"]) == "There is: patch."
