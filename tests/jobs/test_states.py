import pytest

from frisket.jobs.states import MOVES, JobState, MoveNotAllowed, check_move

Q, R, F, X, C = JobState.QUEUED, JobState.RUNNING, JobState.FINISHED, JobState.FAILED, JobState.CANCELLED


def test_every_state_has_its_moves_and_the_three_ends_have_none():
    assert set(MOVES) == set(JobState)
    assert {s for s in JobState if s.final} == {F, X, C}


@pytest.mark.parametrize("come_from", list(JobState))
@pytest.mark.parametrize("to", list(JobState))
def test_allowed_moves_are_exactly_these(come_from, to):
    allowed = {(Q, R), (Q, X), (Q, C), (R, Q), (R, F), (R, X), (R, C)}
    if (come_from, to) in allowed:
        check_move("a", come_from, to)
    else:
        with pytest.raises(MoveNotAllowed, match=f"job a is {come_from.value} and cannot become {to.value}"):
            check_move("a", come_from, to)


def test_every_state_that_is_no_end_can_reach_each_end():
    for state in (Q, R):
        reached, seen = {state}, set()
        while reached - seen:
            one = (reached - seen).pop()
            seen.add(one)
            reached |= MOVES[one]
        assert {F, X, C} <= reached
