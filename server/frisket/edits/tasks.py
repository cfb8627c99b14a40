"""The table of tasks, and the check that a request makes sense before a pixel of it is read.

A new task is a row here: how it is planned, and which module runs it (named, not imported: runners pull in numpy and
engines, the server's front process needs neither).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from frisket.edits.plan import plan_outpaint, plan_selection
from frisket.edits.requests import EditRequest
from frisket.edits.results import Plan
from frisket.engines.registry import Registry
from frisket.engines.spec import EngineSpec, Task
from frisket.errors import ModelUnknown, TaskNotBuilt, TaskNotSupported, did_you_mean
from frisket.raster.geometry import Box


@dataclass(frozen=True, slots=True)
class TaskRow:
    """plan(request, selection boxes, spec) answers PlanEdit; `run` is "module:function"."""

    plan: Callable[[EditRequest, Sequence[Box], EngineSpec], Plan]
    run: str


TASKS: Mapping[Task, TaskRow] = {
    Task.INPAINT: TaskRow(plan_selection, "frisket.edits.inpaint:run"),
    Task.OUTPAINT: TaskRow(plan_outpaint, "frisket.edits.outpaint:run"),
    Task.VARIATION: TaskRow(plan_selection, "frisket.edits.variation:run"),
}


def row_of(task: Task) -> TaskRow:
    """Raises TaskNotBuilt."""
    if task not in TASKS:
        raise TaskNotBuilt(task=task.value)
    return TASKS[task]


def admit(request: EditRequest, registry: Registry) -> tuple[EditRequest, EngineSpec]:
    """The request with engine and parameters filled in, and the spec of its engine.

    Raises TaskNotBuilt, EngineUnknown, TaskNotSupported, ModelUnknown, ParameterUnknown, ParameterOutOfRange.
    """
    row_of(request.task)
    able = [engine.spec.id for engine in registry.for_task(request.task)]
    engine_id = request.engine or (able[0] if able else "")
    if not engine_id:
        raise TaskNotSupported(engine="This server", task=request.task.value, suggestion="It has no engine for that.")
    spec = registry.find(engine_id).spec
    if request.task not in spec.tasks:
        raise TaskNotSupported(engine=spec.id, task=request.task.value, suggestion=did_you_mean("", able))
    if request.model and request.model not in spec.models:
        suggestion = did_you_mean(request.model, list(spec.models))
        raise ModelUnknown(engine=spec.id, model=request.model, suggestion=suggestion)
    params = spec.check_params(request.engine_params)
    return replace(request, engine=spec.id, engine_params=params), spec
