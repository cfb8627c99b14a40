"""Progress, previews, cancel at every step and inside steps, and numbers that broke."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch

from engines.diffusion.tiny import STEPS, Tiny, Told, fresh
from frisket.engines.diffusion import watch
from frisket.engines.diffusion.painting import painted
from frisket.engines.diffusion.table import TRAITS
from frisket.engines.diffusion.watch import blocks_of
from frisket.engines.spec import Silent
from frisket.errors import Cancelled, PictureNotFinite
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]
FAMILIES = [Family.SD15, Family.FLUX, Family.FLUX2_KLEIN, Family.DEEPFLOYD_IF]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.value)
def test_progress_goes_up_to_the_end_with_previews(zoo_folder: Callable[[Family], Path], family: Family):
    tiny, told = Tiny(zoo_folder, family), Told()
    tiny.run(Purpose.INPAINT, tiny.work(Purpose.INPAINT), told)
    steps = [step for step, _ in told.steps]
    assert steps == list(range(1, len(steps) + 1))
    assert {total for _, total in told.steps} == {steps[-1]}
    assert steps[-1] >= STEPS
    assert len(told.previews) == len(steps)
    for preview in told.previews:
        assert (preview.dtype, preview.shape[-1]) == (np.float32, 3)
        assert 0 <= preview.min() <= preview.max() <= 1
    assert told.looks > 2 * len(steps), "every block looks, not only every step"


def test_no_preview_is_drawn_that_nobody_wants(zoo_folder: Callable[[Family], Path], monkeypatch: pytest.MonkeyPatch):
    class Choosy(Told):
        def wants_preview(self) -> bool:
            return len(self.steps) % 2 == 0

    drawn, draw = [], watch.preview_of
    monkeypatch.setattr(watch, "preview_of", lambda *given: drawn.append(1) or draw(*given))
    tiny, told = Tiny(zoo_folder, Family.FLUX), Choosy()
    tiny.run(Purpose.INPAINT, tiny.work(Purpose.INPAINT, params={"steps": 5}), told)
    assert [step for step, _ in told.steps] == [1, 2, 3, 4, 5]
    assert len(told.previews) == len(drawn) == 3


def test_progress_after_a_strength_counts_the_steps_that_are_made(zoo_folder: Callable[[Family], Path]):
    tiny, told = Tiny(zoo_folder, Family.FLUX), Told()
    tiny.run(Purpose.VARIATION, tiny.work(Purpose.VARIATION, strength=0.5, params={"steps": 6}), told)
    assert told.steps == [(1, 3), (2, 3), (3, 3)]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.value)
def test_a_run_after_a_cancelled_one_is_as_on_a_fresh_pipeline(zoo_folder: Callable[[Family], Path], family: Family):
    tiny = Tiny(zoo_folder, family)
    row = tiny.rows[Purpose.INPAINT]
    work = tiny.work(Purpose.INPAINT, seeds=(7,))
    pipe = fresh(tiny.folder, row.pipeline)
    fresh_one = fresh(tiny.folder, row.pipeline)
    (wanted,) = painted(fresh_one, row, TRAITS[family], work, Silent())
    calls = []
    network = getattr(pipe, "unet", None) or pipe.transformer
    network.register_forward_pre_hook(lambda *_: calls.append(1))
    for step in range(1, STEPS + 1):
        told = Told(stop_at_step=step)
        calls.clear()
        with pytest.raises(Cancelled):
            painted(pipe, row, TRAITS[family], work, told)
        assert told.steps[-1][0] == step
        assert len(calls) <= 2 * (step + 1), "no call of the network after the cancel"
        (after,) = painted(pipe, row, TRAITS[family], work, Silent())
        assert (after == wanted).all()


def test_a_cancel_inside_a_step_is_seen_there(zoo_folder: Callable[[Family], Path]):
    tiny = Tiny(zoo_folder, Family.SD15)
    row, work = tiny.rows[Purpose.INPAINT], tiny.work(Purpose.INPAINT, seeds=(7,))
    pipe = fresh(tiny.folder, row.pipeline)
    (wanted,) = painted(pipe, row, TRAITS[tiny.family], work, Silent())  # the first run fits the previews' colours, too
    counting = Told()
    painted(pipe, row, TRAITS[tiny.family], work, counting)
    for look in range(2, counting.looks + 1, 5):
        told = Told(stop_at_look=look)
        with pytest.raises(Cancelled):
            painted(pipe, row, TRAITS[tiny.family], work, told)
        assert told.looks == look
    (after,) = painted(pipe, row, TRAITS[tiny.family], work, Silent())
    assert (after == wanted).all()
    assert not any(block._forward_pre_hooks for block in blocks_of(pipe)), "no hook stays behind"


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.value)
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_weights_that_are_no_numbers_give_an_error_and_no_black_picture(
    zoo_folder: Callable[[Family], Path], family: Family
):
    tiny = Tiny(zoo_folder, family)
    row = tiny.rows[Purpose.INPAINT]
    pipe = fresh(tiny.folder, row.pipeline)
    network = getattr(pipe, "unet", None) or pipe.transformer
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    told = Told()
    with pytest.raises(PictureNotFinite, match=row.pipeline):
        painted(pipe, row, TRAITS[family], tiny.work(Purpose.INPAINT, seeds=(1,)), told)
    assert told.steps == [], "seen at the first step"


def test_a_pipeline_that_chooses_its_size_is_shown_at_that(zoo_folder: Callable[[Family], Path]):
    tiny, told = Tiny(zoo_folder, Family.QWEN_IMAGE_EDIT), Told()
    work = tiny.work(Purpose.INPAINT, np.ones((64, 80), np.float32), seeds=(1,))
    wide = replace(work, crop=np.full((64, 96, 3), 0.5, np.float32), hole=np.ones((64, 96), np.float32))
    (picture,) = tiny.run(Purpose.INPAINT, wide, told)
    assert picture.shape == (64, 96, 3)
    assert {preview.shape for preview in told.previews} == {(4, 4, 3)}, "of 64 x 64 px, as zoo.quicken has it"
