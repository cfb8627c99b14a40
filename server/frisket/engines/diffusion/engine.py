"""An installed model as an engine. Importing it costs nothing; torch, diffusers and the weights come with `load`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frisket.engines.diffusion.capabilities import rows_of, spec_of
from frisket.engines.diffusion.table import TRAITS, Row
from frisket.engines.spec import EngineSpec, Report, Work
from frisket.errors import DiffusionPartsMissing, EngineFailed
from frisket.models.families import Family, Purpose
from frisket.models.record import Record

if TYPE_CHECKING:
    import numpy as np

AFTER_A_PRIOR = frozenset({Family.KANDINSKY22, Family.KANDINSKY22_INPAINT})
PARTS = ("torch", "diffusers", "transformers")


class DiffusionEngine:
    """Implements `engines.spec.Engine` for the model in `folder`, installed as `record` says.

    Weights are opened once, by the first `load`; the other classes of the family share them.
    """

    __slots__ = ("_first", "_folder", "_pipes", "_record", "_spec")

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder, self._record, self._spec = folder, record, spec_of(record)
        self._pipes: dict[str, Any] = {}
        self._first: Any = None

    @property
    def spec(self) -> EngineSpec:
        return self._spec

    def load(self, model: str = "") -> None:
        """Opens the weights. `model` is not used: the engine is the model.

        Raises DiffusionPartsMissing, and what opening raises: ModelDamaged and the like.
        """
        for row in rows_of(self._record).values():
            self._pipe(row)
            self._prior()
            return

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """One picture for each seed, (h, w, 3) float32 0...1; outside the hole they are near the crop, not equal.

        Raises ParameterOutOfRange, PictureNotFinite, EngineFailed, errors.Cancelled, MemoryError.
        """
        row = rows_of(self._record).get(Purpose(work.task.value))
        if row is None:
            raise EngineFailed(engine=self._spec.id, reason=f"it has no pipeline for {work.task.value}")
        pipe = self._pipe(row)
        from frisket.engines.diffusion.painting import painted

        try:
            return painted(pipe, row, TRAITS[self._record.family], work, report, self._prior())
        except Exception as error:
            if ran_out(error):  # the one place to free something and try again
                raise MemoryError(str(error)) from error
            raise

    def _pipe(self, row: Row) -> Any:
        """The pipeline of a row: opened, or made of one that is open."""
        check_parts()
        from frisket.engines.diffusion.opening import opened, sibling

        if row.pipeline not in self._pipes:
            other = next(iter(self._pipes.values()), None)
            self._pipes[row.pipeline] = (
                opened(self._folder, self._record, row, device()) if other is None else sibling(other, row)
            )
        return self._pipes[row.pipeline]

    def _prior(self) -> Any:
        """The first stage, for the rows that need one; it stays open. Raises ModelNotInstalled."""
        if self._record.family not in AFTER_A_PRIOR:
            return None
        from frisket.engines.diffusion.opening import opened, prior_of
        from frisket.engines.diffusion.prior import ROW

        if self._first is None:
            self._first = opened(*prior_of(self._folder, self._record), ROW, device())
        return self._first


def device() -> str:
    """Where models run on this machine."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def check_parts() -> None:
    """Raises DiffusionPartsMissing when a package that models need is not installed."""
    missing = [name for name in PARTS if find_spec(name) is None]
    if missing:
        raise DiffusionPartsMissing(parts=", ".join(missing))


def ran_out(error: Exception) -> bool:
    """Whether an error of torch says that memory is used up, on the card or off it."""
    import torch

    if isinstance(error, torch.OutOfMemoryError):
        return True
    words = str(error)
    return isinstance(error, RuntimeError) and ("can't allocate memory" in words or "out of memory" in words)
