"""Long work on models: in threads of its own, followed by any number of clients, outliving them if it is to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from frisket.errors import Cancelled, FrisketError, Internal
from frisket.models.folder import Report
from frisket.models.record import Record

log = logging.getLogger("frisket.rpc")

LOOK_S = 0.2  # how often a follower looks whether anything has changed
BEAT_S = 5.0  # what has not changed is told again
LEAVE_S = 3.0  # how long the server's end waits for threads; one that hangs on a silent hub goes with the process
WINDOW_S = 5.0  # over which the rate is taken


@dataclass(frozen=True, slots=True)
class At:
    """How far it is: bytes `done` of `total` (0 = not known yet), at `file`, so many bytes a second (0 = not known)."""

    done: int = 0
    total: int = 0
    file: str = ""
    rate: float = 0.0


class Pace:
    """Bytes a second over the last WINDOW_S."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def rate(self, now: float, done: int) -> float:
        """`now` in seconds. 0 until a tenth of a second has passed, and where `done` fell: a file came anew."""
        seen = self._seen
        if not seen or now - seen[-1][0] >= WINDOW_S / 50:
            seen.append((now, done))
        while len(seen) > 1 and now - seen[1][0] >= WINDOW_S:
            seen.popleft()
        elapsed = now - seen[0][0]
        return max(0.0, (done - seen[0][1]) / elapsed) if elapsed >= WINDOW_S / 50 else 0.0


class Errand:
    """One piece of work on one model. Used in the event loop's thread; the work itself runs in a daemon thread.

    `at` is None while it waits for others. `outcome` has the model's record, or the error that it ended with.
    """

    def __init__(self, model: str, work: Callable[[Report], Record], kept: bool) -> None:
        self.model = model
        self.at: At | None = None
        self.outcome: asyncio.Future[Record | FrisketError] = asyncio.get_running_loop().create_future()
        self._work, self._kept, self._followers = work, kept, 0
        self._why: FrisketError | None = None
        self._pace = Pace()

    @property
    def stopping(self) -> bool:
        return self._why is not None

    def start(self) -> None:
        self.at = At()
        threading.Thread(target=self._labour, name=f"frisket-{self.model}", daemon=True).start()

    def stop(self, why: FrisketError) -> None:
        """It ends with `why`: at once if it waits, else at its next piece. Without effect the second time."""
        if self._why is None:
            self._why = why
            if self.at is None:
                self._end(why)

    async def follow(self) -> AsyncGenerator[At | None, None]:
        """Where it is: at once, whenever that changes, and every BEAT_S; None while it waits. Ends when it has ended.

        Work that is not kept is stopped when the last one who follows it goes.
        """
        told: list[At | None] = []
        told_at = 0.0
        self._followers += 1
        try:
            while not self.outcome.done():
                if told != [self.at] or time.monotonic() - told_at >= BEAT_S:
                    told, told_at = [self.at], time.monotonic()
                    yield self.at
                await asyncio.wait((self.outcome,), timeout=LOOK_S)
        finally:
            self._followers -= 1
            if not self._followers and not self._kept:
                self.stop(Cancelled())

    def _labour(self) -> None:
        try:
            ended: Record | FrisketError = self._work(self._report)
        except Cancelled as error:
            ended = self._why or error
        except FrisketError as error:
            ended = error
        except Exception:
            reference = uuid.uuid4().hex[:12]
            log.exception("unexpected error %s", reference)
            ended = Internal(reference=reference)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is there to hear it
            self.outcome.get_loop().call_soon_threadsafe(self._end, ended)

    def _report(self, done: int, total: int, what: str, /) -> None:
        if self._why is not None:
            raise Cancelled()
        self.at = At(done, total, what, self._pace.rate(time.monotonic(), done))

    def _end(self, ended: Record | FrisketError) -> None:
        if not self.outcome.done():
            self.outcome.set_result(ended)


class Errands:
    """Errands of one kind, `at_once` of them at a time and never two on one model.

    kept: they go on when nobody follows them."""

    def __init__(self, at_once: int, kept: bool) -> None:
        self._at_once, self._kept = at_once, kept
        self._all: list[Errand] = []

    @property
    def busy(self) -> bool:
        """Whether one runs or waits."""
        return bool(self._all)

    def find(self, model: str) -> Errand | None:
        """The one on this model that runs or waits, and was not told to stop."""
        return next((e for e in self._all if e.model == model and not e.stopping), None)

    def begin(self, model: str, work: Callable[[Report], Record]) -> Errand:
        """The one on this model; when there is none, a new one that does `work(report)`."""
        errand = self.find(model)
        if errand is None:
            errand = Errand(model, work, self._kept)
            errand.outcome.add_done_callback(lambda _, gone=errand: self._ended(gone))
            self._all.append(errand)
            self._start_next()
        return errand

    async def close(self, why: FrisketError) -> None:
        """Stop all of them, and wait for a moment until they have."""
        for errand in list(self._all):
            errand.stop(why)
        if self._all:
            await asyncio.wait([errand.outcome for errand in self._all], timeout=LEAVE_S)

    def _ended(self, errand: Errand) -> None:
        self._all.remove(errand)
        self._start_next()

    def _start_next(self) -> None:
        for errand in self._all:
            started = [other.model for other in self._all if other.at is not None]
            free = len(started) < self._at_once and errand.model not in started
            if free and errand.at is None and not errand.stopping:
                errand.start()
