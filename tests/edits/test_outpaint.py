"""Outpaint with a toy engine: the new area is covered, nothing old is, and the planned region is enough."""

from __future__ import annotations

import numpy as np
import pytest

from edits.test_inpaint import ask, picture
from fakes.engines import EVERY, SoftEngine, ToyEngine
from fakes.tellers import Listener
from frisket.edits import outpaint
from frisket.edits.plan import plan_outpaint
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import OutpaintParams
from frisket.edits.results import DegradationKind
from frisket.engines.spec import Task
from frisket.errors import ImageNotFinite, RequestInvalid
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size

TASKS = EVERY.spec.tasks


def do(params, image, fmt=PixelFormat(), engine=None, sources=None, **changes) -> list[Painted]:
    request = ask(image, fmt, params, **changes)
    nothing = np.zeros(image.shape[:2], np.uint8)  # the mask is not looked at
    engine = engine or ToyEngine(tasks=TASKS)
    return outpaint.run(request, Planes(image, nothing, sources), engine, Progress(Listener()))


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
    assert (work.hole > 0).sum() == work.hole.size - plan.region.area


def test_outpaint_needs_a_side() -> None:
    with pytest.raises(RequestInvalid, match="side"):
        do(OutpaintParams(), picture(PixelFormat()))


def test_one_picture_for_each_seed() -> None:
    done = do(OutpaintParams(left=4), picture(PixelFormat()), seed=2**32 - 1, count=2)
    assert [d.meta.seed for d in done] == [2**32 - 1, 0]


def test_sources_are_those_of_the_old_picture() -> None:
    image, engine = picture(PixelFormat()), ToyEngine(tasks=TASKS)
    sources = np.zeros((60, 80), np.uint8)
    sources[:, 40:] = 255
    do(OutpaintParams(left=7), image, engine=engine, sources=sources)
    (work,) = engine.works
    assert work.sources is not None
    wanted = np.zeros((60, 87), bool)
    wanted[:, 47:] = True
    assert np.array_equal(work.sources, wanted)


def test_a_size_that_the_engine_cannot_hold_is_told() -> None:
    (done,) = do(OutpaintParams(right=100), picture(PixelFormat(), 200, 300), engine=SoftEngine())
    assert [d.kind for d in done.meta.degraded] == [DegradationKind.SMALLER_SIZE]
    assert done.meta.box == Box(300, 0, 100, 200)


def test_values_that_are_no_numbers_are_refused() -> None:
    fmt = PixelFormat(Samples.F32)
    image = picture(fmt)
    image[0, 0, 0] = np.nan
    with pytest.raises(ImageNotFinite):
        do(OutpaintParams(left=1), image, fmt)
