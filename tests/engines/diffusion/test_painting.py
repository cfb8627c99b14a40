"""Every row of the table on a tiny pipeline of its family: size, range, seeds, batches, strengths, bare numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

from engines.diffusion.analytic import block_vae
from engines.diffusion.tiny import Tiny, Told, fresh, side_of
from frisket.engines.diffusion.painting import own_beside, painted
from frisket.engines.diffusion.schedulers import CHOICES, NATIVE, choices_of
from frisket.engines.diffusion.table import ROWS, TRAITS, Takes
from frisket.engines.spec import Silent
from frisket.errors import EngineFailed, ParameterOutOfRange
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]

PAIRS = [(family, purpose) for family in ROWS for purpose in ROWS[family]]
Folder = Callable[[Family], Path]


@pytest.mark.parametrize(("family", "purpose"), PAIRS, ids=lambda value: value.value)
def test_each_pair_paints_as_promised(zoo_folder: Folder, family: Family, purpose: Purpose):
    tiny = Tiny(zoo_folder, family)
    work = tiny.work(purpose)
    first, second = tiny.run(purpose, work)
    for picture in (first, second):
        assert (picture.shape, picture.dtype) == (work.crop.shape, np.float32)
        assert 0 <= picture.min() <= picture.max() <= 1
    inside = work.hole > 0
    assert np.abs(first - second)[inside].max() > 0.05, "two seeds, two pictures"
    again = tiny.run(purpose, work)
    assert (again[0] == first).all()
    assert (again[1] == second).all()
    (single,) = tiny.run(purpose, replace(work, seeds=work.seeds[1:]))
    assert np.abs(single - second).max() < 1 / 255


@pytest.mark.parametrize("family", [Family.SD15, Family.SD15_INPAINT], ids=lambda f: f.value)
def test_a_soft_hole_changes_less_where_it_is_softer(zoo_folder: Folder, family: Family):
    tiny = Tiny(zoo_folder, family)
    row = tiny.rows[Purpose.INPAINT]
    pipe = fresh(tiny.folder, row.pipeline)
    pipe.vae = block_vae()  # one that changes nothing beside: its pictures are the means of squares of 8 px
    hole = np.zeros((64, 80), np.float32)
    hole[:, 24:40], hole[:, 40:56], hole[:, 56:] = 0.3, 0.6, 1
    work = tiny.work(Purpose.INPAINT, hole, params={"steps": 10}, seeds=(1,))
    (picture,) = painted(pipe, row, TRAITS[family], work, Silent())
    means = work.crop.reshape(8, 8, 10, 8, 3).mean((1, 3)).repeat(8, 0).repeat(8, 1)
    change = np.abs(picture - means).mean(2)
    assert change[:, :24].max() < 2 / 255
    assert 0.01 < change[:, 24:40].mean() < change[:, 40:56].mean() < change[:, 56:].mean()


@pytest.mark.parametrize("family", [Family.DEEPFLOYD_IF, Family.KANDINSKY22_INPAINT], ids=lambda f: f.value)
def test_so_it_is_in_pipelines_that_know_no_soft_holes(zoo_folder: Folder, family: Family):
    tiny = Tiny(zoo_folder, family)
    h, w = side_of(family)
    quarters = [slice(n * w // 4, (n + 1) * w // 4) for n in range(4)]
    pictures = []
    for values in ((0, 0.2, 0.5, 1), (0, 0, 0, 1), (0, 1, 1, 1)):
        hole = np.repeat(np.array(values, np.float32), w // 4)[None].repeat(h, 0)
        work = tiny.work(Purpose.INPAINT, hole, params={"steps": 10}, seeds=(1, 2))
        pictures.append(tiny.run(Purpose.INPAINT, work)[0])
        (single,) = tiny.run(Purpose.INPAINT, replace(work, seeds=(1,)))
        assert np.abs(single - pictures[-1]).max() < 1 / 255
    soft, kept, whole = pictures
    _, faint, half, _ = (np.abs(soft - kept)[:, part].mean() for part in quarters)
    assert 0.01 < faint < 0.6 * half, "the softer, the nearer to what it would be outside"
    assert faint < 0.6 * np.abs(whole - kept)[:, quarters[1]].mean()


@pytest.mark.parametrize(
    ("family", "purpose"),
    [pair for pair in PAIRS if Takes.STRENGTH in ROWS[pair[0]][pair[1]].takes and pair[1] is not Purpose.OUTPAINT],
    ids=lambda value: value.value,
)
def test_strength(zoo_folder: Folder, family: Family, purpose: Purpose):
    tiny = Tiny(zoo_folder, family)
    work = tiny.work(purpose, strength=0.0)
    for picture in tiny.run(purpose, work):
        assert (picture == work.crop).all(), "0 is the picture itself"
    with pytest.raises(ParameterOutOfRange, match="strength"):
        tiny.run(purpose, replace(work, strength=0.2))
    scheduler = "euler" if "euler" in choices_of(family) else NATIVE  # SD 1.5's own makes one step more
    for steps, strength, made in [(3, 0.4, 1), (10, float(np.float32(0.7)), 7)]:
        told = Told()
        params = {**work.params, "steps": steps, "scheduler": scheduler}
        tiny.run(purpose, replace(work, strength=strength, params=params, seeds=(1,)), told)
        assert told.steps[-1] == (made, made)


@pytest.mark.parametrize("family", [Family.SD15, Family.FLUX, Family.DEEPFLOYD_IF], ids=lambda f: f.value)
def test_something_is_removed_in_a_single_step(zoo_folder: Folder, family: Family):
    tiny = Tiny(zoo_folder, family)
    work = tiny.work(Purpose.INPAINT, prompt="", seeds=(1,), params={"steps": 1})
    (picture,) = tiny.run(Purpose.INPAINT, work)
    assert np.abs(picture - work.crop)[work.hole > 0].max() > 0.05


@pytest.mark.parametrize("scheduler", CHOICES)
@pytest.mark.parametrize("purpose", [Purpose.INPAINT, Purpose.VARIATION, Purpose.TEXT_TO_LAYER], ids=lambda p: p.value)
def test_each_scheduler_paints_and_leaves_the_pipelines_own(zoo_folder: Folder, purpose: Purpose, scheduler: str):
    tiny = Tiny(zoo_folder, Family.SD15)
    native = tiny.pipe(tiny.rows[purpose]).scheduler
    before = {**native.config}
    work = tiny.work(purpose, strength=0.8, seeds=(1,), params={"scheduler": scheduler, "steps": 4})
    (first,), (again,) = tiny.run(purpose, work), tiny.run(purpose, work)
    assert (first == again).all()
    assert tiny.pipe(tiny.rows[purpose]).scheduler is native
    assert {**native.config} == before


def test_without_a_prompt_the_fill_decides_what_comes(zoo_folder: Folder):
    tiny = Tiny(zoo_folder, Family.SD15)
    work = tiny.work(Purpose.INPAINT, prompt="", seeds=(1,))
    shown = work.crop.copy()
    work.crop[work.hole > 0] = (1, 0, 0)
    (one,) = tiny.run(Purpose.INPAINT, work)
    work.crop[work.hole > 0] = (0, 1, 0)
    (other,) = tiny.run(Purpose.INPAINT, work)
    assert (one == other).all(), "what was in the hole has no say"
    assert shown.shape == one.shape


def test_a_pipeline_that_makes_another_size_or_number_is_refused(zoo_folder: Folder):
    tiny = Tiny(zoo_folder, Family.SD15)
    row = tiny.rows[Purpose.VARIATION]
    pipe = fresh(tiny.folder, row.pipeline)
    work = tiny.work(Purpose.VARIATION, seeds=(1,))
    pipe.image_processor.postprocess = lambda image, **_: image.permute(0, 2, 3, 1).numpy()[:, :32]
    with pytest.raises(EngineFailed, match="80 x 32 px where 80 x 64"):
        painted(pipe, row, TRAITS[tiny.family], work, Silent())
    pipe.image_processor.postprocess = lambda image, **_: image.permute(0, 2, 3, 1).numpy()[[0, 0]]
    with pytest.raises(EngineFailed, match="for 1 pictures"):
        painted(pipe, row, TRAITS[tiny.family], work, Silent())


def test_beside_the_hole_stands_the_models_version_of_what_was_there() -> None:
    crop = np.full((16, 24, 3), 0.4, np.float32)
    hole = np.zeros((16, 24), np.float32)
    hole[0:8, 10:14] = 1
    image = crop + 0.02  # the model's tone
    image[0:8, 8:16] = (1, 0, 0)  # it painted the whole square
    made = own_beside(image, crop, hole, 8)
    assert (made[hole > 0] == (1, 0, 0)).all()
    assert np.abs(made[hole == 0] - 0.42).max() < 1e-6
    assert own_beside(image, crop, np.ones_like(hole), 8) is image
    hole[:] = 0.0
    hole[::8, ::8] = 1  # every square is touched: nothing tells the tone
    assert (own_beside(image, crop, hole, 8)[hole == 0] == crop[hole == 0]).all()
