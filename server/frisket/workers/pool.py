"""Worker processes on this machine, as the desk's runner."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from frisket.errors import Cancelled
from frisket.jobs.runner import Assignment, Keep, KeptResult, Tell
from frisket.workers.shm import default_folders, remove_stale
from frisket.workers.slot import Slot, SlotSettings

log = logging.getLogger("frisket.workers")


class LocalWorkers:
    """A jobs.runner.Runner with one child process for each slot.

    factory: "module:attribute" of what makes the easel, called in the child with `kwargs`. cache: folder for compiled
    code. grace_s: how long a cancelled job may take to stop before its process is killed. python_path: folders that the
    child also imports from. folders: for shared memory, best first; None = /dev/shm, then the temp folder. silence_s:
    how long a process may give no sign of life before it is killed and its job is tried again.
    """

    def __init__(
        self,
        factory: str,
        kwargs: Mapping[str, Any],
        cache: Path,
        slots: int = 1,
        grace_s: float = 5.0,
        python_path: tuple[str, ...] = (),
        folders: tuple[Path, ...] | None = None,
        silence_s: float = 60.0,
    ) -> None:
        self._folders = folders or default_folders()
        settings = SlotSettings(factory, cache, kwargs, python_path, grace_s, self._folders, silence_s)
        self._all = [Slot(settings) for _ in range(slots)]
        self._free = list(self._all)
        self._some_free = asyncio.Semaphore(slots)
        self._running: dict[str, Slot | None] = {}  # None: waits for a slot
        self._stopping: set[str] = set()
        self._shown: set[str] = set()  # jobs whose previews somebody sees

    @property
    def slots(self) -> int:
        return len(self._all)

    @property
    def ready(self) -> bool:
        """Whether some worker is warm."""
        return any(slot.ready for slot in self._all)

    @property
    def pids(self) -> list[int]:
        """Of the processes that are there."""
        return [slot.pid for slot in self._all if slot.pid is not None]

    async def start(self) -> None:
        """Start all processes; they warm up by themselves. Raises DiskFull."""
        removed = await asyncio.to_thread(remove_stale, self._folders)
        if removed:
            log.info("%s segments of shared memory were left by a server that died", removed)
        for slot in self._all:
            slot.start()

    async def run(self, assignment: Assignment, tell: Tell, keep: Keep) -> list[KeptResult]:
        """See jobs.runner.Runner."""
        job = assignment.job
        self._running[job] = None
        try:
            async with self._some_free:
                if job in self._stopping:
                    raise Cancelled()
                slot = next((s for s in self._free if s.ready), self._free[0])
                self._free.remove(slot)
                self._running[job] = slot
                try:
                    slot.show(job in self._shown)
                    return await slot.run(assignment, tell, keep)
                finally:
                    self._free.append(slot)
        finally:
            del self._running[job]
            self._stopping.discard(job)

    def cancel(self, job: str) -> None:
        """See jobs.runner.Runner."""
        if job not in self._running:
            return
        self._stopping.add(job)
        slot = self._running[job]
        if slot is not None:
            slot.cancel()

    def show(self, job: str, wanted: bool) -> None:
        """See jobs.runner.Runner."""
        (self._shown.add if wanted else self._shown.discard)(job)
        slot = self._running.get(job)
        if slot is not None:
            slot.show(wanted)

    def renew(self) -> None:
        """Fresh processes, which find what was installed since: at once, or after what runs."""
        for slot in self._all:
            slot.renew()

    async def close(self) -> None:
        """End all processes."""
        await asyncio.gather(*(slot.close() for slot in self._all))
