"""Select the subject: a mask in the region's pixels, the pixels as they came, in every format."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.subjects import BrightEngine
from fakes.tellers import Listener
from frisket.edits import select_subject
from frisket.edits.faces import LOOKED_AT
from frisket.edits.plan import plan_select_subject
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import EditRequest, SelectSubjectParams
from frisket.edits.results import DegradationKind
from frisket.edits.tasks import row_of
from frisket.engines.spec import EngineSpec, Task
from frisket.errors import Cancelled, EngineFailed, ImageNotFinite, NoSubjectFound
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Box, Size
from frisket.raster.pixels import from_work

REGION = Box(100, 50, 90, 60)
SUN = Box(30, 20, 25, 15)  # within it
FORMATS = [PixelFormat(s, l) for s in Samples for l in Layout]


def scene(fmt: PixelFormat = PixelFormat(), level: float = 0.8) -> np.ndarray:
    work = np.full((60, 90, fmt.layout.channels), 0.1, np.float32)
    work[SUN.slices] = level
    if fmt.layout.has_alpha:
        work[..., -1] = 1
    return from_work(work, fmt)


def do(image: np.ndarray, engine: BrightEngine | None = None, mask: np.ndarray | None = None, **changes):
    region = Box(REGION.x, REGION.y, image.shape[1], image.shape[0])
    fields = {"canvas": Size(10_000, 9_000), "region": region, "params": SelectSubjectParams()}
    sent = np.full(image.shape[:2], 255, np.uint8) if mask is None else mask
    progress = Progress(Listener())
    request = EditRequest(**(fields | changes))
    results = select_subject.run(request, Planes(image, sent), engine or BrightEngine(), progress)
    return results, progress


def one(*args, **changes) -> Painted:
    (done,), _ = do(*args, **changes)
    return done


def test_the_mask_is_the_subject_and_the_pixels_are_those_sent() -> None:
    image = scene()
    done = one(image, seed=9)
    assert (done.meta.box, done.meta.seed) == (SUN.moved(100, 50), 9)
    assert (done.mask == 204).all()
    assert (done.pixels == image[SUN.slices]).all()
    assert "without a model" in done.meta.notes[0]


def test_a_model_s_result_has_no_such_note() -> None:
    assert one(scene(), BrightEngine(models=("m",))).meta.notes == ()


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_an_engine_sees_the_same_in_every_format(fmt: PixelFormat) -> None:
    engine, image = BrightEngine(), scene(fmt)
    done = one(image, engine, format=fmt)
    assert engine.works[0].crop.shape == (60, 90, 3)
    assert np.abs(engine.works[0].crop[SUN.slices] - 0.8).max() < 0.003
    assert (done.meta.box, done.pixels.dtype) == (SUN.moved(100, 50), image.dtype)
    assert (done.mask == 204).all()
    assert done.pixels.tobytes() == image[SUN.slices].tobytes()


def test_linear_light_is_seen_as_an_eye_does() -> None:
    fmt = PixelFormat(Samples.F32, Layout.RGB, Transfer.LINEAR)
    image = np.full((60, 90, 3), 0.01, np.float32)
    image[SUN.slices] = 0.5225216
    assert (one(image, format=fmt).mask == 191).all()


def test_what_is_transparent_is_no_subject() -> None:
    fmt = PixelFormat(Samples.U8, Layout.RGBA)
    image, engine = scene(fmt), BrightEngine()
    image[:25, :, 3] = 0
    image[25:30, :, 3] = 1
    done = one(image, engine, format=fmt)
    assert done.meta.box == Box.spanning(SUN.x, 25, SUN.right, SUN.bottom).moved(100, 50)
    assert engine.works[0].hole[:25].max() == 0
    assert engine.works[0].hole[25:].min() == 1


def test_a_selection_is_a_rough_one() -> None:
    """The subject lies in it or a little beyond: here 3 px."""
    mask = np.zeros((60, 90), np.uint8)
    rough = Box(33, 22, 10, 10)
    mask[rough.slices] = 255
    engine = BrightEngine()
    done = one(np.full((60, 90, 3), 204, np.uint8), engine, mask)
    assert done.meta.box == rough.grown(3).moved(100, 50)
    assert engine.works[0].hole[rough.slices].min() == 1
    wide = np.zeros((60, 90), np.uint8)
    wide[:, :80] = 255
    assert one(np.full((60, 90, 3), 204, np.uint8), engine, wide).meta.box.width == 80 + 3


def test_nothing_stands_out() -> None:
    with pytest.raises(NoSubjectFound, match="90 x 60"):
        do(np.zeros((60, 90, 3), np.uint8))
    clear = np.zeros((60, 90, 4), np.uint8)
    with pytest.raises(NoSubjectFound):
        do(clear, format=PixelFormat(Samples.U8, Layout.RGBA))
    with pytest.raises(NoSubjectFound):
        do(scene(), mask=np.zeros((60, 90), np.uint8))


def test_one_result_for_each_seed() -> None:
    results, _ = do(scene(), seed=2**32 - 1, count=2)
    assert [r.meta.seed for r in results] == [2**32 - 1, 0]
    assert results[0].mask.tobytes() == results[1].mask.tobytes()


def test_a_very_large_picture_is_looked_at_reduced_and_that_is_told() -> None:
    image = np.zeros((30, LOOKED_AT + 7, 3), np.uint8)
    image[10:20, 1000:2000] = 255
    engine = BrightEngine()
    (done,), progress = do(image, engine)
    assert engine.works[0].crop.shape == (15, (LOOKED_AT + 7) // 2, 3)
    assert [d.kind for d in progress.degraded] == [DegradationKind.SMALLER_SIZE]
    assert Box(999, 9, 1002, 12).moved(100, 50).holds(done.meta.box)
    assert (done.mask[2:-2, 2:-2] == 255).all()


def test_lines_and_single_pixels() -> None:
    assert one(np.full((1, 1, 3), 255, np.uint8)).meta.box.size == Size(1, 1)
    assert one(np.full((1, LOOKED_AT + 2, 3), 255, np.uint8)).meta.box.size == Size(LOOKED_AT + 2, 1)


def test_an_answer_that_is_no_mask_is_an_error() -> None:
    with pytest.raises(EngineFailed, match="no mask"):
        do(scene(), BrightEngine(wrong=True))


def test_pixels_that_are_no_numbers_are_refused() -> None:
    image = np.zeros((60, 90, 3), np.float32)
    image[3, 4] = np.inf
    with pytest.raises(ImageNotFinite):
        do(image, format=PixelFormat(Samples.F32, Layout.RGB))


def test_it_can_be_cancelled() -> None:
    class Stopped(Listener):
        def check(self) -> None:
            raise Cancelled

    request = EditRequest(Size(400, 300), REGION, SelectSubjectParams())
    planes = Planes(scene(), np.full((60, 90), 255, np.uint8))
    with pytest.raises(Cancelled):
        select_subject.run(request, planes, BrightEngine(), Progress(Stopped()))


def test_the_plan_is_the_canvas_or_the_rough_selection_with_some_of_what_is_around() -> None:
    spec = EngineSpec("s", "S", "S.", frozenset({Task.SELECT_SUBJECT}))
    request = EditRequest(Size(3000, 2000), Box(0, 0, 0, 0), SelectSubjectParams())
    assert row_of(Task.SELECT_SUBJECT).plan is plan_select_subject
    assert plan_select_subject(request, [], spec).region == Box(0, 0, 3000, 2000)
    rough = Box(1000, 1000, 400, 300)
    assert plan_select_subject(request, [rough], spec).region == rough.grown(100)
    assert plan_select_subject(request, [Box(1000, 1000, 50, 40)], spec).region == Box(1000, 1000, 50, 40).grown(64)
