"""Slots with real processes."""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import time
from pathlib import Path

import pytest

from frisket.errors import Cancelled, DiskFull, EngineFailed, InputLost, Internal, WorkerCrashed
from frisket.jobs.runner import Assignment, Preview, Progress
from frisket.workers.slot import Slot, SlotSettings

TESTS = str(Path(__file__).resolve().parent.parent)


@contextlib.asynccontextmanager
async def opened(tmp_path, factory="fakes.easels:make", grace_s=5.0, silence_s=60.0, **kwargs):
    """A started slot; afterwards nothing of it may be left."""
    folder = tmp_path / "shm"
    folder.mkdir(exist_ok=True)
    slot = Slot(SlotSettings(factory, tmp_path / "cache", kwargs, (TESTS,), grace_s, (folder,), silence_s))
    slot.start()
    try:
        yield slot
    finally:
        pid = slot.pid
        await slot.close()
        assert list(folder.iterdir()) == []
        assert pid is None or not os.path.exists(f"/proc/{pid}")


def stored(folder: Path, data: bytes) -> Path:
    """A file named by its sha256, as inputs are."""
    path = folder / hashlib.sha256(data).hexdigest()
    path.write_bytes(data)
    return path


class Asked:
    """One run of a slot, with what it told and kept."""

    def __init__(self, slot: Slot, tmp_path: Path, do: str, pixels: bytes = b"abcd", tries: int = 1, **more) -> None:
        path = stored(tmp_path, pixels)
        self._slot = slot
        self._assignment = Assignment("job-1", json.dumps({"do": do, **more}), {"pixels": path}, tries)
        self.told: list[Progress | Preview] = []
        self.began = asyncio.Event()
        self.planes: list[bytes] = []

    def tell(self, event):
        self.told.append(event)
        self.began.set()

    async def keep(self, plane: memoryview) -> str:
        self.planes.append(bytes(plane))
        return str(len(self.planes))

    async def run(self):
        return await self._slot.run(self._assignment, self.tell, self.keep)

    def started(self) -> asyncio.Task:
        return asyncio.create_task(self.run())


def test_bytes_come_back_identical_at_every_size(tmp_path):
    async def main():
        async with opened(tmp_path) as slot:
            sizes = [1, 2, 63, 64, 65, 4095, 4096, 4097, 1_000_003, 40 << 20, 0, 5]
            for size in sizes:
                data = os.urandom(size)
                asked = Asked(slot, tmp_path, "echo", data)
                (result,) = await asked.run()
                assert asked.planes == [data], size
                assert (result.meta, result.planes) == ('["pixels"]', ("1",))

    asyncio.run(main())


def test_several_planes_go_in_and_several_pictures_come_out(tmp_path):
    async def main():
        async with opened(tmp_path) as slot:
            planes = {name: os.urandom(n) for name, n in (("pixels", 1001), ("mask", 333), ("c", 1))}
            paths = {name: stored(tmp_path, data) for name, data in planes.items()}
            kept = []

            async def keep(plane):
                kept.append(bytes(plane))
                return "k"

            assignment = Assignment("j", '{"do": "echo"}', paths, 1)
            (result,) = await slot.run(assignment, lambda event: None, keep)
            assert json.loads(result.meta) == ["c", "mask", "pixels"]
            assert kept == [planes["c"], planes["mask"], planes["pixels"]]

    asyncio.run(main())


def test_arrays_of_any_type_and_more_results_than_expected(tmp_path):
    async def main():
        async with opened(tmp_path) as slot:
            pixels = os.urandom(2 << 20)
            asked = Asked(slot, tmp_path, "invert", pixels, times=40)  # 80 MiB: another size class than the input's
            results = await asked.run()
            assert [r.meta for r in results] == [str(n) for n in range(40)]
            inverted = bytes(255 - b for b in pixels[:100_000])
            assert all(plane[:100_000] == inverted and len(plane) == 2 << 20 for plane in asked.planes)
            assert slot._sink.room(0).size == 128 << 20

    asyncio.run(main())


