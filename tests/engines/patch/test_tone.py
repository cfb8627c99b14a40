"""The correction that takes the border's tone into the new area, and the edges that are left as they are."""

from __future__ import annotations

import math

import numpy as np
import pytest

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import Field
from frisket.engines.patch.poisson import SCREEN
from frisket.engines.patch.tone import REACH, THING, cut, rise, spread


def beside(step: float, seam: float = 0) -> tuple[np.ndarray, np.ndarray, Field]:
    """Flat 100 is copied beside a border that is lighter by `step`; from column 130 on, lighter by `seam`."""
    I = np.full((60, 200, 4), 100, np.float32)
    I[:, 60:100] += step
    I[:, :20] += seam
    hole = np.zeros((60, 200), bool)
    hole[:, 100:] = True
    field = Field.over(hole)
    field.sy[:], field.sx[:] = field.ty, np.where(field.tx < 130, 40, 10)
    return I, hole, field


def risen(step: float, seam: float = 0, scale: float = 1) -> np.ndarray:
    I, hole, field = beside(step, seam)
    with Bands(1, lambda: None) as bands:
        return rise(I, hole, field, np.ones(len(field.ty), np.float32), scale, bands)[..., 0]


def test_it_is_the_step_between_a_slow_and_a_fast_fading() -> None:
    away = np.arange(1, 101)
    counted = 4 * math.exp(-4 * 4**2 / (2 * 16**2))  # four channels, all of them 4 too light

    def fading(screen: float) -> np.ndarray:
        rate = math.acosh(1 + screen / 2)  # of the difference equation; nothing flows over the picture's border
        return np.cosh(rate * (100.5 - away)) / math.cosh(rate * 100.5)

    wanted = counted * (fading(1 / (REACH * 200) ** 2) - fading(SCREEN))
    np.testing.assert_allclose(risen(4)[30, 100:], wanted, atol=0.1)


def test_nothing_outside_the_hole_and_nothing_to_even_out_is_left_alone() -> None:
    assert not risen(4)[:, :100].any()
    assert np.abs(risen(0)).max() < 1e-4  # grey levels: voted means of equal values round


def test_a_seam_between_two_pieces_is_evened_out() -> None:
    out = risen(0, seam=4)
    assert out[30, 145:].max() < -0.5  # the lighter piece sinks, where `poisson` leaves it as it is
    assert out[30, 145:].min() > -4
    assert np.abs(out[30, 100:110]).max() < 0.2  # the one that fits the border stays


def test_an_edge_is_not_taken_for_a_tone() -> None:
    assert np.abs(risen(100)).max() < 0.01


@pytest.mark.parametrize(("step", "kept"), [(1, 1.0), (200, 0.0), (THING / 2, math.exp(-0.5))])
def test_another_thing_ends_in_an_edge(step: float, kept: float) -> None:
    I, hole, field = beside(step)
    before = I.copy()
    with Bands(1, lambda: None) as bands:
        edges = cut(I, hole, field, np.ones(len(field.ty), np.float32), bands)
    assert (edges.x == 99).all()
    assert (edges.colour == before[:, 99]).all()
    np.testing.assert_allclose(I[:, 99], 100 + step * kept, atol=0.05)
    I[edges.y, edges.x] = edges.colour
    assert (before == I).all()


def test_spread_enlarges_row_by_row() -> None:
    small = np.zeros((10, 20, 4), np.float32)
    small += np.arange(20, dtype=np.float32)[:, None]
    out = spread(small, (40, 80), slice(8, 12))
    assert out.shape == (4, 80, 4)
    np.testing.assert_allclose(out[0, 2:78, 0], (np.arange(2, 78) + 0.5) / 4 - 0.5, atol=0.04)  # remap's 1/32 px
