"""The registry finds engines, offers near misses, and outlives what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from fakes.engines import SLOW, TOY, ToyEngine
from frisket.engines.registry import Registry, checked, load
from frisket.engines.spec import Task
from frisket.errors import EngineUnknown

FAKES = Path(__file__).resolve().parents[1] / "fakes" / "engines.py"


def test_finds_by_id_and_task() -> None:
    registry = Registry([TOY, SLOW])
    assert registry.find("slow") is SLOW
    assert registry.default is TOY
    assert registry.for_task(Task.INPAINT) == [TOY, SLOW]
    assert registry.for_task(Task.VARIATION) == []


def test_an_unknown_id_offers_the_near_miss() -> None:
    with pytest.raises(EngineUnknown) as caught:
        Registry([TOY, SLOW]).find("slwo")
    assert caught.value.remedy == "Did you mean slow?"
    with pytest.raises(EngineUnknown):
        Registry([]).default  # noqa: B018


def test_the_built_in_engine_comes_first() -> None:
    registry = Registry.installed()
    assert registry.broken == {}
    assert registry.default.spec.id == "patch"
    assert registry.for_task(Task.INPAINT)[0] is registry.default


def test_engines_come_from_modules_and_files() -> None:
    registry = Registry([TOY]).with_extra(["fakes.engines:SLOW", f"{FAKES}:NULL"])
    assert [e.spec.id for e in registry.engines] == ["toy", "slow", "null"]


def test_what_cannot_be_read_is_noted_and_breaks_nothing() -> None:
    before = Registry([TOY])
    extra = ["no.such.module:X", "fakes.engines:NOTHING", "fakes.engines:ToyEngine", "fakes.engines:TOY", "nonsense"]
    after = before.with_extra([*extra, "fakes.engines:SLOW"])
    assert [e.spec.id for e in after.engines] == ["toy", "slow"]
    assert set(after.broken) == set(extra)
    assert "ModuleNotFoundError" in after.broken["no.such.module:X"]
    assert "another engine" in after.broken["fakes.engines:TOY"]
    assert before.broken == {}
    assert len(before.engines) == 1


def test_two_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="toy"):
        Registry([TOY, ToyEngine()])


def test_the_shape_is_checked() -> None:
    with pytest.raises(TypeError):
        checked(object())
    assert checked(TOY) is TOY
    assert load("fakes.engines:TOY").spec.id == "toy"
