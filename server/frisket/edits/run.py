"""Run stored requests in this process: the worker's easel. Engines are loaded here and stay loaded."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

import numpy as np

from frisket.edits.easel import Easel, Finished, Teller
from frisket.edits.progress import Progress
from frisket.edits.requests import EditRequest, from_json
from frisket.edits.tasks import admit, row_of
from frisket.engines.registry import Registry
from frisket.engines.spec import Engine
from frisket.errors import EngineFailed, FrisketError, OutOfMemory
from frisket.raster import pixels


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
        """planes: "pixels" and "mask", row by row. Raises FrisketError only."""
        wanted, _ = admit(from_json(request), self._registry)
        engine = self._registry.find(wanted.engine)
        size = wanted.region.size
        try:
            tell.check()
            self._load(engine, wanted.model)
            image = pixels.from_bytes(planes["pixels"], size, wanted.format)
            mask = np.frombuffer(planes["mask"], np.uint8).reshape(size.height, size.width)
            return self._paint(wanted, image, mask, engine, tell)
        except FrisketError:
            raise
        except MemoryError as error:
            raise OutOfMemory(engine=wanted.engine, width=size.width, height=size.height) from error
        except Exception as error:
            raise EngineFailed(engine=wanted.engine, reason=f"{type(error).__name__}: {error}") from error

    def _paint(
        self, wanted: EditRequest, image: np.ndarray, mask: np.ndarray, engine: Engine, tell: Teller
    ) -> list[Finished]:
        module, name = row_of(wanted.task).run.split(":")
        run = getattr(import_module(module), name)
        painted = run(wanted, image, mask, engine, Progress(tell))
        return [Finished(p.meta.to_json(), (p.pixels, p.mask)) for p in painted]

    def _load(self, engine: Engine, model: str) -> None:
        key = (engine.spec.id, model)
        if key not in self._loaded:
            engine.load(model)
            self._loaded.add(key)
