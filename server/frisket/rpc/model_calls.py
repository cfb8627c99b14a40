"""The Studio's calls about models on the server's disk: what can be had, pull, cancel, remove, verify."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

from grpc.aio import ServicerContext

from frisket.engines.spec import Task
from frisket.errors import ModelDamaged, ModelNotInstalled, PullCancelled, ServerDraining
from frisket.models import catalogue
from frisket.models.catalogue import Commercial, Entry, Licence
from frisket.models.folder import Folder, Report
from frisket.models.hub import hub_of
from frisket.models.pull import check_accepted, pull
from frisket.models.record import Record
from frisket.rpc import convert
from frisket.rpc.errands import At, Errand, Errands
from frisket.rpc.limits import Limits
from frisket.rpc.shelf import Shelf
from frisket.rpc.stubs import models_pb2, studio_pb2, studio_pb2_grpc

PULLS_AT_ONCE = 2
VERIFIES_AT_ONCE = 1  # one is as fast as the disk

COMMERCIAL = {
    Commercial.YES: models_pb2.Licence.COMMERCIAL_YES,
    Commercial.NO: models_pb2.Licence.COMMERCIAL_NO,
    Commercial.TERMS: models_pb2.Licence.COMMERCIAL_TERMS,
    Commercial.UNKNOWN: models_pb2.Licence.COMMERCIAL_UNKNOWN,
}


class ModelCalls(studio_pb2_grpc.StudioServicer):
    """shelf: the models' folder. home: where the catalogue's folder and the hub's settings lie."""

    def __init__(self, shelf: Shelf, home: Path, limits: Limits) -> None:
        self._shelf, self._home, self._limits = shelf, home, limits
        self._pulls, self._verifies = Errands(PULLS_AT_ONCE, kept=True), Errands(VERIFIES_AT_ONCE, kept=False)
        self.draining = False

    @property
    def pulling(self) -> bool:
        """Whether a pull runs or waits: it needs the server, also when nobody follows it."""
        return self._pulls.busy

    async def drain(self) -> None:
        """Take nothing new; end what runs, for another server to go on with. Those who follow hear ServerDraining."""
        self.draining = True
        await asyncio.gather(*(errands.close(ServerDraining()) for errands in (self._pulls, self._verifies)))

    async def ListCatalogue(self, request, context: ServicerContext) -> studio_pb2.ListCatalogueResponse:
        folder = self._shelf.folder
        entries, records = await asyncio.to_thread(lambda: (self._catalogue(), _records(folder)))
        models = [self._model(name, record, entries) for name, record in records.items()]
        models.sort(key=lambda model: model.state)  # damaged ones after those that are whole
        models += [self._available(entry) for entry in entries.values() if entry.id not in records]
        return studio_pb2.ListCatalogueResponse(models=models, folder=str(folder.root))

    async def PullModel(self, request, context: ServicerContext) -> AsyncIterator[models_pb2.ModelEvent]:
        entry = await self._entry(request.model)
        errand = self._pulls.find(entry.id)
        if errand is None:
            accepted = request.accept_licence or not entry.licence.needs_accepting
            check_accepted(entry, accepted)
            hub = await asyncio.to_thread(hub_of, os.environ, self._home / "hub.json")

            def work(report: Report) -> Record:
                return pull(self._shelf.folder, entry, hub, accepted, report=report)

            errand = self._begin(self._pulls, entry.id, work)
        async for event in self._told(errand):
            yield event

    async def CancelPull(self, request, context: ServicerContext) -> studio_pb2.CancelPullResponse:
        self._limits.check_id("model", request.model)
        errand = self._pulls.find(request.model)
        if errand is not None:
            errand.stop(PullCancelled(model=request.model))
        return studio_pb2.CancelPullResponse(stopped=errand is not None)

    async def RemoveModel(self, request, context: ServicerContext) -> studio_pb2.RemoveModelResponse:
        self._limits.check_id("model", request.model)
        freed = await asyncio.to_thread(self._shelf.folder.remove, request.model)
        await self._shelf.registry()
        return studio_pb2.RemoveModelResponse(freed=freed)

    async def VerifyModel(self, request, context: ServicerContext) -> AsyncIterator[models_pb2.ModelEvent]:
        self._limits.check_id("model", request.model)
        folder, model = self._shelf.folder, str(request.model)
        await asyncio.to_thread(folder.record, model)

        def work(report: Report) -> Record:
            with folder.guarded(model):
                return folder.check(model, report)

        async for event in self._told(self._begin(self._verifies, model, work)):
            yield event

    # --- inside ------------------------------------------------------------------------------------------------------

    def _begin(self, errands: Errands, model: str, work: Callable[[Report], Record]) -> Errand:
        if self.draining:
            raise ServerDraining()
        return errands.begin(model, work)

    async def _told(self, errand: Errand) -> AsyncIterator[models_pb2.ModelEvent]:
        """What happens to it. Raises ServerDraining: the work is not over, only this server."""
        async with contextlib.aclosing(errand.follow()) as places:
            async for at in places:
                yield event_to_proto(at)
        ended = errand.outcome.result()
        if isinstance(ended, ServerDraining):
            raise ended
        if isinstance(ended, Record):
            await self._shelf.registry()  # the engines of the new model are there when the client hears of it
            entries = await asyncio.to_thread(self._catalogue)
            yield models_pb2.ModelEvent(finished=self._model(ended.id, ended, entries))
        else:
            yield models_pb2.ModelEvent(failed=convert.error_to_proto(ended))

    def _catalogue(self) -> dict[str, Entry]:
        return catalogue.load(self._home / "catalogue")

    async def _entry(self, model: str) -> Entry:
        """Raises ModelNotListed, CatalogueInvalid, ParameterOutOfRange."""
        self._limits.check_id("model", model)
        return catalogue.find(await asyncio.to_thread(self._catalogue), model)

    def _model(self, name: str, record: Record | None, entries: Mapping[str, Entry]) -> models_pb2.Model:
        """One that is on the disk; without a record it is damaged."""
        pulling = self._pulls.find(name) is not None
        if record is None:
            damaged = models_pb2.Model.STATE_DAMAGED
            return models_pb2.Model(id=name, state=damaged, listed=name in entries, pulling=pulling)
        made = model_to_proto(record)
        made.state, made.listed, made.pulling = models_pb2.Model.STATE_INSTALLED, name in entries, pulling
        made.commit, made.installed = record.commit, record.installed
        return made

    def _available(self, entry: Entry) -> models_pb2.Model:
        made = model_to_proto(entry)
        made.state, made.listed = models_pb2.Model.STATE_AVAILABLE, True
        made.pulling = self._pulls.find(entry.id) is not None
        return made


