"""A request is admitted or refused by name before a pixel is read."""

from __future__ import annotations

import pytest

from fakes.engines import PAINTER, SLOW, TOY, ToyEngine
from frisket.edits.requests import (
    EditRequest,
    InpaintParams,
    InstructParams,
    OutpaintParams,
    RestoreFacesParams,
    TextToLayerParams,
    VariationParams,
)
from frisket.edits.tasks import TASKS, admit, crew_of, row_of
from frisket.engines.registry import Registry
from frisket.engines.spec import Task
from frisket.errors import (
    EngineUnknown,
    ModelUnknown,
    ParameterNotHonoured,
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


def test_a_task_without_a_row_is_not_built() -> None:
    with pytest.raises(TaskNotBuilt, match="parse-faces"):
        row_of(Task.PARSE_FACES)


@pytest.mark.parametrize("params", [TextToLayerParams("a cat"), InstructParams("make it winter")])
def test_what_takes_a_model_says_where_there_are_some(params) -> None:
    for engine in ("", "patch"):
        with pytest.raises(TaskNotSupported) as caught:
            admit(ask(params, engine=engine), Registry.installed() if engine else Registry([TOY]))
        assert "takes a model" in caught.value.remedy
        assert "`frisket models list`" in caught.value.remedy
    assert admit(ask(params), Registry([TOY, PAINTER]))[1] is PAINTER.spec


DEAF = ToyEngine(id="deaf", tasks=frozenset({Task.INPAINT, Task.VARIATION}), uses_strength=False)
ALERT = ToyEngine(id="alert", uses_prompt=True, uses_negative_prompt=True)


@pytest.mark.parametrize(
    ("params", "name", "able"),
    [
        (InpaintParams(negative_prompt="people"), "negative_prompt", "alert"),
        (InpaintParams(strength=0.9), "strength", "alert"),
        (VariationParams(strength=1.0), "strength", "takes a model"),
        (VariationParams(tileable=True), "tileable", "patch"),
    ],
)
def test_what_an_engine_cannot_follow_is_refused_by_name(params, name: str, able: str) -> None:
    registry = Registry([DEAF, ALERT, *(Registry.installed().engines if able == "patch" else ())])
    with pytest.raises(ParameterNotHonoured, match=able) as caught:
        admit(ask(params, engine="deaf"), registry)
    assert caught.value.data["name"] == name
    if params.task is Task.INPAINT:
        assert admit(ask(params, engine="alert"), registry)[1] is ALERT.spec


def test_where_content_may_be_copied_from_is_refused_by_engines_that_do_not_copy() -> None:
    patch = Registry.installed().find("patch")
    registry = Registry([DEAF, patch])
    for params in (InpaintParams(), InpaintParams(prompt="grass"), VariationParams()):
        admit(ask(params, engine="deaf"), registry)
        with pytest.raises(ParameterNotHonoured, match="patch") as caught:
            admit(ask(params, engine="deaf"), registry, sources=True)
        assert caught.value.data["name"] == "sources"
        assert admit(ask(params, engine="patch"), registry, sources=True)[1] is patch.spec


@pytest.mark.parametrize("params", [InpaintParams(), VariationParams(), InpaintParams(prompt="grass")])
def test_defaults_and_a_prompt_pass_an_engine_that_is_deaf(params) -> None:
    assert admit(ask(params, engine="deaf"), Registry([DEAF]))[1] is DEAF.spec


def test_the_built_in_engine_takes_a_prompt_and_no_negative_one() -> None:
    registry = Registry.installed()
    admit(ask(VariationParams(0.7, prompt="grass")), registry)
    with pytest.raises(ParameterNotHonoured, match="negative_prompt"):
        admit(ask(InpaintParams(negative_prompt="people")), registry)


def test_a_task_without_strength_passes_an_engine_without() -> None:
    assert not PAINTER.spec.uses_strength
    admit(ask(InstructParams("make it winter", "people")), Registry([PAINTER]))


def test_no_engine_at_all() -> None:
    with pytest.raises(TaskNotSupported):
        admit(ask(), Registry([]))


def test_rows_name_what_exists() -> None:
    from importlib import import_module

    for row in TASKS.values():
        module, name = row.run.split(":")
        assert callable(getattr(import_module(module), name))
    assert row_of(Task.INPAINT) is TASKS[Task.INPAINT]


def toy(id_: str, task: Task, rank: int = 0) -> ToyEngine:
    return ToyEngine(id=id_, tasks=frozenset({task}), rank=rank)


FACES = [
    toy("restorer", Task.RESTORE_FACES),
    toy("late", Task.DETECT_FACES, 20),
    toy("finder", Task.DETECT_FACES, 10),
    toy("parser", Task.PARSE_FACES),
    toy("enlarger", Task.UPSCALE),
]


@pytest.mark.parametrize(
    ("params", "names", "crew"),
    [
        (RestoreFacesParams(), ("finder", ""), {"finder", "parser"}),
        (RestoreFacesParams(detector="late"), ("late", ""), {"late", "parser"}),
        (RestoreFacesParams(upscaler="enlarger"), ("finder", ""), {"finder", "parser"}),
        (RestoreFacesParams(upscale=4), ("finder", "enlarger"), {"finder", "parser", "enlarger"}),
    ],
)
def test_helpers_are_named_in_the_request_and_come_with_it(
    params: RestoreFacesParams, names: tuple[str, str], crew: set[str]
) -> None:
    registry = Registry(FACES)
    request, spec = admit(ask(params), registry)
    assert isinstance(request.params, RestoreFacesParams)
    assert (spec.id, request.params.detector, request.params.upscaler) == ("restorer", *names)
    assert {engine.spec.id for engine in crew_of(request, registry).values()} == crew
    assert admit(request, registry)[0] == request


def test_a_parser_may_be_missing_and_a_detector_may_not() -> None:
    registry = Registry([FACES[0], FACES[2]])
    assert list(crew_of(admit(ask(RestoreFacesParams()), registry)[0], registry)) == [Task.DETECT_FACES]
    with pytest.raises(TaskNotSupported, match="detect-faces"):
        admit(ask(RestoreFacesParams()), Registry(FACES[:1]))
    with pytest.raises(TaskNotSupported, match="finder"):
        admit(ask(RestoreFacesParams(detector="restorer")), registry)
    with pytest.raises(EngineUnknown, match="Did you mean finder"):
        admit(ask(RestoreFacesParams(detector="findr")), registry)
