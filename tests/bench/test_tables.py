"""Medians and duels from known figures."""

from __future__ import annotations

from dataclasses import dataclass

from bench.metrics import Scores
from bench.tables import duels, medians

NAN = float("nan")


@dataclass
class Done:
    scores: Scores
    seconds: list[float]


def done(swd: float, texture: float, seconds: list[float], outside: int = 0) -> Done:
    return Done(Scores(swd, texture, 1.0, 1.0, outside, NAN), seconds)


OUTCOMES = {
    "ours": {"a": done(1, 1, [1, 9, 2]), "b": done(2, 8, [4]), "c": done(6, 1, [1])},
    "theirs": {"a": done(4, 2, [4]), "b": done(8, 4, [4], outside=7)},
}


def test_medians_are_over_the_named_cases_and_the_worst_change_is_kept() -> None:
    _, _, ours, theirs = medians(OUTCOMES, {"a", "b"}).splitlines()
    assert ours == "| ours | 2 | 1.50 | 4.50 | 1.00 | 1.00 | - | 0 | 3.00 |"
    assert theirs == "| theirs | 2 | 6.00 | 3.00 | 1.00 | 1.00 | - | 7 | 4.00 |"


def test_who_has_no_such_case_has_no_line() -> None:
    assert "theirs" not in medians(OUTCOMES, {"c"})


def test_a_duel_counts_shared_cases_and_multiplies_ratios() -> None:
    _, _, line = duels(OUTCOMES, "ours").splitlines()
    # SWD 1/4 and 2/8: 0.25, both better. Texture 1/2 and 8/4: 1.0, one better. Times 4/2 and 4/4.
    assert line == "| theirs | 2 | 0.25 | 100% | 1.00 | 50% | 1.50 |"
