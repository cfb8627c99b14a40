"""The table of tasks, and the check that a request makes sense before a pixel of it is read.

A new task is a row here: how it is planned, and which module runs it (named, not imported: runners pull in numpy and
engines, the server's front process needs neither).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from frisket.edits.plan import (
    plan_detect_faces,
    plan_outpaint,
    plan_restore_faces,
    plan_select_subject,
    plan_selection,
    plan_text_to_layer,
    plan_upscale,
)
from frisket.edits.requests import DEFAULT_STRENGTH, EditRequest, RestoreFacesParams, strength_of
from frisket.edits.results import Plan
from frisket.edits.safety import check_guarded
from frisket.engines.registry import Registry
from frisket.engines.spec import Engine, EngineSpec, Task
from frisket.errors import ModelUnknown, ParameterNotHonoured, TaskNotBuilt, TaskNotSupported, did_you_mean
from frisket.raster.geometry import Box


@dataclass(frozen=True, slots=True)
class TaskRow:
    """plan(request, selection boxes, spec) answers PlanEdit; `run` is "module:function".

    crew: the other tasks whose engines it wants at hand. With any, `run` gets them as its last argument, by task: those
    that `helper_of` names, and none where the server has none.
    """

    plan: Callable[[EditRequest, Sequence[Box], EngineSpec], Plan]
    run: str
    crew: tuple[Task, ...] = ()


TASKS: Mapping[Task, TaskRow] = {
    Task.INPAINT: TaskRow(plan_selection, "frisket.edits.inpaint:run"),
    Task.OUTPAINT: TaskRow(plan_outpaint, "frisket.edits.outpaint:run"),
    Task.VARIATION: TaskRow(plan_selection, "frisket.edits.variation:run"),
    Task.TEXT_TO_LAYER: TaskRow(plan_text_to_layer, "frisket.edits.text_to_layer:run"),
    Task.INSTRUCT: TaskRow(plan_selection, "frisket.edits.instruct:run"),
    Task.RESTORE_FACES: TaskRow(
        plan_restore_faces,
        "frisket.edits.restore_faces:run",
        crew=(Task.DETECT_FACES, Task.PARSE_FACES, Task.UPSCALE),
    ),
    Task.UPSCALE: TaskRow(plan_upscale, "frisket.edits.upscale:run"),
    Task.DETECT_FACES: TaskRow(plan_detect_faces, "frisket.edits.detect_faces:run"),
    Task.SELECT_SUBJECT: TaskRow(plan_select_subject, "frisket.edits.select_subject:run"),
}


def row_of(task: Task) -> TaskRow:
    """Raises TaskNotBuilt."""
    if task not in TASKS:
        raise TaskNotBuilt(task=task.value)
    return TASKS[task]


def admit(request: EditRequest, registry: Registry, sources: bool = False) -> tuple[EditRequest, EngineSpec]:
    """The request with engine and parameters filled in, and the spec of its engine.

    sources: a mask of where content may be copied from comes with it.

    Raises TaskNotBuilt, EngineUnknown, TaskNotSupported, SafetyCheckerMissing, ModelUnknown, ParameterUnknown,
    ParameterOutOfRange, ParameterNotHonoured.
    """
    row_of(request.task)
    able = [engine.spec.id for engine in registry.for_task(request.task)]
    engine_id = request.engine or (able[0] if able else "")
    if not engine_id:
        raise TaskNotSupported(engine="This server", task=request.task.value, suggestion=_who_does(able))
    spec = registry.find(engine_id).spec
    if request.task not in spec.tasks:
        raise TaskNotSupported(engine=spec.id, task=request.task.value, suggestion=_who_does(able))
    check_guarded(spec, request.task, registry)
    if request.model and request.model not in spec.models:
        suggestion = did_you_mean(request.model, list(spec.models))
        raise ModelUnknown(engine=spec.id, model=request.model, suggestion=suggestion)
    engine_params = spec.check_params(request.engine_params)
    check_honoured(request, spec, registry, sources)
    params = request.params
    if isinstance(params, RestoreFacesParams):
        params = _with_crew(params, registry)
    return replace(request, engine=spec.id, engine_params=engine_params, params=params), spec


def crew_of(request: EditRequest, registry: Registry) -> dict[Task, Engine]:
    """The engines beside its own that an admitted request works with, by task; none for a task nobody here does."""
    named = {}
    if isinstance(request.params, RestoreFacesParams):
        named = {Task.DETECT_FACES: request.params.detector, Task.UPSCALE: request.params.upscaler}
    crew = {}
    for task in row_of(request.task).crew:
        able = registry.for_task(task)
        if named.get(task):
            crew[task] = registry.find(named[task])
        elif able and task not in named:
            crew[task] = able[0]
    return crew


def _with_crew(params: RestoreFacesParams, registry: Registry) -> RestoreFacesParams:
    """With the names of the engines that will help; no upscaler where nothing is to be enlarged.

    Raises EngineUnknown, TaskNotSupported.
    """
    detector = _helper(params.detector, Task.DETECT_FACES, registry)
    upscaler = _helper(params.upscaler, Task.UPSCALE, registry) if params.upscale > 1 else ""
    return replace(params, detector=detector, upscaler=upscaler)


def _helper(named: str, task: Task, registry: Registry) -> str:
    able = [engine.spec.id for engine in registry.for_task(task)]
    if not able:
        raise TaskNotSupported(engine="This server", task=task.value, suggestion=_who_does(able))
    if named and task not in registry.find(named).spec.tasks:
        raise TaskNotSupported(engine=named, task=task.value, suggestion=_who_does(able))
    return named or able[0]


def check_honoured(request: EditRequest, spec: EngineSpec, registry: Registry, sources: bool = False) -> None:
    """What the user set must be what the engine can follow; only a prompt is let through (the result tells then).

    Raises ParameterNotHonoured.
    """
    others = registry.for_task(request.task)
    if getattr(request.params, "negative_prompt", "") and not spec.uses_negative_prompt:
        able = [other.spec.id for other in others if other.spec.uses_negative_prompt]
        raise ParameterNotHonoured(engine=spec.id, name="negative_prompt", suggestion=_who_does(able))
    usual = DEFAULT_STRENGTH.get(request.task)
    if usual is not None and strength_of(request.params) != usual and not spec.uses_strength:
        able = [other.spec.id for other in others if other.spec.uses_strength]
        raise ParameterNotHonoured(engine=spec.id, name="strength", suggestion=_who_does(able))
    if getattr(request.params, "tileable", False) and not spec.uses_tileable:
        able = [other.spec.id for other in others if other.spec.uses_tileable]
        raise ParameterNotHonoured(engine=spec.id, name="tileable", suggestion=_who_does(able))
    if sources and not spec.uses_sources:
        able = [other.spec.id for other in others if other.spec.uses_sources]
        raise ParameterNotHonoured(engine=spec.id, name="sources", suggestion=_who_does(able))


def _who_does(able: Sequence[str]) -> str:
    """Engines by id, or where to get one."""
    if able:
        return did_you_mean("", list(able))
    return TaskNotSupported.A_MODEL
