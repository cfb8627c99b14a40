"""The upscaler that ships with the program: Lanczos, refined along edges. Importing it costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frisket.engines.spec import Channels, EngineSpec, Report, Silent, Task, Work
from frisket.raster.sizes import SizeRule

if TYPE_CHECKING:
    import numpy as np

APRON = 24  # px: `kernels.REACH`, which is compiled code to import
SIDE = 512  # px of a tile with its apron: at 4x and with alpha it takes 0.4 GB

SPEC = EngineSpec(
    id="edge-lanczos",
    title="Built-in upscaler",
    summary="Lanczos, refined along edges: sharper and without steps or halos. Needs no model; invents no detail.",
    tasks=frozenset({Task.UPSCALE}),
    size=SizeRule(max_pixels=SIDE * SIDE),
    channels=Channels.ANY,
    licence="Apache-2.0",
    apron=APRON,
    rank=100,
)


class EdgeUpscaler:
    """Implements `engines.spec.Engine`. threads: how many run side by side; 0 = as many as numba would use."""

    __slots__ = ("_threads", "spec")

    def __init__(self, threads: int = 0) -> None:
        self._threads, self.spec = threads, SPEC

    def load(self, model: str = "") -> None:
        """Compiles every kernel, or reads them from numba's cache. `model` is not used: there are no weights."""
        import numpy as np

        tiny = np.zeros((2, 2, 1), np.float32)
        self.run(Work(Task.UPSCALE, tiny, tiny[..., 0], {}, (0,), scale=2), Silent())

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """One picture, work.scale times as large, of any number of channels. Raises errors.Cancelled."""
        import numpy as np

        from frisket.engines.patch.bands import Bands, usual_threads
        from frisket.engines.upscale.kernels import enlarged

        with Bands(self._threads or usual_threads(), report.check) as bands:
            return [enlarged(np.ascontiguousarray(work.crop, np.float32), work.scale, bands)]


ENGINE = EdgeUpscaler()
