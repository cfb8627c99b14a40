"""What ControlNets are shown of a picture. No torch."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from frisket.engines.diffusion.addons import Control
from frisket.engines.diffusion.controls import HOLE, control_of, lines, scribble


def disc(side: int = 128) -> np.ndarray:
    picture = np.zeros((side, side, 3), np.float32)
    cv2.circle(picture, (side // 2, side // 2), side // 4, (1, 1, 1), -1)
    return picture


def test_lines_are_thin_and_where_the_edges_are():
    drawn = lines(disc())
    y, x = np.nonzero(drawn)
    distance = np.hypot(y - 64, x - 64)
    assert np.abs(distance - 32).max() < 2.5
    assert set(np.unique(drawn)) == {0, 1}
    assert 150 < drawn.sum() < 300, "a circle of radius 32 is 201 px long"


def test_scribbles_are_thicker_and_leave_small_things_out():
    picture = disc(512)
    noisy = np.clip(picture + np.random.default_rng(1).normal(0, 0.05, picture.shape), 0, 1)
    drawn, thin = scribble(noisy), lines(picture)
    y, x = np.nonzero(drawn)
    assert np.abs(np.hypot(y - 256, x - 256) - 128).max() < 12
    assert 4 * thin.sum() < drawn.sum() < 14 * thin.sum()
    assert scribble(disc(64)).sum() > 0


def test_the_hole_is_marked_and_the_rest_is_the_picture():
    crop = np.random.default_rng(1).random((16, 24, 3), np.float32)
    hole = np.zeros((16, 24), np.float32)
    hole[4:8, 4:8], hole[8, 8] = 1, 0.1
    shown = control_of(Control.INPAINT, crop, hole)
    assert (shown[hole > 0] == HOLE).all()
    assert (shown[hole == 0] == crop[hole == 0]).all()


@pytest.mark.parametrize("kind", [Control.LINE, Control.SCRIBBLE])
def test_lines_are_those_under_the_hole_too(kind: Control):
    shown = control_of(kind, disc(), np.ones((128, 128), np.float32))
    assert (shown.shape, shown.dtype) == ((128, 128, 3), np.float32)
    assert (shown == control_of(kind, disc(), np.zeros((128, 128), np.float32))).all()
    assert 0 == shown.min() < shown.max() == 1
    assert control_of(kind, np.full((32, 32, 3), 0.5, np.float32), np.ones((32, 32))).max() == 0
