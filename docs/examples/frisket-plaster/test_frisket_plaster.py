from __future__ import annotations

import numpy as np
from frisket_plaster import ENGINE

from frisket.engines.spec import Silent, Task, Work


def work(grain: float, seeds: list[int]) -> Work:
    crop = np.full((6, 8, 3), 0.25, np.float32)
    hole = np.zeros((6, 8), np.float32)
    hole[2:4, 3:6] = 1
    crop[hole > 0] = 1
    return Work(Task.INPAINT, crop, hole, ENGINE.spec.check_params({"grain": grain}), seeds)


def test_the_hole_becomes_the_mean_of_the_rest() -> None:
    (fill,) = ENGINE.run(work(0.0, [1]), Silent())
    assert (fill[2:4, 3:6] == 0.25).all()


def test_a_seed_repeats() -> None:
    one, same, other = ENGINE.run(work(0.1, [5, 5, 6]), Silent())
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
