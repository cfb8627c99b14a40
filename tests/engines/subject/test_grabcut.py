"""The built-in selector: real photographs, odd sizes, the same mask again, stopped in time."""

from __future__ import annotations

import time

import numpy as np
import pytest

from engines.subject.scenes import iou, photo, thing
from frisket.engines.registry import Registry
from frisket.engines.spec import Silent, Task, Work
from frisket.engines.subject.grabcut import ENGINE
from frisket.errors import Cancelled


def ask(crop: np.ndarray, hole: np.ndarray | None = None, report=None, **params) -> np.ndarray:
    hole = np.ones(crop.shape[:2], np.float32) if hole is None else hole
    work = Work(Task.SELECT_SUBJECT, crop, hole, ENGINE.spec.check_params(params), (0,))
    (mask,) = ENGINE.run(work, report or Silent())
    assert (mask.shape, mask.dtype) == (crop.shape[:2], np.float32)
    assert 0 <= mask.min() <= mask.max() <= 1
    return mask


def test_it_is_the_server_s_when_nothing_is_installed() -> None:
    assert Registry.installed().for_task(Task.SELECT_SUBJECT)[0].spec.id == "grabcut"


def test_a_thing_on_a_ground_at_its_own_size_and_twice_the_same() -> None:
    crop, truth = thing(700, 500)
    mask = ask(crop, side=256)
    assert iou(mask > 0.5, truth) > 0.97
    assert ask(crop, side=256).tobytes() == mask.tobytes()


def test_a_rough_selection_says_which_of_two() -> None:
    crop, truth = thing(200, 150)
    both = np.concatenate([crop, crop], axis=1)
    hole = np.zeros(both.shape[:2], np.float32)
    hole[:, 210:] = 1
    mask = ask(both, hole)
    assert mask[:, :200].max() == 0
    assert iou(mask[:, 200:] > 0.5, truth) > 0.9


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (2, 2), (3, 700)], ids=str)
def test_sizes_that_hold_no_picture_are_no_error(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    ask(rng.random((*shape, 3)).astype(np.float32))


def test_a_uniform_picture_has_no_subject_nor_has_an_empty_selection() -> None:
    assert ask(np.full((40, 50, 3), 0.3, np.float32)).max() == 0
    assert ask(thing(60, 40)[0], np.zeros((40, 60), np.float32)).max() == 0


def test_an_eagle_before_the_sky() -> None:
    crop, mask = photo("places_object/images/4.png"), photo("places_object/masks/4.png")[..., 0] > 0.5
    box = np.zeros(mask.shape, np.float32)
    y, x = np.nonzero(mask)
    box[y.min() : y.max() + 1, x.min() : x.max() + 1] = 1
    assert iou(ask(crop, box, side=256) > 0.5, mask) > 0.6  # of a mask that was drawn wide


def test_it_stops() -> None:
    class Stopped(Silent):
        def check(self) -> None:
            raise Cancelled

    began = time.monotonic()
    with pytest.raises(Cancelled):
        ask(thing(300, 200)[0], report=Stopped())
    assert time.monotonic() - began < 1


def test_of_a_person_the_head_is_not_left_out() -> None:
    """Seen against a wall of its own colours: without the face it was."""
    mask = ask(photo("astronaut.png"))
    assert (mask[60:170, 190:260] > 0.5).mean() > 0.95, "the face"
    assert mask[20:60, 200:250].mean() > 0.8, "the hair"
    assert mask[10:160, 20:110].mean() < 0.05, "the wall"
