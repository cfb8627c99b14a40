"""An engine for Frisket: fills a selection with the mean of what lies around it, and a little grain."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frisket.engines.spec import EngineSpec, Param, ParamKind, Report, Task, Work
from frisket.errors import NothingToSampleFrom

if TYPE_CHECKING:
    import numpy as np


class Plaster:
    """One colour for the whole hole."""

    spec = EngineSpec(
        id="plaster",
        title="Plaster",
        summary="Fills with the mean of what is around, and a little grain.",
        tasks=frozenset({Task.INPAINT}),
        params=(Param("grain", ParamKind.FLOAT, 0.02, "How strong the grain is.", low=0.0, high=0.5),),
        uses_strength=False,
        uses_sources=True,
        context_share=0.25,
        context_min=16,
    )

    def load(self, model: str) -> None:
        """Imports and weights that take long belong here."""

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        import numpy as np

        known = work.hole <= 0
        if work.sources is not None:
            known &= work.sources
        if not known.any():
            raise NothingToSampleFrom(known=0, needed=1)
        mean = work.crop[known].mean(axis=0)
        fills = []
        for number, seed in enumerate(work.seeds):
            grain = np.random.default_rng(seed).normal(0, work.params["grain"], work.hole.shape)
            fills.append((mean + grain[..., None]).astype(np.float32))
            report(number + 1, len(work.seeds), fills[-1])
        return fills


ENGINE = Plaster()
