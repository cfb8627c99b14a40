"""An installed model as an engine. Importing it costs nothing; torch, diffusers and the weights come with `load`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frisket.engines.diffusion.budget import Need, enforce, need_of, plan, room
from frisket.engines.diffusion.capabilities import rows_of, spec_of, task_of
from frisket.engines.diffusion.ladder import KEPT, Reach, Rung, Setting, climb, reach_of, smaller, tell
from frisket.engines.diffusion.residency import Residency
from frisket.engines.diffusion.table import TRAITS, Row
from frisket.engines.spec import EngineSpec, Report, Silent, Work
from frisket.engines.vision_ops import make_importable
from frisket.errors import DiffusionPartsMissing, EngineFailed, ModelNotInstalled
from frisket.models.families import Family, Purpose
from frisket.models.record import Record
from frisket.raster.geometry import Size

if TYPE_CHECKING:
    import numpy as np

    from frisket.engines.diffusion.fitting import Wardrobe

AFTER_A_PRIOR = frozenset({Family.KANDINSKY22, Family.KANDINSKY22_INPAINT})
PARTS = ("torch", "diffusers", "transformers")
NO_MEMORY = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED")  # in the words of a RuntimeError


class DiffusionEngine:
    """Implements `engines.spec.Engine` for the model in `folder`, installed as `record` says.

    Weights are opened once, by the first `load`; the other classes of the family share them. `house` knows of the other
    engines of this process, which go when memory is short.
    """

    __slots__ = (
        "_addons", "_checker", "_compiled", "_first", "_folder", "_house", "_kept", "_need", "_pipes", "_record",
        "_spec", "_where",
    )  # fmt: skip

    def __init__(self, folder: Path, record: Record, house: Residency | None = None) -> None:
        self._folder, self._record, self._spec = folder, record, spec_of(record)
        self._house = house or Residency()
        self._need: Need | None = None
        self._forget()

    @property
    def spec(self) -> EngineSpec:
        return self._spec

    def load(self, model: str = "") -> None:
        """Opens the weights. `model` is not used: the engine is the model.

        Raises DiffusionPartsMissing, MemoryError, and what opening raises: ModelDamaged and the like.
        """
        check_parts()
        make_importable()
        if self._house.speed.compiled and self._spec.id in self._house.pinned:
            from frisket.engines.diffusion.compiling import check_compiler

            check_compiler(device())
        for row in rows_of(self._record).values():
            able = {Rung.FREE_CACHES} | (KEPT if on_card() else frozenset())
            climb(partial(self._open, row), Reach(frozenset(able)), ran_out, self._apart())
            return

    def warm_up(self) -> None:
        """See `engines.spec.Warmer`: compiles. Raises SpeedUnusable, and what `load` and `run` raise."""
        from frisket.engines.diffusion.compiling import compile_blocks, rehearsals, rehearsing

        self.load()
        purpose, row = next(iter(rows_of(self._record).items()))
        pipe = self._pipes[row.pipeline]
        if self._kept.apart or not compile_blocks(pipe):
            return
        with rehearsing(pipe):
            for work in rehearsals(self._spec, task_of(purpose)):
                self._painted(row, work, Silent(), Setting())
        self._compiled = True

    def unload(self) -> None:
        """Gives the weights' memory back; the next `run` opens them anew."""
        if self._pipes or self._first is not None:
            self._forget()
            from frisket.engines.diffusion.placing import free

            free(device())

    def fits(self) -> bool:
        """Whether there is room for the weights."""
        space = None if self._pipes or not parts_there() else room(device(), self._house.limit, 0)
        return space is None or self.need.weights <= space

    @property
    def need(self) -> Need:
        """What a run takes, with that of a prior, which is a model of its own: opening says where it is missing."""
        if self._need is None:
            width = 2 if on_card() else 4
            need = need_of(self._folder, self._record, width)
            if self._record.family in AFTER_A_PRIOR:
                from frisket.engines.diffusion.opening import prior_of

                try:
                    need = need.beside(need_of(*prior_of(self._folder, self._record), width))
                except ModelNotInstalled:
                    return need
            self._need = need
        return self._need

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """One picture for each seed, (h, w, 3) float32 0...1; outside the hole they are near the crop, not equal.

        Where memory is short, now or by what is known before, it climbs down the ladder, and tells every rung. Raises
        ParameterOutOfRange, PictureNotFinite, EngineFailed, errors.Cancelled, MemoryError after the last rung.
        """
        row = rows_of(self._record).get(Purpose(work.task.value))
        if row is None:
            raise EngineFailed(engine=self._spec.id, reason=f"it has no pipeline for {work.task.value}")
        if not self._pipes:
            self.load()
        from frisket.engines.diffusion.placing import can_tile
        from frisket.engines.diffusion.shrinking import fitted

        size, count, rule = Size(work.hole.shape[1], work.hole.shape[0]), len(work.seeds), self._spec.size
        tiles = can_tile(next(iter(self._pipes.values())))
        reach = reach_of(row, rule, size, count, tiles=tiles, card=on_card())
        least = self.need.peak(self._kept, size, count, rule)
        self._house.make_room(self, lambda: least <= self._room())
        start = plan(self.need, self._room(), reach, size, count, rule, self._kept)
        try:
            pictures, setting = climb(partial(self._painted, row, work, report), reach, ran_out, start)
        except MemoryError:
            self.unload()
            raise
        finally:
            if self._where != device():
                self.unload()
        tell(report, setting, size, smaller(size, rule, setting.shrunk), count, on_card())
        return fitted(pictures, size)

    def unfit(self, pictures: Sequence[np.ndarray]) -> Sequence[bool]:
        """See `engines.spec.Checker`. Raises as `load` does."""
        check_parts()
        if self._checker is None:
            from frisket.engines.diffusion.checker import SafetyChecker

            self._checker = SafetyChecker(self._folder, self._record)
        return self._checker.unfit(pictures)

    def _painted(self, row: Row, work: Work, report: Report, setting: Setting) -> list[np.ndarray]:
        """One attempt."""
        pipe = self._open(row, setting)
        from frisket.engines.diffusion.painting import painted
        from frisket.engines.diffusion.placing import set_up
        from frisket.engines.diffusion.shrinking import shrunk

        size = smaller(Size(work.hole.shape[1], work.hole.shape[0]), self._spec.size, setting.shrunk)
        alone = Rung.ONE_BY_ONE in setting.rungs
        work, traits = shrunk(work, size), TRAITS[self._record.family]
        with contextlib.ExitStack() as stack:
            fit = stack.enter_context(self._wardrobe.fitted(pipe, row, work, self._where))
            stack.enter_context(set_up(fit.pipe, setting, self._where))
            if self._compiled:
                from frisket.engines.diffusion.compiling import settled

                stack.enter_context(settled(fit.added))
            return painted(fit.pipe, row, traits, work, report, self._first, alone, fit.given)

    def _open(self, row: Row, setting: Setting) -> Any:
        """The pipeline of a row, with its weights where the setting says: opened, or made of one that is open."""
        from frisket.engines.diffusion.attention import attend
        from frisket.engines.diffusion.opening import opened, prior_of, sibling
        from frisket.engines.diffusion.placing import free, place
        from frisket.engines.diffusion.prior import ROW
        from frisket.engines.diffusion.taesd import offered

        where = "cpu" if Rung.CPU in setting.rungs else device()
        if where != self._where:
            self.unload()
        if Rung.FREE_CACHES in setting.rungs:
            self._addons = None
            self._house.drop_idle(self)
            free(where)
        apart = setting.apart and where == device()
        self._where, self._kept = where, setting.kept if apart else Setting()
        if not self._pipes:
            enforce(where, self._house.limit)
        if row.pipeline not in self._pipes:
            other = next(iter(self._pipes.values()), None)
            if other is None:
                pipe = opened(self._folder, self._record, row, where, apart)
                attend(pipe, self._house.speed.attention, where)
                offered(pipe, self._folder.parent, self._record)
            else:
                pipe = sibling(other, row)
            self._pipes[row.pipeline] = pipe
        if self._record.family in AFTER_A_PRIOR and self._first is None:
            self._first = opened(*prior_of(self._folder, self._record), ROW, where, apart)
        for pipe in (self._pipes[row.pipeline], self._first):
            if pipe is not None:
                place(pipe, self._kept, where)
        return self._pipes[row.pipeline]

    @property
    def _wardrobe(self) -> Wardrobe:
        """The add-ons: of the models folder that this model lies in."""
        if self._addons is None:
            from frisket.engines.diffusion.fitting import Wardrobe

            self._addons = Wardrobe(self._folder.parent, self._record)
        return self._addons

    def _apart(self) -> Setting:
        """What to open with: weights that are too large for the card stay beside it from the beginning."""
        space = room(device(), self._house.limit, 0) if on_card() else None
        if space is None or self.need.weights <= space:
            return Setting()
        return Setting().after(Rung.MODEL_OFFLOAD if self.need.largest <= space else Rung.GROUP_OFFLOAD)

    def _room(self) -> float:
        """Bytes that this model may take of its device, with those that it has."""
        space = room(device(), self._house.limit, self._held())
        return inf if space is None else space

    def _held(self) -> int:
        """Bytes of the weights that are on the device."""
        import torch

        from frisket.engines.diffusion.placing import networks

        kind = torch.device(device()).type
        pipes = [*self._pipes.values(), *filter(None, [self._first])]
        parts = {id(part): part for pipe in pipes for part in networks(pipe).values()}
        weights = (weight for part in parts.values() for weight in part.parameters())
        return sum(weight.nbytes for weight in weights if weight.device.type == kind)

    def _forget(self) -> None:
        self._pipes: dict[str, Any] = {}
        self._first: Any = None
        self._checker: Any = None
        self._compiled = False
        self._addons: Wardrobe | None = None
        self._kept, self._where = Setting(), ""


def device() -> str:
    """Where models run on this machine."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def on_card() -> bool:
    """Whether there is a card, with a memory of its own."""
    return device() != "cpu"


def check_parts() -> None:
    """Raises DiffusionPartsMissing when a package that models need is not installed."""
    missing = [name for name in PARTS if find_spec(name) is None]
    if missing:
        raise DiffusionPartsMissing(parts=", ".join(missing))


def parts_there() -> bool:
    """Whether models can be opened at all."""
    return all(find_spec(name) is not None for name in PARTS)


def ran_out(error: Exception) -> bool:
    """Whether an error of torch says that memory is used up, on the card or off it."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)
