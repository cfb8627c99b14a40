"""Runs a kernel over an index range in bands, side by side on a few threads.

A kernel is compiled with `nogil=True` and called as `kernel(low, high, *arrays)`. It writes only what belongs to its
own indices and reads nothing that another band writes, so neither the number of threads nor their order can change a
bit. Between bands the caller's `check` is asked, which is what keeps a cancel quick.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

from numba.core import config

from frisket.raster.spans import spans

BAND = 4096  # indices; a few milliseconds of PatchMatch: short against a cancel, long against handing out the work


def usual_threads() -> int:
    """As many as numba would use: NUMBA_NUM_THREADS, else one for each processor that the process may use."""
    return int(getattr(config, "NUMBA_NUM_THREADS"))  # noqa: B009 - set at run time, unknown to type checkers


class Bands:
    """A context that owns the threads.

    threads: how many run side by side, >= 1. check: raises errors.Cancelled when the edit is to stop.
    """

    __slots__ = ("_check", "_pool", "_threads")

    def __init__(self, threads: int, check: Callable[[], None]) -> None:
        self._threads = threads
        self._check = check
        self._pool = ThreadPoolExecutor(threads, "frisket-patch") if threads > 1 else None

    def __enter__(self) -> Bands:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    @property
    def threads(self) -> int:
        return self._threads

    def check(self) -> None:
        """Raises errors.Cancelled when the edit is to stop."""
        self._check()

    def spans(self, count: int) -> Iterator[slice]:
        """See `spans`; for numpy's work on this thread."""
        return spans(count, self._check)

    def run(self, kernel: Callable[..., None], count: int, *arrays: object, band: int = BAND, start: int = 0) -> None:
        """`kernel(low, high, *arrays)` over start...count in bands of `band`. Raises errors.Cancelled between bands."""
        self._check()
        if self._pool is None or count - start <= band:
            for low in range(start, count, band):
                kernel(low, min(low + band, count), *arrays)
                self._check()
            return
        running: deque[Future[None]] = deque()
        for low in range(start, count, band):
            running.append(self._pool.submit(kernel, low, min(low + band, count), *arrays))
            if len(running) > 2 * self._threads:
                running.popleft().result()
                self._check()
        while running:
            running.popleft().result()
        self._check()
