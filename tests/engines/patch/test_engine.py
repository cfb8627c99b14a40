"""The engine as the rest of the house sees it: pictures whose fill is known, bounds, seeds, progress and cancel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from engines.patch.pictures import Silent, box, edge, photograph, texture_distance, tiles
from frisket.engines.patch.engine import ENGINE, PatchEngine
from frisket.engines.spec import Channels, MaskLaw, Task, Value, Work
from frisket.errors import Cancelled, NothingToSampleFrom, ParameterOutOfRange


def painted(crop: np.ndarray, hole: np.ndarray, seeds=(0,), engine=ENGINE, report=None, sources=None, **given: Value):
    params = engine.spec.check_params(given)
    work = Work(Task.INPAINT, crop, hole, params, seeds, sources=sources)
    return engine.run(work, report or Silent())


def damaged(crop: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The crop with garbage in the hole: nothing of what was there may be read."""
    return np.where(hole[..., None] > 0, np.float32(0.777), crop)


# --- what is known to be right ----------------------------------------------------------------------------------------


def test_a_pattern_is_continued() -> None:
    crop, hole = tiles(128, 128), box(128, 128, 44, 40, 40, 44)
    out = painted(damaged(crop, hole), hole)[0]
    error = np.abs(out - crop)[hole > 0]
    contrast = np.abs(crop - crop.mean((0, 1))).mean()
    assert error.mean() < 0.001 * contrast


@pytest.mark.parametrize("slope", [0.0, 0.5])
def test_an_edge_runs_on_through_the_hole(slope: float) -> None:
    crop, hole = edge(128, 128, slope), box(128, 128, 44, 44, 40, 40)
    out = painted(damaged(crop, hole), hole)[0]
    wrong = np.abs(out - crop).max(2)[hole > 0] > 0.3
    assert wrong.mean() < 0.01  # of the hole: at most a pixel's width along some of the edge


def test_a_flat_picture_stays_flat() -> None:
    crop, hole = np.full((64, 64, 3), 0.3, np.float32), box(64, 64, 20, 20, 20, 20)
    out = painted(damaged(crop, hole), hole)[0]
    assert (out == np.float32(0.3)).all()


def test_outside_the_hole_every_bit_stays_and_the_work_is_left_alone() -> None:
    crop, hole = tiles(96, 96), box(96, 96, 30, 30, 30, 30)
    before = crop.copy()
    out = painted(crop, hole)[0]
    assert out.shape == crop.shape
    assert out.dtype == np.float32
    assert (out[hole == 0] == crop[hole == 0]).all()
    assert (crop == before).all()


def test_a_soft_hole_is_repainted_in_full() -> None:
    crop, hole = tiles(96, 96), box(96, 96, 30, 30, 30, 30)
    assert (painted(crop, hole * np.float32(0.01))[0] == painted(crop, hole)[0]).all()


def test_a_hole_without_pixels_returns_the_picture() -> None:
    crop = tiles(32, 32)
    first, second = painted(crop, np.zeros((32, 32), np.float32), seeds=(1, 2))
    assert (first == crop).all()
    assert (second == crop).all()


# --- channels and ranges ----------------------------------------------------------------------------------------------


def test_grey_is_filled_as_its_rgb_would_be() -> None:
    crop, hole = edge(96, 96, 0.2), box(96, 96, 30, 30, 30, 30)
    assert (painted(crop[..., :1].copy(), hole)[0] == painted(crop, hole)[0][..., :1]).all()


@pytest.mark.parametrize("channels", [2, 4])
def test_premultiplied_colour_never_exceeds_its_alpha(channels: int) -> None:
    alpha = np.clip(tiles(96, 96, seed=9)[..., :1] * 2 - 0.5, 0, 1)
    crop = np.concatenate([tiles(96, 96)[..., : channels - 1] * alpha, alpha], 2)
    hole = box(96, 96, 30, 30, 36, 36)
    out = painted(damaged(crop, hole), hole)[0]
    assert (out[..., :-1] <= out[..., -1:]).all()
    assert np.abs(out - crop)[hole > 0].mean() < 0.02
    assert (out[hole > 0][..., -1] == 0).any()  # holes in the alpha are continued too


