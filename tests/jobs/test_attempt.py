import asyncio
import contextlib
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fakes.runners import FakeRunner, echo, gated, until_cancelled
from frisket.errors import DiskFull, EngineFailed, ServerDraining, StoreUnavailable, WorkerCrashed
from frisket.jobs import attempt as module
from frisket.jobs.attempt import Attempt, Tools
from frisket.jobs.blobs import Blobs
from frisket.jobs.records import EventKind, NewJob
from frisket.jobs.runner import Progress
from frisket.jobs.states import JobState
from frisket.jobs.store import Store
from frisket.jobs.watchers import Watchers


@contextlib.contextmanager
def opened(tmp_path, runner, max_tries=3):
    """Tools with one job in their store."""
    store, blobs = Store(tmp_path / "jobs.db"), Blobs(tmp_path / "blobs")
    with ThreadPoolExecutor(1) as thread:
        job, _ = store.add(NewJob("1", "gimp", "inpaint", "patch", "{}", {"pixels": blobs.put(b"abc")}, 3))
        yield Tools(store, blobs, runner, Watchers(runner.show), thread, max_tries), job.id
    store.close()


def kinds(tools: Tools, job: str) -> str:
    return " ".join(event.kind.value for event in tools.store.events(job))


def test_it_ends_with_results(tmp_path):
    with opened(tmp_path, FakeRunner(echo)) as (tools, job):
        assert asyncio.run(Attempt(tools, job).run()) is False
        assert kinds(tools, job) == "queued started finished"
        (result,) = tools.store.results(job)
        assert tools.blobs.path(result.planes[0]).read_bytes() == b"abc"


def test_it_ends_with_the_error_that_the_runner_raised(tmp_path):
    error = EngineFailed(engine="patch", reason="no")

    async def fail(runner, assignment, tell, keep):
        raise error

    with opened(tmp_path, FakeRunner(fail)) as (tools, job):
        assert asyncio.run(Attempt(tools, job).run()) is False
        assert kinds(tools, job) == "queued started failed"
        assert tools.store.get(job).error == error


def test_cancelled_before_its_start_it_never_reaches_the_runner(tmp_path):
    runner = FakeRunner(echo)
    with opened(tmp_path, runner) as (tools, job):
        attempt = Attempt(tools, job)
        attempt.cancel()
        assert asyncio.run(attempt.run()) is False
        assert kinds(tools, job) == "queued started cancelled"
        assert runner.began == []


@pytest.mark.parametrize(("max_tries", "again", "ends"), [(1, False, "failed"), (2, True, "queued")])
def test_a_crash_asks_for_another_try_while_there_is_one(tmp_path, max_tries, again, ends):
    async def crash(runner, assignment, tell, keep):
        raise WorkerCrashed(ending="signal 9", tries=assignment.tries)

    with opened(tmp_path, FakeRunner(crash), max_tries) as (tools, job):
        assert asyncio.run(Attempt(tools, job).run()) is again
        assert kinds(tools, job) == f"queued started {ends}"


def test_stopped_with_its_server_the_job_is_queued_again(tmp_path):
    async def main(tools, job):
        task = asyncio.create_task(Attempt(tools, job).run())
        while tools.store.get(job).state is not JobState.RUNNING:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with opened(tmp_path, FakeRunner(until_cancelled)) as (tools, job):
        asyncio.run(main(tools, job))
        assert kinds(tools, job) == "queued started queued"


def test_stopped_at_any_moment_the_record_makes_sense(tmp_path):
    async def main(tools, job, delay):
        task = asyncio.create_task(Attempt(tools, job).run())
        await asyncio.sleep(delay)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    for n in range(12):
        folder = tmp_path / str(n)
        with opened(folder, FakeRunner(echo)) as (tools, job):
            asyncio.run(main(tools, job, n * 0.0007))
            allowed = ("queued", "queued started queued", "queued started finished")
            assert kinds(tools, job) in allowed
            assert tools.store.get(job).state in (JobState.QUEUED, JobState.FINISHED)


REFUSALS = [DiskFull(folder="x", free=0, needed=1), StoreUnavailable(path="x", reason="database is locked")]


class Refusing:
    """A store that refuses the first moves to each of these states."""

    def __init__(self, monkeypatch, refusal: Exception, to: set[JobState], times: int = 3) -> None:
        self.refused: list[JobState] = []
        real = Store.move

        def move(store, job, state, *args, **kwargs):
            if state in to and self.refused.count(state) < times:
                self.refused.append(state)
                raise refusal
            return real(store, job, state, *args, **kwargs)

        monkeypatch.setattr(Store, "move", move)
        monkeypatch.setattr(module, "RETRY_S", 0.05)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda e: e.slug)
