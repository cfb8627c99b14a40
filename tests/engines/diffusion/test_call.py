"""What a call is given: one entry for each picture, guidance and negative prompt as each family means them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from frisket.engines.diffusion.call import (
    Strength,
    arguments,
    asks_for_nothing,
    blocks,
    checked,
    coarse,
    given_strength,
    runs_of,
    shown,
    steps_done,
    strength_kind,
    strength_of,
)
from frisket.engines.diffusion.table import ROWS, Row
from frisket.engines.spec import Task, Work
from frisket.errors import ParameterOutOfRange
from frisket.models.families import Family, Purpose
from frisket.raster.geometry import Size

HOLE = np.zeros((16, 24), np.float32)
HOLE[3, 9] = 0.25


def work(task: Task = Task.INPAINT, **changes: Any) -> Work:
    params = {"steps": 10, "guidance_scale": 5.0, "true_cfg_scale": 4.0, "image_guidance_scale": 1.5}
    params |= changes.pop("params", {})
    return Work(task, np.zeros((16, 24, 3), np.float32), HOLE, params, seeds=(1, 2), **changes)


def given(family: Family, purpose: Purpose = Purpose.INPAINT, count: int = 2, **changes):
    row, asked = ROWS[family][purpose], work(**changes)
    return arguments(row, asked, shown(row, asked.crop, asked.hole, 8), count, asked.strength)


def row(family: Family, purpose: Purpose = Purpose.INPAINT) -> Row:
    return ROWS[family][purpose]


def test_everything_is_there_once_for_each_picture():
    said = given(Family.SD15_INPAINT, prompt="a cat", negative_prompt="dogs")
    assert said["prompt"] == ["a cat"] * 2
    assert said["negative_prompt"] == ["dogs"] * 2
    assert len(said["image"]) == len(said["mask_image"]) == 2
    assert (said["height"], said["width"], said["strength"]) == (16, 24, 1.0)
    assert (said["num_inference_steps"], said["guidance_scale"], said["output_type"]) == (10, 5.0, "np")


def test_a_class_that_takes_references_as_a_list_gets_one_picture_a_call():
    said = given(Family.FLUX2_KLEIN, count=1)
    assert said["image"].size == (24, 16)
    assert runs_of(row(Family.FLUX2_KLEIN), (1, 2, 3)) == [(1,), (2,), (3,)]
    assert runs_of(row(Family.SD15), (1, 2, 3)) == [(1, 2, 3)]


def test_guidance_by_a_second_look_needs_something_to_look_away_from():
    assert "negative_prompt" not in given(Family.FLUX)
    assert given(Family.FLUX)["true_cfg_scale"] == 1.0
    said = given(Family.FLUX, negative_prompt="dogs")
    assert (said["true_cfg_scale"], said["guidance_scale"], said["negative_prompt"]) == (4.0, 5.0, ["dogs"] * 2)
    said = given(Family.QWEN_IMAGE)
    assert (said["true_cfg_scale"], said["negative_prompt"]) == (4.0, [" "] * 2)
    assert "guidance_scale" not in said
    assert "negative_prompt" not in given(Family.QWEN_IMAGE, params={"true_cfg_scale": 1.0})
    assert "negative_prompt" not in given(Family.FLUX2_KLEIN, count=1)


@pytest.mark.parametrize(
    ("family", "name"),
    [(Family.SD15, "guidance_scale"), (Family.FLUX, "true_cfg_scale"), (Family.Z_IMAGE, "guidance_scale")],
)
def test_a_negative_prompt_that_would_not_count_is_refused(family: Family, name: str):
    with pytest.raises(ParameterOutOfRange, match=name):
        checked(work(negative_prompt="dogs", params={name: 1.0}), row(family), 1.0)
    checked(work(negative_prompt="dogs"), row(family), 1.0)
    checked(work(params={name: 1.0}), row(family), 1.0)


def test_a_strength_that_leaves_no_step_is_refused_with_the_number():
    with pytest.raises(ParameterOutOfRange, match=r"at least 0\.1 with 10 steps"):
        checked(work(strength=0.09), row(Family.SD15), 0.09)
    checked(work(strength=0.1), row(Family.SD15), 0.1)
    assert (steps_done(10, 0.3), steps_done(10, 0.05), steps_done(30, 1.0)) == (3, 0, 30)


def test_what_a_strength_means():
    sd, none = row(Family.SD15), row(Family.FLUX_KONTEXT, Purpose.INSTRUCT)
    kinds = [strength_kind(work(strength=s), sd) for s in (0.0, 0.4, 1.0)]
    assert kinds == [Strength.NOTHING, Strength.SOME, Strength.ALL]
    assert strength_kind(work(strength=0.0), none) is Strength.ALL
    assert "strength" not in given(Family.FLUX_KONTEXT, Purpose.INSTRUCT)


def test_kontext_keeps_the_size_that_is_asked_for():
    said = given(Family.FLUX_KONTEXT)
    assert (said["max_area"], said["_auto_resize"]) == (16 * 24, False)


def test_masks():
    blend = shown(row(Family.SD15), work().crop, HOLE, 8)
    assert np.asarray(blend.mask).min() == 255, "it is not the pipeline that blends"
    told = np.asarray(shown(row(Family.SD15_INPAINT), work().crop, HOLE, 8).mask)
    wanted = np.zeros((16, 24), np.uint8)
    wanted[0:8, 8:16] = 255
    assert (told == wanted).all(), "one pixel of a quarter takes its whole square of the latent picture"
    assert shown(row(Family.SD15, Purpose.VARIATION), work().crop, HOLE, 8).mask is None
    bare = shown(row(Family.SD15, Purpose.TEXT_TO_LAYER), work().crop, HOLE, 8)
    assert (bare.picture, bare.mask, bare.size) == (None, None, Size(24, 16))


def test_squares_at_the_border_of_an_odd_size():
    hole = np.zeros((9, 5), np.float32)
    hole[8, 4] = 0.5
    assert coarse(hole, 4).tolist() == [[0, 0], [0, 0], [0, 0.5]]
    spread = blocks(hole, 4)
    assert spread.shape == (9, 5)
    assert np.argwhere(spread == 0.5).tolist() == [[8, 4]]


def test_legacy_callbacks_are_called_at_each_step():
    assert given(Family.DEEPFLOYD_IF)["callback_steps"] == 1
    assert "callback_steps" not in given(Family.SD15)


def test_what_asks_for_nothing():
    assert asks_for_nothing(work(prompt="  "))
    assert not asks_for_nothing(work(prompt="a cat"))
    assert not asks_for_nothing(work(Task.VARIATION))


def test_the_strength_of_a_run_is_the_users_up_to_what_the_start_allows_but_a_step_at_least():
    blend, whole = row(Family.SD15), row(Family.KANDINSKY22_INPAINT)
    assert strength_of(work(strength=0.5), blend, 0.85) == 0.5
    assert strength_of(work(), blend, 0.85) == 0.85
    assert strength_of(work(params={"steps": 1}), blend, 0.85) == 1
    assert strength_of(work(strength=0.5, params={"steps": 1}), blend, 0.85) == 0.5, "that is the user's to mend"
    assert strength_of(work(strength=0.5), whole, 0.85) == 1, "it takes none"


def test_a_strength_is_so_many_steps_in_pipelines_that_round_down_and_in_those_that_round_up():
    for steps in range(1, 151):
        for made in range(1, steps + 1):
            strength = float(np.float32(made / steps))  # as it comes over the wire
            assert steps_done(steps, strength) == made
            assert int(steps * given_strength(row(Family.SD15), steps, strength)) == made
            rounds_up = given_strength(row(Family.FLUX), steps, strength)
            assert steps - int(steps - min(steps * rounds_up, steps)) == made
    assert steps_done(10, 0.79) == 7
    assert given_strength(row(Family.SD15), 10, 1.0) == given_strength(row(Family.FLUX), 10, 1.0) == 1
