"""The worker process as its surroundings see it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import frisket
from frisket.jobs.runner import Assignment
from frisket.workers.slot import Slot, SlotSettings

TESTS = str(Path(__file__).resolve().parent.parent)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone_within(pid: int, seconds: float) -> bool:
    until = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < until:
        time.sleep(0.005)
    return not alive(pid)


def test_what_the_process_is_told_by_its_start(tmp_path, monkeypatch):
    (tmp_path / "numpy.py").write_text("raise AssertionError('a file of the working folder was imported')")
    monkeypatch.chdir(tmp_path)

    async def main():
        slot = Slot(SlotSettings("fakes.easels:make", tmp_path / "cache", {}, (TESTS,), 5.0, (tmp_path,)))
        slot.start()
        (result,) = await slot.run(Assignment("j", '{"do": "who"}', {}, 1), lambda e: None, None)  # type: ignore[arg-type]
        facts = json.loads(result.meta)
        assert facts["pid"] == slot.pid
        assert facts["oom"] == 500
        for kind in ("numba", "torch"):
            assert facts[kind] == str(tmp_path / "cache" / kind / frisket.__version__)
        assert facts["sigint"]
        assert facts["sigterm"]
        assert not facts["tracker"]
        assert facts["path"][-1] == TESTS
        assert "" not in facts["path"]
        await slot.close()

    asyncio.run(main())


SERVER = """
import asyncio, sys
from pathlib import Path
from frisket.jobs.runner import Assignment
from frisket.workers.slot import Slot, SlotSettings

async def main():
    folder = Path(sys.argv[1])
    slot = Slot(SlotSettings("fakes.easels:make", folder, {}, (sys.argv[2],), 5.0, (folder,)))
    slot.start()
    told = lambda event: print(slot.pid, flush=True)
    await slot.run(Assignment("j", '{"do": "%s", "n": 100000, "step_s": 0.05}', {}, 1), told, None)

asyncio.run(main())
"""


def orphaned(tmp_path: Path, do: str) -> tuple[subprocess.Popen, int]:
    """A server in the middle of a job, and its worker's process id."""
    command = [sys.executable, "-c", SERVER % do, str(tmp_path), TESTS]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, int(server.stdout.readline())


def test_the_worker_dies_with_a_killed_server_and_its_memory_is_found_by_the_next(tmp_path):
    server, pid = orphaned(tmp_path, "hang")
    with server:
        assert alive(pid)
        server.kill()
    assert gone_within(pid, 3)
    assert len(list(tmp_path.glob("*.shm"))) == 3

    async def next_server():
        from frisket.workers.pool import LocalWorkers

        workers = LocalWorkers("fakes.easels:make", {}, tmp_path, python_path=(TESTS,), folders=(tmp_path,))
        await workers.start()
        assert len(list(tmp_path.glob("*.shm"))) == 1  # its own
        await workers.close()

    asyncio.run(next_server())
    assert list(tmp_path.glob("*.shm")) == []


def test_the_end_of_the_pipe_alone_ends_the_worker(tmp_path):
    # as on systems whose kernel does not tell: the process is started without its guard
    worker = (
        "import sys; from frisket.workers import child; child._guard = lambda parent: None; sys.argv += ['0']\n"
        "child.main()"
    )
    from multiprocessing import Pipe

    from frisket.workers.messages import Alive, Ready, Run, Setup
    from frisket.workers.shm import CONTROL_SIZE, Tray

    tray = Tray([tmp_path])
    control = tray.room(CONTROL_SIZE)
    ours, theirs = Pipe()
    process = subprocess.Popen([sys.executable, "-c", worker, str(theirs.fileno())], pass_fds=(theirs.fileno(),))
    with process:
        theirs.close()
        ours.send(Setup("fakes.easels:make", {}, (TESTS,), str(control.path), 60.0))
        assert ours.recv() == Alive()
        assert ours.recv() == Ready("")
        from frisket.workers.messages import Progressed, Room

        room = Room(str(control.path), control.size, 0)
        ours.send(Run("j", '{"do": "hang"}', {}, room, room))
        assert ours.recv() == Progressed(0.5)
        began = time.monotonic()
        ours.close()
        assert process.wait(5) == 0
        assert time.monotonic() - began < 2
    tray.close()


def test_signals_to_the_whole_group_leave_the_worker_to_its_server(tmp_path):
    server, pid = orphaned(tmp_path, "steps")
    with server:
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(pid, number)
        time.sleep(0.2)
        assert alive(pid)
        server.kill()
    assert gone_within(pid, 3)
