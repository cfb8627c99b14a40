"""Levels: colours of known parts alone, sources that stay sources, an end that is deep enough."""

from __future__ import annotations

import numpy as np
import pytest

from engines.patch.pictures import box
from frisket.engines.patch import pyramid
from frisket.engines.patch.pyramid import Level, built, halved


def test_halving_averages_what_is_known() -> None:
    I = np.arange(16, dtype=np.float32).reshape(4, 4, 1).repeat(4, 2)
    known = np.array([[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0]], bool)
    half, seen = halved(I, known)
    assert seen.tolist() == [[True, False], [True, False]]
    assert half[..., 0][0, 0] == pytest.approx((0 + 1 + 4 + 5) / 4)
    assert half[..., 0][1, 0] == pytest.approx((8 + 13) / 2)


def test_odd_sizes_round_up_and_stay_known() -> None:
    half, seen = halved(np.ones((5, 7, 4), np.float32), np.ones((5, 7), bool))
    assert half.shape == (3, 4, 4)
    assert seen.all()
    assert (half == 1).all()


def test_levels_end_where_the_hole_is_shallow() -> None:
    known = box(256, 256, 96, 96, 64, 64) == 0
    levels = built(np.ones((256, 256, 4), np.float32), known)
    assert [level.known.shape for level in levels] == [(256, 256), (128, 128), (64, 64), (32, 32)]
    assert levels[-1].depth.max() == pytest.approx(4, abs=1)
    assert [level.hole_pixels for level in levels] == [4096, 1024, 256, 64]


def test_the_border_of_the_picture_is_not_known() -> None:
    known = box(64, 64, 0, 0, 64, 20) == 0
    depth = built(np.ones((64, 64, 4), np.float32), known)[0].depth
    assert depth[30, 0] == pytest.approx(20, abs=1)


def test_sources_are_known_and_named() -> None:
    known, named = box(128, 128, 40, 40, 30, 30) == 0, np.zeros((128, 128), bool)
    named[:, :60] = True
    for k, level in enumerate(built(np.ones((128, 128, 4), np.float32), known, named)):
        assert not (level.sources & ~level.known).any()
        assert not level.sources[:, (60 >> k) + 1 :].any()
        assert not (level.valid & ~level.sources).any()
        assert level.valid.sum() >= 40


def test_halving_in_strips_is_halving() -> None:
    shape = (701, 901)  # three strips
    I, known = np.random.default_rng(0).random((*shape, 4), np.float32), box(*shape, 200, 300, 301, 400) == 0
    half, seen = halved(I, known)
    for y in (0, 100, 145, 146, 147, 290, 291, 292, 349):  # around the strips' ends, where the hole is not near
        for x in (0, 449):
            assert half[y, x] == pytest.approx(I[2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean((0, 1)), abs=1e-6)
    assert half[350, 0] == pytest.approx(I[700, :2].mean(0), abs=1e-6)
    assert not seen[100:250, 150:350].any()
    assert seen[:100].all()
    assert seen[251:].all()


def test_a_cancel_is_heard_within_a_level() -> None:
    asked: list[None] = []
    built(np.ones((800, 1000, 4), np.float32), box(800, 1000, 10, 10, 5, 5) == 0, check=lambda: asked.append(None))
    assert len(asked) >= 4


@pytest.mark.parametrize("most", [3.0, 20.0, 35.0])
def test_depth_in_pieces_is_true_up_to_what_is_asked_for(monkeypatch: pytest.MonkeyPatch, most: float) -> None:
    known = (box(300, 200, 40, 50, 160, 110) == 0) & (box(300, 200, 250, 0, 30, 90) == 0)
    known[120, 100] = True
    level = Level(np.zeros((300, 200, 4), np.float32), known, known, known)
    assert level.depth.max() > 40
    monkeypatch.setattr(pyramid, "DEPTH_SPAN", 2000)
    asked: list[None] = []
    within = level.depth_within(most, lambda: asked.append(None))
    np.testing.assert_array_equal(np.minimum(within, most), np.minimum(level.depth, most))
    assert len(asked) == 300 * 200 // 2000
    assert level.shallow(float(level.depth.max()))
    assert not level.shallow(float(level.depth.max()) - 0.01)
