"""A desk with real workers, killed without warning."""

import asyncio
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from frisket.errors import WorkerCrashed
from frisket.jobs.blobs import Blobs
from frisket.jobs.desk import Desk
from frisket.jobs.records import Event, EventKind, NewJob
from frisket.jobs.states import JobState
from frisket.jobs.store import Store
from frisket.workers.pool import LocalWorkers

TESTS = str(Path(__file__).resolve().parent.parent)
PIXELS = random.Random(7).randbytes(3_000_000)


def desk_in(folder: Path, slots: int = 1) -> Desk:
    workers = LocalWorkers(
        "fakes.easels:make", {}, folder / "cache", slots, grace_s=0.3, python_path=(TESTS,), folders=(folder,)
    )
    return Desk(Store(folder / "jobs.db"), Blobs(folder / "blobs"), workers)


def job(desk: Desk, name: str, do: str, **more) -> NewJob:
    inputs = {"pixels": desk.blobs.put(PIXELS)}
    return NewJob(name, "gimp", "inpaint", "fake", json.dumps({"do": do, **more}), inputs, len(PIXELS))


async def watched(desk: Desk, job_id: str, after: int = 0) -> list[Event]:
    return [event async for event in desk.watch(job_id, after)]


SERVER = """
import asyncio, sys
from pathlib import Path
from frisket.jobs.records import EventKind
from workers.test_recovery import desk_in, job

async def main():
    desk = desk_in(Path(sys.argv[1]))
    await desk.start()
    done, _ = await desk.submit(job(desk, "done", "echo"))
    running, _ = await desk.submit(job(desk, "running", "steps", n=30, step_s=0.02))
    waiting, _ = await desk.submit(job(desk, "waiting", "echo"))
    async for event in desk.watch(running.id):
        if event.kind is EventKind.PROGRESS and event.data["fraction"] > 0.2:
            break
    result = await desk.result(done.id, 0)
    print(done.id, running.id, waiting.id, result.planes[0], event.sequence, desk._runner.pids[0], flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_nothing_that_was_taken_is_lost_by_kill_9(tmp_path):
    command = [sys.executable, "-c", SERVER, str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": TESTS}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as server:
        assert server.stdout is not None
        done, running, waiting, plane, seen, worker = server.stdout.readline().split()
        server.kill()
        server.wait()
    while os.path.exists(f"/proc/{worker}"):
        time.sleep(0.01)
    assert (tmp_path / "blobs" / plane[:2] / plane).exists()

    async def next_server():
        desk = desk_in(tmp_path)
        assert len(list(tmp_path.glob("*.shm"))) == 3  # of the dead
        await desk.start()
        assert len(list(tmp_path.glob("*.shm"))) == 1
        later = await watched(desk, running, int(seen))
        assert [e.sequence for e in later] == list(range(int(seen) + 1, int(seen) + 1 + len(later)))
        assert [e.data for e in later if e.kind is EventKind.STARTED] == [{"tries": 2}]
        assert later[-1].kind is EventKind.FINISHED
        assert (await watched(desk, waiting))[-1].kind is EventKind.FINISHED
        for each in (done, running, waiting):
            result = await desk.result(each, 0)
            assert desk.blobs.path(result.planes[0]).read_bytes() == PIXELS
        again, reused = await desk.submit(job(desk, "done", "echo"))
        assert reused
        assert (again.id, again.state, again.tries) == (done, JobState.FINISHED, 1)
        await desk.close()

    asyncio.run(next_server())
    assert list(tmp_path.glob("*.shm")) == []


def run(folder: Path, *jobs: tuple, slots: int = 1):
    """Submit all, watch all, close. Events and the desk's last word on each."""

    async def main():
        desk = desk_in(folder, slots)
        await desk.start()
        ids = [(await desk.submit(job(desk, f"{n}", do, **more)))[0].id for n, (do, more) in enumerate(jobs)]
        events = [await watched(desk, each) for each in ids]
        last = [await desk.get(each) for each in ids]
        await desk.close()
        return events, last

    return asyncio.run(main())


