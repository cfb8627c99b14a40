"""Parameters check what they are given; a spec is known without its engine."""

from __future__ import annotations

import dataclasses
import math

import pytest

from frisket.engines.spec import EngineSpec, Param, ParamKind, Task, Value
from frisket.errors import ParameterOutOfRange, ParameterUnknown

STEPS = Param("steps", ParamKind.INT, 20, "How many.", low=1, high=50, unit="steps")
GUIDE = Param("guide", ParamKind.FLOAT, 7.5, "How strictly.", low=0, high=30)
FREE = Param("free", ParamKind.FLOAT, 0.0, "Any number.")
MODE = Param("mode", ParamKind.CHOICE, "auto", "Which way.", choices=("auto", "fast"))
TILE = Param("tile", ParamKind.BOOL, False, "Tiles.")
NOTE = Param("note", ParamKind.TEXT, "", "Words.")
SPEC = EngineSpec("e", "E", "An engine.", frozenset({Task.INPAINT}), params=(STEPS, GUIDE, MODE, TILE, NOTE))


@pytest.mark.parametrize(
    ("param", "given", "kept"),
    [
        (STEPS, 1, 1),
        (STEPS, 50.0, 50),
        (STEPS, "7", 7),
        (GUIDE, 0, 0.0),
        (GUIDE, "2.5", 2.5),
        (FREE, -1e9, -1e9),
        (MODE, "fast", "fast"),
        (TILE, 1, True),
        (NOTE, 3, "3"),
    ],
)
def test_a_value_takes_the_parameters_type(param: Param, given: Value, kept: Value) -> None:
    value = param.checked(given)
    assert value == kept
    assert type(value) is type(kept)


@pytest.mark.parametrize(
    ("param", "given"),
    [
        (STEPS, 0),
        (STEPS, 51),
        (STEPS, 2.5),
        (STEPS, "many"),
        (STEPS, math.nan),
        (GUIDE, -0.1),
        (GUIDE, math.inf),
        (FREE, math.nan),
        (MODE, "slow"),
        (MODE, 1),
    ],
)
def test_what_does_not_fit_is_refused_by_name(param: Param, given: Value) -> None:
    with pytest.raises(ParameterOutOfRange) as caught:
        param.checked(given)
    assert caught.value.data["name"] == param.name
    assert caught.value.data["value"] == str(given)


def test_defaults_fill_what_was_not_given() -> None:
    assert SPEC.check_params({"steps": 5}) == {"steps": 5, "guide": 7.5, "mode": "auto", "tile": False, "note": ""}


def test_an_unknown_name_offers_the_near_miss() -> None:
    with pytest.raises(ParameterUnknown) as caught:
        SPEC.check_params({"step": 5})
    assert (caught.value.data["engine"], caught.value.data["name"]) == ("e", "step")
    assert caught.value.remedy.startswith("Did you mean steps")


def test_a_spec_does_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        SPEC.id = "f"  # type: ignore[misc]
