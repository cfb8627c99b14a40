"""One run of the engine: from a crop and a hole to finished pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from frisket.engines.patch.bands import Bands, usual_threads
from frisket.engines.patch.fill import BORDER_PRIOR, Method, Shunned, extends, fill, scarce, used
from frisket.engines.patch.match import SIDE
from frisket.engines.patch.pyramid import Level, built
from frisket.engines.patch.scale import Scale
from frisket.engines.patch.shiftmap import ACROSS_PRICE, Prices
from frisket.engines.patch.smooth import pushpull
from frisket.engines.patch.turned import TURNS, with_turns
from frisket.engines.spec import Report, Silent, Task, Value, Work
from frisket.errors import NothingToSampleFrom
from frisket.raster.spans import copied, mapped, row_spans

PREVIEW_PIXELS = 300_000  # a larger picture is thinned before it is shown


def repainted(work: Work, report: Report, threads: int = 0, shunned: Shunned | None = None) -> list[np.ndarray]:
    """See `PatchEngine.run`. threads: 0 = numba's own number (NUMBA_NUM_THREADS, else the processor's).

    shunned: what is rather not shown again; None = anything may be.
    """
    hole = mapped(lambda part: part > 0, bool, report.check, work.hole)
    if not hole.any():
        return [copied(work.crop, report.check) for _ in work.seeds]
    known = ~hole
    if not known.any():
        raise NothingToSampleFrom(known=0, needed=1)
    scale = Scale.of(work.crop, known, report.check)
    levels = built(scale.enter(work.crop, report.check), known, work.sources, report.check)
    method = chosen(hole, work.params)
    levels = used(levels, method.structured)
    if not levels[0].valid.any():
        if work.sources is not None:
            raise NothingToSampleFrom(known=np.count_nonzero(levels[0].sources), needed=(SIDE + 2) ** 2)
        return [_smooth(work.crop, known, scale, levels[0], report) for _ in work.seeds]
    method = replace(method, brief=scarce(levels[0]), shunned=shunned)
    if not method.prior:  # which says: from nearby, and upright
        levels = with_turns(levels, TURNS[str(work.params["turns"])], report.check)
    progress = _Progress(report, scale, len(work.seeds) * sum(method.rounds(len(levels))))
    pictures = []
    with Bands(threads or usual_threads(), report.check) as bands:
        for seed in work.seeds:
            I = fill(levels, method, seed, bands, progress)
            pictures.append(_finished(work.crop, hole, scale, I, report))
    return pictures


def chosen(hole: np.ndarray, params: Mapping[str, Value]) -> Method:
    """The method for this hole (h, w) bool and these parameters."""
    sideways, upright = extends(hole)
    structure = params["structure"]
    structured = structure == "on" or (structure == "auto" and not (sideways or upright))
    prior = BORDER_PRIOR if (sideways or upright) and not structured else 0.0
    down = 0.0 if upright and not sideways else ACROSS_PRICE
    across = ACROSS_PRICE if upright else 0.0
    return Method(structured, prior, Prices(down, across), int(params["quality"]))


def warm(threads: int = 0) -> None:
    """Runs every kernel once, on a picture of 64 x 64."""
    crop = np.random.default_rng(0).random((64, 64, 3), np.float32)
    hole = np.zeros((64, 64), np.float32)
    hole[24:40, 24:40] = 1
    repainted(
        Work(Task.INPAINT, crop, hole, {"structure": "on", "quality": 1, "turns": "none"}, (0,)), Silent(), threads
    )


class _Progress:
    """Counts EM rounds and shows the picture after each."""

    __slots__ = ("_report", "_scale", "_step", "_total")

    def __init__(self, report: Report, scale: Scale, total: int) -> None:
        self._report, self._scale, self._step, self._total = report, scale, 0, total

    def __call__(self, I: np.ndarray) -> None:
        self._step += 1
        thin = 1
        while I[::thin, ::thin].shape[0] * I[::thin, ::thin].shape[1] > PREVIEW_PIXELS:
            thin += 1
        self._report(self._step, self._total, self._scale.leave(I[::thin, ::thin]))


def _finished(crop: np.ndarray, hole: np.ndarray, scale: Scale, I: np.ndarray, report: Report) -> np.ndarray:
    out = np.empty_like(crop)
    for rows in row_spans(hole.shape, report.check):
        part, here = out[rows], hole[rows]
        part[...] = crop[rows]
        part[here] = scale.leave(I[rows][here])
    return out


def _smooth(crop: np.ndarray, known: np.ndarray, scale: Scale, level: Level, report: Report) -> np.ndarray:
    """For pictures without a single whole source patch."""
    return _finished(crop, ~known, scale, pushpull(level.I, known, report.check), report)