def test_many_jobs_use_the_same_process_and_the_same_memory(tmp_path):
    async def main():
        async with opened(tmp_path) as slot:
            await Asked(slot, tmp_path, "echo", b"x" * 100_000).run()
            before = (slot.pid, sorted((tmp_path / "shm").iterdir()))
            assert len(before[1]) == 3  # control, source, sink
            maps = Path(f"/proc/{slot.pid}/maps")
            mapped = maps.read_text().count(".shm")
            for n in range(50):
                data = bytes([n]) * (100_000 - n)
                asked = Asked(slot, tmp_path, "echo", data)
                await asked.run()
                assert asked.planes == [data]
            assert (slot.pid, sorted((tmp_path / "shm").iterdir())) == before
            assert maps.read_text().count(".shm") == mapped == 3

    asyncio.run(main())


def test_the_input_cannot_be_changed_by_an_engine(tmp_path):
    async def main():
        async with opened(tmp_path) as slot:
            with pytest.raises(Internal):
                await Asked(slot, tmp_path, "scribble").run()

    asyncio.run(main())


def test_progress_and_previews_arrive_in_order(tmp_path):
    async def main():
        async with opened(tmp_path) as slot:
            await Asked(slot, tmp_path, "echo").run()
            asked = Asked(slot, tmp_path, "steps", n=21, step_s=0.01)
            began = time.monotonic()
            await asked.run()
            seconds = time.monotonic() - began
            fractions = [e.fraction for e in asked.told if isinstance(e, Progress)]
            assert fractions == sorted(fractions)
            assert 2 <= len(fractions) <= 1 + seconds / 0.04
            previews = [e for e in asked.told if isinstance(e, Preview)]
            assert [p.box for p in previews] == [(0, 1, 2, 3), (10, 1, 2, 3), (20, 1, 2, 3)]
            assert [p.jpeg for p in previews] == [bytes([n]) * 50_000 for n in (0, 10, 20)]

    asyncio.run(main())


