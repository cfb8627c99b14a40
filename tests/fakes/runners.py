"""A runner in the test's own loop, with a script in place of a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from frisket.errors import Cancelled
from frisket.jobs.runner import Assignment, Keep, KeptResult, Progress, Tell

Script = Callable[["FakeRunner", Assignment, Tell, Keep], Awaitable[list[KeptResult]]]


async def echo(runner: FakeRunner, assignment: Assignment, tell: Tell, keep: Keep) -> list[KeptResult]:
    """Gives the inputs back, in the order of their names."""
    planes = [await keep(memoryview(path.read_bytes())) for _, path in sorted(assignment.inputs.items())]
    return [KeptResult(f'{{"try": {assignment.tries}}}', tuple(planes))]


async def until_cancelled(runner: FakeRunner, assignment: Assignment, tell: Tell, keep: Keep) -> list[KeptResult]:
    """Runs until it is told to stop."""
    await runner.stops.setdefault(assignment.job, asyncio.Event()).wait()
    raise Cancelled()


async def gated(runner: FakeRunner, assignment: Assignment, tell: Tell, keep: Keep) -> list[KeptResult]:
    """Waits for the test to open the gate, then echoes."""
    tell(Progress(0.0))
    await runner.gate.wait()
    return await echo(runner, assignment, tell, keep)


class FakeRunner:
    """script: one for all jobs. `began` lists the jobs in the order in which they were started."""

    def __init__(self, script: Script = echo, slots: int = 1) -> None:
        self.slots, self.script, self.ready = slots, script, True
        self.began: list[str] = []
        self.stops: dict[str, asyncio.Event] = {}
        self.gate = asyncio.Event()
        self.shown: list[tuple[str, bool]] = []
        self.closed = False

    async def start(self) -> None:
        pass

    async def run(self, assignment: Assignment, tell: Tell, keep: Keep) -> list[KeptResult]:
        self.began.append(assignment.job)
        return await self.script(self, assignment, tell, keep)

    def cancel(self, job: str) -> None:
        self.stops.setdefault(job, asyncio.Event()).set()

    def show(self, job: str, wanted: bool) -> None:
        self.shown.append((job, wanted))

    async def close(self) -> None:
        self.closed = True
