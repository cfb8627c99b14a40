"""A toy that selects a subject: what is brighter than half."""

from __future__ import annotations

import time

import numpy as np

from frisket.engines.spec import Channels, EngineSpec, Param, ParamKind, Report, Task, Work

STEPS = Param("steps", ParamKind.INT, 1, "How many steps of 20 ms.", 1, 10_000)


class BrightEngine:
    """Says how bright each pixel is, and 0 below a half or where the hole is 0; notes what it was shown. wrong: gives
    back what is no mask."""

    def __init__(self, wrong: bool = False, **changes) -> None:
        fields = {"tasks": frozenset({Task.SELECT_SUBJECT}), "channels": Channels.RGB, "params": (STEPS,), "rank": 200}
        self.spec = EngineSpec("bright", "Toy selector", "Selects what is bright.", **(fields | changes))
        self.works: list[Work] = []
        self.wrong = wrong

    def load(self, model: str) -> None:
        pass

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        self.works.append(work)
        steps = int(work.params["steps"])
        for step in range(steps):
            report(step + 1, steps)
            time.sleep(0.02 if steps > 1 else 0)
        light = work.crop.mean(axis=2)
        return [np.where(light >= 0.5, light, 0) * work.hole if not self.wrong else work.crop]


BRIGHT = BrightEngine()
