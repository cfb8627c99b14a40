"""One start of one job: from QUEUED to an end, or back to QUEUED."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from frisket.errors import (
    Cancelled,
    DiskFull,
    FrisketError,
    Internal,
    ServerDraining,
    StoreUnavailable,
    WorkerCrashed,
)
from frisket.jobs.blobs import Blobs
from frisket.jobs.pace import Pace
from frisket.jobs.records import EventKind, Job, JsonObject, StoredResult
from frisket.jobs.runner import Assignment, Preview, Runner, RunnerEvent
from frisket.jobs.states import JobState
from frisket.jobs.store import Store
from frisket.jobs.watchers import Watchers

log = logging.getLogger("frisket.jobs")

PROGRESS_S = 0.1  # at most one stored progress event in this time
RETRY_S = 5.0  # between two tries to record a move on a full disk, or while the records cannot be reached

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Tools:
    """What the desk and its attempts work with. thread: the one thread that waits for the store's disk."""

    store: Store
    blobs: Blobs
    runner: Runner
    watchers: Watchers
    thread: Executor
    max_tries: int

    async def ask(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the store, in order with all others. Once asked it happens, even if the caller is gone.

        Raises ServerDraining once the desk is closed.
        """
        try:
            work = asyncio.get_running_loop().run_in_executor(self.thread, partial(call, *args, **kwargs))
        except RuntimeError:
            raise ServerDraining() from None
        return await asyncio.shield(work)


class Attempt:
    """Run it once. `cancel` may come at any time."""

    def __init__(self, tools: Tools, job: str) -> None:
        self._tools, self.job = tools, job
        self._pace, self._news = Pace(), asyncio.Event()
        self._stored: list[str] = []
        self.cancelled = False

    def cancel(self) -> None:
        """Stop at the next step."""
        self.cancelled = True
        self._tools.runner.cancel(self.job)

    async def run(self) -> bool:
        """Whether the job is QUEUED again and wants another attempt. Raises only what the store raises.

        While the store is out of order the slot waits: a result, once there, is not thrown away.
        """
        try:
            return await self._run()
        except asyncio.CancelledError:  # the server stops: the job goes on with the next one
            await self._put_back()
            raise
        except FrisketError as error:
            await self._move(JobState.FAILED, EventKind.FAILED, error=error)
        except Exception:
            log.exception("job %s", self.job)
            await self._move(JobState.FAILED, EventKind.FAILED, error=Internal(reference=self.job))
        finally:
            self._tools.blobs.settle(self._stored)
        return False

    async def _run(self) -> bool:
        store = self._tools.store
        tries = (await self._insist(partial(store.get, self.job))).tries + 1
        job = await self._move(JobState.RUNNING, EventKind.STARTED, {"tries": tries})
        try:
            results = await self._paint(job)
        except Cancelled:
            self.cancelled = True
            results = []
        except WorkerCrashed as crash:
            log.warning("job %s, try %s: the worker ended with %s", job.id, tries, crash.data["ending"])
            if not self.cancelled and tries >= self._tools.max_tries:
                raise WorkerCrashed(ending=crash.data["ending"], tries=tries) from crash
            if not self.cancelled:
                await self._move(JobState.QUEUED, EventKind.QUEUED, {"position": 1})
            if not self.cancelled:  # nor while that was recorded
                return True
            results = []
        if self.cancelled:
            await self._move(JobState.CANCELLED, EventKind.CANCELLED)
        else:
            told = {"result_count": len(results), "seconds": round(time.time() - (job.started or 0), 3)}
            await self._move(JobState.FINISHED, EventKind.FINISHED, told, results=results)
        return False

    async def _paint(self, job: Job) -> Sequence[StoredResult]:
        if self.cancelled:
            raise Cancelled()
        blobs = self._tools.blobs
        inputs = {plane: blobs.path(name) for plane, name in job.inputs.items()}

        async def keep(plane: memoryview) -> str:
            name = await asyncio.to_thread(blobs.put, plane)
            self._stored.append(name)
            return name

        teller = asyncio.create_task(self._tell_progress())
        try:
            kept = await self._tools.runner.run(Assignment(job.id, job.request, inputs, job.tries), self._tell, keep)
        finally:
            teller.cancel()
            await asyncio.wait([teller])
        return [StoredResult(result.meta, result.planes) for result in kept]

    def _tell(self, event: RunnerEvent) -> None:
        if isinstance(event, Preview):
            self._tools.watchers.wake(self.job, event)
        elif self._pace.offer(event.fraction, time.monotonic()):
            self._news.set()

    async def _tell_progress(self) -> None:
        """Record the latest progress, never more often than the disk or PROGRESS_S allows."""
        store, told_why = self._tools.store, False
        while True:
            await self._news.wait()
            self._news.clear()
            told = {"fraction": round(self._pace.fraction, 4), "seconds_left": self._pace.seconds_left()}
            try:
                await self._tools.ask(store.note, self.job, EventKind.PROGRESS, told)
            except Exception as error:  # the picture matters more
                if not told_why:
                    log.warning("job %s: progress is not recorded: %s", self.job, error)
                told_why = True
            self._tools.watchers.wake(self.job)
            await asyncio.sleep(PROGRESS_S)

    async def _move(
        self,
        to: JobState,
        kind: EventKind,
        data: JsonObject | None = None,
        error: FrisketError | None = None,
        results: Sequence[StoredResult] = (),
    ) -> Job:
        move = self._tools.store.move
        job = await self._insist(partial(move, self.job, to, kind, data, error=error, results=results))
        self._tools.watchers.wake(self.job)
        return job

    async def _insist(self, call: Callable[[], T]) -> T:
        """Ask the store until it answers."""
        told = False
        while True:
            try:
                return await self._tools.ask(call)
            except (DiskFull, StoreUnavailable) as error:
                if not told:
                    log.error("job %s waits for the record: %s", self.job, error)
                told = True
                await asyncio.sleep(RETRY_S)

    async def _put_back(self) -> None:
        """Once: the server stops, and the next start takes up a job that is still RUNNING on record."""
        store = self._tools.store
        try:
            if (await self._tools.ask(store.get, self.job)).state is JobState.RUNNING:
                await self._tools.ask(store.move, self.job, JobState.QUEUED, EventKind.QUEUED, {"position": 1})
                self._tools.watchers.wake(self.job)
        except Exception as error:
            log.error("job %s is left to the next start: %s", self.job, error)
