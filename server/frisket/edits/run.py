"""Run stored requests in this process: the worker's easel. Engines are loaded here and stay loaded while they fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from frisket.edits.easel import Easel, Finished, Teller
from frisket.edits.progress import Progress
from frisket.edits.repaint import Planes
from frisket.edits.requests import NEEDS, EditRequest, Plane, from_json
from frisket.edits.results import Maker
from frisket.edits.safety import guarded
from frisket.edits.tasks import admit, crew_of, row_of
from frisket.engines.diffusion.residency import Residency
from frisket.engines.diffusion.speed import Speed
from frisket.engines.registry import Registry
from frisket.engines.spec import Engine
from frisket.errors import EngineFailed, FrisketError, OutOfMemory, RequestInvalid
from frisket.raster import pixels
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Size

MASK = PixelFormat(Samples.U8, Layout.GRAY)


def make_easel(
    extra_engines: tuple[str, ...] = (),
    models: str = "",
    safety_checker: bool = False,
    gpu_memory: int | None = None,
    pinned: tuple[str, ...] = (),
    speed: Speed | None = None,
) -> Easel:
    """The easel of a worker process. extra_engines: "module:attribute" each, beside the installed ones. models: the
    folder of installed models. safety_checker: as `edits.safety` says. gpu_memory: bytes that models may take. pinned:
    ids of engines that stay loaded. speed: how models run."""
    house = Residency(gpu_memory, pinned, speed)
    installed = Registry.installed(Path(models) if models else None, house)
    return EngineEasel(installed.with_extra(extra_engines).with_safety(safety_checker), house)


class EngineEasel:
    """Runs edits with the engines of a registry."""

    def __init__(self, registry: Registry, house: Residency | None = None) -> None:
        self._registry, self._house = registry, house or Residency()

    def warm(self) -> None:
        """Load the engine that answers when none is asked for; compile those that are pinned, if so told."""
        self._house.load(self._registry.default)
        if self._house.speed.compiled:
            self._house.warm_up(self._registry.engines)

    def run(self, request: str, planes: Mapping[str, memoryview], tell: Teller) -> list[Finished]:
        """planes: what was sent, by Plane.value, row by row. Raises FrisketError only."""
        wanted, _ = admit(from_json(request), self._registry, Plane.SOURCES.value in planes)
        engine = self._registry.find(wanted.engine)
        size = wanted.region.size
        try:
            tell.check()
            self._house.load(engine, wanted.model)
            for helper in crew_of(wanted, self._registry).values():
                self._house.load(helper)
            return self._paint(wanted, as_planes(wanted, planes), engine, tell)
        except FrisketError:
            raise
        except MemoryError as error:
            raise OutOfMemory(engine=wanted.engine, width=size.width, height=size.height) from error
        except Exception as error:
            raise EngineFailed(engine=wanted.engine, reason=f"{type(error).__name__}: {error}") from error

    def _paint(self, wanted: EditRequest, planes: Planes, engine: Engine, tell: Teller) -> list[Finished]:
        row = row_of(wanted.task)
        module, name = row.run.split(":")
        run = getattr(import_module(module), name)
        progress = Progress(tell)
        crew = (crew_of(wanted, self._registry),) if row.crew else ()
        painted = run(wanted, planes, guarded(engine, wanted.task, self._registry), progress, *crew)
        told = tuple(progress.degraded)
        maker = Maker.of(engine.spec, wanted.model)
        metas = [replace(p.meta, degraded=p.meta.degraded + told, maker=maker) for p in painted]
        return [Finished(meta.to_json(), (p.pixels, p.mask)) for meta, p in zip(metas, painted, strict=True)]


def as_planes(wanted: EditRequest, sent: Mapping[str, memoryview]) -> Planes:
    """What was sent as arrays. Pixels that may be missing and are become zeros (the task does not look at them), such a
    mask becomes full. Raises RequestInvalid for one that the task needs.
    """
    for plane in Plane:
        if plane in NEEDS[wanted.task] and plane.value not in sent:
            raise RequestInvalid(detail=f"The task {wanted.task.value} needs the {plane.value}, and none came")
    size, fmt = wanted.region.size, wanted.format
    mask, sources = (_gray(sent.get(plane.value), size) for plane in (Plane.MASK, Plane.SOURCES))
    if mask is None:
        mask = np.full((size.height, size.width), 255, np.uint8)
    if Plane.PIXELS.value in sent:
        return Planes(pixels.from_bytes(sent[Plane.PIXELS.value], size, fmt), mask, sources)
    shape = (size.height, size.width, fmt.layout.channels)
    return Planes(np.zeros(shape, pixels.DTYPES[fmt.samples]), mask, sources)


def _gray(plane: memoryview | None, size: Size) -> np.ndarray | None:
    """A plane of 8-bit gray as (h, w), None for one that was not sent. Raises RequestInvalid."""
    return None if plane is None else pixels.from_bytes(plane, size, MASK)[..., 0]
