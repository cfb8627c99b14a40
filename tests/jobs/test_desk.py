import asyncio
import contextlib
import hashlib
import threading
import time

import pytest

from fakes.runners import FakeRunner, echo, gated, until_cancelled
from frisket.errors import (
    DiskFull,
    JobNotFinished,
    JobUnknown,
    QueueFull,
    RequestIdReused,
    ResultUnknown,
    ServerDraining,
    StoreUnavailable,
    TooManyJobs,
    WorkerCrashed,
)
from frisket.jobs.blobs import Blobs
from frisket.jobs.desk import Desk, DeskLimits
from frisket.jobs.records import EventKind, NewJob
from frisket.jobs.retention import Retention
from frisket.jobs.runner import KeptResult, Preview, Progress
from frisket.jobs.states import JobState
from frisket.jobs.store import Store

PIXELS = b"p" * 1000


@contextlib.asynccontextmanager
async def opened(folder, runner, **limits):
    """A started desk on this folder."""
    desk = Desk(Store(folder / "jobs.db"), Blobs(folder / "blobs"), runner, DeskLimits(**limits))
    await desk.start()
    try:
        yield desk
    finally:
        await desk.close()


def new(desk: Desk, n: int = 1, client: str = "gimp", size: int = 10) -> NewJob:
    inputs = {"pixels": desk.blobs.put(PIXELS), "mask": desk.blobs.put(b"m")}
    return NewJob(f"{client}-{n}", client, "inpaint", "patch", f'{{"seed": {n}}}', inputs, size)


async def submitted(desk: Desk, n: int = 1, client: str = "gimp", size: int = 10) -> str:
    return (await desk.submit(new(desk, n, client, size)))[0].id


async def watched(desk: Desk, job: str, after: int = 0, previews: bool = False) -> list:
    return [event async for event in desk.watch(job, after, previews)]


async def until(desk: Desk, job: str, state: JobState) -> None:
    async def wait():
        async for event in desk.watch(job):
            if event.state is state:
                return

    await asyncio.wait_for(wait(), 10)


def kinds(events: list) -> str:
    return " ".join(event.kind.value for event in events)


def test_from_submit_to_result(tmp_path):
    async def main():
        async with opened(tmp_path, FakeRunner()) as desk:
            job, reused = await desk.submit(new(desk))
            assert not reused
            assert job.state is JobState.QUEUED
            events = await watched(desk, job.id)
            assert kinds(events) == "queued started finished"
            assert [e.sequence for e in events] == [1, 2, 3]
            assert events[0].data == {"position": 1}
            assert events[1].data == {"tries": 1}
            assert events[2].data["result_count"] == 1
            assert 0 <= events[2].data["seconds"] < 10
            done = await desk.get(job.id)
            assert (done.state, done.tries, done.result_count) == (JobState.FINISHED, 1, 1)
            result = await desk.result(job.id, 0)
            assert result.meta == '{"try": 1}'
            assert [desk.blobs.path(name).read_bytes() for name in result.planes] == [b"m", PIXELS]
            assert not desk.busy

    asyncio.run(main())


def test_what_is_asked_too_early_or_wrongly(tmp_path):
    async def main():
        runner = FakeRunner(gated)
        async with opened(tmp_path, runner) as desk:
            job = await submitted(desk)
            await until(desk, job, JobState.RUNNING)
            with pytest.raises(JobNotFinished, match="is running"):
                await desk.result(job, 0)
            runner.gate.set()
            await watched(desk, job)
            with pytest.raises(ResultUnknown, match="1 results, number 1"):
                await desk.result(job, 1)
            with pytest.raises(ResultUnknown):
                await desk.result(job, -1)
            for ask in (desk.get, desk.cancel, lambda j: desk.result(j, 0), lambda j: watched(desk, j)):
                with pytest.raises(JobUnknown):
                    await ask("nope")

    asyncio.run(main())


def test_a_repeated_submission_is_the_same_job_even_when_the_queue_is_full(tmp_path):
    async def main():
        async with opened(tmp_path, FakeRunner(until_cancelled), max_jobs_per_client=1) as desk:
            await until(desk, await submitted(desk, 1), JobState.RUNNING)
            job = await submitted(desk, 2)
            again, reused = await desk.submit(new(desk, 2))
            assert (again.id, reused) == (job, True)
            with pytest.raises(TooManyJobs):
                await desk.submit(new(desk, 3))
            other = NewJob("gimp-2", "gimp", "inpaint", "patch", "{}", new(desk, 2).inputs, 10)
            with pytest.raises(RequestIdReused):
                await desk.submit(other)
            assert len(await desk.list()) == 2

    asyncio.run(main())


