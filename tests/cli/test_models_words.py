"""One model in a line, and as fields that survive JSON."""

from __future__ import annotations

import json

import pytest

from frisket.cli.models_words import line, of_entry, of_licence, of_record
from frisket.models.catalogue import Commercial, Entry, Licence
from frisket.models.families import Family, Purpose
from frisket.models.record import Held, Record

LICENCE = Licence("Open RAIL-M", "https://example.org/licence", Commercial.TERMS, gated=True)
ENTRY = Entry("paint", "Paint", "acme/paint", "main", Family.SDXL, (Purpose.INPAINT,), LICENCE)
TERMS = "Open RAIL-M (commercial use: under terms, gated)"
RECORD = Record("paint", "Paint", Family.SDXL, (Purpose.INPAINT,), LICENCE, (Held("w", 1_500_000, "0" * 64),), "now")


def test_the_same_model_on_the_disk_and_in_the_catalogue() -> None:
    here, there = of_record(RECORD), of_entry(ENTRY)
    assert (here["state"], there["state"]) == ("installed", "available")
    assert (here["size"], there["size"]) == (1_500_000, None)
    same = {"id", "title", "family", "purposes", "licence"}
    assert {name: here[name] for name in same} == {name: there[name] for name in same}
    assert json.loads(json.dumps([here, there])) == [here, there]
    assert of_licence(LICENCE)["commercial"] == "under terms"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        (of_record(RECORD), f"paint                  installed     1.5 MB  Paint  -  {TERMS}"),
        (of_entry(ENTRY), f"paint                  available    unknown  Paint  -  {TERMS}"),
        (of_entry(ENTRY) | {"pulling": True}, f"paint                  pulling      unknown  Paint  -  {TERMS}"),
        ({"id": "x", "state": "damaged"}, "x                      damaged               its lock file cannot be read"),
    ],
)
def test_lines(fields: dict[str, object], told: str) -> None:
    assert line(fields).startswith(told)
