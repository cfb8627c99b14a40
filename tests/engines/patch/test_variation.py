"""Variations as the rest of the house sees them."""

from __future__ import annotations

import time

import numpy as np
import pytest

from engines.patch.pictures import Silent, box, photograph, tiles
from frisket.engines.patch import ladder
from frisket.engines.patch.engine import ENGINE, PatchEngine
from frisket.engines.spec import Task, Value, Work
from frisket.errors import Cancelled, NothingToSampleFrom, ParameterOutOfRange


def vary(crop: np.ndarray, hole: np.ndarray | None = None, seeds=(0,), engine=ENGINE, report=None, strength=0.6, tileable=False, sources=None, **given: Value):  # fmt: skip  # noqa: E501
    hole = np.ones(crop.shape[:2], np.float32) if hole is None else hole
    params = engine.spec.check_params({"quality": 1, **given})
    work = Work(Task.VARIATION, crop, hole, params, seeds, strength=strength, tileable=tileable, sources=sources)
    return engine.run(work, report or Silent())


def scene(h: int = 80, w: int = 100, seed: int = 0) -> np.ndarray:
    """(h, w, 3): sky above ground, discs between: something that can be put elsewhere."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:h, :w]
    crop = np.where((y > h * 0.6)[..., None], (0.35, 0.3, 0.1), (0.5, 0.7, 0.9)).astype(np.float32)
    for _ in range(8):
        cy, cx, r = rng.uniform(0.3, 0.8) * h, rng.uniform(0, w), rng.uniform(0.05, 0.12) * h
        crop[(y - cy) ** 2 + (x - cx) ** 2 < r * r] = rng.random(3)
    return np.clip(crop + rng.normal(0, 0.02, (h, w, 1)).astype(np.float32), 0, 1)


def edge_jump(crop: np.ndarray) -> float:
    """How opposite borders differ, against how neighbours do: 1 means that no seam can be seen."""
    across = np.abs(crop[:, 0] - crop[:, -1]).mean() / np.abs(np.diff(crop, axis=1)).mean()
    down = np.abs(crop[0] - crop[-1]).mean() / np.abs(np.diff(crop, axis=0)).mean()
    return float(max(across, down))


# --- strength and seeds -----------------------------------------------------------------------------------------------


def test_strength_zero_is_the_crop_bit_for_bit() -> None:
    crop = scene()
    out = vary(crop, strength=0.0, seeds=(1, 2), tileable=True)
    assert all((o == crop).all() for o in out)


@pytest.mark.parametrize("layout", ["free", "keep"])
def test_distance_rises_with_strength(layout: str) -> None:
    crop = scene()
    far = []
    for s in (0.2, 0.5, 1.0):
        far.append(
            float(np.mean([np.abs(o - crop).mean() for o in vary(crop, seeds=range(3), strength=s, layout=layout)]))
        )
    assert 0 < far[0] < far[1] < far[2]


def test_keep_keeps_more_than_free() -> None:
    crop = scene()
    free, keep = (
        np.mean([np.abs(o - crop).mean() for o in vary(crop, seeds=range(3), strength=0.8, layout=layout)])
        for layout in ("free", "keep")
    )
    assert keep < free


def test_seeds_differ_repeat_and_do_not_depend_on_company_or_threads() -> None:
    crop = scene()
    a, b = vary(crop, seeds=(7, 8))
    assert np.abs(a - b).mean() > 0.02
    for threads in (1, 3):
        assert (vary(crop, seeds=(8,), engine=PatchEngine(threads))[0] == b).all()


def test_everything_shown_is_in_the_picture() -> None:
    """Sharp patches, not averages: nearly every pixel of the variation has its colour somewhere in the original."""
    crop = np.round(scene() * 8) / np.float32(8)
    out = vary(crop, strength=0.8)[0]
    colours = np.unique(crop.reshape(-1, 3), axis=0)
    apart = np.abs(out.reshape(-1, 1, 3) - colours).max(2).min(1)
    assert (apart < 0.04).mean() > 0.9


# --- what must not change ---------------------------------------------------------------------------------------------


def test_outside_the_hole_every_bit_stays_and_the_join_shows_no_seam() -> None:
    crop, hole = scene(), box(80, 100, 16, 20, 48, 56)
    before = crop.copy()
    out = vary(crop, hole, strength=0.8)[0]
    m = hole > 0
    assert (out[~m] == crop[~m]).all()
    assert (crop == before).all()
    assert np.abs(out - crop)[m].mean() > 0.02
    jumps = np.abs(np.diff(out, axis=1)).mean(2)
    rim = m[:, 1:] != m[:, :-1]
    assert jumps[rim].mean() < 2 * jumps[m[:, 1:] & ~rim].mean() + 0.01


def test_alpha_stays_and_hidden_colours_are_never_shown() -> None:
    rgb = scene()
    alpha = np.ones((80, 100, 1), np.float32)
    alpha[:, :30] = 0
    alpha[:, 30:40] = 0.5
    crop = np.concatenate([rgb * alpha, alpha], 2)
    crop[:, :30, :3] = (0, 1, 0)  # what a transparent pixel holds is no colour
    out = vary(crop, strength=0.8)[0]
    assert (out[..., 3] == crop[..., 3]).all()
    assert (out[:, :30] == crop[:, :30]).all()
    green = (out[:, 30:, 1] > 0.9 * alpha[:, 30:, 0]) & (out[:, 30:, 0] < 0.1)
    assert not green.any()
    assert (out[:, 30:, :3] <= alpha[:, 30:] + 1e-6).all()
    assert np.abs(out - crop).mean() > 0.01


def test_sources_can_be_forbidden() -> None:
    crop = scene()
    crop[:, 84:] = (1, 0, 0)
    allowed = np.ones((80, 100), bool)
    allowed[:, 78:] = False
    hole = box(80, 100, 16, 16, 50, 50)
    out = vary(crop, hole, strength=1.0, sources=allowed)[0]
    assert not (np.abs(out[hole > 0] - (1, 0, 0)).max(-1) < 0.2).any()
    with pytest.raises(NothingToSampleFrom):
        vary(crop, hole, sources=np.zeros((80, 100), bool))


# --- tiles ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.3, 0.9])
def test_a_tileable_variation_fits_itself(strength: float) -> None:
    crop = scene()
    assert edge_jump(crop) > 3
    assert edge_jump(vary(crop, strength=strength, tileable=True)[0]) < 1.8


# --- every kind and size ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 40), (3, 5), (40, 2), (17, 33)])
@pytest.mark.parametrize("tileable", [False, True])
def test_any_size_and_channels(size: tuple[int, int], channels: int, tileable: bool) -> None:
    crop = np.random.default_rng(0).random((*size, channels), np.float32)
    if channels in (2, 4):
        crop[..., :-1] *= crop[..., -1:]
    out = vary(crop, strength=1.0, tileable=tileable)[0]
    assert out.shape == crop.shape
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert out.min() >= 0
    assert out.max() <= 1


def test_a_flat_picture_stays_flat() -> None:
    crop = np.full((40, 50, 3), 0.3, np.float32)
    assert (vary(crop, strength=1.0)[0] == crop).all()


def test_gray_stays_gray_and_float_ranges_are_kept() -> None:
    gray = scene()[..., :1]
    rgb = np.repeat(gray, 3, 2)
    out = vary(rgb)[0]
    assert (out[..., 0] == out[..., 1]).all() or np.abs(np.ptp(out, axis=2)).max() < 0.1  # channels are noised apart
    bright = vary(gray * 40 - 3)[0]
    assert bright.min() >= -3
    assert bright.max() <= 37.001
    assert np.ptp(bright) > 20


def test_a_long_strip_is_bounded() -> None:
    start = time.monotonic()
    out = vary(np.random.default_rng(0).random((12, 6000, 3), np.float32))[0]
    assert out.shape == (12, 6000, 3)
    assert time.monotonic() - start < 20  # all pairs of its patches would take minutes


def test_larger_pictures_keep_their_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searched at a quarter of the pixels, the result is as sharp as the original."""
    monkeypatch.setattr(ladder, "SEARCHED", 96 * 128 // 4)
    crop = tiles(96, 128)
    out = vary(crop, strength=0.5)[0]
    sharp = np.abs(np.diff(out, axis=1)).mean() / np.abs(np.diff(crop, axis=1)).mean()
    assert sharp > 0.8
    assert np.abs(out - crop).mean() > 0.02


# --- progress and cancel ----------------------------------------------------------------------------------------------


def test_progress_rises_to_the_end_with_previews() -> None:
    report = Silent()
    crop = scene()
    crop = np.concatenate([crop, np.ones_like(crop[..., :1])], 2)
    vary(crop, seeds=(1, 2), report=report)
    steps = [s for s, _ in report.steps]
    totals = {t for _, t in report.steps}
    assert steps == sorted(steps)
    assert len(totals) == 1
    assert steps[-1] == totals.pop()
    shown = [p for p in report.previews if p is not None]
    assert all(p.shape[2] == 4 and p.min() >= 0 and p.max() <= 1.00001 for p in shown)
    assert {p.shape[:2] for p in shown} >= {(80, 100)}


def test_a_cancel_comes_through_quickly() -> None:
    class Stop(Silent):
        after = 0.15
        asked = 0.0

        def check(self) -> None:
            self.start = getattr(self, "start", time.monotonic())
            late = time.monotonic() - self.start - self.after
            if late > 0:
                self.asked = late
                raise Cancelled

        def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
            self.check()

    report = Stop()
    with pytest.raises(Cancelled):
        vary(scene(384, 512), report=report)
    assert report.asked < 0.3  # a tenth of a second, and slack for a machine with other work


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(ParameterOutOfRange):
        vary(scene(), layout="loose")


# --- photographs ------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "fill/g_horses_rect/gt.png"])
def test_photographs(name: str) -> None:
    crop = photograph(name)
    mean = []
    for s in (0.2, 0.5, 0.8):
        pictures = vary(crop, seeds=(1, 2, 3), strength=s, quality=2)
        mean.append(np.mean([np.abs(p - crop).mean() for p in pictures]))
        sharp = np.mean([np.abs(np.diff(p, axis=1)).mean() for p in pictures]) / np.abs(np.diff(crop, axis=1)).mean()
        assert 0.75 < sharp < 1.15  # a blurred one has less than half; smooth areas may grow as pieces move
        assert np.abs(pictures[0] - pictures[1]).mean() > 0.004
    assert mean[0] < mean[1] < mean[2]
