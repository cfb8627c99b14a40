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
from frisket.engines.spec import Channels, Task
from frisket.errors import ImageNotFinite, LayerUnsuitable, RequestInvalid
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


def with_gaps(fmt: PixelFormat) -> tuple[np.ndarray, np.ndarray]:
    """A picture with soft alpha along a clear corner, and where it is clear."""
    image = picture(fmt)
    full = 1 if fmt.samples.is_float else np.iinfo(image.dtype).max
    image[..., -1] = full
    image[:22, :32, -1] = full / 2
    image[:20, :30, -1] = 0
    return image, image[..., -1] == 0


@pytest.mark.parametrize("channels", Channels)
@pytest.mark.parametrize(
    "fmt",
    [
        PixelFormat(layout=Layout.RGBA),
        PixelFormat(Samples.U16, Layout.GRAY_ALPHA),
        PixelFormat(Samples.F32, Layout.RGBA),
    ],
    ids=str,
)
@pytest.mark.parametrize(("params", "box"), [((0, 0, 0, 0), Box(0, 0, 30, 20)), ((7, 0, 0, 0), Box(-7, 0, 37, 60))])
def test_the_clear_part_is_filled_and_the_rest_stays(params, box: Box, fmt: PixelFormat, channels: Channels) -> None:
    image, clear = with_gaps(fmt)
    engine = ToyEngine(tasks=TASKS, channels=channels)
    (done,) = do(OutpaintParams(*params, transparent=True), image, fmt, engine)
    assert done.meta.box == box
    old = Box(0, 0, 80, 60).clipped(box)
    here = old.relative_to(box).slices
    assert np.array_equal(done.mask[here] > 0, clear[old.slices])
    kept = done.mask[here] == 0
    assert np.array_equal(done.pixels[here][kept], image[old.slices][kept]), "an old pixel changed"
    new = done.pixels[done.mask > 0]
    full = 1 if fmt.samples.is_float else np.iinfo(image.dtype).max
    assert (new[:, -1] == full).all(), "what is painted is opaque, also beside soft alpha"
    assert np.abs(new[:, 0] / full - 0.9).max() < 2e-3
    assert (engine.works[0].hole > 0).sum() == (done.mask > 0).sum()


def test_only_the_clear_part_within_the_region_counts() -> None:
    fmt = PixelFormat(layout=Layout.RGBA)
    image, clear = with_gaps(fmt)
    region = Box(10, 5, 50, 40)
    sent = image[region.slices]
    (done,) = do(OutpaintParams(transparent=True), sent, fmt, canvas=Size(80, 60), region=region)
    assert done.meta.box == Box(10, 5, 20, 15)
    assert (done.mask == 255).all()
    assert clear[done.meta.box.slices].all()


@pytest.mark.parametrize("layout", [Layout.RGB, Layout.RGBA])
def test_nothing_clear_needs_a_side_that_grows(layout: Layout) -> None:
    fmt = PixelFormat(layout=layout)
    image = picture(fmt)
    if layout.has_alpha:
        image[..., 3] = 1  # nearly
    with pytest.raises(LayerUnsuitable, match="transparent"):
        do(OutpaintParams(transparent=True), image, fmt)
    (done,) = do(OutpaintParams(left=4, transparent=True), image, fmt)
    assert done.meta.box == Box(-4, 0, 4, 60)


def test_an_engine_of_colour_alone_paints_new_sides_opaque() -> None:
    fmt = PixelFormat(layout=Layout.RGBA)
    image, _ = with_gaps(fmt)
    (done,) = do(OutpaintParams(left=4), image, fmt, ToyEngine(tasks=TASKS, channels=Channels.RGB))
    assert (done.pixels[done.mask > 0][:, 3] == 255).all()


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
