"""What the hole shows before a model paints in it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frisket.engines.diffusion.prefill import BARE, Fill, Start, filled, start_of
from frisket.engines.diffusion.table import ROWS
from frisket.engines.spec import Silent, Task, Work
from frisket.errors import Cancelled
from frisket.models.families import Family, Purpose

SD, TOLD = ROWS[Family.SD15][Purpose.INPAINT], ROWS[Family.SD15_INPAINT][Purpose.INPAINT]


def work(task: Task = Task.INPAINT, **changes: Any) -> Work:
    """Stripes with a red square in the middle, which is the hole."""
    crop = np.zeros((48, 64, 3), np.float32)
    crop[:, ::8], crop[:, 1::8] = 0.8, 0.6
    crop[16:32, 24:40] = (1, 0, 0)
    hole = np.zeros((48, 64), np.float32)
    hole[16:32, 24:40] = 1
    return Work(task, crop, hole, {"steps": 4}, seeds=(1,), **changes)


@pytest.mark.parametrize(
    ("row", "task", "changes", "wanted"),
    [
        (SD, Task.INPAINT, {}, Start(Fill.PATCH, BARE)),
        (SD, Task.INPAINT, {"prompt": "a cat"}, Start(Fill.SMOOTH)),
        (SD, Task.INPAINT, {"strength": 0.6}, Start(Fill.KEEP)),
        (SD, Task.OUTPAINT, {}, Start(Fill.PATCH, BARE)),
        (SD, Task.OUTPAINT, {"prompt": "a cat"}, Start(Fill.SMOOTH)),
        (TOLD, Task.INPAINT, {}, Start(Fill.KEEP)),
        (ROWS[Family.SD15][Purpose.VARIATION], Task.VARIATION, {}, Start(Fill.KEEP)),
    ],
)
def test_the_table(row, task: Task, changes: dict, wanted: Start):
    assert start_of(work(task, **changes), row) == wanted


@pytest.mark.parametrize("task", [Task.INPAINT, Task.OUTPAINT])
@pytest.mark.parametrize("fill", [Fill.SMOOTH, Fill.PATCH])
def test_what_was_in_the_hole_is_gone_and_nothing_else(fill: Fill, task: Task):
    asked = work(task)
    made = filled(asked, Start(fill), Silent())
    inside = asked.hole > 0
    assert (made[~inside] == asked.crop[~inside]).all()
    red = made[inside][:, 0] - made[inside][:, 1]
    assert red.max() < 0.1, "the square was red, its surroundings are gray"
    assert made.dtype == np.float32


def test_the_patch_engines_fill_goes_on_with_the_stripes():
    made = filled(work(), Start(Fill.PATCH), Silent())
    truth = np.tile(work().crop[:1], (48, 1, 1))
    assert np.abs(made - truth)[20:28, 28:36].mean() < 0.1
    smooth = filled(work(), Start(Fill.SMOOTH), Silent())
    assert np.abs(smooth - truth)[20:28, 28:36].mean() > 0.1


def test_what_is_covered_by_half_is_filled_by_half():
    asked = work()
    asked.hole[16:32, 24:40] = 0.5
    full = filled(work(), Start(Fill.SMOOTH), Silent())
    assert np.allclose(filled(asked, Start(Fill.SMOOTH), Silent()), (full + asked.crop) / 2, atol=1e-6)


def test_kept_is_kept_and_without_anything_known_there_is_gray():
    asked = work()
    assert filled(asked, Start(Fill.KEEP), Silent()) is asked.crop
    asked.hole[:] = 1
    assert (filled(asked, Start(Fill.PATCH), Silent()) == 0.5).all()


def test_it_can_be_cancelled():
    class Stop(Silent):
        def check(self) -> None:
            raise Cancelled()

    with pytest.raises(Cancelled):
        filled(work(), Start(Fill.PATCH), Stop())
