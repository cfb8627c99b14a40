"""How long ended jobs are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

DAY = 24 * 3600.0


@dataclass(frozen=True, slots=True)
class Ended:
    """A job in a final state. ended: seconds since the epoch. blobs: names of the files it holds."""

    job: str
    ended: float
    blobs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Retention:
    """max_age_s: since the job ended. max_bytes: of all files that ended jobs hold, shared ones counted once.

    keep_jobs: so many of the newest are not forgotten for their age: the clock may be wrong.
    """

    max_age_s: float = 7 * DAY
    max_bytes: int = 20 << 30
    keep_jobs: int = 20

    def expired(self, jobs: Sequence[Ended], size_of: Callable[[str], int], now: float) -> list[str]:
        """The jobs to forget. The newest stay: the first that no longer fits goes, and all older ones with it.

        The very newest always fits. size_of: bytes of the blob of that name.
        """
        gone: list[str] = []
        counted: set[str] = set()
        total = 0
        for place, job in enumerate(sorted(jobs, key=lambda j: j.ended, reverse=True)):
            total += sum(size_of(name) for name in job.blobs - counted)
            counted |= job.blobs
            too_much = place > 0 and total > self.max_bytes
            if too_much or (place >= self.keep_jobs and now - job.ended > self.max_age_s):
                gone.append(job.job)
        return gone
