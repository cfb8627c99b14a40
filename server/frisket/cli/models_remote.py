"""`frisket models ... --server`: the models of a server, in the words of the ones here."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from frisket.cli.connect import running
from frisket.cli.models_words import of_licence
from frisket.client.models import Models
from frisket.errors import ModelNotListed, did_you_mean
from frisket.models.catalogue import Commercial, Licence
from frisket.models.folder import Report
from frisket.rpc.convert import TASKS
from frisket.rpc.stubs import models_pb2

STATES = {
    models_pb2.Model.STATE_AVAILABLE: "available",
    models_pb2.Model.STATE_INSTALLED: "installed",
    models_pb2.Model.STATE_DAMAGED: "damaged",
}
COMMERCIAL = {
    models_pb2.Licence.COMMERCIAL_YES: Commercial.YES,
    models_pb2.Licence.COMMERCIAL_NO: Commercial.NO,
    models_pb2.Licence.COMMERCIAL_TERMS: Commercial.TERMS,
}  # what a newer server may say is unknown here
PURPOSES = {number: task.value for task, number in TASKS.items()}


@contextlib.contextmanager
def models_of(server: str) -> Iterator[Models]:
    """The models of the server at HOST:PORT."""
    from frisket.client.grpc_transport import GrpcTransport

    runtime = running(server)
    with contextlib.closing(GrpcTransport(runtime.address, runtime.token)) as transport:
        yield Models(transport)


def found(models: Models, model: str) -> models_pb2.Model:
    """One that the server can pull. Raises ModelNotListed."""
    listed = {m.id: m for m in models.catalogue().models if m.listed}
    if model not in listed:
        raise ModelNotListed(model=model, suggestion=did_you_mean(model, list(listed)))
    return listed[model]


def on_disk(models: Models) -> list[str]:
    """Ids of those that lie there, damaged ones too."""
    return [m.id for m in models.catalogue().models if m.state != models_pb2.Model.STATE_AVAILABLE]


def ended(events: Iterator[models_pb2.ModelEvent], report: Report) -> dict[str, Any]:
    """Follow a pull or a verify to its end; the model as `fields_of` has it. Raises what it failed with."""
    fields: dict[str, Any] = {}
    for event in events:
        what = event.WhichOneof("what")
        if what == "progress":
            report(event.progress.done, event.progress.total, event.progress.file)
        elif what == "finished":
            fields = fields_of(event.finished)
    return fields


def licence_of(model: models_pb2.Model) -> Licence:
    told = model.licence
    return Licence(told.name, told.link, COMMERCIAL.get(told.commercial, Commercial.UNKNOWN), told.gated)


def fields_of(model: models_pb2.Model) -> dict[str, Any]:
    """As `frisket models list --json` prints a model of this machine; and whether the server pulls it now."""
    fields: dict[str, Any] = {"id": model.id, "state": STATES.get(model.state, "unknown"), "pulling": model.pulling}
    if model.state == models_pb2.Model.STATE_DAMAGED:
        return fields
    fields |= {
        "title": model.title,
        "family": model.family,
        "purposes": [PURPOSES[task] for task in model.tasks if task in PURPOSES],
        "size": model.size or None,
        "memory_needed": model.memory_needed or None,
        "licence": of_licence(licence_of(model)),
        "repository": model.repository,
    }
    if model.state == models_pb2.Model.STATE_INSTALLED:
        fields |= {"commit": model.commit, "installed": model.installed}
    return fields
