"""Which engines there are: the built-in ones, those of other packages, installed models, and those named by hand.

Another package offers an engine by an entry point of the group "frisket.engines" whose object keeps `spec.Engine`. An
entry that cannot be read is noted and breaks nothing else. A registry never changes; `with_extra` makes another.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path

from frisket.engines.diffusion.capabilities import rows_of
from frisket.engines.diffusion.engine import DiffusionEngine
from frisket.engines.diffusion.residency import Residency
from frisket.engines.spec import Engine, EngineSpec, Task
from frisket.errors import EngineUnknown, FrisketError, did_you_mean
from frisket.models.families import Family
from frisket.models.folder import Folder
from frisket.models.record import Record

GROUP = "frisket.engines"
# Engines made of installed models, but those of diffusion: "module:class", called with the model's folder and record.
MADE_OF: Mapping[Family, str] = {
    Family.UPSCALER: "frisket.engines.upscale.network:NetworkUpscaler",
    Family.RETINAFACE: "frisket.engines.faces.retinaface:RetinaFaceDetector",
    Family.YUNET: "frisket.engines.faces.yunet:YuNetDetector",
    Family.TRACER: "frisket.engines.subject.tracer:TracerSelector",
    Family.GFPGAN: "frisket.engines.faces.restorer:FaceRestorer",
    Family.RESTOREFORMER: "frisket.engines.faces.restorer:FaceRestorer",
    Family.CODEFORMER: "frisket.engines.faces.restorer:FaceRestorer",
    Family.PARSENET: "frisket.engines.faces.parser:FaceParser",
}
BUILT_IN = (  # the first one answers when none is asked for
    "frisket.engines.patch.engine:ENGINE",
    "frisket.engines.faces.cascade:ENGINE",
    "frisket.engines.faces.enhance:ENGINE",
    "frisket.engines.subject.grabcut:ENGINE",
    "frisket.engines.upscale.edges:ENGINE",
)


def load(path: str) -> Engine:
    """The engine at "module:attribute", or at "path/to/file.py:attribute". Raises whatever its import raises."""
    module, _, name = path.rpartition(":")
    if not module:
        raise ValueError(f"{path!r} is not MODULE:ATTRIBUTE")
    return checked(getattr(_module(module), name))


def _module(name: str):
    if not name.endswith(".py"):
        return import_module(name)
    stem = Path(name).stem
    spec = importlib.util.spec_from_file_location(stem, name)
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} cannot be read")
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(stem, module)
    spec.loader.exec_module(module)
    return module


def checked(engine: object) -> Engine:
    """Raises TypeError for an object that does not have an engine's shape."""
    spec = getattr(engine, "spec", None)
    if not isinstance(spec, EngineSpec) or not callable(getattr(engine, "run", None)):
        raise TypeError(f"{engine!r} is no engine: it has no spec and run")
    if not callable(getattr(engine, "load", None)):
        raise TypeError(f"engine {spec.id} has no load")
    if spec.checks and not callable(getattr(engine, "unfit", None)):
        raise TypeError(f"engine {spec.id} says that it checks, and has no unfit")
    return engine  # type: ignore[return-value]


class Registry:
    """Engines by id, in the order in which they answer for a task. `broken` says what could not be read, and why.

    `checked`: what trained models paint is shown only after a safety checker has seen it (`edits.safety`).
    """

    def __init__(
        self, engines: Sequence[Engine], broken: Mapping[str, str] | None = None, checked: bool = False
    ) -> None:
        ids = [engine.spec.id for engine in engines]
        twice = {id_ for id_ in ids if ids.count(id_) > 1}
        if twice:
            raise ValueError(f"more than one engine is called {', '.join(sorted(twice))}")
        self.engines: tuple[Engine, ...] = tuple(engines)
        self.broken: dict[str, str] = dict(broken or {})
        self.checked = checked

    @classmethod
    def installed(cls, models: Path | None = None, house: Residency | None = None) -> Registry:
        """The built-in engines, those of other installed packages, and the models in the folder `models`.

        house: where engines are loaded in this process; models share its memory.
        """
        return (
            cls([], {})
            ._joined({path: _late(path) for path in BUILT_IN})
            ._joined({f"{entry.name} ({entry.value})": entry.load for entry in entry_points(group=GROUP)})
            ._joined(_models(models, house) if models else {})
        )

    def with_extra(self, paths: Sequence[str]) -> Registry:
        """These and the ones at "module:attribute"."""
        return self._joined({path: _late(path) for path in paths})

    def with_safety(self, wanted: bool = True) -> Registry:
        """The same engines, with or without the duty to check."""
        return Registry(self.engines, self.broken, wanted)

    def _joined(self, makers: Mapping[str, Callable[[], object]]) -> Registry:
        engines, broken = list(self.engines), dict(self.broken)
        for name, make in makers.items():
            try:
                engine = checked(make())
                if any(engine.spec.id == other.spec.id for other in engines):
                    raise ValueError(f"another engine is called {engine.spec.id}")
            except Exception as error:  # whatever a stranger's import does must not take the server down
                broken[name] = f"{type(error).__name__}: {error}"
            else:
                engines.append(engine)
        return Registry(engines, broken, self.checked)

    @property
    def default(self) -> Engine:
        """The engine that answers when none is asked for. Raises EngineUnknown when there is none at all."""
        return self.engines[0] if self.engines else self.find("")

    def find(self, engine_id: str) -> Engine:
        """Raises EngineUnknown, with the near misses."""
        for engine in self.engines:
            if engine.spec.id == engine_id:
                return engine
        have = [engine.spec.id for engine in self.engines]
        raise EngineUnknown(engine=engine_id or "(none)", suggestion=did_you_mean(engine_id, have))

    def for_task(self, task: Task) -> list[Engine]:
        """Engines that do `task`, the default one first: by their rank, then in their order here."""
        return sorted((e for e in self.engines if task in e.spec.tasks), key=lambda engine: engine.spec.rank)


def _models(root: Path, house: Residency | None) -> dict[str, Callable[[], object]]:
    """An engine for each model that can do something by itself; add-ons cannot. Reads records, opens nothing."""
    folder, makers = Folder(root), {}
    for model in folder.ids():
        try:
            record = folder.record(model)
        except FrisketError as error:
            makers[f"model {model}"] = partial(_raise, error)
        else:
            if record.family in MADE_OF:
                makers[f"model {model}"] = partial(_made, folder.path(model), record)
            elif rows_of(record):
                makers[f"model {model}"] = partial(DiffusionEngine, folder.path(model), record, house)
    return makers


def _made(folder: Path, record: Record) -> object:
    module, _, name = MADE_OF[record.family].partition(":")
    return getattr(import_module(module), name)(folder, record)


def _raise(error: Exception) -> None:
    raise error


def _late(path: str) -> Callable[[], object]:
    return lambda: load(path)
