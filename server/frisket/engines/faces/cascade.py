"""The built-in detector: OpenCV's Haar cascades, which come with its package. No weights to download.

OpenCV comes with `load` or the first `run`; `haar` says how they look.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from frisket.engines.faces.dials import CLOSER, SIDE, SIZES, confidence
from frisket.engines.spec import Channels, EngineSpec, Report, Task, Work

if TYPE_CHECKING:
    import numpy as np

    from frisket.engines.faces.haar import Haar

CONFIDENT = 0.55  # a little above the surest thing that is no face, far below the least sure face of `bench.faces`


class CascadeDetector:
    """Engine "cascade". Deterministic; 1 to 4 s for a look at 1280 px on two cores."""

    spec = EngineSpec(
        id="cascade",
        title="Built-in face detector",
        summary="Finds faces seen from the front, tilted ones too, and some from the side; knows the eyes of most.",
        tasks=frozenset({Task.DETECT_FACES}),
        size=SIZES,
        channels=Channels.RGB,
        params=(confidence(CONFIDENT), SIDE, CLOSER),
        uses_strength=False,
        licence="Apache-2.0 (OpenCV)",
        rank=100,
    )

    def __init__(self) -> None:
        self._haar: Haar | None = None

    def load(self, model: str) -> None:
        from frisket.engines.faces.haar import Haar

        self._haar = Haar()

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        from frisket.engines.faces.looking import looked

        if self._haar is None:
            self.load("")
        assert self._haar is not None
        return list(looked(self._haar.find, work, report))


ENGINE = CascadeDetector()