ENDINGS = [
    ("9", "signal 9"),
    ("segfault", "signal 11"),
    ("exit", "exit code 137"),
    pytest.param("6", "signal 6", marks=pytest.mark.slow),
    pytest.param("sysexit", "exit code 3", marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("how", "ending"), ENDINGS)
def test_a_death_is_told_and_the_next_job_runs(tmp_path, how, ending):
    async def main():
        async with opened(tmp_path) as slot:
            before = slot.pid
            with pytest.raises(WorkerCrashed) as caught:
                await Asked(slot, tmp_path, "die", how=how, tries=2).run()
            assert caught.value == WorkerCrashed(ending=ending, tries=2)
            asked = Asked(slot, tmp_path, "echo", b"alive")
            await asked.run()
            assert asked.planes == [b"alive"]
            assert slot.pid != before

    asyncio.run(main())


def test_a_death_between_jobs_is_not_noticed_by_the_next(tmp_path):
    async def main():
        async with opened(tmp_path) as slot:
            await Asked(slot, tmp_path, "echo").run()
            before = slot.pid
            assert before is not None
            os.kill(before, signal.SIGKILL)
            while slot.pid == before:
                await asyncio.sleep(0.005)
            await Asked(slot, tmp_path, "echo").run()

    asyncio.run(main())


def test_a_process_that_dies_before_it_is_warm_is_not_started_for_ever(tmp_path):
    async def main():
        async with opened(tmp_path, "fakes.easels:make_stillborn") as slot:
            for n in (1, 2):
                with pytest.raises(WorkerCrashed, match="signal 9"):
                    await Asked(slot, tmp_path, "echo", tries=n).run()
                await asyncio.sleep(0.1)
                assert slot.pid is None
            assert not slot.ready

    asyncio.run(main())


def test_an_easel_that_cannot_be_made_fails_each_job_and_tells_the_log(tmp_path, caplog):
    async def main():
        async with opened(tmp_path, "fakes.easels:make_broken") as slot:
            for _ in range(2):
                with pytest.raises(Internal) as caught:
                    await Asked(slot, tmp_path, "echo").run()
                assert caught.value == Internal(reference="job-1")
            assert caplog.text.count("ImportError: no such engine") == 3  # warming up, and each job
            assert slot.ready

    asyncio.run(main())


def test_warming_up_comes_before_the_first_run_and_ready_tells_when(tmp_path):
    async def main():
        async with opened(tmp_path, warm_s=0.4) as slot:
            assert not slot.ready
            began = time.monotonic()
            await Asked(slot, tmp_path, "echo").run()
            assert time.monotonic() - began >= 0.35
            assert slot.ready

    asyncio.run(main())


def test_a_job_that_waits_for_the_warming_up_is_cancelled_at_once(tmp_path):
    async def main():
        async with opened(tmp_path, warm_s=30) as slot:
            task = Asked(slot, tmp_path, "echo").started()
            await asyncio.sleep(0.05)
            began, pid = time.monotonic(), slot.pid
            slot.cancel()
            with pytest.raises(Cancelled):
                await task
            assert time.monotonic() - began < 0.5
            assert slot.pid == pid

    asyncio.run(main())


def test_a_cancel_is_seen_within_a_step_and_costs_no_process(tmp_path):
    async def main():
        async with opened(tmp_path) as slot:
            await Asked(slot, tmp_path, "echo").run()
            pid, waits = slot.pid, []
            for _ in range(5):
                asked = Asked(slot, tmp_path, "steps", n=500, step_s=0.02)
                task = asked.started()
                await asked.began.wait()
                began = time.monotonic()
                slot.cancel()
                with pytest.raises(Cancelled):
                    await task
                waits.append(time.monotonic() - began)
            print(f"cancelled after {[round(w * 1e3, 1) for w in waits]} ms, steps of 20 ms")
            assert sorted(waits)[2] < 0.1  # a step and what a loaded machine adds
            assert slot.pid == pid
            asked = Asked(slot, tmp_path, "echo", b"next")
            await asked.run()
            assert asked.planes == [b"next"]

    asyncio.run(main())


def test_one_that_does_not_listen_is_killed_after_the_grace_and_the_next_runs(tmp_path, caplog):
    async def main():
        async with opened(tmp_path, grace_s=0.3) as slot:
            asked = Asked(slot, tmp_path, "hang")
            task = asked.started()
            await asked.began.wait()
            began, pid = time.monotonic(), slot.pid
            slot.cancel()
            slot.cancel()  # impatience changes nothing
            with pytest.raises(Cancelled):
                await task
            assert 0.28 <= time.monotonic() - began < 1.5
            assert f"worker {pid} did not stop in 0.3 s" in caplog.text
            asked = Asked(slot, tmp_path, "echo", b"next")
            await asked.run()
            assert asked.planes == [b"next"]
            await asyncio.sleep(0.4)  # the former job's patience must not end this process
            await Asked(slot, tmp_path, "echo").run()

    asyncio.run(main())


def test_a_cancel_when_nothing_runs_does_not_harm_the_next_job(tmp_path):
    async def main():
        async with opened(tmp_path) as slot:
            slot.cancel()
            await Asked(slot, tmp_path, "steps", n=3, step_s=0.01).run()
            slot.cancel()
            await Asked(slot, tmp_path, "steps", n=3, step_s=0.01).run()

    asyncio.run(main())


def test_an_abandoned_run_leaves_nothing_for_the_next(tmp_path):
    async def main():
        async with opened(tmp_path) as slot:
            asked = Asked(slot, tmp_path, "steps", b"former", n=20, step_s=0.01)
            task = asked.started()
            await asked.began.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            asked = Asked(slot, tmp_path, "echo", b"next")
            await asked.run()
            assert asked.planes == [b"next"]

    asyncio.run(main())


def test_typed_errors_cross_with_their_data_and_leave_the_trace_in_the_log(tmp_path, caplog):
    async def main():
        async with opened(tmp_path) as slot:
            with pytest.raises(EngineFailed) as caught:
                await Asked(slot, tmp_path, "fail").run()
            assert caught.value == EngineFailed(engine="fake", reason="it was told to")
            assert "ZeroDivisionError: deep down" in caplog.text

    asyncio.run(main())


def test_out_of_memory_in_python_is_an_error_and_the_process_lives_on(tmp_path, caplog):
    async def main():
        async with opened(tmp_path) as slot:
            await Asked(slot, tmp_path, "echo").run()
            pid = slot.pid
            with pytest.raises(Internal) as caught:
                await Asked(slot, tmp_path, "memory").run()
            assert caught.value == Internal(reference="job-1")
            assert "Unable to allocate 32.0 PiB" in caplog.text
            await Asked(slot, tmp_path, "echo").run()
            assert slot.pid == pid

    asyncio.run(main())


def test_results_that_find_no_room_are_a_full_disk_and_the_process_lives_on(tmp_path, monkeypatch):
    async def main():
        async with opened(tmp_path) as slot:
            await Asked(slot, tmp_path, "echo").run()
            pid, real = slot.pid, slot._sink.room

            def small(needed):
                if needed > 1_000_000:
                    raise DiskFull(folder="shm", free=0, needed=needed)
                return real(needed)

            monkeypatch.setattr(slot._sink, "room", small)
            with pytest.raises(DiskFull) as caught:
                await Asked(slot, tmp_path, "invert", b"ab" * 10_000, times=100).run()
            assert int(caught.value.data["needed"]) >= 2_000_000
            await Asked(slot, tmp_path, "invert", b"ab").run()
            assert slot.pid == pid

    asyncio.run(main())


@pytest.mark.parametrize(("content", "what"), [(None, "gone"), (b"m", "damaged"), (b"me", "damaged"), (b"", "damaged")])
def test_a_lost_input_is_told_and_harms_only_its_job(tmp_path, content, what):
    async def main():
        async with opened(tmp_path) as slot:
            path = stored(tmp_path, b"my")
            path.unlink() if content is None else path.write_bytes(content)
            lost = Assignment("j", '{"do": "echo"}', {"pixels": stored(tmp_path, b"p"), "mask": path}, 1)
            asked = Asked(slot, tmp_path, "echo", b"next")
            with pytest.raises(InputLost) as caught:
                await slot.run(lost, asked.tell, asked.keep)
            assert caught.value == InputLost(plane="mask", what=what)
            assert asked.planes == []
            await asked.run()
            assert asked.planes == [b"next"]

    asyncio.run(main())


def test_a_full_store_fails_the_job_and_the_next_runs(tmp_path):
    async def main():
        async with opened(tmp_path) as slot:
            asked = Asked(slot, tmp_path, "echo", b"x" * 100)

            async def full(plane):
                raise DiskFull(folder="blobs", free=0, needed=len(plane))

            with pytest.raises(DiskFull, match="100 are needed"):
                await slot.run(asked._assignment, asked.tell, full)
            await asked.run()
            assert asked.planes == [b"x" * 100]

    asyncio.run(main())


def test_a_stopped_process_never_blocks_the_loop(tmp_path):
    async def main():
        async with opened(tmp_path, grace_s=0.3) as slot:
            asked = Asked(slot, tmp_path, "steps", n=1000, step_s=0.01)
            task = asked.started()
            await asked.began.wait()
            assert slot.pid is not None
            os.kill(slot.pid, signal.SIGSTOP)
            slot.cancel()
            worst = 0.0
            while not task.done():
                before = time.monotonic()
                await asyncio.sleep(0.005)
                worst = max(worst, time.monotonic() - before)
            with pytest.raises(Cancelled):
                await task
            assert worst < 0.15

    asyncio.run(main())


@pytest.mark.parametrize("busy", [True, False])
def test_a_stopped_process_holds_its_slot_only_for_so_long(tmp_path, busy):
    async def main():
        async with opened(tmp_path, silence_s=1.2) as slot:
            await Asked(slot, tmp_path, "echo").run()
            before = slot.pid
            assert before is not None
            asked = Asked(slot, tmp_path, "steps", n=1000, step_s=0.01)
            if not busy:
                os.kill(before, signal.SIGSTOP)
            task = asked.started()
            if busy:
                await asked.began.wait()
                os.kill(before, signal.SIGSTOP)
            with pytest.raises(WorkerCrashed, match="signal 9"):
                await asyncio.wait_for(task, 10)
            asked = Asked(slot, tmp_path, "echo", b"next")
            await asked.run()
            assert asked.planes == [b"next"]
            assert slot.pid != before

    asyncio.run(main())


def test_a_renewed_slot_has_a_fresh_process_and_loses_no_run(tmp_path):
    """At once when nothing runs; else what runs ends on the old one, and the next finds the new."""

    async def pid_of(slot) -> int:
        (result,) = await Asked(slot, tmp_path, "who").run()
        return json.loads(result.meta)["pid"]

    async def run() -> None:
        async with opened(tmp_path) as slot:
            first = await pid_of(slot)
            assert await pid_of(slot) == first
            slot.renew()
            slot.renew()
            second = await pid_of(slot)
            assert second != first
            asked = Asked(slot, tmp_path, "steps", n=20, step_s=0.02)
            running = asyncio.create_task(asked.run())
            await asked.began.wait()
            slot.renew()
            assert slot.pid == second
            await running
            assert slot.pid != second
            assert await pid_of(slot) not in (first, second)

    asyncio.run(run())
