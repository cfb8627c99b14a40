"""Engines for tests: the smallest things that keep the contract."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from frisket.engines.spec import Channels, EngineSpec, MaskLaw, Param, ParamKind, Report, Task, Work
from frisket.raster.sizes import SizeRule


class ToyEngine:
    """Paints the hole with the mean of what is known; `level` above 0 paints that value instead."""

    def __init__(self, **changes) -> None:
        fields = {
            "id": "toy",
            "title": "Toy",
            "summary": "Paints one value.",
            "tasks": frozenset({Task.INPAINT}),
            "params": (Param("level", ParamKind.FLOAT, 0.0, "What to paint.", 0.0, 1.0),),
            "context_share": 0.5,
            "context_min": 4,
        }
        self.spec = EngineSpec(**(fields | changes))
        self.loads: list[str] = []
        self.works: list[Work] = []

    def load(self, model: str) -> None:
        self.loads.append(model)

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        self.works.append(work)
        fills = []
        for number, _ in enumerate(work.seeds):
            report(number, len(work.seeds), work.crop)
            fill = work.crop.copy()
            level = work.params["level"] or work.crop[work.hole <= 0].mean()
            fill[work.hole > 0] = level
            fills.append(fill)
        return fills


class NullEngine(ToyEngine):
    """Gives the crop back untouched: what is measured with it is the way there and back."""

    def __init__(self) -> None:
        super().__init__(id="null", title="Null", params=())

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        return [work.crop for _ in work.seeds]


class SlowEngine(ToyEngine):
    """Takes `steps` steps of `step_ms` each, then paints the seed's low byte."""

    def __init__(self) -> None:
        params = (
            Param("steps", ParamKind.INT, 100, "How many steps.", 1, 100_000),
            Param("step_ms", ParamKind.INT, 20, "How long each takes.", 0, 10_000),
        )
        super().__init__(id="slow", title="Slow", params=params)

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        steps = int(work.params["steps"])
        for step in range(steps):
            time.sleep(int(work.params["step_ms"]) / 1000)
            report(step + 1, steps, work.crop)
        fills = [work.crop.copy() for _ in work.seeds]
        for fill, seed in zip(fills, work.seeds, strict=True):
            fill[work.hole > 0] = (seed & 255) / 255
        return fills


class BrokenEngine(ToyEngine):
    """Fails in the way that `how` names."""

    def __init__(self) -> None:
        how = Param("how", ParamKind.CHOICE, "raise", "How to fail.", choices=("raise", "memory", "die", "nan"))
        super().__init__(id="broken", title="Broken", params=(how,))

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        how = work.params["how"]
        if how == "memory":
            raise MemoryError
        if how == "die":
            os._exit(9)
        if how == "nan":
            return [np.full_like(work.crop, np.nan) for _ in work.seeds]
        raise ValueError("a wire came loose")


class PainterEngine(ToyEngine):
    """Paints all it is shown, hole or not: as bright as the prompt is long in percent, darker by a negative one."""

    def __init__(self, **changes) -> None:
        does = {"tasks": frozenset({Task.TEXT_TO_LAYER, Task.INSTRUCT}), "params": ()}
        words = {"uses_prompt": True, "uses_negative_prompt": True, "uses_strength": False}
        words |= {"models": ("easel",), "trained": True, "revision": "c0ffee"}
        super().__init__(**({"id": "painter", "title": "Painter"} | does | words | changes))

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        self.works.append(work)
        report(1, 1, work.crop)
        level = (len(work.prompt) - len(work.negative_prompt)) / 100
        return [np.full_like(work.crop, level) for _ in work.seeds]


class CensorEngine(PainterEngine):
    """A painter that must not show what is brighter than 40 % on the whole."""

    def __init__(self, **changes) -> None:
        super().__init__(**({"id": "censor", "title": "Censor", "checks": True} | changes))
        self.seen: list[np.ndarray] = []

    def unfit(self, pictures: Sequence[np.ndarray]) -> list[bool]:
        self.seen += pictures
        return [bool(picture.mean() > 0.4) for picture in pictures]


class SoftEngine(ToyEngine):
    """A generator of fixed sizes: RGB only, multiples of 8, native 64, repaints the transition."""

    def __init__(self, **changes) -> None:
        size = SizeRule(min_side=16, max_side=128, multiple=8, max_pixels=128 * 128, native_side=64)
        fields = {"id": "soft", "title": "Soft", "channels": Channels.RGB, "mask_law": MaskLaw.SOFT, "size": size}
        super().__init__(**(fields | {"uses_prompt": True} | changes))


TOY, NULL, SLOW, BROKEN, SOFT = ToyEngine(), NullEngine(), SlowEngine(), BrokenEngine(), SoftEngine()
PAINTER, CENSOR = PainterEngine(), CensorEngine()
EVERY = ToyEngine(
    id="every", title="Every", tasks=frozenset({Task.INPAINT, Task.OUTPAINT, Task.VARIATION}), uses_tileable=True
)


def __getattr__(name: str) -> ToyEngine:
    """SHELVED: can only be had while the model `paint` is installed in the home."""
    if name != "SHELVED":
        raise AttributeError(name)
    (Path(os.environ["FRISKET_HOME"]) / "models" / "paint" / "model.lock.json").read_bytes()
    return ToyEngine(id="shelved")
