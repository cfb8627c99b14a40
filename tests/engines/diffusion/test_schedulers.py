"""Schedulers by name: real classes of diffusers, fresh ones, with the pipeline's own settings."""

from __future__ import annotations

import pytest

from frisket.engines.diffusion.schedulers import CHOICES, FLOW, NATIVE, PRESETS, check_steps, choices_of, made
from frisket.engines.diffusion.table import ROWS
from frisket.errors import ParameterOutOfRange
from frisket.models.families import Family

pytestmark = [pytest.mark.diffusion]
diffusers = pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")


@pytest.mark.parametrize("name", CHOICES)
def test_each_choice_is_made_with_the_models_own_noise(name: str):
    native = diffusers.PNDMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
    fresh = made(native, name)
    assert fresh is not native
    assert type(fresh).__name__ == (CHOICES[name].name or "PNDMScheduler")
    assert (fresh.config.beta_start, fresh.config.beta_schedule) == (0.00085, "scaled_linear")
    for key, value in CHOICES[name].changes.items():
        assert fresh.config[key] == value
    fresh.set_timesteps(4)
    assert len(fresh.timesteps) >= 4


@pytest.mark.parametrize("name", FLOW)
def test_flow_matching_stays_flow_matching(name: str):
    native = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    fresh = made(native, name)
    assert fresh is not native
    assert (type(fresh), fresh.config.shift) == (type(native), 3.0)


def test_the_default_comes_first_and_presets_name_choices():
    assert all(next(iter(choices_of(family))) == NATIVE for family in ROWS)
    assert all(preset.scheduler in CHOICES for preset in PRESETS.values())
    assert choices_of(Family.SD15) is CHOICES
    assert choices_of(Family.FLUX) is FLOW
    assert list(choices_of(Family.KANDINSKY22)) == [NATIVE]


@pytest.mark.parametrize("choice", ["lcm", "tcd"])
def test_a_schedule_of_chosen_steps_has_no_more_than_it_chooses_from(choice: str):
    native = diffusers.DDIMScheduler()
    check_steps(native, choice, 50)
    made(native, choice).set_timesteps(50)
    with pytest.raises(ParameterOutOfRange, match=f"at most 50 with the scheduler {choice}"):
        check_steps(native, choice, 51)
    with pytest.raises(ValueError, match="num_inference_steps"):
        made(native, choice).set_timesteps(51)
    check_steps(native, "ddim", 150)
    check_steps(native, "native", 150)
    few = diffusers.LCMScheduler(original_inference_steps=8)
    with pytest.raises(ParameterOutOfRange, match="at most 8 with the scheduler native"):
        check_steps(few, "native", 9)
    check_steps(few, "ddim", 9)