def test_a_wide_range_is_kept_and_scales() -> None:
    crop, hole = tiles(128, 128), box(128, 128, 44, 40, 40, 44)
    wide = (crop * 60 - 5).astype(np.float32)
    out = painted(damaged(wide, hole), hole)[0]
    known = wide[hole == 0]
    assert np.abs(out - wide)[hole > 0].mean() < 0.02 * 60
    assert out.max() > 10
    assert (out >= known.min(0)).all()
    assert (out <= known.max(0)).all()


def test_no_channel_leaves_the_range_of_its_known_pixels() -> None:
    rng = np.random.default_rng(3)
    crop = (rng.random((80, 80, 3)) * [1.0, 0.5, 0.25] + [0, 0.25, 0.5]).astype(np.float32)
    hole = box(80, 80, 25, 25, 30, 30)
    out = painted(damaged(crop, hole), hole)[0]
    known = crop[hole == 0]
    assert (out.min((0, 1)) == known.min(0)).all()
    assert (out.max((0, 1)) == known.max(0)).all()


# --- where to copy from -----------------------------------------------------------------------------------------------


def test_nothing_is_copied_from_outside_the_sources() -> None:
    lying = np.repeat(np.sin(np.arange(96, dtype=np.float32))[:, None], 64, 1) * np.float32(0.3) + np.float32(0.5)
    crop = np.repeat(np.concatenate([lying, lying[:64].T.repeat(2, 0)[:96]], 1)[..., None], 3, 2)
    crop = np.ascontiguousarray(crop)  # stripes lie on the left and stand on the right, where the hole is
    hole = box(96, crop.shape[1], 30, 84, 30, 24)
    sources = np.zeros(hole.shape, bool)
    sources[:, :64] = True

    def lies(picture: np.ndarray) -> bool:
        inner = picture[36:54, 90:102, 0]
        return bool(np.abs(np.diff(inner, axis=0)).mean() > np.abs(np.diff(inner, axis=1)).mean())

    assert not lies(painted(crop, hole)[0])
    assert lies(painted(crop, hole, sources=sources)[0])


def test_sources_too_small_for_a_patch_are_refused() -> None:
    sources = np.zeros((64, 64), bool)
    sources[10:18, 10:18] = True
    with pytest.raises(NothingToSampleFrom) as caught:
        painted(tiles(64, 64), box(64, 64, 30, 30, 10, 10), sources=sources)
    assert caught.value.data == {"known": "64", "needed": "81"}


# --- seeds ------------------------------------------------------------------------------------------------------------


def test_threads_do_not_change_a_bit() -> None:
    rng = np.random.default_rng(2)
    crop, hole = rng.random((150, 170, 3), np.float32), box(150, 170, 40, 40, 70, 80)
    one, two, four = (painted(crop, hole, (7,), PatchEngine(threads))[0] for threads in (1, 2, 4))
    assert one.tobytes() == two.tobytes() == four.tobytes()
    extended = box(150, 170, 0, 130, 150, 40)
    one, three = (painted(crop, extended, (7,), PatchEngine(threads))[0] for threads in (1, 3))
    assert one.tobytes() == three.tobytes()


def test_a_seed_gives_the_same_picture_alone_and_in_company() -> None:
    crop, hole = edge(96, 96, 0.3), box(96, 96, 30, 30, 36, 36)
    alone = painted(crop, hole, (5,))[0]
    company = painted(crop, hole, (4, 5, 4))
    assert company[1].tobytes() == alone.tobytes()
    assert company[0].tobytes() == company[2].tobytes()
    assert company[0].tobytes() != alone.tobytes()


