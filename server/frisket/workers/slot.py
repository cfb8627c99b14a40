"""A slot: one worker process at a time, replaced when it dies, fed with one assignment after the other."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frisket.errors import Cancelled, FrisketError, InputLost, WorkerCrashed
from frisket.jobs.runner import Assignment, Keep, KeptResult, Preview, Progress, Tell
from frisket.workers.messages import (
    Done,
    Ended,
    Failed,
    Heard,
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
    Stop,
)
from frisket.workers.process import MISSED, WorkerProcess
from frisket.workers.shm import CONTROL_SIZE, SHOW, STOP, Segment, Tray, aligned, default_folders

log = logging.getLogger("frisket.workers")


@dataclass(frozen=True, slots=True)
class SlotSettings:
    """factory, kwargs, python_path: see messages.Setup. cache: folder for compiled code.

    grace_s: how long a cancelled job may take to stop before its process is killed. folders: for shared memory.
    silence_s: how long a process may give no sign of life (five times that before its first) before it is killed.
    """

    factory: str
    cache: Path
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    python_path: tuple[str, ...] = ()
    grace_s: float = 5.0
    folders: tuple[Path, ...] = field(default_factory=default_folders)
    silence_s: float = 60.0


class Slot:
    """All methods are called in the event loop's thread."""

    def __init__(self, settings: SlotSettings) -> None:
        self._settings = settings
        self._control_tray = Tray(settings.folders)
        self._source, self._sink = Tray(settings.folders), Tray(settings.folders)
        self._process: WorkerProcess | None = None
        self._former: list[WorkerProcess] = []  # killed, and not heard any more
        self._inbox: asyncio.Queue[Heard] | None = None  # there is one while an assignment runs
        self._ready = self._begun = self._cancelled = self._closed = self._stale = False
        self._killer: asyncio.TimerHandle | None = None

    @property
    def ready(self) -> bool:
        """Whether the process is there and warm."""
        return self._ready

    @property
    def pid(self) -> int | None:
        """Of the process, None while there is none."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process; it warms up by itself. Raises DiskFull."""
        self._stale = False
        control = self._control
        factory, kwargs, python_path = self._settings.factory, self._settings.kwargs, self._settings.python_path
        setup = Setup(factory, dict(kwargs), python_path, str(control.path), self._settings.silence_s / MISSED)
        self._process = WorkerProcess(setup, self._settings.cache, self._heard)

    async def run(self, assignment: Assignment, tell: Tell, keep: Keep) -> list[KeptResult]:
        """See jobs.runner.Runner. Waits until the process is warm."""
        inbox = self._inbox = asyncio.Queue()
        self._begun = self._cancelled = False
        try:
            process = await self._ready_process(inbox, assignment)
            spans, source, sink = await asyncio.to_thread(self._fill, assignment.inputs)
            if self._cancelled:
                raise Cancelled()
            self._signal(STOP, False)
            self._begun = True
            run = Run(assignment.job, assignment.request, spans, source, sink)
            await asyncio.to_thread(process.send, run)
            return await self._converse(process, inbox, assignment, tell, keep)
        except asyncio.CancelledError:
            if self._begun:
                self._disown()
            raise
        finally:
            self._inbox = None
            if self._killer is not None:
                self._killer.cancel()
                self._killer = None
            self._source.trim()
            self._sink.trim()
            if self._stale:
                self.renew()

    def cancel(self) -> None:
        """Stop what runs: at its next step, or with its process when that does not come in time."""
        if self._inbox is None or self._cancelled:
            return
        self._cancelled = True
        if not self._begun:
            self._inbox.put_nowait(Stop())
            return
        self._signal(STOP, True)
        self._killer = asyncio.get_running_loop().call_later(self._settings.grace_s, self._lose_patience)

    def show(self, wanted: bool) -> None:
        """Whether previews of what runs are drawn."""
        self._signal(SHOW, wanted)

    def renew(self) -> None:
        """A fresh process, which finds what was installed since; a running assignment keeps the old one to its end."""
        self._stale = True
        if self._inbox is None and not self._closed:
            self._disown()
            self.start()

    async def close(self) -> None:
        """End the process and give all memory back."""
        self._closed, self._ready = True, False
        for process in (*self._former, self._process):
            if process is not None:
                await process.close()
        for tray in (self._control_tray, self._source, self._sink):
            tray.close()

    # --- inside ------------------------------------------------------------------------------------------------------

    @property
    def _control(self) -> Segment:
        return self._control_tray.room(CONTROL_SIZE)

    def _signal(self, place: int, value: bool) -> None:
        with self._control.view(place, 1) as flag:
            flag[0] = value

    def _lose_patience(self) -> None:
        log.warning("worker %s did not stop in %s s and is killed", self.pid, self._settings.grace_s)
        if self._process is not None:
            self._process.kill()

    def _disown(self) -> None:
        """Nobody waits for what it does: the next job must not hear its answer."""
        if self._process is not None:
            self._process.kill()
            self._former.append(self._process)
            self._process, self._ready = None, False

    def _heard(self, process: WorkerProcess, message: Heard) -> None:
        if process is not self._process:
            if isinstance(message, Ended):
                self._former.remove(process)
            return
        if isinstance(message, Ready):
            self._ready = True
            if message.trace:
                log.error("worker %s could not warm up\n%s", process.pid, message.trace)
        if self._inbox is not None:
            self._inbox.put_nowait(message)
        if isinstance(message, Ended):
            was_ready, self._process, self._ready = self._ready, None, False
            # One that did not even warm up would do the same again: it is tried when there is work for it.
            if was_ready and not self._closed:
                self.start()

    async def _ready_process(self, inbox: asyncio.Queue[Heard], assignment: Assignment) -> WorkerProcess:
        """The warm process. What is sent goes to it or is lost with it: its successor must not see it."""
        if self._process is None:
            self.start()
        while not self._ready or self._process is None:
            message = await inbox.get()
            if isinstance(message, Ended):
                raise WorkerCrashed(ending=message.ending, tries=assignment.tries)
            if isinstance(message, Stop):
                raise Cancelled()
        return self._process

    async def _converse(
        self, process: WorkerProcess, inbox: asyncio.Queue[Heard], assignment: Assignment, tell: Tell, keep: Keep
    ) -> list[KeptResult]:
        while True:
            message = await inbox.get()
            match message:
                case Progressed():
                    tell(Progress(message.fraction))
                case Previewed():
                    tell(Preview(message.jpeg, message.box))
                case NeedRoom():
                    await asyncio.to_thread(process.send, await asyncio.to_thread(self._more_room, message.needed))
                case Done():
                    return await self._collect(message, keep)
                case Failed():
                    if message.trace:
                        log.error("job %s\n%s", assignment.job, message.trace)
                    raise message.error
                case Ended():
                    if self._cancelled:
                        raise Cancelled()
                    raise WorkerCrashed(ending=message.ending, tries=assignment.tries)
                case Ready() | Stop():
                    pass

    def _more_room(self, needed: int) -> MoreRoom | NoRoom:
        try:
            return MoreRoom(_room(self._sink.room(needed), needed))
        except FrisketError as error:
            return NoRoom(error)

    async def _collect(self, done: Done, keep: Keep) -> list[KeptResult]:
        sink = self._sink.room(0)
        kept = []
        for result in done.results:
            names = []
            for span in result.planes:
                with sink.view(span.offset, span.size) as plane:
                    names.append(await keep(plane))
            kept.append(KeptResult(result.meta, tuple(names)))
        return kept

    def _fill(self, inputs: Mapping[str, Path]) -> tuple[dict[str, Span], Room, Room]:
        """Read the files into shared memory. As much room is made ready for the results: most are of that size.

        Raises InputLost, DiskFull.
        """
        spans, end = {}, 0
        for name, path in inputs.items():
            span = spans[name] = Span(aligned(end), _size(path, name))
            end = span.offset + span.size
        source = self._source.room(end)
        for name, span in spans.items():
            with source.view(span.offset, span.size) as target:
                _read_into(inputs[name], target, name)
        return spans, _room(source, end), _room(self._sink.room(end), end)


def _room(segment: Segment, usable: int) -> Room:
    return Room(str(segment.path), segment.size, usable)


def _size(path: Path, plane: str) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise InputLost(plane=plane, what="gone") from None


def _read_into(path: Path, target: memoryview, plane: str) -> None:
    """The whole file, whose name is its sha256. Raises InputLost."""
    done, count = 0, 1
    try:
        with open(path, "rb", buffering=0) as file:
            while done < len(target) and count:
                count = file.readinto(target[done:]) or 0
                done += count
    except OSError as error:
        raise InputLost(plane=plane, what=f"unreadable ({error.strerror})") from error
    if done < len(target) or hashlib.sha256(target).hexdigest() != path.name:
        raise InputLost(plane=plane, what="damaged")
