"""Installed face restorers as engines: GFPGAN, RestoreFormer, CodeFormer. A stack of aligned faces in, the like out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from frisket.engines import nets
from frisket.engines.diffusion.budget import room
from frisket.engines.diffusion.engine import device
from frisket.engines.spec import Channels, EngineSpec, Param, ParamKind, Report, Task, Value, Work
from frisket.models.catalogue import Commercial
from frisket.models.families import Family
from frisket.models.record import Record

if TYPE_CHECKING:
    import torch

BATCH = Param("batch", ParamKind.INT, 2, "Faces at once: more are faster on a graphics card.", 1, 32, advanced=True)
FIDELITY = Param(
    "fidelity", ParamKind.FLOAT, 0.7, "How near to stay to the face as it is: 0 draws it anew, 1 keeps who it is.", 0, 1
)
Call = Callable[[Any, "torch.Tensor", Mapping[str, Value]], "torch.Tensor"]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a family is opened and called. `call` gets and gives RGB -1...1."""

    summary: str
    rank: int
    open: Callable[[Path, Record], Any]
    call: Call
    params: tuple[Param, ...]


def _open_gfpgan(folder: Path, record: Record) -> Any:
    from frisket.engines.faces.gfpgan import network

    return network(folder, record)


def _call_gfpgan(net: Any, x: torch.Tensor, params: Mapping[str, Value]) -> torch.Tensor:
    from frisket.engines.faces.gfpgan import draw

    return draw(net, x)


def _open_restoreformer(folder: Path, record: Record) -> Any:
    return nets.spandrel_model(folder, record, "FaceSR").model


def _call_restoreformer(net: Any, x: torch.Tensor, params: Mapping[str, Value]) -> torch.Tensor:
    return net(x)[0]


def _open_codeformer(folder: Path, record: Record) -> Any:
    import torch

    from frisket.engines.faces.codeformer import CodeFormer

    state, path = nets.state_of(folder, record), nets.weights_file(folder, record)
    with torch.device("meta"):
        made = CodeFormer()
    return nets.filled(made, state, path)


def _call_codeformer(net: Any, x: torch.Tensor, params: Mapping[str, Value]) -> torch.Tensor:
    return net(x, float(params.get(FIDELITY.name, FIDELITY.default)))


KINDS: Mapping[Family, _Kind] = {
    Family.GFPGAN: _Kind(
        "Draws damaged faces anew, with what a generator of faces knows of them.",
        10, _open_gfpgan, _call_gfpgan, (BATCH,),
    ),
    Family.RESTOREFORMER: _Kind(
        "Draws damaged faces anew out of a book of parts of good ones, freer than GFPGAN.",
        20, _open_restoreformer, _call_restoreformer, (BATCH,),
    ),
    Family.CODEFORMER: _Kind(
        "Draws badly damaged faces anew, with a dial for how near to stay to them. Not for commercial use.",
        30, _open_codeformer, _call_codeformer, (FIDELITY, BATCH),
    ),
}  # fmt: skip


class FaceRestorer:
    """Implements `engines.spec.Engine` for Task.RESTORE_FACES with the model in `folder`, installed as `record` says.

    Full precision everywhere: spandrel says of GFPGAN and RestoreFormer that they break in half of it. Nothing is drawn
    by chance: the same faces in the same batches give the same bytes, whatever the seed.
    """

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder, self._record = folder, record
        self._kind = KINDS[record.family]
        self._net: Any = None
        self.spec = EngineSpec(
            id=record.id,
            title=record.title,
            summary=self._kind.summary,
            tasks=frozenset({Task.RESTORE_FACES}),
            channels=Channels.RGB,
            params=self._kind.params,
            models=(record.id,),
            devices=("cuda", "cpu"),
            licence=_licence(record),
            trained=True,
            revision=record.commit or record.revision,
            rank=self._kind.rank,
        )

    def load(self, model: str = "") -> None:
        """Opens the weights. Raises NetworkPartsMissing, ModelDamaged, ModelFileUnusable, MemoryError."""
        nets.check_parts()
        self._net = nets.placed(self._kind.open(self._folder, self._record))

    def unload(self) -> None:
        """Gives the weights' memory back; the next `run` opens them anew."""
        if self._net is not None:
            from frisket.engines.faces.stack import free

            self._net = None
            free()

    def fits(self) -> bool:
        """Whether there is room for the weights."""
        if self._net is not None or not nets.parts_there():
            return True
        space = room(device(), None, 0)
        return space is None or self._record.size <= space

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """For each face of the stack (n, 512, 512, 3) a restored one (512, 512, 3) float32 0...1. Raises as
        `stack.through` does."""
        if self._net is None:
            self.load()
        from frisket.engines.faces.stack import through

        net: Any = self._net
        call = self._kind.call
        batch = int(work.params.get(BATCH.name, BATCH.default))

        def drawn(x: torch.Tensor) -> torch.Tensor:
            return (call(net, x * 2 - 1, work.params) + 1) / 2

        made = through(drawn, net, work.crop, batch, report, self.spec.id)
        return [np.ascontiguousarray(np.clip(face, 0, 1).transpose(1, 2, 0)) for face in made]


def _licence(record: Record) -> str:
    name = record.licence.name
    return f"{name}, not for commercial use" if record.licence.commercial is Commercial.NO else name
