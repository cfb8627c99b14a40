import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from frisket.workers.messages import Ended, Ready, Room, Run, Setup
from frisket.workers.process import WorkerProcess
from frisket.workers.shm import CONTROL_SIZE, Tray

TESTS = str(Path(__file__).resolve().parent.parent)


class Life:
    """One process and all that was heard of it."""

    def __init__(self, tmp_path: Path, factory: str = "fakes.easels:make", beat_s: float = 5.0) -> None:
        self._tray = Tray([tmp_path])
        self._said: asyncio.Queue = asyncio.Queue()
        self.control = self._tray.room(CONTROL_SIZE)
        setup = Setup(factory, {}, (TESTS,), str(self.control.path), beat_s)
        self.process = WorkerProcess(setup, tmp_path, lambda process, message: self._said.put_nowait(message))

    async def heard(self):
        return await asyncio.wait_for(self._said.get(), 20)

    async def close(self) -> None:
        await self.process.close()
        self._tray.close()


def test_first_word_and_last_word(tmp_path):
    async def main():
        life = Life(tmp_path)
        assert await life.heard() == Ready("")
        life.process.kill()
        assert await life.heard() == Ended("signal 9")
        life.process.send(Run("j", "{}", {}, Room("", 0, 0), Room("", 0, 0)))  # lost, and no error
        with pytest.raises(ProcessLookupError):  # it was waited for: not even a zombie is left
            os.kill(life.process.pid, 0)
        await life.close()

    asyncio.run(main())


def test_an_ending_of_its_own_tells_the_exit_code(tmp_path):
    async def main():
        life = Life(tmp_path)
        assert await life.heard() == Ready("")
        room = Room(str(life.control.path), life.control.size, 0)
        life.process.send(Run("j", '{"do": "die", "how": "exit"}', {}, room, room))
        await life.heard()
        assert await life.heard() == Ended("exit code 137")
        await life.close()

    asyncio.run(main())


def test_one_that_talks_nonsense_is_ended(tmp_path, caplog):
    async def main():
        life = Life(tmp_path, "fakes.easels:make_babbling")
        assert await life.heard() == Ended("signal 9")
        assert "cannot be understood" in caplog.text
        await life.close()

    asyncio.run(main())


def test_closing_leaves_neither_process_nor_descriptor(tmp_path):
    async def main():
        life = Life(tmp_path)
        await life.heard()
        await life.close()

    asyncio.run(main())  # whatever the first loop and the first thread keep open
    before = set(os.listdir("/proc/self/fd"))
    asyncio.run(main())
    assert len(set(os.listdir("/proc/self/fd"))) == len(before)


def test_one_that_is_stopped_is_killed_after_twelve_beats_and_one_that_beats_is_not(tmp_path, caplog):
    async def main():
        life = Life(tmp_path, beat_s=0.05)
        assert await life.heard() == Ready("")
        await asyncio.sleep(1.5)  # silent but for its beats, more than twice what is allowed
        assert life.process._missed <= 12
        os.kill(life.process.pid, signal.SIGSTOP)
        began = time.monotonic()
        assert await life.heard() == Ended("signal 9")
        assert 0.5 <= time.monotonic() - began < 5
        assert "was silent for 0.65 s" in caplog.text
        await life.close()

    asyncio.run(main())


def test_a_server_that_is_stopped_itself_does_not_blame_its_worker(tmp_path):
    async def main():
        life = Life(tmp_path, beat_s=0.05)
        assert await life.heard() == Ready("")
        for _ in range(3):
            time.sleep(1.0)  # the whole loop
            await asyncio.sleep(0.06)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(life._said.get(), 0.3)
        await life.close()

    asyncio.run(main())
