"""Who is next: clients take turns, each in its own order. Bounded in bytes and in jobs for one client."""

from __future__ import annotations

import contextlib
from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass

from frisket.errors import QueueFull, TooManyJobs


@dataclass(frozen=True, slots=True)
class Waiting:
    """A job in the queue. bytes: what it holds on disk."""

    job: str
    client: str
    bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class Reservation:
    """Room for a job that is on its way in. It counts like one that waits."""

    client: str
    bytes: int


class FairQueue:
    """Round robin over clients: one who sends a hundred jobs delays another's first by one job, not by a hundred.

    max_bytes: of all jobs that wait. max_jobs: that wait for one client. Not thread-safe.
    """

    def __init__(self, max_bytes: int, max_jobs: int) -> None:
        self._max_bytes, self._max_jobs = max_bytes, max_jobs
        self._turns: OrderedDict[str, deque[Waiting]] = OrderedDict()  # in the order of their turns, none empty
        self._by_job: dict[str, Waiting] = {}
        self._held: set[str] = set()
        self._reserved: set[Reservation] = set()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._by_job)

    def __contains__(self, job: str) -> bool:
        return job in self._by_job

    def check(self, client: str, bytes: int) -> None:
        """Whether one more would be taken. Raises QueueFull, TooManyJobs."""
        waiting = len(self._turns.get(client, ())) + sum(r.client == client for r in self._reserved)
        if waiting >= self._max_jobs:
            raise TooManyJobs(waiting=waiting, limit=self._max_jobs)
        total = self._bytes + sum(r.bytes for r in self._reserved)
        if (self._by_job or self._reserved) and total + bytes > self._max_bytes:
            raise QueueFull(waiting=total, limit=self._max_bytes)

    def reserve(self, client: str, bytes: int) -> Reservation:
        """Keep room for one job until `release`. Raises QueueFull, TooManyJobs."""
        self.check(client, bytes)
        room = Reservation(client, bytes)
        self._reserved.add(room)
        return room

    def covers(self, room: Reservation | None, client: str, bytes: int) -> bool:
        """Whether this job may have that room: it is still kept, for this client, and large enough."""
        return room in self._reserved and room is not None and room.client == client and bytes <= room.bytes

    def release(self, room: Reservation | None) -> None:
        """Give it up, or have it replaced by a job that was put in. Once or more often."""
        if room is not None:
            self._reserved.discard(room)

    def put(self, waiting: Waiting) -> None:
        """Append, whatever the limits say: those are asked with `check`, before the job is on record."""
        self._enter(waiting)
        self._turns.setdefault(waiting.client, deque()).append(waiting)

    def put_front(self, waiting: Waiting) -> None:
        """Make it the next one of all: it had its turn and lost it through no fault of its own."""
        self._enter(waiting)
        self._turns.setdefault(waiting.client, deque()).appendleft(waiting)
        self._turns.move_to_end(waiting.client, last=False)

    def pop(self) -> Waiting | None:
        """The next one; its client then goes to the end of the line. None when nothing waits that is not held."""
        for client, line in self._turns.items():
            waiting = next((w for w in line if w.job not in self._held), None)
            if waiting is not None:
                line.remove(waiting)
                self._turns.move_to_end(client)
                self._leave(waiting)
                return waiting
        return None

    @contextlib.contextmanager
    def held(self, job: str) -> Iterator[None]:
        """For the length of the block this one keeps its place and is not popped. It need not be there."""
        self._held.add(job)
        try:
            yield
        finally:
            self._held.discard(job)

    def remove(self, job: str) -> bool:
        """Take one out of the line. False when it does not wait."""
        waiting = self._by_job.get(job)
        if waiting is None:
            return False
        self._turns[waiting.client].remove(waiting)
        self._leave(waiting)
        return True

    def position(self, job: str) -> int:
        """1 = next, 0 = does not wait."""
        waiting = self._by_job.get(job)
        if waiting is None:
            return 0
        return self._place(waiting.client, self._turns[waiting.client].index(waiting))

    def position_of_next(self, client: str) -> int:
        """What the position of this client's next job would be."""
        return self._place(client, len(self._turns.get(client, ())))

    def _place(self, client: str, ahead: int) -> int:
        """Place of a job with `ahead` of its client's before it; others get as many turns by then, or one more."""
        place, before = ahead + 1, True
        for other, line in self._turns.items():
            if other == client:
                before = False
            else:
                place += min(len(line), ahead + before)
        return place

    def _enter(self, waiting: Waiting) -> None:
        self._by_job[waiting.job] = waiting
        self._bytes += waiting.bytes

    def _leave(self, waiting: Waiting) -> None:
        del self._by_job[waiting.job]
        self._bytes -= waiting.bytes
        if not self._turns[waiting.client]:
            del self._turns[waiting.client]
