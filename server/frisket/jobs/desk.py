"""The desk: takes jobs, has them done, answers about them. What it says was taken survives the process."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from frisket.errors import JobNotFinished, ResultUnknown, ServerDraining, WorkerCrashed
from frisket.jobs.attempt import Attempt, Tools
from frisket.jobs.blobs import Blobs
from frisket.jobs.queue import FairQueue, Reservation, Waiting
from frisket.jobs.records import Event, EventKind, Job, NewJob, StoredResult
from frisket.jobs.retention import Retention
from frisket.jobs.runner import Runner
from frisket.jobs.states import JobState
from frisket.jobs.store import Store
from frisket.jobs.watchers import Watchers

log = logging.getLogger("frisket.jobs")

T = TypeVar("T")
ROOM: ContextVar[Reservation | None] = ContextVar("ROOM", default=None)  # of the call that runs


@dataclass(frozen=True, slots=True)
class DeskLimits:
    """max_waiting_bytes: of uploads that wait, on disk. max_tries: starts of one job before a crash is its end."""

    max_waiting_bytes: int = 8 << 30
    max_jobs_per_client: int = 64
    max_tries: int = 3
    heartbeat_s: float = 5.0
    prune_every_s: float = 3600.0
    retention: Retention = field(default_factory=Retention)


class Desk:
    """All jobs of one server, in one event loop. The desk owns the store and the runner from `start` to `close`."""

    def __init__(self, store: Store, blobs: Blobs, runner: Runner, limits: DeskLimits | None = None) -> None:
        self.blobs, self._limits = blobs, limits or DeskLimits()
        self._store, self._runner, self._watchers = store, runner, Watchers(runner.show)
        thread = self._thread = ThreadPoolExecutor(1, thread_name_prefix="frisket-jobs")
        self._tools = Tools(store, blobs, runner, self._watchers, thread, self._limits.max_tries)
        self._queue = FairQueue(self._limits.max_waiting_bytes, self._limits.max_jobs_per_client)
        self._attempts: dict[str, Attempt] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._promised: set[asyncio.Task[Any]] = set()
        self._taking = asyncio.Lock()  # record and queue say the same whenever nobody holds it
        self._arrived, self._quiet, self._ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._quiet.set()
        self._draining = self._over = False

    # --- life --------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what an earlier process left, and begin to work."""
        await self._runner.start()
        async with self._taking:
            await self._recover()
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._runner.slots)]
        self._tasks.append(asyncio.create_task(self._prune_often()))

    async def drain(self, seconds: float) -> None:
        """Take nothing new, wait for what runs, then end the watching of jobs that are left for the next start."""
        self._draining = True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), seconds)
        self._over = True
        self._watchers.wake_all()

    async def close(self) -> None:
        """Stop at once. Jobs that run are queued again, for the next start."""
        self._draining = self._over = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._promised, return_exceptions=True)
        self._watchers.wake_all()
        await self._runner.close()
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.to_thread(self._store.close)

    @property
    def ready(self) -> bool:
        """Whether a job would be begun without waiting for engines to load."""
        return self._runner.ready

    @property
    def busy(self) -> bool:
        """Whether anything runs or waits."""
        return bool(self._attempts) or len(self._queue) > 0

    # --- jobs --------------------------------------------------------------------------------------------------------

    def check_room(self, client: str, bytes: int) -> None:
        """Whether a job would be taken now: ask before an upload. Raises ServerDraining, QueueFull, TooManyJobs."""
        if self._draining:
            raise ServerDraining()
        self._queue.check(client, bytes)

    @contextlib.contextmanager
    def reserve(self, client: str, bytes: int) -> Iterator[None]:
        """Keep room for the job whose pixels arrive in this block; the first `submit` within it takes that room.

        Raises ServerDraining, QueueFull, TooManyJobs.
        """
        self.check_room(client, bytes)
        room = self._queue.reserve(client, bytes)
        before = ROOM.set(room)
        try:
            yield
        finally:
            ROOM.reset(before)
            self._queue.release(room)

    async def find(self, request_id: str) -> Job | None:
        """The job that was taken under this id, or is being taken now. Ask before `reserve`: a repeated request needs
        no room."""
        async with self._taking:
            return await self._tools.ask(self._store.taken, request_id)

    async def submit(self, new: NewJob) -> tuple[Job, bool]:
        """The job, on disk and in the queue; the flag is True when this very request had been taken before.

        Raises RequestIdReused, ServerDraining, QueueFull, TooManyJobs, DiskFull.
        """
        return await self._promise(self._take(new, ROOM.get()))

    async def watch(self, job_id: str, after: int = 0, previews: bool = False) -> AsyncGenerator[Event, None]:
        """Events with a sequence above `after`, without gaps, as they come; ends after the job's final one.

        Heartbeats fill silence. Of previews only the latest is sent to a watcher that is slow. Raises JobUnknown,
        ServerDraining when the server stops before the job has ended.
        """
        job = await self.get(job_id)
        last, state = min(after, job.last_sequence), job.state
        with self._watchers.joined(job_id, previews) as watcher:
            while True:
                watcher.clear()
                preview = watcher.take_preview()  # before the events: what led to it is then told first
                for event in await self._tools.ask(self._store.events, job_id, last):
                    last, state = event.sequence, event.state
                    yield event
                if state.final:
                    return
                if self._over:
                    raise ServerDraining()
                if preview is not None:
                    if state is JobState.RUNNING:
                        box = {"box": list(preview.box)}
                        yield Event(last, time.time(), state, EventKind.PREVIEW, box, preview.jpeg)
                elif not await watcher.wait(self._limits.heartbeat_s):
                    place = {"position": self.position(job_id)}
                    yield Event(last, time.time(), state, EventKind.HEARTBEAT, place)

    async def cancel(self, job_id: str) -> Job:
        """The job afterwards: CANCELLED if it waited, still RUNNING until its worker stopped.

        Raises JobUnknown, DiskFull, StoreUnavailable; the job then goes on as if nobody had asked.
        """
        return await self._promise(self._cancel(job_id))

    async def get(self, job_id: str) -> Job:
        """Raises JobUnknown."""
        return await self._tools.ask(self._store.get, job_id)

    async def list(self, client: str = "", limit: int = 100) -> Sequence[Job]:
        """Newest first. client: only of this one; empty = all."""
        return await self._tools.ask(self._store.list, client, limit)

    def position(self, job_id: str) -> int:
        """In the queue: 1 = next, 0 = does not wait."""
        return self._queue.position(job_id)

    async def result(self, job_id: str, index: int) -> StoredResult:
        """index: from 0. Raises JobUnknown, JobNotFinished, ResultUnknown."""
        job = await self.get(job_id)
        if job.state is not JobState.FINISHED:
            raise JobNotFinished(job=job_id, state=job.state.value)
        results = await self._tools.ask(self._store.results, job_id)
        if not 0 <= index < len(results):
            raise ResultUnknown(job=job_id, count=len(results), index=index)
        return results[index]

    async def prune(self) -> int:
        """Forget ended jobs beyond the retention, and files that no job holds. Returns the bytes that became free."""
        await asyncio.to_thread(self._forget)
        return await asyncio.to_thread(self.blobs.sweep, self._store.blobs)

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _recover(self) -> None:
        """Jobs that were waiting or running when the last process ended, oldest first."""
        for job in await self._tools.ask(self._store.unfinished):
            if job.id in self._queue:
                continue  # taken by this process, before it was done with starting
            if job.state is JobState.RUNNING and job.tries >= self._limits.max_tries:
                error = WorkerCrashed(ending="the whole server", tries=job.tries)
                await self._tools.ask(self._store.move, job.id, JobState.FAILED, EventKind.FAILED, error=error)
                self._watchers.wake(job.id)
                continue
            if job.state is JobState.RUNNING:
                place = {"position": self._queue.position_of_next(job.client)}
                await self._tools.ask(self._store.move, job.id, JobState.QUEUED, EventKind.QUEUED, place)
                self._watchers.wake(job.id)
            log.info("job %s is taken up again", job.id)
            self._enqueue(job)

    async def _promise(self, doing: Coroutine[Any, Any, T]) -> T:
        """Once begun it is done to its end, even if the caller is gone: record and queue never part."""
        task = asyncio.create_task(doing)
        self._promised.add(task)
        task.add_done_callback(self._promised.discard)
        return await asyncio.shield(task)

    async def _take(self, new: NewJob, room: Reservation | None) -> tuple[Job, bool]:
        async with self._taking:
            try:
                return await self._take_now(new, room)
            finally:
                self.blobs.settle(new.inputs.values())

    async def _take_now(self, new: NewJob, room: Reservation | None) -> tuple[Job, bool]:
        known = await self._tools.ask(self._store.find, new)
        if known is not None:
            if known.state is JobState.QUEUED and not self._has(known.id):
                self._enqueue(known)
            return known, True
        if self._draining or not self._queue.covers(room, new.client, new.input_bytes):
            self.check_room(new.client, new.input_bytes)
        job, _ = await self._tools.ask(self._store.add, new, self._queue.position_of_next(new.client))
        self._queue.release(room)
        self._enqueue(job)
        return job, False

    async def _cancel(self, job_id: str) -> Job:
        async with self._taking:
            attempt = self._attempts.get(job_id)
            if attempt is not None:
                attempt.cancel()
                return await self.get(job_id)
            try:
                with self._queue.held(job_id):  # if the record refuses, it waits on where it was
                    job = await self.get(job_id)
                    if job.state is JobState.QUEUED:
                        job = await self._tools.ask(self._store.move, job_id, JobState.CANCELLED, EventKind.CANCELLED)
                        self._queue.remove(job_id)
                        self._watchers.wake(job_id)
                    return job
            finally:
                self._arrived.set()

    def _has(self, job_id: str) -> bool:
        return job_id in self._queue or job_id in self._attempts

    def _enqueue(self, job: Job) -> None:
        self._queue.put(Waiting(job.id, job.client, job.input_bytes))
        self._arrived.set()

    async def _next(self) -> Waiting:
        while self._draining or (waiting := self._queue.pop()) is None:
            self._arrived.clear()
            await self._arrived.wait()
        return waiting

    async def _work(self) -> None:
        """One slot: job after job, for ever."""
        while True:
            waiting = await self._next()
            attempt = self._attempts[waiting.job] = Attempt(self._tools, waiting.job)
            self._quiet.clear()
            try:
                if await attempt.run():
                    self._queue.put_front(waiting)
            except Exception:
                log.exception("job %s stays as it is until the next start", waiting.job)
            finally:
                del self._attempts[waiting.job]
                self._ended.set()
                if not self._attempts:
                    self._quiet.set()

    async def _prune_often(self) -> None:
        """Now and then, and as soon as what a job left is too much."""
        due = 0.0
        while True:
            self._ended.clear()
            over_due = time.monotonic() >= due
            if over_due:
                due = time.monotonic() + self._limits.prune_every_s
            try:
                if await asyncio.to_thread(self._forget) or over_due:
                    freed = await asyncio.to_thread(self.blobs.sweep, self._store.blobs)
                    log.info("old jobs were looked through, %s bytes are free again", freed)
            except Exception:
                log.exception("old jobs could not be removed")
            timer = asyncio.get_running_loop().call_later(max(due - time.monotonic(), 0), self._ended.set)
            try:
                await self._ended.wait()  # no wait_for: up to Python 3.11 it may swallow what cancels this task
            finally:
                timer.cancel()

    def _forget(self) -> int:
        """How many jobs were forgotten for their age or their bytes."""
        gone = self._limits.retention.expired(self._store.ended(), self.blobs.size, time.time())
        if gone:
            self._store.delete(gone)
        return len(gone)
