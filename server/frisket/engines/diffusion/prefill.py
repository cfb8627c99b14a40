"""What the hole shows before a model paints in it: a table, by what is asked for and how the model learns of the hole.

A model that starts from noise alone does not look at it; one that is shown the whole picture beside its noise does, and
would copy what is to go. Removing (no prompt) starts from a fill of the surroundings and not from pure noise: without
words a model paints what is likely, and that is mostly a thing where one just went.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from frisket.engines.diffusion.call import Strength, asks_for_nothing, strength_kind
from frisket.engines.diffusion.table import Masking, Row, Takes
from frisket.engines.spec import Report, Silent, Task, Work
from frisket.errors import NothingToSampleFrom

GRAY = 0.5  # where nothing at all is known


class Fill(enum.Enum):
    """How the hole is filled."""

    KEEP = "keep"  # as it is
    SMOOTH = "smooth"  # the colours around it, blurred
    PATCH = "patch"  # by the patch engine


@dataclass(frozen=True, slots=True)
class Start:
    """strength: the most that the model may then change, 0...1."""

    fill: Fill
    strength: float = 1.0


BARE = 0.85  # with that strength the fill still decides about large shapes
# For models that blend, when the old content does not count: (task, whether something is said) -> start.
BLENDING: Mapping[tuple[Task, bool], Start] = {
    (Task.INPAINT, False): Start(Fill.PATCH, BARE),
    (Task.INPAINT, True): Start(Fill.SMOOTH),
    (Task.OUTPAINT, False): Start(Fill.PATCH, BARE),
    (Task.OUTPAINT, True): Start(Fill.SMOOTH),
}
KEPT = Start(Fill.KEEP)


def start_of(work: Work, row: Row) -> Start:
    """Which start a run gets. A model that is told of the hole is shown gray there, by its own pipeline."""
    if row.masking is not Masking.BLEND or strength_kind(work, row) is not Strength.ALL:
        return KEPT
    start = BLENDING.get((work.task, not asks_for_nothing(work)), KEPT)
    return start if Takes.STRENGTH in row.takes else Start(start.fill)


def filled(work: Work, start: Start, report: Report) -> np.ndarray:
    """work.crop with its hole as `start` says, (h, w, 3) float32; what the hole covers by half is filled by half.

    Raises errors.Cancelled.
    """
    known = work.hole <= 0
    if start.fill is Fill.KEEP or known.all():
        return work.crop
    from frisket.engines.patch.smooth import pushpull

    share = work.hole[..., None]
    fill = None
    if start.fill is Fill.PATCH and known.any():
        fill = _patched(work, report)
    if fill is None:
        fill = pushpull(work.crop, known, report.check) if known.any() else np.full_like(work.crop, GRAY)
    return (work.crop * (1 - share) + fill * share).astype(np.float32)


def _patched(work: Work, report: Report) -> np.ndarray | None:
    """None where the patch engine finds too little to copy."""
    from frisket.engines.patch.engine import ENGINE

    params = {param.name: param.default for param in ENGINE.spec.params}
    asked = replace(work, params=params, seeds=work.seeds[:1], prompt="", negative_prompt="")
    try:
        return ENGINE.run(asked, Checking(report))[0]
    except NothingToSampleFrom:
        return None


class Checking(Silent):
    """A Report that only looks whether to stop: the fill is no step of the run."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        self._report.check()

    def check(self) -> None:
        self._report.check()
