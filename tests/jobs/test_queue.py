import random

import pytest

from frisket.errors import QueueFull, TooManyJobs
from frisket.jobs.queue import FairQueue, Waiting


def filled(*jobs: str, max_bytes: int = 10**9, max_jobs: int = 100) -> FairQueue:
    """Jobs named by client and number: "a1" is of client "a"."""
    queue = FairQueue(max_bytes, max_jobs)
    for job in jobs:
        queue.put(Waiting(job, job[0], 10))
    return queue


def order(queue: FairQueue) -> str:
    popped = []
    while (waiting := queue.pop()) is not None:
        popped.append(waiting.job)
    return " ".join(popped)


def test_one_client_is_served_in_order():
    assert order(filled("a1", "a2", "a3")) == "a1 a2 a3"
    assert FairQueue(1, 1).pop() is None


def test_clients_take_turns():
    assert order(filled("a1", "a2", "a3", "b1", "c1", "c2")) == "a1 b1 c1 a2 c2 a3"


def test_a_late_client_waits_for_one_turn_of_each():
    queue = filled(*(f"a{n}" for n in range(100)))
    assert queue.pop() == Waiting("a0", "a", 10)
    queue.put(Waiting("b1", "b", 10))
    assert queue.position("b1") == 2
    assert [queue.pop(), queue.pop()] == [Waiting("a1", "a", 10), Waiting("b1", "b", 10)]


def test_a_rerun_comes_before_everything():
    queue = filled("a1", "b1", "b2", "c1")
    queue.put_front(Waiting("b0", "b", 10))
    assert queue.position("b0") == 1
    assert order(queue) == "b0 a1 c1 b1 b2"
    queue.put_front(Waiting("z1", "z", 10))
    assert order(queue) == "z1"


def test_removal_leaves_the_order_of_the_others():
    queue = filled("a1", "a2", "b1")
    assert queue.remove("a1")
    assert not queue.remove("a1")
    assert queue.position("a1") == 0
    assert queue.remove("b1")
    assert len(queue) == 1
    assert order(queue) == "a2"


def test_the_limit_for_one_client_leaves_others_in():
    queue = filled("a1", "a2", max_jobs=2)
    with pytest.raises(TooManyJobs) as caught:
        queue.check("a", 1)
    assert caught.value == TooManyJobs(waiting=2, limit=2)
    queue.check("b", 1)
    queue.pop()
    queue.check("a", 1)


def test_the_limit_in_bytes_is_for_all():
    queue = filled("a1", "b1", max_bytes=25)
    queue.check("c", 5)
    with pytest.raises(QueueFull) as caught:
        queue.check("c", 6)
    assert caught.value == QueueFull(waiting=20, limit=25)
    queue.remove("a1")
    queue.check("c", 6)


def test_an_empty_queue_takes_a_job_of_any_size():
    queue = FairQueue(max_bytes=25, max_jobs=1)
    queue.check("a", 26)


def test_positions_foretell_the_order():
    rng = random.Random(7)
    for _ in range(200):
        queue = filled(*(f"{rng.choice('abcde')}{n}" for n in range(rng.randrange(1, 12))))
        for _ in range(rng.randrange(4)):
            queue.pop()
        if rng.random() < 0.3:
            queue.put_front(Waiting("c99", "c", 10))
        client = rng.choice("abcdef")
        foretold = queue.position_of_next(client)
        queue.put(Waiting(f"{client}100", client, 10))
        assert queue.position(f"{client}100") == foretold
        positions = {job: queue.position(job) for job in list(queue._by_job)}
        assert sorted(positions, key=positions.__getitem__) == order(queue).split()
        assert sorted(positions.values()) == list(range(1, len(positions) + 1))


def test_what_is_held_keeps_its_place_and_lets_others_pass():
    queue = FairQueue(100, 10)
    for n, client in enumerate("aab"):
        queue.put(Waiting(str(n), client, 1))
    with queue.held("0"):
        assert queue.position("0") == 1
        assert [w.job if (w := queue.pop()) else None for _ in range(3)] == ["1", "2", None]
    waiting = queue.pop()
    assert waiting is not None
    assert waiting.job == "0"
    assert len(queue) == 0
