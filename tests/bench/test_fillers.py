"""The benchmark's own way to our engine: the right place, nothing else touched."""

from __future__ import annotations

import numpy as np
import pytest
from bench.fillers import in_process, pasted, request_for

from frisket.raster.geometry import Box


def test_paste_shows_pixels_through_the_mask() -> None:
    picture = np.full((3, 4, 3), 100, np.uint8)
    pixels = np.full((1, 3, 3), 200, np.uint8)
    out = pasted(picture, Box(1, 1, 3, 1), pixels, np.array([[0, 51, 255]], np.uint8))
    assert out[..., 0].tolist() == [[100, 100, 100, 100], [100, 100, 120, 200], [100, 100, 100, 100]]
    assert (picture == 100).all()


def test_stripes_are_continued_and_the_rest_is_left_alone() -> None:
    rows = np.where(np.arange(96) // 8 % 2, 210, 40).astype(np.uint8)
    stripes = np.repeat(np.repeat(rows[:, None, None], 96, axis=1), 3, axis=2)
    hole = np.zeros((96, 96), bool)
    hole[36:60, 30:70] = True
    given = stripes.copy()
    given[hole] = 0
    filled = in_process()(given, hole)
    np.testing.assert_array_equal(filled[~hole], stripes[~hole])
    assert np.abs(filled[hole].astype(int) - stripes[hole]).mean() < 4  # the hole alone is off by 125


def test_an_empty_hole_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        request_for(np.zeros((8, 8), bool))
