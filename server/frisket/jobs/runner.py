"""What the desk asks of whoever does the work: a child process here, a machine elsewhere, a fake in a test."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Assignment:
    """One try of one job. request: JSON. inputs: file by plane, named by its sha256. tries: 1 for the first start."""

    job: str
    request: str
    inputs: Mapping[str, Path]
    tries: int


@dataclass(frozen=True, slots=True)
class Progress:
    """fraction: 0...1 of the whole job."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Preview:
    """jpeg: what is there so far. box: x, y, width, height of what it shows, canvas space."""

    jpeg: bytes
    box: tuple[int, int, int, int]


RunnerEvent = Progress | Preview
Tell = Callable[[RunnerEvent], None]
Keep = Callable[[memoryview], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class KeptResult:
    """One finished picture. meta: JSON. planes: the names that `keep` gave."""

    meta: str
    planes: tuple[str, ...]


class Runner(Protocol):
    """Runs assignments, `slots` at a time. All methods are called in the event loop's thread and never block it."""

    @property
    def slots(self) -> int: ...

    @property
    def ready(self) -> bool:
        """False while engines are still being loaded. Assignments are taken all the same, they wait."""
        ...

    async def start(self) -> None: ...

    async def run(self, assignment: Assignment, tell: Tell, keep: Keep) -> list[KeptResult]:
        """Do it. `tell` is called in the loop's thread; `keep` stores the bytes of one plane and gives their name.

        Raises errors.Cancelled after `cancel`, errors.WorkerCrashed (worth another try), errors.InputLost for a file
        that is not what its name says, any other FrisketError.
        """
        ...

    def cancel(self, job: str) -> None:
        """Ask a running job to stop; `run` raises when it has. Without effect on a job that does not run."""
        ...

    def show(self, job: str, wanted: bool) -> None:
        """Whether previews of this job, running or not yet, would be seen; nobody sees them until this is called."""
        ...

    async def close(self) -> None:
        """End all workers. Whatever still runs ends with an error."""
        ...
