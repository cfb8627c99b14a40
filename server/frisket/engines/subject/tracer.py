"""An installed TRACER as an engine: what a picture is of, or what a rough selection holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from frisket.engines import nets
from frisket.engines.diffusion.engine import device, ran_out
from frisket.engines.spec import Channels, EngineSpec, Report, Task, Work
from frisket.errors import PictureNotFinite
from frisket.models.record import Record
from frisket.raster.geometry import Box

if TYPE_CHECKING:
    from frisket.engines.subject.tracernet import Tracer

WORKING = 640  # px: the longer side of the picture whose edges the network's answer gets
AROUND = 0.15  # of a rough selection's longer side: how much around it the network sees
SEEN = 0.5  # the network must be as sure as this of one px at least


class TracerSelector:
    """Implements `engines.spec.Engine` for Task.SELECT_SUBJECT with the model in `folder`, installed as `record` says.

    Deterministic; the seed has no part in it.
    """

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder, self._record = folder, record
        self._net: Tracer | None = None
        self.spec = EngineSpec(
            id=record.id,
            title=record.title,
            summary="Selects what a picture is of, people, animals and things, with a small network.",
            tasks=frozenset({Task.SELECT_SUBJECT}),
            channels=Channels.RGB,
            models=(record.id,),
            devices=("cuda", "cpu"),
            uses_strength=False,
            licence=record.licence.name,
            revision=record.commit or record.revision,
            rank=10,
        )

    def load(self, model: str = "") -> None:
        """Opens the weights. Raises NetworkPartsMissing, ModelDamaged, ModelFileUnusable, MemoryError."""
        state, path = nets.state_of(self._folder, self._record), nets.weights_file(self._folder, self._record)
        import torch

        from frisket.engines.subject.tracernet import Tracer

        with torch.device("meta"):
            network = Tracer()
        self._net = nets.filled(network, state, path).to(device())

    def unload(self) -> None:
        """Gives the weights' memory back."""
        if self._net is not None:
            from frisket.engines.faces.stack import free

            self._net = None
            free()

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """One mask (h, w); all 0 where the network is sure of nothing. Raises PictureNotFinite, Cancelled, MemoryError,
        and torch's errors."""
        from frisket.engines.subject import edge

        if self._net is None:
            self.load()
        report(0, 3)
        area = _seen(work.hole)
        mask = np.zeros(work.hole.shape, np.float32)
        picture = np.ascontiguousarray(work.crop[area.slices], np.float32)
        if not picture.size:
            return [mask]
        small = edge.reduced(picture, WORKING, report.check)
        found = self._found(small, report)
        report(1, 3)
        if found.max() >= SEEN:
            refined = edge.refined(found, small, picture, report.check)
            mask[area.slices] = refined * work.hole[area.slices]
        report(3, 3)
        return [mask]

    def _found(self, small: np.ndarray, report: Report) -> np.ndarray:
        """How sure the network is of each px of `small` (h, w, 3): (h, w) float32 0...1."""
        import cv2
        import torch

        from frisket.engines.faces.stack import stoppable
        from frisket.engines.subject.tracernet import SIDE

        net = self._net
        assert net is not None
        shown = cv2.resize(small, (SIDE, SIDE), interpolation=_way(small, SIDE))
        batch = torch.from_numpy(np.ascontiguousarray(shown.transpose(2, 0, 1)[None])).to(device())
        try:
            with torch.inference_mode(), stoppable(net, report):
                sure = net(batch)[0, 0].float().cpu().numpy()
        except RuntimeError as error:
            if not ran_out(error):
                raise
            raise MemoryError(str(error)) from error
        if not np.isfinite(sure).all():
            raise PictureNotFinite(what=self.spec.id)
        height, width = small.shape[:2]
        return np.asarray(cv2.resize(sure, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _way(picture: np.ndarray, side: int) -> int:
    import cv2

    return cv2.INTER_AREA if min(picture.shape[:2]) > side else cv2.INTER_LINEAR


def _seen(hole: np.ndarray) -> Box:
    """What the network is shown: all of it, or a rough selection with some of what is around."""
    from frisket.raster.masks import bounds

    rough = bounds(hole)
    if rough is None:
        return Box(0, 0, 0, 0)
    whole = Box(0, 0, hole.shape[1], hole.shape[0])
    return rough.grown(max(8, round(AROUND * rough.size.longer))).clipped(whole)
