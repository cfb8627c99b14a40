"""Markdown tables of what a fill benchmark measured."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

import numpy as np
from bench.metrics import Scores

MEASURES = {"swd": "SWD", "texture": "SWD mean-removed", "sharpness": "sharpness", "seam": "seam", "psnr": "PSNR"}


class Measured(Protocol):
    """One filler's outcome of one case."""

    @property
    def scores(self) -> Scores: ...
    @property
    def seconds(self) -> list[float]: ...


def medians(outcomes: Mapping[str, Mapping[str, Measured]], names: Collection[str]) -> str:
    """One line for each filler: medians over the cases in `names`, but the greatest change outside of any."""
    lines = [_line("", "n", *MEASURES.values(), "max change outside", "s"), "|---" * (len(MEASURES) + 4) + "|"]
    for filler, by_case in outcomes.items():
        some = [done for case, done in by_case.items() if case in names]
        if some:
            scores = [_number(_median([getattr(d.scores, name) for d in some])) for name in MEASURES]
            outside = str(max(d.scores.outside for d in some))
            seconds = f"{_median([_median(d.seconds) for d in some]):.2f}"
            lines.append(_line(filler, str(len(some)), *scores, outside, seconds))
    return "\n".join(lines)


def duels(outcomes: Mapping[str, Mapping[str, Measured]], ours: str) -> str:
    """Ours over each other filler on the cases that both did.

    Distances as geometric means of the ratio (below 1: ours is nearer to what was there) with the share of cases where
    ours is lower; time as the median of the ratio theirs / ours (above 1: ours is faster).
    """
    words = ("ours against", "n", "SWD ratio", "better", "texture ratio", "better", "their time / ours")
    lines = [_line(*words), "|---" * len(words) + "|"]
    for filler, theirs in outcomes.items():
        both = [(outcomes[ours][case], done) for case, done in theirs.items() if case in outcomes[ours]]
        if filler == ours or not both:
            continue
        figures = []
        for name in ("swd", "texture"):
            logs = np.log([getattr(a.scores, name) / getattr(b.scores, name) for a, b in both])
            logs = logs[np.isfinite(logs)]
            figures += [f"{np.exp(logs.mean()):.2f}", f"{(logs < 0).mean():.0%}"]
        ratio = _median([_median(b.seconds) / _median(a.seconds) for a, b in both])
        lines.append(_line(filler, str(len(both)), *figures, f"{ratio:.2f}"))
    return "\n".join(lines)


def _median(values: list[float]) -> float:
    known = [value for value in values if not np.isnan(value)]
    return float(np.median(known)) if known else float("nan")


def _number(value: float) -> str:
    return "-" if np.isnan(value) else f"{value:.2f}"


def _line(*words: str) -> str:
    return "| " + " | ".join(words) + " |"
