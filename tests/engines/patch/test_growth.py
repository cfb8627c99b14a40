"""What sources cost, and EM under such costs."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.growth import (
    MOST_USES,
    SAMPLE,
    STANDOUT,
    USE,
    Taste,
    certain,
    grown,
    hole_of,
    settled,
    uses,
)
from frisket.engines.patch.match import Field
from frisket.engines.patch.pyramid import Level, built
from frisket.engines.patch.vote import certainty, trust


def level_of(height: int = 60, width: int = 80, known: int = 50) -> Level:
    """Noise, its columns from `known` on unknown."""
    I = np.random.default_rng(0).random((height, width, 4)).astype(np.float32) * 255
    there = np.zeros((height, width), bool)
    there[:, :known] = True
    return Level.of(I, there, there)


def taste_of(level: Level, standout: float = 0, past: float = 0, share: float = 1, sideways: bool = True) -> Taste:
    shape = level.known.shape
    return Taste(np.full(shape, standout, np.float32), np.full(shape, past, np.float32), share, sideways, 1)


def test_what_stands_out_is_dear_and_so_is_what_was_used_too_often() -> None:
    level = level_of()
    for standout, wanted in ((0.05, 0), (0.25, 0.5), (0.4, 1), (1, 1)):
        price = taste_of(level, standout=standout).price(level)
        np.testing.assert_allclose(price, STANDOUT * wanted, rtol=1e-5)
    for past, share, times in ((0, 1, 0), (1, 2, 0.5), (3, 1, 3), (99, 1, MOST_USES)):
        price = taste_of(level, past=past, share=share).price(level)
        np.testing.assert_allclose(price, USE * times, rtol=1e-5)


def test_uses_count_every_target_once() -> None:
    level = level_of()
    field = Field.over(~level.known)
    field.sy[:], field.sx[:] = 30, 20
    found = uses(field)
    assert found[30, 20] == pytest.approx(len(field.ty) / 49)
    assert found.sum() == pytest.approx(len(field.ty), rel=1e-4)
    assert np.count_nonzero(found) == 49


def test_a_large_field_is_measured_against_a_sample() -> None:
    n = 2 * SAMPLE + 1
    none = np.zeros(0, np.int32)
    D = np.random.default_rng(0).random(n, np.float32) * 1000
    field = Field(np.zeros((1, 1), np.int32), none, none, none, none, D)
    with Bands(1, lambda: None) as bands:
        found = certain(field, bands)
    np.testing.assert_allclose(np.log(found), np.log(certainty(field)), rtol=0.01)  # the percentile of a half of it


def test_the_hole_and_its_trust() -> None:
    level = level_of()
    with Bands(1, lambda: None) as bands:
        hy, hx, trusted = hole_of(level, bands)
    assert len(hy) == level.hole_pixels
    assert hx.min() == 50
    assert (trusted == trust(level.depth)).all()


def test_growth_copies_from_the_sources_only() -> None:
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


def test_settling_tells_its_share_and_keeps_what_is_known() -> None:
    level = level_of(64, 96, 60)
    levels = [level]
    field, told = Field.over(~level.known), []
    field.scatter(level.valid, 0)
    with Bands(1, lambda: None) as bands:
        I, _, sure = settled(levels, level.I.copy(), field, 3, 5, bands, lambda I, share: told.append(share))
    assert told == pytest.approx([1 / 3, 2 / 3, 1])
    assert (I[level.known] == level.I[level.known]).all()
    assert sure.shape == field.ty.shape
    assert sure.min() > 0
    assert sure.max() <= 1
