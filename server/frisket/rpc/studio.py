"""The Studio service: check, convert, ask the desk, convert back. Errors are raised; the gate maps them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from grpc.aio import ServicerContext

import frisket
from frisket.edits import forecast
from frisket.edits.requests import EditRequest, Plane, from_json, to_json
from frisket.edits.results import ResultMeta
from frisket.edits.tasks import admit, row_of
from frisket.errors import RequestInvalid, ServerDraining, UploadTruncated
from frisket.jobs.desk import Desk
from frisket.jobs.records import Event, EventKind, Job, NewJob
from frisket.jobs.states import JobState
from frisket.raster.formats import Codec, PixelFormat
from frisket.raster.geometry import Box
from frisket.rpc import convert, transfer
from frisket.rpc.limits import MASK_FORMAT, Limits, sent_planes
from frisket.rpc.model_calls import ModelCalls
from frisket.rpc.quick_calls import QuickCalls
from frisket.rpc.shelf import Shelf
from frisket.rpc.stubs import images_pb2, jobs_pb2, models_pb2, studio_pb2

PROTOCOL = 1
UPLOAD_CODECS = (Codec.RAW, Codec.STRIP_ZSTD, Codec.PNG, Codec.ZSTD)
DOWNLOAD_CODECS = (Codec.RAW, Codec.STRIP_ZSTD, Codec.ZSTD)
LOCAL_PEERS = ("ipv4:127.", "ipv6:[::1]", "ipv6:%5B::1%5D", "unix:")

STATES = {
    JobState.QUEUED: jobs_pb2.JOB_STATE_QUEUED,
    JobState.RUNNING: jobs_pb2.JOB_STATE_RUNNING,
    JobState.FINISHED: jobs_pb2.JOB_STATE_FINISHED,
    JobState.FAILED: jobs_pb2.JOB_STATE_FAILED,
    JobState.CANCELLED: jobs_pb2.JOB_STATE_CANCELLED,
}


class Studio(QuickCalls, ModelCalls):
    """desk: the jobs; shelf: what this process knows of engines and models; home: see ModelCalls."""

    def __init__(self, desk: Desk, shelf: Shelf, home: Path, limits: Limits) -> None:
        QuickCalls.__init__(self, desk)
        ModelCalls.__init__(self, shelf, home, limits)
        self._decoding = asyncio.Semaphore(1)

    async def GetServerInfo(self, request, context: ServicerContext) -> studio_pb2.ServerInfo:
        registry = await self._shelf.registry()
        tasks = {task for engine in registry.engines for task in engine.spec.tasks}
        return studio_pb2.ServerInfo(
            version=frisket.__version__,
            protocol=PROTOCOL,
            upload_codecs=[convert.CODECS[c] for c in UPLOAD_CODECS],
            download_codecs=[convert.CODECS[c] for c in DOWNLOAD_CODECS],
            tasks=sorted(convert.TASKS[task] for task in tasks),
            max_pixels=self._limits.max_pixels,
            max_side=self._limits.max_side,
            chunk_bytes=self._limits.chunk_bytes,
            ready=self._desk.ready,
            local=context.peer().startswith(LOCAL_PEERS),
        )

    async def ListModels(self, request, context: ServicerContext) -> studio_pb2.ListModelsResponse:
        registry = await self._shelf.registry()
        if request.task == models_pb2.TASK_UNSPECIFIED:
            engines = registry.engines
        else:
            engines = registry.for_task(convert.task_from_proto(request.task))
        listed = [convert.engine_to_proto(engine.spec) for engine in engines]
        return studio_pb2.ListModelsResponse(engines=listed, broken=registry.broken)

    async def PlanEdit(self, request, context: ServicerContext) -> studio_pb2.PlanEditResponse:
        self._limits.check_selection(len(request.selection))
        wanted, spec = admit(convert.request_from_proto(request.request), await self._shelf.registry())
        selection = [convert.box_from_proto(box) for box in request.selection]
        plan = row_of(wanted.task).plan(wanted, selection, spec)
        self._limits.check_plan(wanted, plan)
        done = [
            (from_json(job.request), job.ended - job.started)
            for job in await self._desk.list()
            if job.state is JobState.FINISHED and (job.task, job.engine) == (wanted.task.value, spec.id)
            if job.started is not None and job.ended is not None
        ]
        return convert.plan_to_proto(replace(plan, seconds=forecast.seconds(wanted, plan.region, spec.size, done)))

    async def SubmitEdit(self, request_iterator, context: ServicerContext) -> jobs_pb2.Job:
        if self.draining:
            raise ServerDraining()
        parts = aiter(request_iterator)
        header = await _header_of(parts)
        asked, sources = convert.request_from_proto(header.request), header.HasField("sources")
        request, _ = admit(asked, await self._shelf.registry(), sources)
        self._limits.check_submission(header, request)
        client = header.client_name or "anonymous"
        formats = [_format_of(plane, request) for plane in sent_planes(header)]
        planned = request.region.area * sum(fmt.pixel_bytes for fmt in formats)
        taken = await self._desk.find(header.request_id)
        room = contextlib.nullcontext() if taken else self._desk.reserve(client, planned)
        with room:
            inputs = await transfer.receive(parts, self._receivers(header, request))
            ids = (header.request_id, client, request.task.value, request.engine)
            job, reused = await self._desk.submit(NewJob(*ids, to_json(request), inputs, planned))
        return self._job(job, reused)

    def _receivers(self, header: studio_pb2.SubmitHeader, request: EditRequest) -> dict[str, transfer.Receiver]:
        tools = (self._desk.blobs, self._decoding)
        return {
            plane.value: transfer.Receiver(plane.value, own, _format_of(plane, request), *tools)
            for plane, own in sent_planes(header).items()
        }

    async def WatchJob(self, request, context: ServicerContext) -> AsyncIterator[jobs_pb2.JobEvent]:
        async for event in self._desk.watch(request.job, request.after_sequence, request.previews):
            yield event_to_proto(event)

    async def GetResult(self, request, context: ServicerContext) -> AsyncIterator[studio_pb2.GetResultResponse]:
        job = await self._desk.get(request.job)
        result = await self._desk.result(request.job, request.index)
        wanted, meta = from_json(job.request), ResultMeta.from_json(result.meta)
        pixels_file, mask_file = [await asyncio.to_thread(self._desk.blobs.checked, name) for name in result.planes]
        codec = _chosen(request.accept)
        header = _result_header(meta, job.request)
        formats = ((header.pixels, wanted.format, pixels_file), (header.mask, MASK_FORMAT, mask_file))
        encoded: list[bytes] = []
        for plane, fmt, path in formats:
            own = codec if plane is header.pixels or codec is Codec.RAW else Codec.ZSTD
            plane.format.CopyFrom(convert.format_to_proto(fmt))
            plane.codec = convert.CODECS[own]
            plane.total_bytes = path.stat().st_size
            if codec is not Codec.RAW:
                pieces = await asyncio.to_thread(transfer.encoded, path, fmt, meta.box.size, own)
                plane.total_bytes = sum(map(len, pieces))
                encoded += pieces
        header.total_bytes = header.pixels.total_bytes + header.mask.total_bytes
        yield studio_pb2.GetResultResponse(header=header)
        chunk = self._limits.chunk_bytes
        if codec is Codec.RAW:
            data = transfer.send([pixels_file, mask_file], request.offset, chunk)
        else:
            data = transfer.send_encoded(iter(encoded), request.offset, chunk)
        async for piece in data:
            yield studio_pb2.GetResultResponse(data=piece)

    async def CancelJob(self, request, context: ServicerContext) -> jobs_pb2.Job:
        return self._job(await self._desk.cancel(request.job))

    async def ListJobs(self, request, context: ServicerContext) -> studio_pb2.ListJobsResponse:
        jobs = await self._desk.list(request.client, min(request.limit or 100, 1000))
        return studio_pb2.ListJobsResponse(jobs=[self._job(job) for job in jobs])

    def _job(self, job: Job, reused: bool = False) -> jobs_pb2.Job:
        message = jobs_pb2.Job(
            id=job.id,
            state=STATES[job.state],
            request_id=job.request_id,
            client=job.client,
            task=job.task,
            engine=job.engine,
            created=job.created,
            started=job.started or 0,
            ended=job.ended or 0,
            last_sequence=job.last_sequence,
            result_count=job.result_count,
            tries=job.tries,
            queue_position=self._desk.position(job.id),
            reused=reused,
        )
        if job.error is not None:
            message.error.CopyFrom(convert.error_to_proto(job.error))
        return message


def _format_of(plane: Plane, request: EditRequest) -> PixelFormat:
    return request.format if plane is Plane.PIXELS else MASK_FORMAT


async def _header_of(parts: AsyncIterator[studio_pb2.SubmitEditRequest]) -> studio_pb2.SubmitHeader:
    first = await anext(parts, None)
    if first is None:
        raise UploadTruncated(received=0, declared="an unknown number of", plane="header")
    if first.WhichOneof("part") != "header":
        raise RequestInvalid(detail="The first message must be the header")
    return first.header


def event_to_proto(event: Event) -> jobs_pb2.JobEvent:
    """One event of the desk as a message."""
    message = jobs_pb2.JobEvent(sequence=event.sequence, time=event.time, state=STATES[event.state])
    data = event.data
    if event.kind is EventKind.QUEUED:
        message.queued.position = int(data.get("position", 0))
    elif event.kind is EventKind.STARTED:
        message.started.tries = int(data["tries"])
    elif event.kind is EventKind.PROGRESS:
        message.progress.fraction = float(data["fraction"])
        message.progress.seconds_left = float(data.get("seconds_left") or 0)
    elif event.kind is EventKind.PREVIEW:
        box = convert.box_to_proto(Box(*data["box"]))
        message.preview.CopyFrom(jobs_pb2.JobEvent.Preview(jpeg=event.blob, box=box))
    elif event.kind is EventKind.FINISHED:
        message.finished.result_count = int(data["result_count"])
        message.finished.seconds = float(data["seconds"])
    elif event.kind is EventKind.FAILED:
        message.failed.CopyFrom(jobs_pb2.Error(**data["error"]))
    elif event.kind is EventKind.CANCELLED:
        message.cancelled.SetInParent()
    else:
        message.heartbeat.SetInParent()
        message.heartbeat.position = int(data.get("position", 0))
    return message


def _chosen(accept) -> Codec:
    """The client's first codec that is offered; RAW when it names none."""
    for number in accept:
        codec = convert.codec_from_proto(number)
        if codec in DOWNLOAD_CODECS:
            return codec
    return Codec.RAW


def _result_header(meta: ResultMeta, request: str) -> jobs_pb2.ResultHeader:
    size = convert.size_to_proto(meta.box.size)
    return jobs_pb2.ResultHeader(
        box=convert.box_to_proto(meta.box),
        pixels=images_pb2.ImageHeader(size=size),
        mask=images_pb2.ImageHeader(size=size),
        seed=meta.seed,
        degraded=[convert.degradation_to_proto(d) for d in meta.degraded],
        notes=meta.notes,
        request_json=request,
        maker=convert.maker_to_proto(meta.maker) if meta.maker else None,
        scale=meta.scale,
        faces=[convert.face_to_proto(face) for face in meta.faces],
    )
