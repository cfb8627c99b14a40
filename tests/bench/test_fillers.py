"""The benchmark's own way to our engine: the right place, nothing else touched."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from bench.fillers import asked, filled, in_process, pasted

from frisket.edits.requests import InpaintParams, OutpaintParams
from frisket.engines.patch.engine import PatchEngine
from frisket.engines.spec import EngineSpec, Task
from frisket.raster.geometry import Box, Size


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


def test_a_border_is_asked_for_as_outpaint_of_the_known_rectangle_alone() -> None:
    spec = EngineSpec(id="both", title="", summary="", tasks=frozenset({Task.INPAINT, Task.OUTPAINT}))
    picture = np.arange(6 * 9 * 3, dtype=np.uint8).reshape(6, 9, 3)
    hole = np.zeros((6, 9), bool)
    hole[:, :2] = hole[4:] = True
    ask = asked(picture, hole, spec)
    assert ask.request.params == OutpaintParams(left=2, bottom=2)
    assert ask.request.canvas == Size(7, 4)
    assert (ask.x, ask.y) == (2, 0)
    np.testing.assert_array_equal(ask.canvas, picture[:4, 2:])
    hole[0, 4] = True  # the known part is no rectangle any more
    assert asked(picture, hole, spec).request.params == InpaintParams()
    hole[0, 4] = False
    only_inpaint = replace(spec, tasks=frozenset({Task.INPAINT}))
    assert asked(picture, hole, only_inpaint).request.params == InpaintParams()


def test_an_answer_beside_the_canvas_lands_beside_the_known_part() -> None:
    spec = EngineSpec(id="out", title="", summary="", tasks=frozenset({Task.OUTPAINT}))
    picture = np.full((2, 5, 3), 9, np.uint8)
    hole = np.zeros((2, 5), bool)
    hole[:, :2] = True
    answer = Box(-2, 0, 2, 2), np.full((2, 2, 3), 77, np.uint8), np.full((2, 2), 255, np.uint8)
    out = filled(picture, hole, spec, lambda ask: answer)
    assert out[..., 0].tolist() == [[77, 77, 9, 9, 9]] * 2


@pytest.mark.parametrize("hole", [np.zeros((8, 8), bool), np.ones((8, 8), bool)])
def test_nothing_to_fill_and_nothing_known_are_refused(hole: np.ndarray) -> None:
    with pytest.raises(ValueError, match="empty or everywhere"):
        asked(np.zeros((8, 8, 3), np.uint8), hole, PatchEngine().spec)
