"""The built-in selector: what stands out by colour, without weights. OpenCV and numba come with `load` or the first
`run`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frisket.engines.faces.cascade import CONFIDENT
from frisket.engines.spec import Channels, EngineSpec, Param, ParamKind, Report, Task, Work

if TYPE_CHECKING:
    import numpy as np

    from frisket.engines.faces.haar import Haar

SPEC = EngineSpec(
    id="grabcut",
    title="Built-in selector",
    summary="Selects what stands out by its colours, and people by their faces. Needs no model; does not know what "
    "things are, so a rough selection helps it much.",
    tasks=frozenset({Task.SELECT_SUBJECT}),
    channels=Channels.RGB,
    params=(
        Param("side", ParamKind.INT, 384, "The longer side at which it works. More: finer, slower.", 128, 1024, "px"),
    ),
    uses_strength=False,
    rank=100,
)
SEED = 1  # of OpenCV's generator: the same picture gives the same mask


class GrabCutSelector:
    """Deterministic; the seed has no part in it."""

    spec = SPEC

    def __init__(self) -> None:
        self._haar: Haar | None = None

    def load(self, model: str) -> None:
        import frisket.engines.subject.salience  # noqa: F401  (imports numba now instead of during the first picture)

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """One mask (h, w); all 0 where nothing stands out. Raises errors.Cancelled."""
        import cv2
        import numpy as np

        from frisket.engines.subject import edge, salience

        report(0, 4)
        picture = np.ascontiguousarray(work.crop, np.float32)
        small = edge.reduced(picture, int(work.params.get("side", SPEC.params[0].default)), report.check)
        height, width = small.shape[:2]
        hole = cv2.resize(work.hole, (width, height), interpolation=cv2.INTER_AREA) > 0
        lab = cv2.cvtColor(np.rint(small * 255).astype(np.uint8), cv2.COLOR_RGB2LAB)
        report(1, 4)
        faces = self._faces(small, report) if hole.all() else None
        chosen = edge.cleaned(salience.cut(np.asarray(lab, np.uint8), hole, SEED, report.check, faces))
        report(3, 4)
        if not chosen.any():
            return [np.zeros(work.hole.shape, np.float32)]
        mask = edge.refined(chosen.astype(np.float32), small, picture, report.check) * work.hole
        report(4, 4)
        return [np.asarray(mask, np.float32)]

    def _faces(self, small: np.ndarray, report: Report) -> np.ndarray:
        """What the built-in detector is sure of: whom a picture shows is likely whom it is of."""
        from frisket.engines.faces import rows
        from frisket.engines.faces.haar import Haar
        from frisket.engines.faces.looking import as_bytes

        self._haar = self._haar or Haar()
        found = self._haar.find(as_bytes(small, report.check), report.check)
        return found[found[:, rows.SCORE] >= CONFIDENT]


ENGINE = GrabCutSelector()
