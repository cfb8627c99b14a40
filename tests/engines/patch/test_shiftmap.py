"""The layout: a pattern goes on, a horizon stays where it is, unknown pixels are never shown."""

from __future__ import annotations

import numpy as np
import pytest

from engines.patch.pictures import box, tiles
from frisket.engines.patch.bands import Bands
from frisket.engines.patch.pyramid import built
from frisket.engines.patch.shiftmap import Prices, layout


def laid(
    rgb: np.ndarray, hole: np.ndarray, sources: np.ndarray | None = None, seed: int = 0, prices: Prices | None = None
):
    I = np.concatenate([rgb * 255, np.zeros_like(rgb[..., :1])], 2).astype(np.float32)
    with Bands(1, lambda: None) as bands:
        return layout(built(I, hole == 0, sources)[0], prices or Prices(), seed, bands)


def test_a_pattern_goes_on() -> None:
    rgb, hole = tiles(96, 96), box(96, 96, 34, 34, 24, 24)
    offset = laid(rgb, hole)
    assert offset is not None
    assert (offset % 16 == 0).all()
    y, x = np.nonzero(hole)
    assert (rgb[y + offset[:, 0], x + offset[:, 1]] == rgb[y, x]).all()


def test_only_sources_are_shown() -> None:
    rng = np.random.default_rng(0)
    rgb, hole = rng.random((96, 96, 3), np.float32), box(96, 96, 34, 34, 24, 24)
    sources = np.zeros((96, 96), bool)
    sources[:, :40] = True
    offset = laid(rgb, hole, sources)
    assert offset is not None
    y, x = np.nonzero(hole)
    assert (sources & (hole == 0))[y + offset[:, 0], x + offset[:, 1]].all()


def test_a_horizon_stays_where_it_is() -> None:
    y = np.mgrid[:96, :128][0]
    rng = np.random.default_rng(0)
    rgb = (np.where(y < 48, 0.8, 0.3) + rng.normal(0, 0.02, y.shape))[..., None].repeat(3, 2).astype(np.float32)
    hole = box(96, 128, 30, 50, 36, 30)
    offset = laid(rgb, hole)
    assert offset is not None
    hy, hx = np.nonzero(hole)
    shown = rgb[hy + offset[:, 0], hx + offset[:, 1], 0]
    assert ((shown > 0.55) == (hy < 48)).mean() > 0.99


def test_seeds_choose_among_equals() -> None:
    rgb, hole = tiles(96, 96), box(96, 96, 34, 34, 24, 24)
    first, second, again = (laid(rgb, hole, seed=s) for s in (1, 2, 1))
    assert (first == again).all()
    assert (first != second).any()


def test_without_sources_there_is_no_layout() -> None:
    rgb, hole = tiles(64, 64), box(64, 64, 20, 20, 20, 20)
    I = np.concatenate([rgb, rgb[..., :1]], 2)
    level = built(I, hole == 0)[0]
    with Bands(1, lambda: None) as bands:
        bare = type(level)(I, level.known, np.zeros_like(level.known), level.valid)
        assert layout(bare, Prices(), 0, bands) is None


def test_a_level_that_is_too_large_has_no_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    level = built(np.zeros((64, 64, 4), np.float32), box(64, 64, 30, 30, 4, 4) == 0)[0]
    monkeypatch.setattr("frisket.engines.patch.shiftmap.MOST_LEVEL", 64 * 64 - 1)
    with Bands(1, lambda: None) as bands:
        assert layout(level, Prices(), 0, bands) is None
