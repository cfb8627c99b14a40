import asyncio
import time

from frisket.jobs.runner import Preview
from frisket.jobs.watchers import Watchers


def preview(n: int) -> Preview:
    return Preview(bytes([n]), (0, 0, n, n))


def test_only_watchers_of_the_job_are_woken_and_nobody_stays_behind():
    async def main():
        watchers = Watchers(lambda job, wanted: None)
        with watchers.joined("a", True) as one, watchers.joined("a", True) as two, watchers.joined("b", True) as other:
            assert len(watchers) == 3
            watchers.wake("a")
            watchers.wake("nobody watches this")
            assert await one.wait(1)
            assert await two.wait(1)
            assert not await other.wait(0.01)
            watchers.wake_all()
            assert await other.wait(1)
        assert len(watchers) == 0
        assert watchers._by_job == {}

    asyncio.run(main())


def test_news_that_come_after_clear_are_not_missed():
    async def main():
        watchers = Watchers(lambda job, wanted: None)
        with watchers.joined("a", True) as watcher:
            watchers.wake("a")
            watcher.clear()
            assert not await watcher.wait(0.01)
            watchers.wake("a")  # comes while the record is read
            began = time.monotonic()
            assert await watcher.wait(10)
            assert time.monotonic() - began < 1

    asyncio.run(main())


def test_the_latest_preview_wins_and_is_given_once_to_each():
    async def main():
        watchers = Watchers(lambda job, wanted: None)
        with watchers.joined("a", True) as slow, watchers.joined("a", True) as quick:
            watchers.wake("a", preview(1))
            assert quick.take_preview() == preview(1)
            watchers.wake("a", preview(2))
            watchers.wake("a")  # other news leave it there
            assert slow.take_preview() == preview(2)
            assert slow.take_preview() is None
            assert quick.take_preview() == preview(2)

    asyncio.run(main())


def test_previews_do_not_wake_who_does_not_want_them():
    async def main():
        watchers = Watchers(lambda job, wanted: None)
        with watchers.joined("a", False) as watcher:
            watchers.wake("a", preview(1))
            assert not await watcher.wait(0.01)
            watchers.wake("a")
            assert await watcher.wait(1)
            assert watcher.take_preview() is None

    asyncio.run(main())


def test_previews_are_wanted_while_somebody_sees_them():
    async def main():
        told = []
        watchers = Watchers(lambda job, wanted: told.append((job, wanted)))
        with watchers.joined("a", False):
            assert told == []
            with watchers.joined("a", True), watchers.joined("b", True):
                with watchers.joined("a", True):
                    pass
                assert told == [("a", True), ("b", True), ("a", True)]
            assert told[3:] == [("b", False), ("a", False)]

    asyncio.run(main())
