"""One life of one worker process, seen from the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import frisket
from frisket.workers.messages import Alive, Ended, Heard, Setup, ToWorker

log = logging.getLogger("frisket.workers")

# The child finds this very package, and never picks up a module from the folder in which the server was started.
BOOT = (
    "import sys; sys.path = [p for p in sys.path if p] + [sys.argv[1]]; from frisket.workers.child import main; main()"
)
DEATH_S = 5.0  # from the end of the pipe to the end of the process
MISSED = 12  # beats in a row that a worker may leave out
MISSED_AT_FIRST = 60  # before its first word: it loads its modules, perhaps from a slow disk


class WorkerProcess:
    """Started on creation. What it says is handed to `hear` in the event loop's thread; the last word is Ended.

    A thread listens, so that neither half a message nor a stopped process ever blocks the loop. One that is silent for
    MISSED beats is killed. Beats are counted by a timer of this process, not on the clock: if the whole machine sleeps
    or the server is stopped, the worker is not blamed. On Linux the process is killed when the thread that made it
    ends: make it in the loop's thread.
    """

    def __init__(self, setup: Setup, cache: Path, hear: Callable[[WorkerProcess, Heard], None]) -> None:
        self._hear, self._loop = hear, asyncio.get_running_loop()
        self._conn, theirs = multiprocessing.Pipe()
        with contextlib.closing(theirs):
            self._popen = _spawn(theirs.fileno(), cache)
        self._thread = threading.Thread(target=self._listen, name=f"frisket-worker-{self.pid}", daemon=True)
        self._thread.start()
        self._missed, self._allowed, self._beat_s = 0, MISSED_AT_FIRST, setup.beat_s
        self._timer = self._loop.call_later(self._beat_s, self._count)
        self.send(setup)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def send(self, message: ToWorker) -> None:
        """Blocks if the process does not read. To a dead one it is lost: its Ended is on the way."""
        with contextlib.suppress(OSError):
            self._conn.send(message)

    def kill(self) -> None:
        """At once. Ended follows."""
        self._popen.kill()

    async def close(self) -> None:
        """Kill it and wait until nothing of it is left."""
        self._timer.cancel()
        self.kill()
        await asyncio.to_thread(self._thread.join)

    def _count(self) -> None:
        self._missed += 1
        if self._missed > self._allowed:
            log.error("worker %s was silent for %.3g s and is killed", self.pid, self._missed * self._beat_s)
            self.kill()
            return
        self._timer = self._loop.call_later(self._beat_s, self._count)

    def _hear_in_loop(self, message: Heard) -> None:
        self._missed, self._allowed = 0, MISSED
        if isinstance(message, Ended):
            self._timer.cancel()
        if not isinstance(message, Alive):
            self._hear(self, message)

    def _listen(self) -> None:
        try:
            while True:
                self._post(self._conn.recv())
        except (EOFError, OSError):
            pass
        except Exception:  # not one of our messages
            log.exception("worker %s cannot be understood", self.pid)
            self._popen.kill()
        try:
            code = self._popen.wait(DEATH_S)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            code = self._popen.wait()
        self._conn.close()
        self._post(Ended(f"signal {-code}" if code < 0 else f"exit code {code}"))

    def _post(self, message: Heard) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to hear it
            self._loop.call_soon_threadsafe(self._hear_in_loop, message)


def _spawn(pipe: int, cache: Path) -> subprocess.Popen[bytes]:
    """pipe: file descriptor, on Windows a handle, that the process inherits. cache: for compiled code."""
    package = str(Path(frisket.__file__).resolve().parent.parent)
    command = [sys.executable, "-c", BOOT, package, str(pipe), str(os.getpid())]
    caches = {"NUMBA_CACHE_DIR": "numba", "TORCHINDUCTOR_CACHE_DIR": "torch"}
    env = os.environ | {name: str(cache / folder / frisket.__version__) for name, folder in caches.items()}
    if sys.platform == "win32":
        os.set_handle_inheritable(pipe, True)
        startup = subprocess.STARTUPINFO(lpAttributeList={"handle_list": [pipe]})
        return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, startupinfo=startup)
    # stdout belongs to the server, whose callers may read it: prints of engines go to stderr
    return subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=2, pass_fds=(pipe,))
