"""Who stays in memory: the last used, as many as fit, and those who are pinned."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from frisket.engines.diffusion.residency import Residency
from frisket.engines.spec import Report, Work
from frisket.errors import SpeedUnusable


class Toy:
    """An engine of so many bytes on a shared table."""

    def __init__(self, id_: str, size: int, table: dict[str, int], room: int = 10) -> None:
        self.spec: Any = SimpleNamespace(id=id_)
        self.size, self.table, self.room, self.loads = size, table, room, list[str]()

    def load(self, model: str) -> None:
        self.loads.append(model)
        self.table[self.spec.id] = self.size

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        return []

    def unload(self) -> None:
        del self.table[self.spec.id]

    def fits(self) -> bool:
        return self.spec.id in self.table or sum(self.table.values()) + self.size <= self.room


class Settled:
    """An engine as they were: it cannot go."""

    def __init__(self) -> None:
        self.spec: Any = SimpleNamespace(id="settled")

    def load(self, model: str) -> None: ...

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        return []


def test_the_one_used_longest_ago_goes_and_no_more_than_needed() -> None:
    table: dict[str, int] = {}
    a, b, c, d = (Toy(name, 4, table) for name in "abcd")
    house = Residency()
    for engine in (a, b, a, c):
        house.load(engine)
    assert list(table) == ["a", "c"]
    assert house.loaded == ("a", "c")
    assert a.loads == [""]
    small = Toy("small", 2, table)
    house.load(small)
    assert house.loaded == ("a", "c", "small")
    house.load(d)
    assert house.loaded == ("c", "small", "d")
    house.load(a)
    assert a.loads == ["", ""], "opened anew"


def test_the_pinned_are_warmed_up_whatever_happens_to_one_of_them() -> None:
    class Slow(Toy):
        def warm_up(self) -> None:
            warmed.append(self.spec.id)
            if self.spec.id == "a":
                raise SpeedUnusable(what="Models cannot be compiled", reason="no", option="--compile")

    warmed, table = list[str](), dict[str, int]()
    engines = [Slow(name, 1, table) for name in "abc"]
    house = Residency(pinned=("a", "b", "plain"))
    with pytest.raises(SpeedUnusable):
        house.warm_up([*engines, Toy("plain", 1, table), Settled()])
    assert warmed == ["a", "b"]
    assert list(table) == ["a", "b"], "no other is loaded"


def test_the_pinned_and_those_that_cannot_go_stay() -> None:
    table: dict[str, int] = {}
    a, b, c = (Toy(name, 4, table) for name in "abc")
    house, settled = Residency(pinned=("a",)), Settled()
    for engine in (a, settled, b, c):
        house.load(engine)
    assert house.loaded == ("a", "settled", "c")
    large = Toy("large", 9, table)
    house.load(large)  # it does not fit beside the pinned one: its own ladder has to see to that
    assert house.loaded == ("a", "settled", "large")
    house.drop_idle(large)
    assert house.loaded == ("a", "settled", "large")
    house.drop_idle(settled)
    assert list(table) == ["a"]


def test_each_model_of_an_engine_is_loaded_once_and_a_failed_load_is_none() -> None:
    table: dict[str, int] = {}
    engine, house = Toy("a", 4, table), Residency()
    for model in ("", "x", "", "x"):
        house.load(engine, model)
    assert engine.loads == ["", "x"]
    bad = Toy("bad", 1, table)
    bad.load = lambda model: 1 // 0  # type: ignore[method-assign]
    for _ in range(2):
        try:
            house.load(bad)
        except ZeroDivisionError:
            continue
        raise AssertionError
    assert house.loaded == ("a",)
    renewed = Toy("a", 4, table)
    house.load(renewed)
    assert renewed.loads == [""], "another engine of that id is not loaded yet"