def model_to_proto(model: Entry | Record) -> models_pb2.Model:
    """What a model of the catalogue and one on the disk have in common."""
    return models_pb2.Model(
        id=model.id,
        title=model.title,
        family=model.family.value,
        tasks=[convert.TASKS[Task(purpose.value)] for purpose in model.purposes],
        licence=licence_to_proto(model.licence),
        size=model.size or 0,
        memory_needed=model.memory_needed or 0,
        repository=model.repository,
    )


def licence_to_proto(licence: Licence) -> models_pb2.Licence:
    return models_pb2.Licence(
        name=licence.name,
        link=licence.link,
        commercial=COMMERCIAL[licence.commercial],
        gated=licence.gated,
        needs_accepting=licence.needs_accepting,
    )


def event_to_proto(at: At | None) -> models_pb2.ModelEvent:
    """Where an errand is; None = it waits."""
    if at is None:
        return models_pb2.ModelEvent(waiting=models_pb2.ModelEvent.Waiting())
    progress = models_pb2.ModelEvent.Progress(done=at.done, total=at.total, file=at.file, bytes_per_second=at.rate)
    return models_pb2.ModelEvent(progress=progress)


def _records(folder: Folder) -> dict[str, Record | None]:
    """What is on the disk by id, None for one whose lock file cannot be read."""
    found: dict[str, Record | None] = {}
    for name in folder.ids():
        with contextlib.suppress(ModelNotInstalled):  # it went just now
            try:
                found[name] = folder.record(name)
            except ModelDamaged:
                found[name] = None
    return found