def test_a_worker_killed_once_makes_a_second_try(tmp_path):
    (events,), (last,) = run(tmp_path, ("die", {"how": "9", "only_once": str(tmp_path / "mark")}))
    kinds = [e.kind.value for e in events if e.kind is not EventKind.PROGRESS]
    assert kinds == ["queued", "started", "queued", "started", "finished"]
    assert (last.state, last.tries, last.result_count) == (JobState.FINISHED, 2, 1)


def test_a_job_that_always_kills_its_worker_fails_and_the_next_one_runs(tmp_path):
    _, (deadly, next_one) = run(tmp_path, ("die", {"how": "segfault"}), ("echo", {}))
    assert (deadly.state, deadly.tries) == (JobState.FAILED, 3)
    assert deadly.error == WorkerCrashed(ending="signal 11", tries=3)
    assert next_one.state is JobState.FINISHED


def test_results_are_the_bytes_that_the_worker_made(tmp_path):
    async def main():
        desk = desk_in(tmp_path)
        await desk.start()
        taken, _ = await desk.submit(job(desk, "a", "invert", times=2))
        assert (await watched(desk, taken.id))[-1].data["result_count"] == 2
        wanted = bytes(255 - b for b in PIXELS)
        for index in (0, 1):
            result = await desk.result(taken.id, index)
            assert result.meta == str(index)
            assert result.planes == (hashlib.sha256(wanted).hexdigest(),)
            assert desk.blobs.path(result.planes[0]).read_bytes() == wanted
        await desk.close()

    asyncio.run(main())


def test_a_job_that_hangs_is_cancelled_all_the_same(tmp_path):
    async def main():
        desk = desk_in(tmp_path)
        await desk.start()
        hanging, _ = await desk.submit(job(desk, "a", "hang"))
        began = float("nan")
        async for event in desk.watch(hanging.id):
            if event.kind is EventKind.PROGRESS:
                began = time.monotonic()
                assert (await desk.cancel(hanging.id)).state is JobState.RUNNING
        assert 0.28 < time.monotonic() - began < 3
        assert (await desk.get(hanging.id)).state is JobState.CANCELLED
        after, _ = await desk.submit(job(desk, "b", "echo"))
        assert (await watched(desk, after.id))[-1].kind is EventKind.FINISHED
        await desk.close()

    asyncio.run(main())


@pytest.mark.slow
def test_closing_in_the_middle_of_a_job_leaves_it_for_the_next_start(tmp_path):
    async def main():
        desk = desk_in(tmp_path)
        await desk.start()
        taken, _ = await desk.submit(job(desk, "a", "steps", n=30, step_s=0.02))
        async for event in desk.watch(taken.id):
            if event.kind is EventKind.PROGRESS:
                break
        began = time.monotonic()
        await desk.close()
        assert time.monotonic() - began < 2
        desk = desk_in(tmp_path)
        await desk.start()
        assert (await watched(desk, taken.id))[-1].kind is EventKind.FINISHED
        await desk.close()

    asyncio.run(main())


@pytest.mark.slow
def test_a_worker_killed_from_outside_while_two_work(tmp_path):
    async def main():
        desk = desk_in(tmp_path, slots=2)
        await desk.start()
        ids = [(await desk.submit(job(desk, f"{n}", "steps", n=30, step_s=0.02)))[0].id for n in range(2)]
        for each in ids:
            async for event in desk.watch(each):
                if event.kind is EventKind.PROGRESS:
                    break
        os.kill(desk._runner.pids[0], signal.SIGKILL)  # type: ignore[attr-defined]
        ends = [(await watched(desk, each))[-1] for each in ids]
        assert [e.kind for e in ends] == [EventKind.FINISHED] * 2
        assert sorted([(await desk.get(each)).tries for each in ids]) == [1, 2]
        await desk.close()

    asyncio.run(main())
