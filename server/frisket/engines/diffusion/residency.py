"""Which engines are loaded in this process: the one used longest ago goes when another needs its room.

An engine may have `unload` and `fits` (`engines.spec.Leaver`). One without the first stays for good.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable

from frisket.engines.diffusion.speed import Speed
from frisket.engines.spec import Engine


class Residency:
    """limit: bytes that models may take of the card, None = all. pinned: ids of engines that always stay. speed: how
    models run."""

    def __init__(self, limit: int | None = None, pinned: Iterable[str] = (), speed: Speed | None = None) -> None:
        self.limit, self.pinned, self.speed = limit, frozenset(pinned), speed or Speed()
        self._loaded: OrderedDict[str, tuple[Engine, set[str]]] = OrderedDict()  # by id, the last used last

    @property
    def loaded(self) -> tuple[str, ...]:
        """Ids, the one used longest ago first."""
        return tuple(self._loaded)

    def load(self, engine: Engine, model: str = "") -> None:
        """`engine` loaded with `model`, once, and now the last used; others go until it fits. Raises what load does."""
        id_ = engine.spec.id
        known, models = self._loaded.get(id_, (engine, set()))
        if known is not engine:
            models = set()
        if model not in models:
            self.make_room(engine)
            engine.load(model)
        self._loaded[id_] = (engine, models | {model})
        self._loaded.move_to_end(id_)

    def warm_up(self, engines: Iterable[Engine]) -> None:
        """Loads those that are pinned and can be warmed up (`engines.spec.Warmer`), and does that.

        Raises the first of their errors, when all were tried.
        """
        errors = []
        for engine in engines:
            warm = getattr(engine, "warm_up", None)
            if engine.spec.id in self.pinned and callable(warm):
                try:
                    self.load(engine)
                    warm()
                except Exception as error:
                    errors.append(error)
        if errors:
            raise errors[0]

    def make_room(self, engine: Engine, fits: Callable[[], bool] | None = None) -> None:
        """Unloads others, the one used longest ago first, until `engine` fits, or none is left to go.

        fits: says whether it does; without, the engine's own.
        """
        fits = fits or getattr(engine, "fits", None)
        if fits is None:
            return
        for id_ in self.idle(engine):
            if fits():
                return
            self._drop(id_)

    def drop_idle(self, keep: Engine) -> None:
        """Unloads all that may go, except `keep`."""
        for id_ in self.idle(keep):
            self._drop(id_)

    def idle(self, keep: Engine) -> list[str]:
        """Ids of those that may go, the one used longest ago first."""
        return [
            id_
            for id_, (engine, _) in self._loaded.items()
            if engine is not keep and id_ not in self.pinned and callable(getattr(engine, "unload", None))
        ]

    def _drop(self, id_: str) -> None:
        engine, _ = self._loaded.pop(id_)
        engine.unload()  # type: ignore[attr-defined]  (idle asks for it)
