"""Who watches which job. A watcher is only woken: it reads the record itself, so a slow one delays nobody."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from frisket.jobs.runner import Preview


class Watcher:
    """One watcher of one job. Used in the event loop's thread."""

    def __init__(self, previews: bool) -> None:
        self._news = asyncio.Event()
        self.previews = previews
        self._preview: Preview | None = None

    def wake(self, preview: Preview | None = None) -> None:
        """There is news. A preview takes the place of one that was not fetched; to some it is no news at all."""
        if preview is not None and not self.previews:
            return
        self._preview = preview or self._preview
        self._news.set()

    def take_preview(self) -> Preview | None:
        """The latest one, once."""
        preview, self._preview = self._preview, None
        return preview

    def clear(self) -> None:
        """Call it before reading the record: news that come while reading are then not missed."""
        self._news.clear()

    async def wait(self, seconds: float) -> bool:
        """Whether news came since `clear`, within that time."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._news.wait(), seconds)
        return self._news.is_set()


class Watchers:
    """All watchers by job. show: is told of each job whether somebody wants its previews, whenever that changes."""

    def __init__(self, show: Callable[[str, bool], None]) -> None:
        self._by_job: dict[str, set[Watcher]] = {}
        self._show = show

    @contextlib.contextmanager
    def joined(self, job: str, previews: bool) -> Iterator[Watcher]:
        """A watcher of this job, for as long as the block lasts. previews: whether it wants them."""
        watcher = Watcher(previews)
        self._by_job.setdefault(job, set()).add(watcher)
        if previews:
            self._show(job, True)
        try:
            yield watcher
        finally:
            left = self._by_job[job]
            left.discard(watcher)
            if previews and not any(other.previews for other in left):
                self._show(job, False)
            if not left:
                del self._by_job[job]

    def wake(self, job: str, preview: Preview | None = None) -> None:
        for watcher in self._by_job.get(job, ()):
            watcher.wake(preview)

    def wake_all(self) -> None:
        for job in self._by_job:
            self.wake(job)

    def __len__(self) -> int:
        return sum(map(len, self._by_job.values()))
