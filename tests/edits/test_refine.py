"""The second pass: tiles that cover, holes that fade, detail that comes back, and nothing else touched."""

from __future__ import annotations

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.engines import ToyEngine
from frisket.edits.plan import smaller, two_passes
from frisket.edits.refine import OVERLAP, STRENGTH, fade, refined, tiles
from frisket.edits.requests import EditRequest, InpaintParams
from frisket.edits.results import DegradationKind
from frisket.edits.steps import cut, paint
from frisket.engines.spec import Channels, EngineSpec, Param, ParamKind, Silent, Task, Work
from frisket.errors import EngineFailed
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box, Size
from frisket.raster.sizes import SizeRule

RULE = SizeRule(multiple=8, native_side=64, max_pixels=64 * 64)


class Detailer(ToyEngine):
    """Sees a picture of at most 64 x 64 px. At full strength it paints smooth colour, below it adds a fine grain."""

    def __init__(self, **changes) -> None:
        fields = {"tasks": frozenset({Task.INPAINT, Task.INSTRUCT}), "size": RULE, "refines": True, "params": ()}
        super().__init__(**(fields | {"channels": Channels.RGB} | changes))

    def run(self, work: Work, report) -> list[np.ndarray]:
        self.works.append(work)
        fills = []
        for seed in work.seeds:
            report(1, 1, work.crop)
            fill = np.full_like(work.crop, 0.5)
            if work.strength < 1:
                fill += np.random.default_rng(seed).choice([-0.25, 0.25], work.crop.shape[:2])[..., None]
            fills.append(np.where(work.hole[..., None] > 0, fill, work.crop).astype(np.float32))
        return fills


@given(
    st.integers(1, 300), st.integers(1, 300), st.integers(0, 50), st.integers(0, 50), st.integers(0, 90),
    st.sampled_from([16, 64, 100]),
)  # fmt: skip
def test_tiles_cover_the_area_overlap_and_stay_inside(w: int, h: int, left: int, top: int, more: int, side: int):
    area, within = Box(left, top, w, h), Box(0, 0, left + w + more, top + h + more)
    boxes = tiles(area, within, side)
    covered = np.zeros((within.height, within.width), int)
    for box in boxes:
        assert within.holds(box)
        assert box.width == min(side, within.width)
        assert box.height == min(side, within.height)
        covered[box.slices] += 1
    assert (covered[area.slices] > 0).all()
    for axis in ("x", "y"):
        starts = sorted({getattr(box, axis) for box in boxes})
        assert all(b - a <= side * (1 - OVERLAP) + 1 for a, b in itertools.pairwise(starts))


def test_a_tile_counts_in_full_where_nothing_is_done_and_fades_to_its_edge_where_something_is():
    assert (fade(np.zeros((8, 9), bool)) == 1).all()
    assert (fade(np.ones((8, 9), bool)) == 0).all()
    done = np.zeros((40, 40), bool)
    done[:, :10] = True
    weight = fade(done)
    assert (weight[:, 10:] == 1).all()
    middle = weight[20, :11]
    assert middle[0] < 0.06
    assert (np.diff(middle) > 0).all()
    assert middle[9] > 0.9


def request(strength: float = 1.0, count: int = 1) -> EditRequest:
    box = Box(0, 0, 256, 256)
    params = InpaintParams("grain", strength=strength)
    return EditRequest(Size(256, 256), box, params, PixelFormat(), count=count, seed=3)


def picture() -> tuple[np.ndarray, np.ndarray]:
    image = np.full((256, 256, 3), 128, np.uint8)
    hole = np.zeros((256, 256), np.float32)
    hole[40:220, 30:200] = 1
    return image, hole


def detail(image: np.ndarray, hole: np.ndarray) -> float:
    return float((image - cv2.blur(image, (5, 5)))[hole > 0].std())


def test_a_large_hole_gets_its_detail_back_at_full_size():
    image, hole = picture()
    engine, plain = Detailer(), Detailer(refines=False)
    fills = [paint(cut(image, hole, request(), e.spec), e, request(), Silent())[0] for e in (engine, plain)]
    assert detail(fills[1], hole) < 0.01
    assert detail(fills[0], hole) > 0.15
    assert abs(fills[0][hole == 0] - 128 / 255).max() < 1e-5
    first, *rest = engine.works
    assert first.strength == 1
    assert len(rest) == 16  # 180 x 170 px of hole in tiles of 64
    assert {work.strength for work in rest} == {STRENGTH}
    assert all(work.crop.shape == (64, 64, 3) for work in rest)
    assert all(work.seeds == (3,) and work.prompt == "grain" for work in rest)


