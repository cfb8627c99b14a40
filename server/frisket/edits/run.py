"""Run stored requests in this process: the worker's easel. Engines are loaded here and stay loaded."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import numpy as np

from frisket.edits.easel import Easel, Finished, Teller
from frisket.edits.progress import Progress
from frisket.edits.repaint import Planes
from frisket.edits.requests import EditRequest, from_json
from frisket.edits.tasks import admit, row_of
from frisket.engines.registry import Registry
from frisket.engines.spec import Engine
from frisket.errors import EngineFailed, FrisketError, OutOfMemory, RequestInvalid
from frisket.raster import pixels
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Size

MASK = PixelFormat(Samples.U8, Layout.GRAY)


def make_easel(extra_engines: tuple[str, ...] = ()) -> Easel:
    """The easel of a worker process. extra_engines: "module:attribute" each, beside the installed ones."""
    return EngineEasel(Registry.installed().with_extra(extra_engines))


class EngineEasel:
    """Runs edits with the engines of a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._loaded: set[tuple[str, str]] = set()

    def warm(self) -> None:
        """Load the engine that answers when none is asked for."""
        self._load(self._registry.default, "")

    def run(self, request: str, planes: Mapping[str, memoryview], tell: Teller) -> list[Finished]:
        """planes: "pixels", "mask" and, if it was sent, "sources", row by row. Raises FrisketError only."""
        wanted, _ = admit(from_json(request), self._registry)
        engine = self._registry.find(wanted.engine)
        size = wanted.region.size
        try:
            tell.check()
            self._load(engine, wanted.model)
            image = pixels.from_bytes(planes["pixels"], size, wanted.format)
            mask, sources = (_gray(planes.get(name), size) for name in ("mask", "sources"))
            if mask is None:
                raise RequestInvalid(detail="No mask was sent")
            return self._paint(wanted, Planes(image, mask, sources), engine, tell)
        except FrisketError:
            raise
        except MemoryError as error:
            raise OutOfMemory(engine=wanted.engine, width=size.width, height=size.height) from error
        except Exception as error:
            raise EngineFailed(engine=wanted.engine, reason=f"{type(error).__name__}: {error}") from error

    def _paint(self, wanted: EditRequest, planes: Planes, engine: Engine, tell: Teller) -> list[Finished]:
        module, name = row_of(wanted.task).run.split(":")
        run = getattr(import_module(module), name)
        painted = run(wanted, planes, engine, Progress(tell))
        return [Finished(p.meta.to_json(), (p.pixels, p.mask)) for p in painted]

    def _load(self, engine: Engine, model: str) -> None:
        key = (engine.spec.id, model)
        if key not in self._loaded:
            engine.load(model)
            self._loaded.add(key)


def _gray(plane: memoryview | None, size: Size) -> np.ndarray | None:
    """A plane of 8-bit gray as (h, w), None for one that was not sent. Raises RequestInvalid."""
    return None if plane is None else pixels.from_bytes(plane, size, MASK)[..., 0]
