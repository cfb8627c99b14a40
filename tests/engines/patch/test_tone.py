"""The membrane that takes the border's tone into the new area."""

from __future__ import annotations

import math

import numpy as np

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import Field
from frisket.engines.patch.poisson import SCREEN
from frisket.engines.patch.tone import LIMIT, REACH, rise


def risen(step: float) -> np.ndarray:
    """(200, 300) float32: the rise where a flat 100 is copied beside a border that is lighter by `step`."""
    I = np.full((200, 300, 4), 100, np.float32)
    I[:, 90:200] += step  # the known strip beside the hole; copies come from 100 to its left
    hole = np.zeros((200, 300), bool)
    hole[:, 200:] = True
    field = Field.over(hole)
    field.sy[:], field.sx[:] = field.ty, 40
    with Bands(1, lambda: None) as bands:
        flat = rise(I, hole, field, np.ones(len(field.ty), np.float32), bands)
    out = np.zeros((200, 300), np.float32)
    out[hole] = flat[:, 0]
    return out


def test_it_is_the_step_between_a_slow_and_a_fast_fading() -> None:
    out = risen(20)
    away = np.arange(1, 101)
    wanted = 20 * (np.exp(-away / (REACH * 300)) - np.exp(-away * math.sqrt(SCREEN)))
    np.testing.assert_allclose(out[100, 200:], wanted, atol=0.6)  # distances are the 3x3 approximation's


def test_it_is_small_at_the_rim_and_gone_far_away() -> None:
    out = risen(20)
    assert abs(out[:, 200]).max() < 2
    assert abs(out[:, 299]).max() < 1
    assert out[:, 215:225].min() > 4


def test_nothing_to_even_out_is_left_alone() -> None:
    assert np.abs(risen(0)).max() < 1e-5  # grey levels: voted means of equal values round


def test_an_edge_is_not_taken_for_a_tone() -> None:
    np.testing.assert_allclose(risen(150), risen(LIMIT), atol=1e-3)
