"""The Studio's calls that are a whole edit in one: find faces, select the subject. The job ends when the call does."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator

from grpc.aio import ServicerContext

from frisket.edits.results import ResultMeta
from frisket.engines.spec import Task
from frisket.errors import FrisketError, JobNotFinished, RequestInvalid
from frisket.jobs.desk import Desk
from frisket.jobs.records import EventKind
from frisket.rpc import convert
from frisket.rpc.stubs import jobs_pb2, studio_pb2, studio_pb2_grpc

log = logging.getLogger("frisket.rpc")

Parts = AsyncIterator[studio_pb2.SubmitEditRequest]


class QuickCalls(studio_pb2_grpc.StudioServicer):
    """Made of the servicer's own SubmitEdit and GetResult. desk: where those put the jobs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._dropping: set[asyncio.Task[None]] = set()

    async def DetectFaces(self, request_iterator, context: ServicerContext) -> studio_pb2.DetectFacesResponse:
        job = await self._done(request_iterator, Task.DETECT_FACES, context)
        stored = await self._desk.result(job.id, 0)
        meta = ResultMeta.from_json(stored.meta)
        return studio_pb2.DetectFacesResponse(
            faces=[convert.face_to_proto(face) for face in meta.faces],
            degraded=[convert.degradation_to_proto(d) for d in meta.degraded],
            engine=job.engine,
        )

    async def SelectSubject(
        self, request_iterator, context: ServicerContext
    ) -> AsyncIterator[studio_pb2.GetResultResponse]:
        job = await self._done(request_iterator, Task.SELECT_SUBJECT, context)
        async for part in self.GetResult(studio_pb2.GetResultRequest(job=job.id), context):
            yield part

    async def _done(self, parts: Parts, task: Task, context: ServicerContext) -> jobs_pb2.Job:
        """The job of the request that `parts` hold, once it has a result. If this ends in any other way, with the call
        for example, the job is cancelled.

        Raises RequestInvalid for another task, JobNotFinished when somebody else cancelled it, what SubmitEdit raises
        and what the job failed with.
        """
        header = await anext(aiter(parts), None)
        if header is not None and header.WhichOneof("part") == "header":
            _check(header.header, task)
        try:
            job = await self.SubmitEdit(_with(header, parts), context)
        except asyncio.CancelledError:  # the desk may have it all the same
            self._let_go(header.header.request_id if header is not None else "")
            raise
        try:
            await self._end_of(job.id)
        except BaseException:
            self._let_go(job.request_id)
            raise
        return job

    async def _end_of(self, job: str) -> None:
        async with contextlib.aclosing(self._desk.watch(job)) as events:
            async for event in events:
                if event.kind is EventKind.FAILED:
                    raise convert.error_from_proto(jobs_pb2.Error(**event.data["error"]))
                if event.kind is EventKind.CANCELLED:
                    raise JobNotFinished(job=job, state="cancelled")

    def _let_go(self, request_id: str) -> None:
        dropping = asyncio.create_task(self._drop(request_id))
        self._dropping.add(dropping)
        dropping.add_done_callback(self._dropping.discard)

    async def _drop(self, request_id: str) -> None:
        try:
            job = await self._desk.find(request_id)
            if job is not None and not job.state.final:
                await self._desk.cancel(job.id)
        except FrisketError as error:
            log.warning("a job whose caller has gone runs on: %s", error)


def _check(header: studio_pb2.SubmitHeader, task: Task) -> None:
    asked = convert.request_from_proto(header.request)
    if asked.task is not task:
        raise RequestInvalid(detail=f"This call does {task.value}, and the request is for {asked.task.value}")
    if asked.count != 1:
        raise RequestInvalid(detail=f"This call answers with one result, and {asked.count} are asked for")


async def _with(first: studio_pb2.SubmitEditRequest | None, rest: Parts) -> Parts:
    """All of them again."""
    if first is not None:
        yield first
        async for part in rest:
            yield part