def test_many_submissions_at_once_never_pass_the_limits(tmp_path):
    async def main():
        async with opened(tmp_path, FakeRunner(until_cancelled), max_waiting_bytes=100) as desk:
            await until(desk, await submitted(desk, 0), JobState.RUNNING)
            asked = [desk.submit(new(desk, n, client=f"c{n}", size=30)) for n in range(1, 11)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
            assert sum(isinstance(a, QueueFull) for a in answers) == 7
            assert len(await desk.list()) == 4
            with pytest.raises(QueueFull):
                desk.check_room("someone", 11)
            desk.check_room("someone", 10)

    asyncio.run(main())


class Paused:
    """A method of the store that waits, once it has done its work, for the test to let it go."""

    def __init__(self, monkeypatch, name: str) -> None:
        self.reached, self.gate = threading.Event(), threading.Event()
        real = getattr(Store, name)

        def paused(store, *args, **kwargs):
            answer = real(store, *args, **kwargs)
            self.reached.set()
            assert self.gate.wait(10)
            return answer

        monkeypatch.setattr(Store, name, paused)


def test_a_client_that_goes_at_the_commit_does_not_take_its_job_along(tmp_path, monkeypatch):
    async def main():
        paused = Paused(monkeypatch, "add")
        async with opened(tmp_path, FakeRunner()) as desk:
            call = asyncio.create_task(desk.submit(new(desk)))
            await asyncio.to_thread(paused.reached.wait, 10)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            paused.gate.set()
            job, reused = await desk.submit(new(desk))
            assert reused
            events = await asyncio.wait_for(watched(desk, job.id), 10)
            assert kinds(events) == "queued started finished"

    asyncio.run(main())


def test_a_job_that_lost_its_place_gets_one_when_it_is_asked_for_again(tmp_path):
    async def main():
        runner = FakeRunner()
        async with opened(tmp_path, runner) as desk:
            stray, _ = desk._store.add(new(desk, 1))
            other, _ = desk._store.add(new(desk, 2))
            assert (await desk.submit(new(desk, 1)))[0].id == stray.id
            assert kinds(await asyncio.wait_for(watched(desk, stray.id), 10)) == "queued started finished"
            assert (await desk.cancel(other.id)).state is JobState.CANCELLED
            assert runner.began == [stray.id]

    asyncio.run(main())


def test_a_cancel_between_record_and_queue_holds(tmp_path, monkeypatch):
    async def main():
        paused = Paused(monkeypatch, "add")
        runner = FakeRunner()
        async with opened(tmp_path, runner) as desk:
            call = asyncio.create_task(desk.submit(new(desk)))
            await asyncio.to_thread(paused.reached.wait, 10)
            ((job,),) = sqlite_rows(desk, "SELECT id FROM job")
            cancel = asyncio.create_task(desk.cancel(job))
            await asyncio.sleep(0.02)
            paused.gate.set()
            await cancel
            assert (await watched(desk, job))[-1].kind is EventKind.CANCELLED
            await call
            assert not desk.busy

    asyncio.run(main())


def sqlite_rows(desk: Desk, query: str) -> list[tuple]:
    return [tuple(row) for row in desk._store._db.execute(query)]


def test_room_is_kept_from_the_header_to_the_last_byte(tmp_path):
    async def main():
        limits = {"max_waiting_bytes": 100, "max_jobs_per_client": 2}
        async with opened(tmp_path, FakeRunner(until_cancelled), **limits) as desk:
            await until(desk, await submitted(desk, 0), JobState.RUNNING)
            arrived = asyncio.Event()

            async def upload(n: int, client: str, size: int) -> str:
                with desk.reserve(client, size):
                    await arrived.wait()
                    return await submitted(desk, n, client, size)

            uploads = [asyncio.create_task(upload(n, "gimp", 30)) for n in (1, 2)]
            await asyncio.sleep(0)
            with pytest.raises(TooManyJobs, match="2 of your jobs wait"), desk.reserve("gimp", 1):
                raise AssertionError
            with pytest.raises(QueueFull, match="60 bytes"):
                desk.check_room("other", 41)
            with pytest.raises(QueueFull):
                await submitted(desk, 1, "other", 41)
            with desk.reserve("other", 40), pytest.raises(QueueFull):
                desk.check_room("third", 1)
            arrived.set()
            jobs = await asyncio.gather(*uploads)
            assert sorted(desk.position(job) for job in jobs) == [1, 2]
            with pytest.raises(QueueFull, match="60 bytes"):
                desk.check_room("other", 41)
            desk.check_room("other", 40)  # each job counts once, and no room is left behind

    asyncio.run(main())


def test_room_serves_one_job_and_only_its_own(tmp_path):
    async def main():
        async with opened(tmp_path, FakeRunner(until_cancelled), max_jobs_per_client=1) as desk:
            await until(desk, await submitted(desk, 0), JobState.RUNNING)
            with desk.reserve("gimp", 30):
                with pytest.raises(TooManyJobs):
                    await submitted(desk, 1, "gimp", 31)  # more than was announced
                await submitted(desk, 2, "gimp", 30)
                with pytest.raises(TooManyJobs):
                    await submitted(desk, 3, "gimp", 30)

    asyncio.run(main())


def test_an_upload_that_breaks_off_leaves_no_room_taken(tmp_path):
    async def main():
        async with opened(tmp_path, FakeRunner(until_cancelled), max_jobs_per_client=1) as desk:
            await until(desk, await submitted(desk, 0), JobState.RUNNING)

            async def upload():
                with desk.reserve("gimp", 30):
                    await asyncio.sleep(60)

            call = asyncio.create_task(upload())
            await asyncio.sleep(0.01)
            call.cancel()
            await asyncio.wait([call])
            desk.check_room("gimp", 30)

    asyncio.run(main())


def test_a_job_is_found_by_its_request_id_while_nothing_more_is_taken(tmp_path):
    async def main():
        async with opened(tmp_path, FakeRunner(until_cancelled), max_jobs_per_client=1) as desk:
            await until(desk, await submitted(desk, 1), JobState.RUNNING)
            job = await submitted(desk, 2)
            found = await desk.find("gimp-2")
            assert found is not None
            assert found.id == job
            assert await desk.find("gimp-3") is None

    asyncio.run(main())


def test_clients_take_turns(tmp_path):
    async def main():
        runner = FakeRunner(gated)
        async with opened(tmp_path, runner) as desk:
            greedy = [await submitted(desk, n, "greedy") for n in range(6)]
            await until(desk, greedy[0], JobState.RUNNING)
            polite = await submitted(desk, 1, "polite")
            assert [desk.position(j) for j in (greedy[0], greedy[1], polite, greedy[2], greedy[5])] == [0, 1, 2, 3, 6]
            runner.gate.set()
            await watched(desk, greedy[5])
            assert runner.began == [greedy[0], greedy[1], polite, *greedy[2:]]

    asyncio.run(main())


def test_a_waiting_job_is_cancelled_at_once_and_never_runs(tmp_path):
    async def main():
        runner = FakeRunner(gated)
        async with opened(tmp_path, runner) as desk:
            first, second = await submitted(desk, 1), await submitted(desk, 2)
            await until(desk, first, JobState.RUNNING)
            assert (await desk.cancel(second)).state is JobState.CANCELLED
            assert kinds(await watched(desk, second)) == "queued cancelled"
            runner.gate.set()
            await watched(desk, first)
            assert runner.began == [first]
            assert (await desk.cancel(first)).state is JobState.FINISHED
            assert (await desk.cancel(second)).last_sequence == 2

    asyncio.run(main())


@pytest.mark.parametrize("refusal", [DiskFull(folder="x", free=0, needed=1), StoreUnavailable(path="x", reason="y")])
def test_a_cancel_that_cannot_be_recorded_leaves_the_job_in_its_place(tmp_path, monkeypatch, refusal):
    real, refusing = Store.move, []

    def move(store, job, to, *args, **kwargs):
        if to is JobState.CANCELLED and refusing:
            raise refusal
        return real(store, job, to, *args, **kwargs)

    monkeypatch.setattr(Store, "move", move)

    async def main():
        runner = FakeRunner(gated)
        async with opened(tmp_path, runner) as desk:
            jobs = [await submitted(desk, n) for n in range(4)]
            await until(desk, jobs[0], JobState.RUNNING)
            refusing.append(True)
            for job in jobs[1:3]:
                with pytest.raises(type(refusal)):
                    await desk.cancel(job)
            assert [desk.position(job) for job in jobs] == [0, 1, 2, 3]
            refusing.clear()
            assert (await desk.cancel(jobs[2])).state is JobState.CANCELLED
            runner.gate.set()
            await asyncio.wait_for(watched(desk, jobs[1]), 10)
            await asyncio.wait_for(watched(desk, jobs[3]), 10)
            assert runner.began == [jobs[0], jobs[1], jobs[3]]

    asyncio.run(main())


def test_a_slot_that_is_free_while_a_cancel_is_refused_takes_the_job_afterwards(tmp_path, monkeypatch):
    async def main():
        runner = FakeRunner(gated)
        async with opened(tmp_path, runner) as desk:
            first, second = await submitted(desk, 1), await submitted(desk, 2)
            await until(desk, first, JobState.RUNNING)
            real, reached, gate = Store.move, threading.Event(), threading.Event()

            def move(store, job, to, *args, **kwargs):
                if to is JobState.CANCELLED:
                    reached.set()
                    assert gate.wait(10)
                    raise DiskFull(folder="x", free=0, needed=1)
                return real(store, job, to, *args, **kwargs)

            monkeypatch.setattr(Store, "move", move)
            cancel = asyncio.create_task(desk.cancel(second))
            await asyncio.to_thread(reached.wait, 10)
            runner.gate.set()
            await asyncio.sleep(0.05)
            gate.set()
            with pytest.raises(DiskFull):
                await cancel
            assert kinds(await asyncio.wait_for(watched(desk, second), 10)).endswith("finished")

    asyncio.run(main())


def test_a_running_job_is_cancelled_when_its_worker_has_stopped(tmp_path):
    async def main():
        async with opened(tmp_path, FakeRunner(until_cancelled)) as desk:
            job = await submitted(desk)
            await until(desk, job, JobState.RUNNING)
            assert (await desk.cancel(job)).state in (JobState.RUNNING, JobState.CANCELLED)
            assert kinds(await watched(desk, job)) == "queued started cancelled"
            assert (await desk.get(job)).error is None

    asyncio.run(main())


def test_cancelled_at_any_moment_it_ends_cancelled(tmp_path):
    async def stubborn(runner, assignment, tell, keep):
        await asyncio.sleep(0.01)
        return []

    async def main():
        async with opened(tmp_path, FakeRunner(stubborn)) as desk:
            for n in range(12):
                job = await submitted(desk, n)
                await asyncio.sleep(n * 0.0005)
                before = await desk.cancel(job)
                last = (await watched(desk, job))[-1]
                if not before.state.final or before.state is JobState.CANCELLED:
                    assert last.kind is EventKind.CANCELLED, n

    asyncio.run(main())


def test_a_crash_is_tried_again_and_the_third_is_the_end(tmp_path):
    async def crash(runner, assignment, tell, keep):
        if assignment.request == '{"seed": 2}' and assignment.tries == 3:
            return await echo(runner, assignment, tell, keep)
        raise WorkerCrashed(ending="signal 9", tries=1)

    async def main():
        runner = FakeRunner(crash)
        async with opened(tmp_path, runner) as desk:
            hopeless, lucky = await submitted(desk, 1), await submitted(desk, 2)
            events = await watched(desk, hopeless)
            assert kinds(events) == "queued started queued started queued started failed"
            assert [e.sequence for e in events] == list(range(1, 8))
            assert [e.data["tries"] for e in events if e.kind is EventKind.STARTED] == [1, 2, 3]
            assert (await desk.get(hopeless)).error == WorkerCrashed(ending="signal 9", tries=3)
            assert events[-1].data["error"]["cause"] == "Its process ended 3 times during this job, last with signal 9."
            assert kinds(await watched(desk, lucky)).endswith("finished")
            assert (await desk.result(lucky, 0)).meta == '{"try": 3}'
            assert runner.began == [hopeless] * 3 + [lucky] * 3  # a rerun does not go to the end of the line

    asyncio.run(main())


def test_a_crash_after_a_cancel_is_a_cancel(tmp_path):
    async def killed(runner, assignment, tell, keep):
        await runner.stops.setdefault(assignment.job, asyncio.Event()).wait()
        raise WorkerCrashed(ending="signal 9", tries=1)

    async def main():
        async with opened(tmp_path, FakeRunner(killed)) as desk:
            job = await submitted(desk)
            await until(desk, job, JobState.RUNNING)
            await desk.cancel(job)
            assert kinds(await watched(desk, job)) == "queued started cancelled"

    asyncio.run(main())


def test_the_unexpected_becomes_internal_with_the_job_and_the_traceback_stays_in_the_log(tmp_path, caplog):
    async def broken(runner, assignment, tell, keep):
        raise ZeroDivisionError("of all things")

    async def main():
        async with opened(tmp_path, FakeRunner(broken)) as desk:
            job = await submitted(desk)
            failed = (await watched(desk, job))[-1]
            assert failed.data["error"]["slug"] == "internal-error"
            assert failed.data["error"]["data"] == {"reference": job}
            assert "of all things" not in str(failed.data)
            (record,) = [r for r in caplog.records if r.name == "frisket.jobs" and r.exc_info]
            assert job in record.getMessage()
            assert "of all things" in str(record.exc_info[1])
            again = await submitted(desk, 2)
            await watched(desk, again)  # the slot lives on

    asyncio.run(main())


def test_progress_is_monotone_limited_and_never_behind_the_end(tmp_path):
    async def chatty(runner, assignment, tell, keep):
        for n in range(400):
            tell(Progress(n / 400 if n % 7 else 0.1))
            await asyncio.sleep(0.001)
        return []

    async def main():
        async with opened(tmp_path, FakeRunner(chatty)) as desk:
            job = await submitted(desk)
            began = time.monotonic()
            events = await watched(desk, job)
            seconds = time.monotonic() - began
            shown = [e.data["fraction"] for e in events if e.kind is EventKind.PROGRESS]
            assert shown == sorted(shown)
            assert 2 <= len(shown) <= 10 * seconds + 1
            assert [e.sequence for e in events] == list(range(1, len(events) + 1))
            assert events[-1].kind is EventKind.FINISHED

    asyncio.run(main())


def test_the_time_left_is_told_with_progress(tmp_path):
    async def steady(runner, assignment, tell, keep):
        for n in range(8):
            tell(Progress(n / 10))
            await asyncio.sleep(0.1)
        return []

    async def main():
        async with opened(tmp_path, FakeRunner(steady)) as desk:
            events = await watched(desk, await submitted(desk))
            told = [e.data for e in events if e.kind is EventKind.PROGRESS]
            assert told[0]["seconds_left"] is None
            # 0.1 s a tenth: at 0.7 about 0.3 s are left; a loaded machine is slower, never faster
            assert 0.2 <= told[-1]["seconds_left"] <= 2.0

    asyncio.run(main())


def test_watching_again_after_a_break_misses_and_repeats_nothing(tmp_path):
    async def main():
        runner = FakeRunner(gated)
        async with opened(tmp_path, runner) as desk:
            job = await submitted(desk)
            seen = []
            watch = desk.watch(job)
            async for event in watch:
                seen.append(event)
                if event.kind is EventKind.STARTED:
                    break
            await watch.aclose()
            assert len(desk._watchers) == 0
            runner.gate.set()
            seen += await watched(desk, job, after=seen[-1].sequence)
            assert [e.sequence for e in seen] == list(range(1, len(seen) + 1))
            assert kinds(seen[-1:]) == "finished"
            assert await watched(desk, job, after=seen[-1].sequence) == []
            assert await watched(desk, job, after=10**6) == []

    asyncio.run(main())


def test_heartbeats_fill_silence_and_repeat_the_last_sequence(tmp_path):
    async def main():
        runner = FakeRunner(until_cancelled)
        async with opened(tmp_path, runner, heartbeat_s=0.05) as desk:
            job = await submitted(desk)
            seen = []
            async for event in desk.watch(job):
                seen.append(event)
                if len(seen) == 5:
                    await desk.cancel(job)
            assert kinds(seen[:5]) == "queued started heartbeat heartbeat heartbeat"
            assert [e.sequence for e in seen[:5]] == [1, 2, 2, 2, 2]
            assert seen[4].state is JobState.RUNNING
            assert seen[4].time - seen[2].time >= 0.05  # no upper bound: a busy machine is no defect
            assert len(await desk._tools.ask(desk._store.events, job)) == 3  # none of them stored

    asyncio.run(main())


def test_heartbeats_tell_the_place_in_the_queue_by_now(tmp_path):
    async def main():
        runner = FakeRunner(until_cancelled)
        async with opened(tmp_path, runner, heartbeat_s=0.02) as desk:
            first, second, third = [await submitted(desk, n) for n in range(3)]
            await until(desk, first, JobState.RUNNING)
            places = []
            async for event in desk.watch(third):
                if event.kind is EventKind.HEARTBEAT and event.data["position"] not in places:
                    places.append(event.data["position"])
                    await desk.cancel(second if len(places) == 1 else third)
            assert places == [2, 1]
            await desk.cancel(first)

    asyncio.run(main())


def test_a_slow_watcher_gets_the_latest_preview_and_delays_nobody(tmp_path):
    async def showing(runner, assignment, tell, keep):
        for n in range(50):
            tell(Preview(bytes([n]), (n, 2, 3, 4)))
            await asyncio.sleep(0)
        await runner.gate.wait()
        return []

    async def main():
        runner = FakeRunner(showing)
        async with opened(tmp_path, runner, heartbeat_s=0.2) as desk:
            job = await submitted(desk)
            slow, seen = desk.watch(job, previews=True), []
            seen.append(await anext(slow))  # and then it sleeps over all fifty
            await until(desk, job, JobState.RUNNING)
            await asyncio.sleep(0.1)
            while seen[-1].kind is not EventKind.HEARTBEAT:
                seen.append(await anext(slow))
            assert kinds(seen) == "queued started preview heartbeat"
            assert (seen[2].blob, seen[2].data, seen[2].sequence) == (bytes([49]), {"box": [49, 2, 3, 4]}, 2)
            runner.gate.set()
            assert kinds([e async for e in slow]) == "finished"
            assert "preview" not in kinds(await watched(desk, job, previews=True))

    asyncio.run(main())


def test_jobs_left_waiting_or_running_are_taken_up_in_their_order(tmp_path):
    async def main():
        async with opened(tmp_path, FakeRunner(until_cancelled)) as desk:
            jobs = [await submitted(desk, n, client=f"c{n % 2}") for n in range(4)]
            await until(desk, jobs[0], JobState.RUNNING)
        runner = FakeRunner()
        async with opened(tmp_path, runner) as desk:
            last = [(await watched(desk, job))[-1] for job in jobs]
            assert [e.kind for e in last] == [EventKind.FINISHED] * 4
            assert runner.began == jobs
            events = await watched(desk, jobs[0])
            assert kinds(events) == "queued started queued started finished"
            assert [e.sequence for e in events] == [1, 2, 3, 4, 5]

    asyncio.run(main())


def test_a_job_that_ended_three_processes_is_given_up_and_the_next_goes_on(tmp_path):
    store = Store(tmp_path / "jobs.db")
    blobs = Blobs(tmp_path / "blobs")
    inputs = {"pixels": blobs.put(PIXELS)}
    deadly, _ = store.add(NewJob("1", "gimp", "inpaint", "patch", "{}", inputs, 1))
    for n in range(3):
        if n:
            store.move(deadly.id, JobState.QUEUED, EventKind.QUEUED)
        store.move(deadly.id, JobState.RUNNING, EventKind.STARTED, {"tries": n + 1})
    innocent, _ = store.add(NewJob("2", "gimp", "inpaint", "patch", "{}", inputs, 1))
    store.close()

    async def main():
        runner = FakeRunner()
        async with opened(tmp_path, runner) as desk:
            assert (await watched(desk, innocent.id))[-1].kind is EventKind.FINISHED
            assert (await desk.get(deadly.id)).error == WorkerCrashed(ending="the whole server", tries=3)
            assert runner.began == [innocent.id]

    asyncio.run(main())


def test_draining_finishes_what_runs_and_keeps_what_waits(tmp_path):
    async def main():
        runner = FakeRunner(gated)
        async with opened(tmp_path, runner) as desk:
            running, waiting = await submitted(desk, 1), await submitted(desk, 2)
            await until(desk, running, JobState.RUNNING)
            watching = asyncio.create_task(watched(desk, waiting))
            drain = asyncio.create_task(desk.drain(10))
            await asyncio.sleep(0.01)
            with pytest.raises(ServerDraining):
                await desk.submit(new(desk, 3))
            with pytest.raises(ServerDraining):
                desk.check_room("gimp", 1)
            assert not drain.done()
            runner.gate.set()
            await drain
            assert (await desk.get(running)).state is JobState.FINISHED
            assert (await desk.get(waiting)).state is JobState.QUEUED
            with pytest.raises(ServerDraining):
                await watching
        assert runner.closed
        async with opened(tmp_path, FakeRunner()) as desk:
            assert kinds(await watched(desk, waiting)) == "queued started finished"

    asyncio.run(main())


def test_draining_waits_no_longer_than_told_and_the_job_goes_on_later(tmp_path):
    async def main():
        async with opened(tmp_path, FakeRunner(until_cancelled)) as desk:
            job = await submitted(desk)
            await until(desk, job, JobState.RUNNING)
            began = time.monotonic()
            await desk.drain(0.1)
            assert 0.09 <= time.monotonic() - began < 2
        with pytest.raises(ServerDraining):
            await desk.get(job)
        store = Store(tmp_path / "jobs.db")
        assert store.get(job).state is JobState.QUEUED
        store.close()

    asyncio.run(main())


def test_pruning_forgets_jobs_and_their_files(tmp_path):
    async def own(runner, assignment, tell, keep):
        return [KeptResult("{}", (await keep(memoryview(assignment.request.encode() * 100)),))]

    async def main():
        async with opened(tmp_path, FakeRunner(own), retention=Retention(max_age_s=0.2, keep_jobs=0)) as desk:
            old = await submitted(desk, 1)
            await watched(desk, old)
            (name,) = (await desk.result(old, 0)).planes
            assert name == hashlib.sha256(b'{"seed": 1}' * 100).hexdigest()
            await desk.prune()
            assert (await desk.get(old)).state is JobState.FINISHED
            await asyncio.sleep(0.25)
            assert await desk.prune() == 1100 + len(PIXELS) + 1
            with pytest.raises(JobUnknown):
                await desk.get(old)
            assert not desk.blobs.path(name).exists()

    asyncio.run(main())


def test_what_is_too_much_goes_as_soon_as_a_job_has_finished(tmp_path):
    async def own(runner, assignment, tell, keep):
        return [KeptResult("{}", (await keep(memoryview(assignment.request.encode() * 1000)),))]

    async def main():
        async with opened(tmp_path, FakeRunner(own), retention=Retention(max_bytes=5000)) as desk:
            jobs = [await submitted(desk, n) for n in range(3)]  # 11000 bytes each, more than is allowed by itself
            assert (await watched(desk, jobs[2]))[-1].kind is EventKind.FINISHED
            (name,) = (await desk.result(jobs[2], 0)).planes
            while len(await desk.list()) > 1 or len(list(desk.blobs.folder.glob("??/*"))) > 3:
                await asyncio.sleep(0.01)
            assert [job.id for job in await desk.list()] == [jobs[2]]
            assert desk.blobs.checked(name).stat().st_size == 11_000

    asyncio.run(asyncio.wait_for(main(), 10))


def test_a_finished_jobs_input_is_still_there_for_the_same_pixels_that_wait(tmp_path):
    async def main():
        runner = FakeRunner(gated)
        async with opened(tmp_path, runner, retention=Retention(max_bytes=0)) as desk:
            first, second = await submitted(desk, 1), await submitted(desk, 2)
            await until(desk, first, JobState.RUNNING)
            uploaded = new(desk, 3)  # not submitted yet
            await desk.cancel(second)
            runner.gate.set()
            await watched(desk, first)
            await desk.prune()
            assert (await desk.submit(uploaded))[0].state is JobState.QUEUED
            assert [desk.blobs.path(name).exists() for name in uploaded.inputs.values()] == [True, True]
            await desk.prune()
            job = (await desk.submit(uploaded))[0].id
            assert (await watched(desk, job))[-1].kind is EventKind.FINISHED

    asyncio.run(asyncio.wait_for(main(), 10))


def test_the_loop_never_waits_for_the_disk(tmp_path, monkeypatch):
    real = Store.move

    def slow(self, *args, **kwargs):
        time.sleep(0.8)
        return real(self, *args, **kwargs)

    monkeypatch.setattr(Store, "move", slow)

    async def main():
        async with opened(tmp_path, FakeRunner()) as desk:
            job = asyncio.create_task(watched(desk, await submitted(desk)))
            worst = 0.0
            while not job.done():
                before = time.monotonic()
                await asyncio.sleep(0.005)
                worst = max(worst, time.monotonic() - before)
            assert kinds(job.result()) == "queued started finished"
            assert worst < 0.6  # a loaded machine alone makes 0.3 of it

    asyncio.run(main())
