"""The worker process: builds an easel, warms it, and runs one request after the other on it.

Whatever happens to the server, this process does not outlive it: the kernel kills it (Linux), or the end of the pipe
does. Nothing here is worth saving, so it may be killed at any time.
"""

from __future__ import annotations

import contextlib
import importlib
import mmap
import os
import queue
import signal
import sys
import threading
import time
import traceback
from multiprocessing import connection
from typing import Any

from frisket.edits.easel import Easel, Finished
from frisket.errors import Cancelled, FrisketError, Internal
from frisket.workers.messages import (
    Alive,
    Delivered,
    Done,
    Failed,
    MoreRoom,
    NeedRoom,
    NoRoom,
    Previewed,
    Progressed,
    Ready,
    Room,
    Run,
    Setup,
    Span,
)
from frisket.workers.shm import CONTROL_SIZE, KEPT, SHOW, STOP, aligned, attach

PR_SET_PDEATHSIG = 1
OOM_SCORE = 500  # when memory runs out this process goes before the server does
TELL_S = 0.04  # progress that follows sooner is left out


def main() -> None:
    """sys.argv: ..., the pipe's file descriptor (or handle), the server's process id."""
    number, parent = int(sys.argv[-2]), int(sys.argv[-1])
    _guard(parent)
    pipe: Any = connection.PipeConnection if sys.platform == "win32" else connection.Connection
    conn = pipe(number)
    setup: Setup = conn.recv()
    sys.path.extend(setup.python_path)
    Worker(conn, setup).serve()


class PipeTeller:
    """Tells the server, and looks at the bytes through which the server tells back. Any thread may call."""

    def __init__(self, conn: connection.Connection, control: mmap.mmap) -> None:
        self._conn, self._control, self._lock = conn, control, threading.Lock()
        self._told_at = 0.0

    def send(self, message: object) -> None:
        with self._lock:
            self._conn.send(message)

    def check(self) -> None:
        if self._control[STOP]:
            raise Cancelled()

    def progress(self, fraction: float) -> None:
        self.check()
        now = time.monotonic()
        if now - self._told_at >= TELL_S:
            self._told_at = now
            self.send(Progressed(float(fraction)))

    def preview(self, jpeg: bytes, box: tuple[int, int, int, int]) -> None:
        self.check()
        self.send(Previewed(bytes(jpeg), box))

    def wants_preview(self) -> bool:
        return bool(self._control[SHOW])


class Worker:
    """One easel and the pipe to the server."""

    def __init__(self, conn: connection.Connection, setup: Setup) -> None:
        self._conn, self._setup = conn, setup
        self._easel: Easel | None = None
        self._teller = PipeTeller(conn, attach(setup.control, CONTROL_SIZE, writable=False))
        self._inbox: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._maps: dict[bool, tuple[Room, mmap.mmap]] = {}  # by "writable": the source and the sink

    def serve(self) -> None:
        """Until the pipe ends, which ends the process."""
        threading.Thread(target=self._listen, daemon=True).start()
        trace = ""
        try:
            self._ready_easel().warm()
        except Exception:
            trace = traceback.format_exc()
        self._teller.send(Ready(trace))
        while True:
            run: Run = self._inbox.get()
            self._teller.send(self._answer(run))
            self._forget_large_maps()

    def _listen(self) -> None:
        """A thread of its own: the main one may be deep inside an engine when the server goes or asks for a sign."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._teller.send(Alive())
                while self._conn.poll(self._setup.beat_s):
                    self._inbox.put(self._conn.recv())
        os._exit(0)

    def _ready_easel(self) -> Easel:
        """The one easel. What failed at the start may work by the next run."""
        easel = self._easel
        if easel is None:
            module, _, attribute = self._setup.factory.partition(":")
            factory = getattr(importlib.import_module(module), attribute)
            easel = self._easel = factory(**self._setup.kwargs)
        return easel

    def _answer(self, run: Run) -> Done | Failed:
        try:
            easel = self._ready_easel()
            source = memoryview(self._mapped(run.source, writable=False))
            planes = {name: source[span.offset : span.offset + span.size] for name, span in run.inputs.items()}
            return self._deliver(easel.run(run.request, planes, self._teller), run.sink)
        except FrisketError as error:
            return Failed(error, traceback.format_exc() if error.__cause__ else "")
        except Exception:
            return Failed(Internal(reference=run.job), traceback.format_exc())

    def _deliver(self, finished: list[Finished], sink: Room) -> Done:
        """Copy the planes, one after the other. Raises FrisketError when the server has no room for them."""
        results, end = [], 0
        views = []
        for picture in finished:
            spans = []
            for plane in picture.planes:
                buffer: Any = plane  # an array is one too, which its stubs say only from Python 3.12 on
                view = memoryview(buffer)
                span = Span(aligned(end), view.nbytes)
                end = span.offset + span.size
                spans.append(span)
                if span.size:  # an empty view cannot be cast
                    views.append((span, view.cast("B")))
            results.append(Delivered(picture.meta, tuple(spans)))
        if end > sink.usable:
            sink = self._more_room(end)
        target = self._mapped(sink, writable=True)
        for span, view in views:
            target[span.offset : span.offset + span.size] = view
        return Done(tuple(results))

    def _more_room(self, needed: int) -> Room:
        self._teller.send(NeedRoom(needed))
        answer: MoreRoom | NoRoom = self._inbox.get()
        if isinstance(answer, NoRoom):
            raise answer.error
        return answer.sink

    def _mapped(self, room: Room, writable: bool) -> mmap.mmap:
        known = self._maps.get(writable)
        if known is None or (known[0].path, known[0].size) != (room.path, room.size):
            self._unmap(writable)
            known = self._maps[writable] = (room, attach(room.path, room.size, writable))
        return known[1]

    def _forget_large_maps(self) -> None:
        """The server gives large segments back after a job; their memory is free when nobody maps them."""
        for writable, (room, _) in list(self._maps.items()):
            if room.size > KEPT:
                self._unmap(writable)

    def _unmap(self, writable: bool) -> None:
        known = self._maps.pop(writable, None)
        if known is not None:
            with contextlib.suppress(BufferError):  # an engine still holds a view: the map goes with it
                known[1].close()


def _guard(parent: int) -> None:
    """Never outlive the server, never be the one that survives when memory runs out, leave signals to the server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A service manager may send SIGTERM to all processes; the server then drains and wants this one to finish.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it went before the kernel was told
        os._exit(0)
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(OOM_SCORE))
