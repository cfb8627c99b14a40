"""A work made smaller keeps its hole; its pictures come back at the size asked for."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.engines.diffusion.shrinking import fitted, shrunk
from frisket.engines.spec import Task, Work
from frisket.raster.geometry import Size


def work(hole: np.ndarray) -> Work:
    y, x = np.mgrid[0 : hole.shape[0], 0 : hole.shape[1]].astype(np.float32)
    crop = np.stack([x / hole.shape[1], y / hole.shape[0], 0 * x], -1)
    return Work(Task.INPAINT, crop, hole, {}, (1,), sources=np.ones(hole.shape, bool))


@pytest.mark.parametrize("place", [(0, 0), (31, 63), (16, 5)])
def test_one_pixel_is_not_lost(place: tuple[int, int]) -> None:
    hole = np.zeros((32, 64), np.float32)
    hole[place] = 1
    small = shrunk(work(hole), Size(48, 24))
    assert small.crop.shape == (24, 48, 3)
    assert set(np.unique(small.hole)) == {0.0, 1.0}
    assert small.hole.sum() <= 4
    back = np.repeat(np.repeat(small.hole, 4, 0), 4, 1)[1::3, 1::3]  # 24 -> 32, nearest
    assert back[place] == 1


def test_a_soft_hole_stays_soft_and_the_same_size_is_the_same_work() -> None:
    hole = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (32, 1))
    given = work(hole)
    assert shrunk(given, Size(64, 32)) is given
    small = shrunk(given, Size(48, 24)).hole
    assert np.abs(small - np.linspace(0, 1, 48)).max() < 0.02


def test_pictures_come_back_where_they_were() -> None:
    given = work(np.ones((32, 64), np.float32))
    small = shrunk(given, Size(48, 24))
    (back,) = fitted([small.crop], Size(64, 32))
    assert back.dtype == np.float32
    assert np.abs(back - given.crop)[2:-2, 2:-2].max() < 0.01
    assert fitted([given.crop], Size(64, 32))[0] is given.crop
