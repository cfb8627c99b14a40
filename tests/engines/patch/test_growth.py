"""What sources cost, and EM under such costs."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.growth import (
    ACROSS,
    DOWN,
    LEVEL,
    MOST_USES,
    STANDOUT,
    UNIT,
    USE,
    Taste,
    grown,
    likeness,
    settled,
    uses,
)
from frisket.engines.patch.match import Field
from frisket.engines.patch.pyramid import Level, built
from frisket.engines.patch.vote import certainty


def level_of(height: int = 60, width: int = 80, known: int = 50) -> Level:
    """Noise, its columns from `known` on unknown."""
    I = np.random.default_rng(0).random((height, width, 4)).astype(np.float32) * 255
    there = np.zeros((height, width), bool)
    there[:, :known] = True
    return Level.of(I, there, there)


def taste_of(level: Level, standout: float = 0, past: float = 0, share: float = 1, sideways: bool = True) -> Taste:
    shape = level.known.shape
    return Taste(np.full(shape, standout, np.float32), np.full(shape, past, np.float32), share, sideways, 1)


@pytest.mark.parametrize(("sideways", "upright"), [(True, LEVEL), (False, DOWN)])
def test_place_is_counted_from_the_nearest_known_point(sideways: bool, upright: float) -> None:
    level = level_of()
    lean = taste_of(level, sideways=sideways).lean(level, None)
    assert (lean.top, lean.bottom, lean.left, lean.right) == (0, 59, 0, 49)
    assert lean.down == pytest.approx(upright * UNIT / 60**2)
    assert lean.across == pytest.approx(ACROSS * UNIT / 60**2)
    field = Field.over(~level.known)
    field.sy[:], field.sx[:] = 20, 30
    cost = lean.cost(field)
    t = field.index[23, 70]
    assert cost[t] == pytest.approx(upright * UNIT * 9 / 60**2 + ACROSS * UNIT * 19**2 / 60**2, rel=1e-4)


def test_what_stands_out_is_dear_and_so_is_what_was_used_too_often() -> None:
    level = level_of()
    price = taste_of(level, standout=0.5).lean(level, None).price
    np.testing.assert_allclose(price, UNIT * STANDOUT * 0.5, rtol=1e-5)
    for now, past, share, times in ((1, 0, 2, 0), (2, 1, 1, 2), (0, 3, 1, 2), (99, 0, 1, MOST_USES)):
        taste = taste_of(level, past=past, share=share)
        price = taste.lean(level, np.full(level.known.shape, now, np.float32)).price
        np.testing.assert_allclose(price, UNIT * USE * times, atol=1e-3 * UNIT)


def test_a_thing_reaches_as_far_as_the_patches_that_show_it() -> None:
    level = level_of()
    taste = taste_of(level)
    taste.standout[30, 25] = 1
    dear = taste.lean(level, None).price > 0
    assert dear.sum() == 49
    assert dear[27:34, 22:29].all()


def test_uses_count_every_target_once() -> None:
    level = level_of()
    field = Field.over(~level.known)
    field.sy[:], field.sx[:] = 30, 20
    found = uses(field)
    assert found[30, 20] == pytest.approx(len(field.ty) / 49)
    assert found.sum() == pytest.approx(len(field.ty), rel=1e-4)
    assert np.count_nonzero(found) == 49


def test_likeness_forgets_the_lean() -> None:
    level = level_of()
    lean = taste_of(level, standout=1).lean(level, None)
    field = Field.over(~level.known)
    field.scatter(level.valid, 1)
    looks = np.linspace(0, 1000, len(field.ty)).astype(np.float32)
    field.D[:] = looks
    wanted = certainty(field)
    field.D[:] = looks + lean.cost(field)
    np.testing.assert_allclose(likeness(field, lean), wanted, atol=0.02)  # float32 of sums a thousand times as large


def test_growth_copies_from_the_sources_only_and_spreads_its_uses() -> None:
    rng = np.random.default_rng(4)
    I = np.zeros((64, 96, 4), np.float32)
    I[..., :3] = rng.random((64, 96, 3)) * 255
    known, sources = np.ones((64, 96), bool), np.zeros((64, 96), bool)
    known[:, 72:] = False
    sources[:, :48] = True
    levels = built(I, known, sources)
    with Bands(1, lambda: None) as bands:
        out, field = grown(levels, taste_of(levels[0]), 3, bands)
    assert (out[known] == I[known]).all()
    assert levels[0].valid[field.sy, field.sx].all()
    assert field.sx.max() < 48
    assert uses(field).max() < 12  # of 24 columns over 48: even use is a half, one favourite would be 1536 / 49 = 31


def test_settling_tells_its_share_and_keeps_what_is_known() -> None:
    level = level_of(64, 96, 60)
    levels = [level]
    field, told = Field.over(~level.known), []
    field.scatter(level.valid, 0)
    taste = Taste(np.zeros(level.known.shape, np.float32), None, 1, False, 3)
    with Bands(1, lambda: None) as bands:
        I, _, sure = settled(levels, level.I.copy(), field, taste, 5, bands, lambda I, share: told.append(share))
    assert told == pytest.approx([1 / 3, 2 / 3, 1])
    assert (I[level.known] == level.I[level.known]).all()
    assert sure.shape == field.ty.shape
    assert sure.min() > 0
    assert sure.max() <= 1