def test_results_wait_until_they_can_be_recorded(tmp_path, monkeypatch, refusal):
    refusing = Refusing(monkeypatch, refusal, {JobState.RUNNING, JobState.FINISHED})
    with opened(tmp_path, FakeRunner(echo)) as (tools, job):
        began = time.monotonic()
        assert asyncio.run(Attempt(tools, job).run()) is False
        assert time.monotonic() - began >= 0.3
        assert refusing.refused == [JobState.RUNNING] * 3 + [JobState.FINISHED] * 3
        assert kinds(tools, job) == "queued started finished"
        (result,) = tools.store.results(job)
        assert tools.blobs.path(result.planes[0]).read_bytes() == b"abc"


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda e: e.slug)
def test_a_failure_is_recorded_when_the_store_works_again(tmp_path, monkeypatch, refusal):
    error = EngineFailed(engine="patch", reason="no")

    async def fail(runner, assignment, tell, keep):
        raise error

    Refusing(monkeypatch, refusal, {JobState.FAILED})
    with opened(tmp_path, FakeRunner(fail)) as (tools, job):
        assert asyncio.run(Attempt(tools, job).run()) is False
        assert tools.store.get(job).error == error


def test_a_file_that_another_program_locks_for_long_costs_neither_job_nor_picture(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RETRY_S", 0.05)

    async def main(tools, job):
        for pragma in ("journal_mode=DELETE", "locking_mode=NORMAL", "journal_mode=WAL", "busy_timeout=20"):
            tools.store._db.execute(f"PRAGMA {pragma}").fetchall()
        task = asyncio.create_task(Attempt(tools, job).run())
        while tools.store.get(job).state is not JobState.RUNNING:
            await asyncio.sleep(0.005)
        with contextlib.closing(sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            tools.runner.gate.set()
            await asyncio.sleep(0.3)
            assert not task.done()
            other.execute("ROLLBACK")
        assert await asyncio.wait_for(task, 10) is False

    with opened(tmp_path, FakeRunner(gated)) as (tools, job):
        asyncio.run(main(tools, job))
        assert tools.store.get(job).state is JobState.FINISHED


def test_a_cancel_while_a_crash_is_recorded_ends_cancelled(tmp_path, monkeypatch):
    async def crash(runner, assignment, tell, keep):
        raise WorkerCrashed(ending="signal 9", tries=1)

    async def main(tools, job):
        refusing = Refusing(monkeypatch, REFUSALS[0], {JobState.QUEUED})
        attempt = Attempt(tools, job)
        task = asyncio.create_task(attempt.run())
        while not refusing.refused:
            await asyncio.sleep(0.005)
        attempt.cancel()
        assert await task is False

    with opened(tmp_path, FakeRunner(crash)) as (tools, job):
        asyncio.run(main(tools, job))
        assert kinds(tools, job) == "queued started queued cancelled"


def test_a_server_stops_even_when_nothing_can_be_recorded(tmp_path, monkeypatch):
    async def main(tools, job):
        Refusing(monkeypatch, REFUSALS[1], {JobState.QUEUED}, times=10**9)
        task = asyncio.create_task(Attempt(tools, job).run())
        while tools.store.get(job).state is not JobState.RUNNING:
            await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, 5)

    with opened(tmp_path, FakeRunner(until_cancelled)) as (tools, job):
        asyncio.run(main(tools, job))
        assert tools.store.get(job).state is JobState.RUNNING


def test_progress_that_cannot_be_recorded_costs_one_line_and_not_the_picture(tmp_path, monkeypatch, caplog):
    refused = []

    def note(self, job, kind, data):
        refused.append(data)
        raise DiskFull(folder="x", free=0, needed=1)

    async def chatty(runner, assignment, tell, keep):
        for n in range(1000):
            tell(Progress(n / 1000))
            if len(refused) == 3:
                return await echo(runner, assignment, tell, keep)
            await asyncio.sleep(0.01)
        raise AssertionError

    monkeypatch.setattr(module, "PROGRESS_S", 0.01)
    monkeypatch.setattr(Store, "note", note)
    with opened(tmp_path, FakeRunner(chatty)) as (tools, job):
        asyncio.run(Attempt(tools, job).run())
        assert tools.store.get(job).state is JobState.FINISHED
        (record,) = [r for r in caplog.records if "is not recorded" in r.getMessage()]
        assert "x has 0 bytes left" in record.getMessage()
        assert record.exc_info is None


def test_progress_is_never_recorded_after_the_end(tmp_path):
    async def burst(runner, assignment, tell, keep):
        for n in range(100):
            tell(Progress(n / 100))
            if n % 25 == 0:
                await asyncio.sleep(0)
        return []

    for n in range(10):
        with opened(tmp_path / str(n), FakeRunner(burst)) as (tools, job):
            asyncio.run(Attempt(tools, job).run())
            assert tools.store.events(job)[-1].kind is EventKind.FINISHED


def test_a_closed_desk_answers_that_it_stops(tmp_path):
    async def main(tools, job):
        await tools.ask(tools.store.get, job)
        tools.thread.shutdown()
        with pytest.raises(ServerDraining):
            await tools.ask(tools.store.get, job)

    with opened(tmp_path, FakeRunner()) as (tools, job):
        asyncio.run(main(tools, job))
