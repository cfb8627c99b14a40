"""RetinaFace, the detector that GFPGAN and CodeFormer were made with: ResNet-50 or MobileNet, as the weights say."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from frisket.engines import nets
from frisket.engines.diffusion.engine import device, ran_out
from frisket.engines.faces import rows as faces
from frisket.engines.faces.dials import CLOSER, SIDE, SIZES, confidence
from frisket.engines.faces.looking import Picture, looked
from frisket.engines.faces.rows import Rows
from frisket.engines.spec import Channels, EngineSpec, Report, Task, Work
from frisket.models.record import Record
from frisket.raster.spans import Check

if TYPE_CHECKING:
    from frisket.engines.faces.retinanet import RetinaFace

CONFIDENT = 0.9  # between the surest thing that is no face and the least sure face of `bench.faces`
LEAST = 0.02  # below which nothing is looked at any more
MOST = 5000  # boxes before they are merged
SMALLEST = 32  # px: smaller pictures are given a border


class RetinaFaceDetector:
    """An installed model of the family RETINAFACE. Needs torch. The same picture gives the same faces."""

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder, self._record = folder, record
        self._net: RetinaFace | None = None
        self.spec = EngineSpec(
            id=record.id,
            title=record.title,
            summary="Finds faces and their eyes, nose and mouth, from the side too; the one that restorers know.",
            tasks=frozenset({Task.DETECT_FACES}),
            size=SIZES,
            channels=Channels.RGB,
            params=(confidence(CONFIDENT), SIDE, CLOSER),
            models=(record.id,),
            devices=("cuda", "cpu"),
            uses_strength=False,
            licence=record.licence.name,
            revision=record.commit or record.revision,
            rank=10,
        )

    def load(self, model: str) -> None:
        """Raises NetworkPartsMissing, ModelDamaged, ModelFileUnusable, MemoryError."""
        state = nets.state_of(self._folder, self._record)
        import torch

        from frisket.engines.faces.retinanet import RetinaFace

        with torch.device("meta"):
            network = RetinaFace.for_state(state)
        for name, tensor in network.state_dict().items():
            if name.endswith("num_batches_tracked"):  # older files lack these counts, which only training needs
                state.setdefault(name, torch.zeros(tensor.shape, dtype=tensor.dtype))
        network = nets.filled(network, state, nets.weights_file(self._folder, self._record))
        with _told_when_full():
            self._net = network.to(device())

    def unload(self) -> None:
        self._net = None

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        if self._net is None:
            self.load("")
        assert self._net is not None
        with _told_when_full():
            return list(looked(partial(_find, self._net), work, report))


def _find(net: RetinaFace, picture: Picture, check: Check) -> Rows:
    import torch

    h, w = picture.shape[:2]
    down, right = max(0, SMALLEST - h), max(0, SMALLEST - w)
    if down or right:
        picture = np.pad(picture, [(0, down), (0, right), (0, 0)], mode="edge")
    bgr = np.ascontiguousarray(picture[..., ::-1].transpose(2, 0, 1)[None])
    check()
    where = next(net.parameters()).device
    with torch.inference_mode(), _asking(net, check):
        scores, boxes, points = net(torch.from_numpy(bgr).to(where).float())
        check()
        top = torch.nonzero(scores > LEAST)[:, 0]
        top = top[scores[top].argsort(descending=True, stable=True)[:MOST]]
        found = torch.cat([boxes[top], points[top], scores[top, None]], dim=1)
    return faces.best(found.float().cpu().numpy())


@contextlib.contextmanager
def _told_when_full() -> Iterator[None]:
    """Raises MemoryError where torch says in its own ways that there is no room."""
    try:
        yield
    except RuntimeError as error:
        if ran_out(error):
            raise MemoryError(str(error)) from error
        raise


@contextlib.contextmanager
def _asking(net: RetinaFace, check: Check) -> Iterator[None]:
    """While it lasts, `check` is asked after each of the network's parts."""
    hooks = [part.register_forward_hook(lambda *_: check()) for part in net.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