def test_seeds_give_different_pictures_of_a_photograph() -> None:
    crop = photograph("gravel.png")[:256, :256]
    hole = box(256, 256, 90, 90, 80, 80)
    first, second = painted(crop, hole, (1, 2))
    assert 255 * np.abs(first - second)[hole > 0].mean() > 8  # of 255; two unrelated patches of gravel differ by 50


# --- progress and cancel ----------------------------------------------------------------------------------------------


def test_progress_counts_to_its_total_and_previews_look_like_the_crop() -> None:
    crop, hole, report = tiles(160, 160), box(160, 160, 40, 40, 80, 80), Silent()
    painted(damaged(crop, hole), hole, (1, 2), report=report)
    total = report.steps[0][1]
    assert report.steps == [(n + 1, total) for n in range(total)]
    assert total == 8
    last = report.previews[-1]
    assert last is not None
    assert last.shape == crop.shape
    assert np.abs(last - crop).mean() < 0.02
    assert report.checks > 50


class Stopping(Silent):
    """Raises Cancelled at one call, or once a moment has passed, and notes when."""

    def __init__(self, step: int | None = None, after: float | None = None) -> None:
        super().__init__()
        self.step = step
        self.start, self.after = time.perf_counter(), after
        self.longest, self.last = 0.0, self.start

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        super().__call__(step, total, preview)
        if step == self.step:
            raise Cancelled()

    def check(self) -> None:
        super().check()
        now = time.perf_counter()
        self.longest, self.last = max(self.longest, now - self.last), now
        if self.after is not None and now - self.start > self.after:
            raise Cancelled()


@pytest.mark.parametrize("step", [1, 3])
def test_a_cancel_in_progress_ends_the_run(step: int) -> None:
    report = Stopping(step)
    with pytest.raises(Cancelled):
        painted(tiles(160, 160), box(160, 160, 40, 40, 80, 80), report=report)
    assert len(report.steps) == step


def test_a_cancel_between_steps_ends_the_run() -> None:
    report = Stopping(after=0.0)
    with pytest.raises(Cancelled):
        painted(tiles(160, 160), box(160, 160, 40, 40, 80, 80), engine=PatchEngine(2), report=report)
    assert report.steps == []


# --- small, thin, and mostly hole -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(1, 1), (20, 20), (1, 4000)])
def test_a_full_hole_has_nothing_to_sample(height: int, width: int) -> None:
    with pytest.raises(NothingToSampleFrom) as caught:
        painted(np.zeros((height, width, 3), np.float32), np.ones((height, width), np.float32))
    assert caught.value.data == {"known": "0", "needed": "1"}


def test_one_known_pixel_colours_all() -> None:
    hole = np.ones((20, 20), np.float32)
    hole[3, 4] = 0
    crop = np.random.default_rng(0).random((20, 20, 3), np.float32)
    assert (painted(crop, hole)[0] == crop[3, 4]).all()


