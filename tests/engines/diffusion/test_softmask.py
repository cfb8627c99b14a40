"""Differential diffusion: who is free when, and that what stays is back exactly after the last step."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch

from engines.diffusion.tiny import Tiny
from frisket.engines.diffusion import latents as lay
from frisket.engines.diffusion.call import arguments, coarse, shown
from frisket.engines.diffusion.painting import prepared
from frisket.engines.diffusion.softmask import Blend, is_soft
from frisket.engines.diffusion.table import TRAITS
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]

BLENDING = [
    Family.SD15, Family.SDXL, Family.SD3, Family.FLUX, Family.FLUX_KONTEXT, Family.FLUX2_KLEIN, Family.QWEN_IMAGE,
    Family.Z_IMAGE,
]  # fmt: skip


class Plain:
    """A scheduler whose noise is a share of the time, and a pipeline of it."""

    timesteps = torch.tensor([1.0, 0.75, 0.5, 0.25])

    def scale_noise(self, clean: torch.Tensor, time: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return clean * (1 - time) + noise * time


def test_what_is_free_grows_with_the_steps_and_what_stays_comes_back():
    hole = np.repeat(np.array([[0, 0.2, 0.5, 0.8, 1]], np.float32), 8, 0).repeat(8, 1)
    clean, new = torch.full((1, 1, 1, 5), 10.0), torch.full((1, 1, 1, 5), -1.0)
    scheduler = Plain()
    pipe = SimpleNamespace(scheduler=scheduler, prepare_latents=lambda height, width: (clean, torch.zeros(1), clean))
    blend = Blend(pipe, hole, (0,))
    with blend.listening():
        pipe.prepare_latents(height=8, width=40)
    seen = [blend.after(step, 4, new)[0, 0, 0].tolist() for step in range(4)]
    # 1 is free from the first step on, 0.8 when a quarter is done, ...; the rest stands at the next step's noise
    assert seen[0] == [2.5, 2.5, 2.5, -1, -1]
    assert seen[1] == [5, 5, 5, -1, -1]
    assert seen[2] == [7.5, 7.5, -1, -1, -1]
    assert seen[3] == [10, -1, -1, -1, -1]


@pytest.mark.parametrize("family", BLENDING, ids=lambda f: f.value)
def test_outside_the_latents_are_the_pictures_after_a_real_run(zoo_folder: Callable[[Family], Path], family: Family):
    tiny = Tiny(zoo_folder, family)
    row, traits = tiny.rows[Purpose.INPAINT], TRAITS[family]
    pipe = tiny.pipe(row)
    hole = np.zeros((64, 80), np.float32)
    hole[16:48, 16:32], hole[16:48, 32:64] = 1, 0.4
    work = tiny.work(Purpose.INPAINT, hole, seeds=(3,))
    blend = Blend(pipe, hole, work.seeds)
    last = []

    def ended(_, step, time, given):
        last[:] = [blend.after(step, pipe.num_timesteps, given["latents"])]
        return {"latents": last[0]}

    given = arguments(row, work, shown(row, work.crop, hole, traits.mask_multiple), 1, 1.0)
    with torch.no_grad(), prepared(pipe, "native"), lay.steady(pipe), blend.listening():
        pipe(**given, callback_on_step_end=ended, generator=[torch.Generator().manual_seed(3)])
    picture = torch.from_numpy(np.rint(work.crop * 255) / 255).permute(2, 0, 1)[None].float() * 2 - 1
    tokens = last[0].ndim == 3
    with torch.no_grad():
        clean = lay.encoded(pipe, picture, tokens)
    changed = (lay.grid(last[0], 64, 80) - clean).abs().amax((0, 1)).numpy()
    touched = coarse(hole, 64 // changed.shape[0]) > 0
    assert changed[~touched].max() < 1e-4  # the same picture, encoded twice in another order of sums
    assert changed[touched].min() > 1e-3


def test_soft():
    assert is_soft(np.array([[0, 0.5]]))
    assert not is_soft(np.array([[0.0, 1.0]]))
