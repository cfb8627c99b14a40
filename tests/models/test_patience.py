"""Pauses that double, that a cancel ends, and that a server may lengthen."""

from __future__ import annotations

import pytest

from frisket.errors import Cancelled, HubUnreachable
from frisket.models.patience import Interrupted, Patience


def slept() -> tuple[list[float], Patience]:
    pauses: list[float] = []
    return pauses, Patience(tries=4, first=1.0, longest=3.0, sleep=pauses.append)


def test_pauses_double_up_to_the_longest() -> None:
    for failures, seconds in ((1, 1.0), (2, 2.0), (3, 3.0), (9, 3.0)):
        pauses, patience = slept()
        patience.pause(failures, None, lambda: None)
        assert sum(pauses) == pytest.approx(seconds)
        assert max(pauses) <= 0.1


def test_a_server_may_ask_for_more_but_not_for_ever() -> None:
    for asked, seconds in ((2.0, 2.0), (1e9, 3.0)):
        pauses, patience = slept()
        patience.pause(1, asked, lambda: None)
        assert sum(pauses) == pytest.approx(seconds)


def test_a_cancel_ends_the_pause() -> None:
    pauses, patience = slept()

    def check() -> None:
        if len(pauses) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        patience.pause(3, None, check)
    assert len(pauses) == 3


def test_it_insists_so_many_times() -> None:
    pauses, patience = slept()
    answers = [Interrupted("cut"), Interrupted("busy"), "there"]

    def action() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Interrupted):
            raise answer
        return answer

    assert patience.insist(action, "http://hub") == "there"
    assert sum(pauses) == pytest.approx(3.0)
    answers[:] = [Interrupted(str(n)) for n in range(9)]
    with pytest.raises(HubUnreachable) as caught:
        patience.insist(action, "http://hub")
    assert caught.value.data == {"endpoint": "http://hub", "reason": "3", "tries": "4"}
