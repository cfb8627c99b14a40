"""A request is admitted or refused by name before a pixel is read."""

from __future__ import annotations

import pytest

from fakes.engines import SLOW, TOY, ToyEngine
from frisket.edits.requests import (
    EditRequest,
    InpaintParams,
    OutpaintParams,
    RestoreFacesParams,
)
from frisket.edits.tasks import TASKS, admit, row_of
from frisket.engines.registry import Registry
from frisket.engines.spec import Task
from frisket.errors import (
    EngineUnknown,
    ModelUnknown,
    ParameterOutOfRange,
    ParameterUnknown,
    TaskNotBuilt,
    TaskNotSupported,
)
from frisket.raster.geometry import Box, Size

OTHER = ToyEngine(id="other", tasks=frozenset({Task.VARIATION}))
MODELLED = ToyEngine(id="modelled", models=("base", "large"))
REGISTRY = Registry([TOY, SLOW, OTHER, MODELLED])


def ask(params=None, **changes) -> EditRequest:
    return EditRequest(Size(9, 9), Box(0, 0, 9, 9), params or InpaintParams(), **changes)


def test_the_default_engine_and_parameters_are_filled_in() -> None:
    request, spec = admit(ask(), REGISTRY)
    assert (request.engine, spec) == ("toy", TOY.spec)
    assert request.engine_params == {"level": 0.0}
    assert admit(request, REGISTRY)[0] == request


@pytest.mark.parametrize(
    ("request_", "error", "words"),
    [
        (ask(OutpaintParams(left=1)), TaskNotSupported, "outpaint"),
        (ask(RestoreFacesParams()), TaskNotBuilt, "restore-faces"),
        (ask(engine="toyy"), EngineUnknown, "Did you mean toy?"),
        (ask(engine="other"), TaskNotSupported, "toy, slow, modelled"),
        (ask(engine="modelled", model="bse"), ModelUnknown, "Did you mean base?"),
        (ask(model="any"), ModelUnknown, "none"),
        (ask(engine_params={"levle": 1}), ParameterUnknown, "Did you mean level?"),
        (ask(engine_params={"level": 1.5}), ParameterOutOfRange, "0.0 to 1.0"),
        (ask(engine_params={"level": float("nan")}), ParameterOutOfRange, "nan"),
        (ask(engine_params={"level": "high"}), ParameterOutOfRange, "high"),
        (ask(engine="slow", engine_params={"steps": 1.5}), ParameterOutOfRange, "whole"),
    ],
)
def test_nonsense_is_refused_by_name(request_: EditRequest, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words.replace("?", r"\?")):
        admit(request_, REGISTRY)


def test_no_engine_at_all() -> None:
    with pytest.raises(TaskNotSupported):
        admit(ask(), Registry([]))


def test_rows_name_what_exists() -> None:
    from importlib import import_module

    for row in TASKS.values():
        module, name = row.run.split(":")
        assert callable(getattr(import_module(module), name))
    assert row_of(Task.INPAINT) is TASKS[Task.INPAINT]