@pytest.mark.parametrize("selected", [1.0, 0.5, 0.1])
def test_what_is_selected_in_part_is_painted_whole_as_in_one_pass(selected: float):
    """The mask alone shows it in part; mixed into the old picture before, it would be shown by the square."""
    image, hole = np.zeros_like(picture()[0]), picture()[1] * np.float32(selected)
    for engine in (Detailer(), Detailer(refines=False)):
        (fill,) = paint(cut(image, hole, request(), engine.spec), engine, request(), Silent())
        assert fill[hole > 0].mean() == pytest.approx(0.5, abs=0.02)


def test_each_picture_of_a_batch_is_gone_over_with_its_own_seed():
    image, hole = picture()
    engine = Detailer()
    both = paint(cut(image, hole, request(count=2), engine.spec), engine, request(count=2), Silent())
    alone = paint(cut(image, hole, request(), engine.spec), engine, request(), Silent())
    assert engine.works[0].seeds == (3, 4)
    assert {work.seeds for work in engine.works[1:]} == {(3,), (4,)}
    assert (both[0] == alone[0]).all()
    assert (both[0] != both[1]).any()


def test_no_pixel_of_a_tile_stands_in_a_seam():
    """A tile that came out darker than the others fades in: no step where it begins."""

    class Uneven(Detailer):
        def run(self, work: Work, report) -> list[np.ndarray]:
            self.works.append(work)
            level = 0.5 if work.strength == 1 else 0.4 + 0.2 * (len(self.works) % 2)
            return [np.where(work.hole[..., None] > 0, np.float32(level), work.crop) for _ in work.seeds]

    image, hole = picture()
    engine = Uneven()
    (fill,) = paint(cut(image, hole, request(), engine.spec), engine, request(), Silent())
    inside = fill[44:216, 34:196, 0]
    assert np.ptp(inside) > 0.15
    assert max(abs(np.diff(inside, axis=0)).max(), abs(np.diff(inside, axis=1)).max()) < 0.1  # of steps of 0.2


def test_a_weak_edit_stays_weak():
    image, hole = picture()
    engine = Detailer()
    paint(cut(image, hole, request(0.2), engine.spec), engine, request(0.2), Silent())
    assert {work.strength for work in engine.works} == {0.2}


@pytest.mark.parametrize(("size", "task", "changes", "expected"), [
    (Size(256, 256), Task.INPAINT, {}, True),
    (Size(70, 70), Task.INPAINT, {}, False),
    (Size(256, 256), Task.INSTRUCT, {}, False),
    (Size(256, 256), Task.INPAINT, {"refines": False}, False),
    (Size(256, 256), Task.INPAINT, {"size": SizeRule()}, False),
])  # fmt: skip
def test_when_there_is_a_second_pass(size: Size, task: Task, changes: dict, expected: bool):
    spec: EngineSpec = Detailer(**changes).spec
    assert two_passes(size, task, spec) is expected
    kinds = [told.kind for told in smaller(size, task, spec)]
    assert (DegradationKind.TILED in kinds) is expected


@pytest.mark.parametrize("broken", [np.zeros((8, 8, 3), np.float32), np.full((64, 64, 3), np.nan, np.float32)])
def test_a_tile_that_breaks_the_contract_is_an_error(broken: np.ndarray):
    class Broken(Detailer):
        def run(self, work: Work, report) -> list[np.ndarray]:
            return [broken]

    work = Work(Task.INPAINT, broken, broken[..., 0], {}, (0,))
    with pytest.raises(EngineFailed):
        refined(np.zeros((128, 128, 3), np.float32), np.ones((128, 128), np.float32), work, Broken(), Silent())


@pytest.mark.parametrize(("steps", "strength", "second"), [(1, 1.0, 3), (4, 1.0, 4), (30, 0.2, 30)])
def test_the_second_pass_makes_a_step_at_least(steps: int, strength: float, second: int):
    image, hole = picture()
    engine = Detailer(params=(Param("steps", ParamKind.INT, 50, "how many"),))
    asked = replace(request(strength), engine_params={"steps": steps})
    paint(cut(image, hole, asked, engine.spec), engine, asked, Silent())
    first, *rest = engine.works
    assert first.params["steps"] == steps
    assert {work.params["steps"] for work in rest} == {second}
    assert {work.strength for work in rest} == {min(strength, STRENGTH)}
