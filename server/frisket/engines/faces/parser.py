"""An installed ParseNet as an engine: which pixels of an aligned face are of the face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from frisket.engines import nets
from frisket.engines.spec import Channels, EngineSpec, Param, ParamKind, Report, Task, Work
from frisket.models.record import Record

if TYPE_CHECKING:
    from frisket.engines.faces.parsenet import ParseNet

# Left as they are: 0 the background, 14 a hat, 16 a necklace, 17 the neck, 18 clothes (order of CelebAMask-HQ)
FACE = (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15)
BATCH = Param("batch", ParamKind.INT, 4, "Faces at once.", low=1, high=32, advanced=True)


class FaceParser:
    """Implements `engines.spec.Engine` for Task.PARSE_FACES with the model in `folder`, installed as `record` says."""

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder, self._record = folder, record
        self._net: ParseNet | None = None
        self.spec = EngineSpec(
            id=record.id,
            title=record.title,
            summary="Finds which pixels of a face are skin, eyes, mouth ..., so that only those are restored.",
            tasks=frozenset({Task.PARSE_FACES}),
            channels=Channels.RGB,
            params=(BATCH,),
            models=(record.id,),
            devices=("cuda", "cpu"),
            licence=record.licence.name,
            revision=record.commit or record.revision,
            rank=10,
        )

    def load(self, model: str = "") -> None:
        """Opens the weights. Raises NetworkPartsMissing, ModelDamaged, ModelFileUnusable, MemoryError."""
        nets.check_parts()
        import torch

        from frisket.engines.faces.parsenet import ParseNet

        state, path = nets.state_of(self._folder, self._record), nets.weights_file(self._folder, self._record)
        with torch.device("meta"):
            network = ParseNet()
        self._net = nets.placed(nets.filled(network, state, path))

    def unload(self) -> None:
        """Gives the weights' memory back."""
        if self._net is not None:
            from frisket.engines.faces.stack import free

            self._net = None
            free()

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """For each face of the stack (n, 512, 512, 3) a mask (512, 512) float32, 1 where the likeliest class is one of
        `FACE`, else 0. Its edge is hard: how soft it is to be depends on how the face is laid back. Raises as
        `stack.through` does."""
        if self._net is None:
            self.load()
        from frisket.engines.faces.stack import through

        net = self._net
        assert net is not None
        batch = int(work.params.get("batch", BATCH.default))
        scores = through(lambda x: net(x * 2 - 1), net, work.crop, batch, report, self.spec.id)
        return [np.isin(score.argmax(0), FACE).astype(np.float32) for score in scores]
