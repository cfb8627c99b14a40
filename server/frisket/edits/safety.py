"""Nothing that a trained model paints is seen before its safety checker has looked, where the server is told so.

It is about tasks that paint something new (PAINTS): faces are restored and pictures enlarged from what is there.
Fails closed: a trained model without a checker is refused before it is asked, a checker that fails fails the edit, and
previews are not sent. Engines that are not trained copy what the picture has; they are not looked at.
"""

from __future__ import annotations

import numpy as np

from frisket.edits.progress import Unseen
from frisket.engines.registry import Registry
from frisket.engines.spec import Engine, EngineSpec, Report, Task, Work
from frisket.errors import EngineFailed, PictureWithheld, SafetyCheckerMissing, did_you_mean

PAINTS = frozenset({Task.INPAINT, Task.OUTPAINT, Task.VARIATION, Task.TEXT_TO_LAYER, Task.INSTRUCT})


def check_guarded(spec: EngineSpec, task: Task, registry: Registry) -> None:
    """Raises SafetyCheckerMissing for a trained engine that nobody would look after, where somebody has to."""
    if not registry.checked or task not in PAINTS or _harmless(spec):
        return
    able = [other.spec.id for other in registry.for_task(task) if _harmless(other.spec)]
    raise SafetyCheckerMissing(engine=spec.id, suggestion=did_you_mean("", able) if able else "")


def guarded(engine: Engine, task: Task, registry: Registry) -> Engine:
    """`engine`, looked after if it has to be."""
    return Guarded(engine) if registry.checked and task in PAINTS and engine.spec.trained else engine


class Guarded:
    """An engine of spec.checks whose pictures are looked at before anybody sees them."""

    __slots__ = ("_engine",)

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def spec(self) -> EngineSpec:
        return self._engine.spec

    def load(self, model: str) -> None:
        self._engine.load(model)

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """What the engine paints. Raises PictureWithheld, and what the engine and its checker raise."""
        fills = self._engine.run(work, Unseen(report))
        # Whole wherever any of it shows: results hold it unmixed beside their mask, and a faint one would hide it here.
        touched = work.hole[..., None] > 0
        shown = [np.where(touched, fill, work.crop) for fill in fills]
        report.check()
        verdicts = list(self._engine.unfit(shown))  # type: ignore[attr-defined]  (registry.checked asks for it)
        if len(verdicts) != len(fills):
            raise EngineFailed(engine=self.spec.id, reason="its safety checker looked at another number of pictures")
        bad = [str(seed) for seed, verdict in zip(work.seeds, verdicts, strict=True) if verdict]
        if bad:
            raise PictureWithheld(engine=self.spec.id, seeds=", ".join(bad))
        return fills


def _harmless(spec: EngineSpec) -> bool:
    return spec.checks or not spec.trained
