"""The states of a job and the moves between them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from types import MappingProxyType


class JobState(enum.Enum):
    """Where a job is. The values are stored: they never change."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """No move leads out of it."""
        return not MOVES[self]


MOVES: Mapping[JobState, frozenset[JobState]] = MappingProxyType(
    {
        JobState.QUEUED: frozenset({JobState.RUNNING, JobState.FAILED, JobState.CANCELLED}),
        # back to QUEUED: its worker died or the server stopped, and it will be started again
        JobState.RUNNING: frozenset({JobState.QUEUED, JobState.FINISHED, JobState.FAILED, JobState.CANCELLED}),
        JobState.FINISHED: frozenset(),
        JobState.FAILED: frozenset(),
        JobState.CANCELLED: frozenset(),
    }
)


class MoveNotAllowed(ValueError):
    """A job was to take a move that MOVES lacks: a mistake in the program, never in a request."""


def check_move(job: str, come_from: JobState, to: JobState) -> None:
    """Raises MoveNotAllowed."""
    if to not in MOVES[come_from]:
        raise MoveNotAllowed(f"job {job} is {come_from.value} and cannot become {to.value}")
