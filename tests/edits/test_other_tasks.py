"""Outpaint, variation and move with toy engines: which pixels change, and where the results lie."""

from __future__ import annotations

import numpy as np
import pytest

from edits.test_inpaint import ask, hole, picture
from fakes.engines import ToyEngine
from fakes.tellers import Listener
from frisket.edits import inpaint, outpaint, variation
from frisket.edits.plan import plan_outpaint, plan_selection
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import InpaintParams, OutpaintParams, VariationParams
from frisket.engines.spec import Task
from frisket.errors import MoveLeavesNothing, RequestInvalid
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size

TASKS = frozenset({Task.INPAINT, Task.OUTPAINT, Task.VARIATION})
RUNS = {InpaintParams: inpaint.run, OutpaintParams: outpaint.run, VariationParams: variation.run}


def do(params, image, mask=None, fmt=PixelFormat(), engine=None, sources=None, **changes) -> list[Painted]:
    request = ask(image, fmt, params, **changes)
    mask = np.full(image.shape[:2], 255, np.uint8) if mask is None else mask
    engine = engine or ToyEngine(tasks=TASKS)
    return RUNS[type(params)](request, Planes(image, mask, sources), engine, Progress(Listener()))


SIDES = [
    (OutpaintParams(left=7), Box(-7, 0, 7, 60)),
    (OutpaintParams(right=9), Box(80, 0, 9, 60)),
    (OutpaintParams(top=5), Box(0, -5, 80, 5)),
    (OutpaintParams(bottom=3), Box(0, 60, 80, 3)),
    (OutpaintParams(left=7, right=9), Box(-7, 0, 96, 60)),
    (OutpaintParams(7, 5, 9, 3), Box(-7, -5, 96, 68)),
]


@pytest.mark.parametrize(("params", "box"), SIDES)
@pytest.mark.parametrize("fmt", [PixelFormat(), PixelFormat(Samples.U16, Layout.GRAY_ALPHA)], ids=str)
def test_outpaint_covers_the_new_area_and_nothing_old(params: OutpaintParams, box: Box, fmt: PixelFormat) -> None:
    image = picture(fmt)
    (done,) = do(params, image, fmt=fmt)
    assert done.meta.box == box
    old = np.zeros((box.height, box.width), bool)
    inside = Box(0, 0, 80, 60).clipped(box)
    if not inside.empty:
        old[inside.relative_to(box).slices] = True
    assert (done.mask[old] == 0).all()
    assert (done.mask[~old] == 255).all()
    full = np.iinfo(image.dtype).max
    assert np.abs(done.pixels[~old][:, 0] / full - 0.9).max() < 2e-3


@pytest.mark.parametrize(("params", "box"), SIDES)
def test_the_region_that_outpaint_plans_is_enough(params: OutpaintParams, box: Box) -> None:
    fmt, engine = PixelFormat(), ToyEngine(tasks=TASKS)
    image = picture(fmt)
    plan = plan_outpaint(ask(image, fmt, params), [], engine.spec)
    assert Box(0, 0, 80, 60).holds(plan.region)
    where = plan.region.slices
    (part,) = do(params, image[where], engine=engine, canvas=Size(80, 60), region=plan.region)
    assert part.meta.box == box
    (work,) = engine.works
    assert work.task is Task.OUTPAINT
    assert (work.hole > 0).sum() == sum(np.prod(work.hole.shape) for _ in [0]) - plan.region.area


def test_outpaint_needs_a_side() -> None:
    with pytest.raises(RequestInvalid, match="side"):
        do(OutpaintParams(), picture(PixelFormat()))


def test_one_side_of_a_wide_picture_does_not_send_all_of_it() -> None:
    request = ask(np.zeros((1000, 8000, 3), np.uint8), PixelFormat(), OutpaintParams(left=100))
    assert plan_outpaint(request, [], ToyEngine(tasks=TASKS).spec).region == Box(0, 0, 500, 1000)


def test_variation_of_a_selection_changes_the_selection() -> None:
    image, engine = picture(PixelFormat()), ToyEngine(tasks=TASKS)
    (done,) = do(VariationParams(strength=0.3, tileable=True), image, hole(), engine=engine)
    assert done.meta.box == Box(30, 20, 15, 11)
    assert (done.pixels == 230).all()
    assert (engine.works[0].strength, engine.works[0].tileable) == (0.3, True)
    assert engine.works[0].task is Task.VARIATION


def test_variation_of_a_layer_sees_its_transparency() -> None:
    fmt, engine = PixelFormat(layout=Layout.RGBA), ToyEngine(tasks=TASKS)
    image = picture(fmt)
    image[:20, :, 3] = 0
    do(VariationParams(), image, fmt=fmt, engine=engine)
    crop = engine.works[0].crop
    assert crop.shape[2] == 4
    assert (crop[:20] == 0).all()


def test_move_puts_the_selection_there_and_repaints_where_it_was() -> None:
    image, engine = picture(PixelFormat()), ToyEngine(tasks=TASKS)
    mask = np.zeros((60, 80), np.uint8)
    mask[20:30, 10:20] = 255
    (done,) = do(InpaintParams(move=(40, 5)), image, mask, engine=engine)
    assert done.meta.box == Box(10, 20, 50, 15)
    out = image.copy()
    shown = done.mask > 0
    out[done.meta.box.slices][shown] = done.pixels[shown]
    assert np.array_equal(out[25:35, 50:60], image[20:30, 10:20]), "the moved pixels"
    assert (out[20:30, 10:20] == 230).all(), "the place they left"
    shown_at = np.zeros((60, 80), bool)
    shown_at[done.meta.box.slices] = shown
    assert np.array_equal(out[~shown_at], image[~shown_at])
    assert shown_at.sum() == 200
    (work,) = engine.works
    assert work.sources is not None
    moved = Box(50, 25, 10, 10).relative_to(Box(5, 15, 20, 20)).clipped(Box(0, 0, 20, 20))
    assert not work.sources[moved.slices].any(), "a second one could be copied"


def test_a_move_onto_itself_repaints_only_what_it_uncovers() -> None:
    image, engine = picture(PixelFormat()), ToyEngine(tasks=TASKS)
    mask = np.zeros((60, 80), np.uint8)
    mask[20:30, 10:20] = 255
    do(InpaintParams(move=(4, 0)), image, mask, engine=engine)
    assert (engine.works[0].hole > 0).sum() == 40


def test_a_move_out_of_the_picture_is_refused() -> None:
    with pytest.raises(MoveLeavesNothing):
        do(InpaintParams(move=(500, 0)), picture(PixelFormat()), hole())


def test_a_move_plans_for_where_it_goes() -> None:
    image = picture(PixelFormat())
    plan = plan_selection(
        ask(image, PixelFormat(), InpaintParams(move=(40, 5))), [Box(10, 20, 10, 10)], ToyEngine().spec
    )
    assert plan.region.holds(Box(50, 25, 10, 10))


def test_sources_reach_the_engine() -> None:
    image, engine = picture(PixelFormat()), ToyEngine(tasks=TASKS)
    sources = np.zeros((60, 80), np.uint8)
    sources[:, :32] = 255
    do(InpaintParams(), image, hole(), engine=engine, sources=sources)
    (work,) = engine.works
    assert work.sources is not None
    assert work.sources.shape == work.hole.shape
    assert work.sources[:, :2].all()
    assert not work.sources[:, -2:].any()
