"""Variations of a picture: the same patches in another arrangement.

GPNN (Granot, Feinstein, Shocher, Bagon & Irani, "Drop the GAN", CVPR 2022): at a coarse scale the picture is disturbed
and every patch replaced by its nearest neighbour in the picture itself; the result, enlarged, is the question put to
the next scale. Coarse scales are searched exhaustively and in both directions (`exhaustive`), so that everything in the
picture finds its place again; fine ones by PatchMatch from the coarser scale's field (`between`).

What is to stay is held fixed at every scale, so the rest grows towards it; the last step spreads what is left of the
difference along the rim (`finish`). Work and memory end at `ladder.SEARCHED` pixels and `exhaustive.PAIRS` pairs of
patches, whatever the picture's size; beyond that only copying grows (`detail`).
"""

from __future__ import annotations

import numpy as np

from frisket.engines.patch.bands import Bands, usual_threads
from frisket.engines.patch.between import refine
from frisket.engines.patch.climb import SEARCH, Layout, Manner, climbed
from frisket.engines.patch.finish import finished
from frisket.engines.patch.ladder import Rung, built
from frisket.engines.patch.subject import Subject
from frisket.engines.spec import Report, Task, Value, Work
from frisket.errors import NothingToSampleFrom
from frisket.raster.spans import Check, copied, mapped, row_spans

SMALLEST = 16  # px: a narrower picture is mirrored to this size first
VARIANCE_PIXELS = 1_000_000  # that a large picture's variance is taken from
PREVIEW_PIXELS = 1_000_000  # a larger picture is thinned before it is shown


def varied(work: Work, report: Report, threads: int = 0) -> list[np.ndarray]:
    """One variation for each seed, see `PatchEngine.run`.

    work.strength: 0 = the crop itself, bit for bit; 1 = what moves goes far. work.params: "layout" and "quality".
    work.tileable: opposite borders fit together wherever they may change. Alpha stays as it is. threads: 0 = numba's
    own number (NUMBA_NUM_THREADS, else the processor's). Raises errors.Cancelled, and errors.NothingToSampleFrom when
    work.sources is empty.
    """
    if work.sources is not None and not work.sources.any():
        raise NothingToSampleFrom(known=0, needed=1)
    h, w, c = work.crop.shape
    hole = mapped(lambda part: part > 0, bool, report.check, work.hole)
    if c in (2, 4):
        hole = mapped(lambda hole, alpha: hole & (alpha > 0), bool, report.check, hole, work.crop[..., -1])
    if work.strength <= 0 or not hole.any():
        return [copied(work.crop, report.check) for _ in work.seeds]
    sources = np.ones((h, w), bool) if work.sources is None else work.sources
    crop, hole, sources = (_widened(a) for a in (work.crop, hole, sources))
    subject = Subject.of(crop, report.check)
    assert subject is not None  # else the hole would be empty
    manner = _manner(work, subject, report.check)
    report.check()
    full = Rung.of(subject.I, hole, subject.solid, sources, subject.alpha, report.check)
    rungs = built(full, subject.solid, sources, manner.side, report.check)
    progress = _Progress(report, subject, rungs, manner.rounds(rungs), len(work.seeds), (h, w))
    pictures = []
    with Bands(threads or usual_threads(), report.check) as bands:
        for seed in work.seeds:
            answer = climbed(rungs, manner, seed, bands, progress)
            picture = finished(crop, subject, full, answer, manner.deviation, manner.wraps, bands)
            pictures.append(picture if picture.shape == work.crop.shape else np.ascontiguousarray(picture[:h, :w]))
            progress.picture_done()
    return pictures


def warm(threads: int = 0) -> None:
    """Runs every kernel once, on a picture of 48 x 48; each is compiled for one kind of arguments only."""
    from frisket.engines.patch.detail import copied

    crop = np.random.default_rng(0).random((48, 48, 3), np.float32)
    params: dict[str, Value] = {"layout": Layout.FREE.value, "quality": 1}
    hole = np.ones((48, 48), np.float32)
    subject = Subject.of(crop)
    assert subject is not None
    manner = _manner(Work(Task.VARIATION, crop, hole, params, (0,)), subject, lambda: None)
    full = Rung.of(subject.I, hole > 0, subject.solid, subject.solid, None)
    small = full.reduced((24, 24), subject.solid, subject.solid)
    at = np.arange(4, dtype=np.int32)
    with Bands(threads or usual_threads(), lambda: None) as bands:
        answer = climbed([small, full], manner, 0, bands, lambda k, Y: None)
        refine(answer.field, answer.Y, full.V, full.valid, bands, seed=0, sweeps=1, radius=SEARCH)
        copied(full.V, answer.field, at, at, bands, wraps=False)


def _manner(work: Work, subject: Subject, check: Check) -> Manner:
    thin = 1
    while subject.solid.size > thin * thin * VARIANCE_PIXELS:
        thin += 1
    thinned = []
    for rows in row_spans(subject.solid.shape, check):
        there = (slice(rows.start + -rows.start % thin, rows.stop, thin), slice(None, None, thin))
        thinned.append(subject.I[there][subject.solid[there]])
    seen = np.concatenate(thinned)[:, : subject.channels]
    check()
    if not len(seen):
        seen = subject.I[subject.solid][:, : subject.channels]
    return Manner(
        strength=min(1.0, work.strength),
        layout=Layout(work.params["layout"]),
        wraps=work.tileable,
        quality=int(work.params["quality"]),
        variance=float(seen.var(0, dtype=np.float64).mean()),
        channels=subject.channels,
    )


def _widened(a: np.ndarray) -> np.ndarray:
    """(h, w, ...) mirrored to the right and below until both sides are `SMALLEST`."""
    pad = [(0, max(0, SMALLEST - side)) for side in a.shape[:2]]
    return a if pad == [(0, 0), (0, 0)] else np.pad(a, pad + [(0, 0)] * (a.ndim - 2), mode="symmetric")


class _Progress:
    """Counts rounds and shows the picture after each; rounds that were not needed count as done."""

    def __init__(
        self,
        report: Report,
        subject: Subject,
        rungs: list[Rung],
        rounds: list[int],
        pictures: int,
        shown: tuple[int, int],
    ) -> None:
        self._report, self._subject, self._rungs = report, subject, rungs
        self._before = [sum(rounds[:k]) for k in range(len(rounds) + 1)]
        self._total = self._before[-1] * pictures
        self._share = [side / whole for side, whole in zip(shown, subject.solid.shape, strict=True)]
        self._done = 0
        self._picture = 0

    def __call__(self, k: int, Y: np.ndarray) -> None:
        first = self._picture * self._before[-1] + self._before[k]
        self._done = max(self._done + 1, first + 1)
        rung = self._rungs[k]
        h, w = (max(1, round(side * share)) for side, share in zip(Y.shape[:2], self._share, strict=True))
        thin = 1
        while (h // thin) * (w // thin) > PREVIEW_PIXELS:
            thin += 1
        alpha = None if rung.alpha is None else rung.alpha[:h:thin, :w:thin]
        self._report(self._done, self._total, self._subject.leave(Y[:h:thin, :w:thin], alpha))

    def picture_done(self) -> None:
        """All rounds of one picture are behind us."""
        self._picture += 1
        self._done = self._picture * self._before[-1]
        self._report(self._done, self._total)
