"""Scales: how many, how large, and what is known of transparency and sources on each."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from engines.patch.pictures import box
from frisket.engines.patch import ladder
from frisket.engines.patch.ladder import LEAST_SIDE, Rung, built, extent, grown


def rung(h: int, w: int, hole: np.ndarray | None = None, **given: np.ndarray) -> Rung:
    I = np.random.default_rng(0).random((h, w, 4), np.float32)
    all_ = np.ones((h, w), bool)
    return Rung.of(I, all_ if hole is None else hole, given.get("solid", all_), given.get("sources", all_), None)


def sides(rungs: list[Rung]) -> list[tuple[int, ...]]:
    return [r.hole.shape for r in rungs]


def climb(full: Rung, side: float) -> list[Rung]:
    all_ = np.ones(full.hole.shape, bool)
    return built(full, all_, all_, side, lambda: None)


def test_rungs_lead_from_the_side_asked_for_to_the_full_size() -> None:
    got = sides(climb(rung(256, 320), 32))
    assert (got[0], got[-1]) == ((32, 40), (256, 320))
    ratios = [b[1] / a[1] for a, b in pairwise(got)]
    assert all(1.1 < r < 1.7 for r in ratios)


def test_a_large_picture_is_searched_at_a_limited_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "SEARCHED", 10_000)
    assert sides(climb(rung(200, 200), 40))[-1] == (100, 100)


def test_the_hole_decides_how_far_down_it_goes() -> None:
    hole = box(200, 200, 60, 60, 50, 80) > 0
    assert extent(hole) == pytest.approx(50, abs=2.5)
    side, _ = sides(climb(rung(200, 200, hole), 25))[0]
    assert side == pytest.approx(100, abs=6)


@pytest.mark.parametrize(
    ("hole", "width"),
    [
        (np.ones((30, 90), bool), 30),
        (box(90, 90, 0, 0, 90, 20) > 0, 20),
        (np.eye(90, dtype=bool), 2),
        (box(90, 90, 0, 0, 60, 60) > 0, 60),
    ],
)
def test_extent_is_the_width_where_it_is_widest(hole: np.ndarray, width: int) -> None:
    assert extent(hole) == pytest.approx(width, abs=2.5)  # the chamfer distance and the odd pixel


def test_a_large_hole_is_as_wide_as_a_thinned_one_up_to_a_few_px(monkeypatch: pytest.MonkeyPatch) -> None:
    hole = np.zeros((400, 600), bool)
    hole[50:290, 70:170] = hole[100:110] = True
    exact = extent(hole)
    assert exact == pytest.approx(100, abs=4)
    monkeypatch.setattr(ladder, "EXTENT_PIXELS", 20_000)
    assert extent(hole) == pytest.approx(exact, abs=8)
    thread = np.zeros((400, 600), bool)
    thread[201] = True
    assert 1 <= extent(thread) <= 4


def test_no_side_falls_below_the_least() -> None:
    got = sides(climb(rung(16, 900), 14))
    assert min(min(s) for s in got) >= LEAST_SIDE
    assert got[-1] == (16, 900)


def test_coarse_colours_come_from_solid_pixels_alone() -> None:
    solid = np.zeros((40, 40), bool)
    solid[:, :20] = True
    I = np.zeros((40, 40, 4), np.float32)
    I[:, :20] = 100
    I[:, 20:] = 9999  # must not be seen anywhere
    full = Rung.of(I, solid, solid, np.ones_like(solid), None)
    small = full.reduced((20, 20), solid, np.ones_like(solid))
    assert np.abs(full.V - 100).max() < 1e-3
    assert np.abs(small.V - 100).max() < 1e-3
    assert not full.valid[:, 17:].any()
    assert full.valid[:, 4:15].any()


def test_sources_grow_where_no_whole_patch_is_left() -> None:
    few = np.zeros((40, 40), bool)
    few[10, 10] = True
    solid = box(40, 40, 5, 5, 20, 20) > 0
    assert Rung.of(np.zeros((40, 40, 4), np.float32), solid, solid, few, None).valid.sum() == 12 * 12
    everything = Rung.of(np.zeros((40, 40, 4), np.float32), few, few, few, None).valid
    assert everything.sum() == 34 * 34


def test_growing_is_linear_and_wraps_when_told() -> None:
    A = np.broadcast_to(np.array([0.0, 4.0, 8.0, 4.0], np.float32)[None, :, None], (4, 4, 4))
    row = grown(A, (4, 8), wraps=False)[0, :, 0]
    assert row.tolist() == [0, 1, 3, 5, 7, 7, 5, 4]
    row = grown(A, (4, 8), wraps=True)[0, :, 0]
    assert row.tolist() == [1, 1, 3, 5, 7, 7, 5, 3]
