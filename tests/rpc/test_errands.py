"""Work in threads: who goes first, what a follower sees, and how it ends."""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Callable

import pytest

from frisket.errors import Cancelled, FrisketError, HubHasNot, Internal, PullCancelled
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import Family
from frisket.models.folder import Report
from frisket.models.record import Record
from frisket.rpc import errands as module
from frisket.rpc.errands import At, Errands, Pace

WHY = PullCancelled(model="m")


def record(name: str) -> Record:
    return Record(name, name, Family.VAE, (), Licence("MIT", "", Commercial.YES), (), "")


class Piecework:
    """Reports `pieces` of 10 bytes, one for each `go`; then it is done."""

    def __init__(self, name: str = "m", pieces: int = 1) -> None:
        self.name, self.pieces = name, pieces
        self.go, self.began = threading.Semaphore(0), threading.Event()

    def __call__(self, report: Report) -> Record:
        self.began.set()
        for piece in range(self.pieces):
            report(10 * piece, 10 * self.pieces, "w")
            assert self.go.acquire(timeout=5)
        report(10 * self.pieces, 10 * self.pieces, "w")
        return record(self.name)


async def until(truth: Callable[[], bool]) -> None:
    for _ in range(500):
        if truth():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


def test_at_once_and_in_order_and_never_two_on_one_model() -> None:
    async def run() -> None:
        errands = Errands(2, kept=True)
        works = {name: Piecework(name) for name in "abcd"}
        made = {name: errands.begin(name, work) for name, work in works.items()}
        assert [made[name].at is not None for name in "abcd"] == [True, True, False, False]
        assert errands.begin("a", works["b"]) is made["a"], "it follows the one that runs"
        made["a"].stop(WHY)
        again = errands.begin("a", Piecework("a"))
        assert again is not made["a"]
        works["b"].go.release()
        assert await made["b"].outcome == record("b")
        assert made["c"].at is not None
        assert again.at is None, "the old one on a still runs, and c came before"
        works["a"].go.release()
        assert await made["a"].outcome == WHY
        works["c"].go.release()
        works["d"].go.release()
        assert await made["c"].outcome == record("c")
        assert await made["d"].outcome == record("d")
        await until(lambda: again.at is not None)
        again.stop(WHY)
        again._work.go.release()  # type: ignore[attr-defined]
        assert await again.outcome == WHY
        assert not errands.busy

    asyncio.run(run())


def test_one_that_waits_ends_at_once() -> None:
    async def run() -> None:
        errands = Errands(1, kept=True)
        first, never = Piecework("a"), Piecework("b")
        errands.begin("a", first)
        waits = errands.begin("b", never)
        seen = [at async for at in _stopped_after(waits, 1)]
        assert seen == [None]
        assert waits.outcome.result() == WHY
        first.go.release()
        await errands.close(WHY)
        assert not never.began.is_set()

    asyncio.run(run())


async def _stopped_after(errand, count: int):
    async for at in errand.follow():
        yield at
        count -= 1
        if count == 0:
            errand.stop(WHY)


def test_a_follower_hears_of_every_change_and_of_none_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)

    async def run() -> list[At | None]:
        work, seen = Piecework(pieces=3), []
        async for at in Errands(1, kept=True).begin("m", work).follow():
            if at and at.total:
                work.go.release()
            seen.append(at)
        return seen

    seen = asyncio.run(run())
    assert [at.done for at in seen if at and at.total][:3] == [0, 10, 20]
    assert all(one != other for one, other in itertools.pairwise(seen))


def test_what_does_not_change_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.005)
    monkeypatch.setattr(module, "BEAT_S", 0.02)

    async def run() -> list[At | None]:
        work, seen = Piecework(), []
        async for at in Errands(1, kept=True).begin("m", work).follow():
            seen.append(at)
            if len(seen) == 6:
                work.go.release()
        return seen

    seen = asyncio.run(run())
    assert seen[3] == seen[4] == seen[5]


@pytest.mark.parametrize("kept", [True, False])
def test_whether_it_outlives_its_followers(monkeypatch: pytest.MonkeyPatch, kept: bool) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.005)

    async def run() -> Record | FrisketError:
        work, errands = Piecework(pieces=2), Errands(1, kept)
        errand = errands.begin("m", work)
        one, two = errand.follow(), errand.follow()
        await anext(one)
        await anext(two)
        await one.aclose()
        assert not errand.stopping, "somebody is left"
        await two.aclose()
        assert errand.stopping is not kept
        work.go.release(2)
        return await errand.outcome

    assert asyncio.run(run()) == (record("m") if kept else Cancelled())


@pytest.mark.parametrize("error", [HubHasNot(endpoint="e", what="w"), Cancelled()])
def test_what_it_fails_with_is_its_outcome(error: FrisketError) -> None:
    def work(report: Report) -> Record:
        raise error

    async def run() -> Record | FrisketError:
        return await Errands(1, kept=True).begin("m", work).outcome

    assert asyncio.run(run()) == error


def test_the_unexpected_is_noted_and_stays_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    def work(report: Report) -> Record:
        raise ValueError("swordfish")

    async def run() -> Record | FrisketError:
        return await Errands(1, kept=True).begin("m", work).outcome

    with caplog.at_level(logging.ERROR, "frisket.rpc"):
        ended = asyncio.run(run())
    assert isinstance(ended, Internal)
    assert ended.data["reference"] in caplog.records[0].getMessage()
    assert "swordfish" not in str(ended)


def test_the_end_does_not_wait_for_one_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAVE_S", 0.05)
    work = Piecework()

    async def run() -> float:
        errands = Errands(1, kept=True)
        errands.begin("m", work)
        began = time.monotonic()
        await errands.close(WHY)
        return time.monotonic() - began

    assert 0.04 < asyncio.run(run()) < 1
    work.go.release()  # it ends after the loop: nobody hears it, and nothing breaks


def test_the_rate_is_of_the_last_seconds() -> None:
    pace = Pace()
    assert pace.rate(0.0, 1000) == 0
    assert pace.rate(0.05, 2000) == 0
    assert pace.rate(1.0, 2000) == pytest.approx(1000)
    told = [pace.rate(float(tick), 2000 + 500 * (tick - 1)) for tick in range(2, 21)]
    assert told[-1] == pytest.approx(500)
    assert pace.rate(21.0, 0) == 0
