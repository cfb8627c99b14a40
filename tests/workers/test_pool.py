import asyncio
import contextlib
import json
import time
from pathlib import Path

import pytest

from frisket.errors import Cancelled
from frisket.jobs.runner import Assignment, Runner
from frisket.workers.pool import LocalWorkers

TESTS = str(Path(__file__).resolve().parent.parent)


@contextlib.asynccontextmanager
async def opened(tmp_path, slots):
    workers = LocalWorkers(
        "fakes.easels:make", {}, tmp_path / "cache", slots=slots, python_path=(TESTS,), folders=(tmp_path,)
    )
    await workers.start()
    try:
        yield workers
    finally:
        await workers.close()
        assert list(tmp_path.glob("*.shm")) == []


def assignment(job: str, do: str, **more) -> Assignment:
    return Assignment(job, json.dumps({"do": do, **more}), {}, 1)


async def keep(plane: memoryview) -> str:
    return str(len(plane))


async def warm(workers: LocalWorkers) -> None:
    while not all(slot.ready for slot in workers._all):
        await asyncio.sleep(0.01)


def test_slots_work_side_by_side_in_processes_of_their_own(tmp_path):
    async def main():
        async with opened(tmp_path, 2) as workers:
            runner: Runner = workers
            assert runner.slots == 2
            await warm(workers)
            assert len(set(workers.pids)) == 2
            began = time.monotonic()
            runs = [runner.run(assignment(str(n), "steps", n=10, step_s=0.05), lambda e: None, keep) for n in range(4)]
            results = await asyncio.gather(*runs)
            assert 0.95 <= time.monotonic() - began < 1.8  # 4 x 0.5 s on two slots
            assert [r[0].meta for r in results] == ["[]"] * 4

    asyncio.run(main())


def test_a_cancel_finds_its_job_and_no_other(tmp_path):
    async def main():
        async with opened(tmp_path, 2) as workers:
            await warm(workers)
            running = [
                asyncio.create_task(workers.run(assignment(str(n), "steps", n=40, step_s=0.01), lambda e: None, keep))
                for n in range(3)
            ]
            await asyncio.sleep(0.1)
            workers.cancel("1")
            workers.cancel("2")  # waits for a slot
            workers.cancel("nobody")
            results = await asyncio.gather(*running, return_exceptions=True)
            assert [type(r) for r in results] == [list, Cancelled, Cancelled]
            await workers.run(assignment("2", "echo"), lambda e: None, keep)  # a later one of that name runs

    asyncio.run(main())


def test_ready_when_one_is_warm(tmp_path):
    async def main():
        async with opened(tmp_path, 1) as workers:
            assert not workers.ready
            await asyncio.wait_for(warm(workers), 20)
            assert workers.ready

    asyncio.run(main())


def test_a_crash_leaves_the_other_slot_alone(tmp_path):
    async def main():
        async with opened(tmp_path, 2) as workers:
            await warm(workers)
            steps = asyncio.create_task(workers.run(assignment("a", "steps", n=30, step_s=0.01), lambda e: None, keep))
            await asyncio.sleep(0.05)
            with pytest.raises(Exception, match="signal 9"):
                await workers.run(assignment("b", "die", how="9"), lambda e: None, keep)
            assert (await steps)[0].meta == "[]"
            await workers.run(assignment("c", "echo"), lambda e: None, keep)

    asyncio.run(main())


def test_all_processes_are_renewed(tmp_path):
    async def run() -> None:
        async with opened(tmp_path, slots=2) as workers:
            await warm(workers)
            before = set(workers.pids)
            workers.renew()
            assert len(set(workers.pids) | before) == 4
            await warm(workers)

    asyncio.run(run())


def test_previews_are_drawn_for_jobs_that_somebody_watches_and_from_then_on(tmp_path):
    async def main():
        async with opened(tmp_path, 1) as workers:
            workers.show("seen", True)

            def joined(event) -> None:
                workers.show("later", True)

            wanted = []
            for job, tell in (("seen", lambda e: None), ("unseen", lambda e: None), ("later", joined)):
                (result,) = await workers.run(assignment(job, "look", n=4, step_s=0.05), tell, keep)
                wanted.append(json.loads(result.meta))
            assert wanted[:2] == [[True] * 4, [False] * 4]
            assert wanted[2][-2:] == [True, True]
            workers.show("seen", False)
            (result,) = await workers.run(assignment("seen", "look", n=1, step_s=0.0), lambda e: None, keep)
            assert json.loads(result.meta) == [False]

    asyncio.run(main())