@pytest.mark.parametrize("shape", [(1, 4000), (4000, 5), (6, 6)])
def test_where_no_patch_fits_the_fill_is_smooth(shape: tuple[int, int]) -> None:
    h, w = shape
    ramp = (np.arange(h * w, dtype=np.float32) / (h * w)).reshape(h, w, 1)
    if h > w:
        ramp = np.repeat(np.linspace(0, 1, h, dtype=np.float32)[:, None, None], w, 1)
    long = max(h, w)
    hole = np.zeros((h, w), np.float32)
    (hole if h > w else hole.T)[long // 4 : long // 2] = 1
    out = painted(damaged(ramp, hole), hole)[0]
    assert np.abs(out - ramp).max() < 0.5 * (ramp[hole > 0].max() - ramp[hole > 0].min()) + 0.05


@pytest.mark.parametrize("name", ["dots", "stripes", "corner", "frame", "strip left", "thin"])
def test_odd_holes_are_filled(name: str) -> None:
    shape = (8, 600) if name == "thin" else (96, 96)
    crop = np.random.default_rng(4).random((*shape, 3), np.float32) * np.float32(0.5)
    hole = np.zeros(shape, np.float32)
    if name == "dots":
        hole[:] = np.random.default_rng(1).random(shape) > 0.5
    elif name == "stripes":
        hole[::12] = 1
    elif name == "corner":
        hole[:40, :40] = 1
    elif name == "frame":
        hole[:] = 1
        hole[12:-12, 12:-12] = 0
    elif name == "strip left":
        hole[:, 15:] = 1
    else:
        hole[:, 200:260] = 1
    out = painted(damaged(crop, hole), hole)[0]
    filled = out[hole > 0]
    assert (filled <= 0.5).all()  # the garbage was 0.777
    assert filled.std() > 0.03


# --- a photograph -----------------------------------------------------------------------------------------------------


def test_texture_is_nearer_to_the_photograph_than_telea() -> None:
    crop = photograph("gravel.png")[:256, :256]
    hole = box(256, 256, 90, 90, 80, 80)
    where = hole > 0
    ours = painted(damaged(crop, hole), hole)[0]
    bytes_ = np.clip(crop * 255 + 0.5, 0, 255).astype(np.uint8)
    telea = cv2.inpaint(bytes_, where.astype(np.uint8), 5, cv2.INPAINT_TELEA) / np.float32(255)
    assert texture_distance(ours, where, crop, where) < 0.3 * texture_distance(telea, where, crop, where)


def test_structure_off_and_quality_are_heard() -> None:
    crop, hole = photograph("brick.png")[:200, :200], box(200, 200, 70, 70, 60, 60)
    steps = {}
    for structure, quality in (("on", 1), ("on", 2), ("off", 2)):
        report = Silent()
        painted(crop, hole, report=report, structure=structure, quality=quality)
        steps[structure, quality] = len(report.steps)
    assert steps["on", 2] == 2 * steps["on", 1]
    assert steps["off", 2] > 4 * steps["on", 2]  # it starts coarser, where rounds are cheap


# --- the description --------------------------------------------------------------------------------------------------


def test_the_spec_says_what_holds() -> None:
    spec = ENGINE.spec
    assert spec.id == "patch"
    assert Task.INPAINT in spec.tasks
    assert spec.channels is Channels.ANY
    assert spec.mask_law is MaskLaw.EXACT
    assert spec.deterministic
    assert spec.models == ()
    with pytest.raises(ParameterOutOfRange):
        spec.check_params({"structure": "sometimes"})
    with pytest.raises(ParameterOutOfRange):
        spec.check_params({"quality": 5})


def test_load_leaves_nothing_to_compile_for_the_first_picture() -> None:
    code = """
import numpy as np
from frisket.engines.patch.engine import PatchEngine
from frisket.engines.spec import Task, Work
from numba.core import event
engine = PatchEngine()
engine.load("")
compiled = []
class Listener(event.Listener):
    def on_start(self, event): compiled.append(event)
    def on_end(self, event): pass
event.register("numba:compile", Listener())
class Silent:
    def __call__(self, *a): pass
    def check(self): pass
crop = np.random.default_rng(1).random((120, 120, 4), np.float32)
for x in (40, 80):
    hole = np.zeros((120, 120), np.float32); hole[40:80, x:x + 40] = 1
    hole[:, x:] = hole[:, x:] if x == 40 else 1
    engine.run(Work(Task.INPAINT, crop, hole, engine.spec.check_params({}), (0,)), Silent())
print(len(compiled))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"


def test_where_the_package_may_not_be_written_kernels_are_kept_with_the_user(tmp_path: Path) -> None:
    code = """
import numba.core.caching as caching
def refuse(self): raise OSError("read-only")
for locator in (caching.InTreeCacheLocator, caching.InTreeCacheLocatorFsAgnostic):
    locator.ensure_cache_path = refuse
import frisket.engines.patch.vote as vote
print(vote._vote._cache.cache_path)
"""
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    env.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.startswith(str(tmp_path))
