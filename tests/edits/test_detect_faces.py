"""Detect faces: where they are in the canvas, in every format, and nothing painted."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.faces import ToyDetector, row_at
from fakes.tellers import Listener
from frisket.edits import detect_faces
from frisket.edits.plan import FACE_CONTEXT, plan_detect_faces
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import DetectFacesParams, EditRequest
from frisket.edits.results import ResultMeta
from frisket.edits.tasks import row_of
from frisket.engines.faces.dials import SIZES
from frisket.engines.spec import EngineSpec, Param, ParamKind, Task
from frisket.errors import ImageNotFinite
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Box, Size
from frisket.raster.pixels import DTYPES, from_work

REGION = Box(100, 50, 90, 60)
FORMATS = [PixelFormat(s, l) for s in Samples for l in Layout]
SURE = Param("confidence", ParamKind.FLOAT, 0.5, "How sure.", 0.0, 1.0)


def do(image: np.ndarray, detector: ToyDetector, mask: np.ndarray | None = None, **changes) -> list[Painted]:
    request = EditRequest(Size(400, 300), REGION, DetectFacesParams(), **changes)
    sent = np.full(image.shape[:2], 255, np.uint8) if mask is None else mask
    return detect_faces.run(request, Planes(image, sent), detector, Progress(Listener()))


def test_faces_in_canvas_space_best_first_and_nothing_painted() -> None:
    detector = ToyDetector([row_at(60, 30, 20, score=0.9), row_at(20, 30, 12, score=0.6, points=False)])
    (done,) = do(np.zeros((60, 90, 3), np.uint8), detector, seed=5)
    first, second = done.meta.faces
    assert (first.score, second.score) == (pytest.approx(0.9), pytest.approx(0.6))
    assert first.landmarks[0] == pytest.approx((100 + 50, 50 + 30), abs=0.2)
    assert (len(first.landmarks), second.landmarks, second.trouble) == (5, (), "")
    assert Box(130, 60, 60, 50).holds(first.box)
    assert (done.meta.box, done.meta.seed) == (Box(100, 50, 0, 0), 5)
    assert (done.pixels.shape, done.mask.shape) == ((0, 0, 3), (0, 0))
    assert ResultMeta.from_json(done.meta.to_json()) == done.meta


def test_one_result_for_each_seed_and_none_where_there_is_no_face() -> None:
    results = do(np.zeros((60, 90, 3), np.uint8), ToyDetector([]), seed=2**32 - 1, count=2)
    assert [(r.meta.seed, r.meta.faces) for r in results] == [(2**32 - 1, ()), (0, ())]


def test_with_a_mask_only_those_whose_middle_is_selected() -> None:
    mask = np.zeros((60, 90), np.uint8)
    mask[:, 45:] = 255
    (done,) = do(np.zeros((60, 90, 3), np.uint8), ToyDetector([row_at(60, 30, 20), row_at(20, 30, 12)]), mask)
    assert len(done.meta.faces) == 1


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_a_detector_sees_the_same_in_every_format(fmt: PixelFormat) -> None:
    """0.25 where it is opaque; over gray where the alpha is 0."""
    work = np.full((60, 90, fmt.layout.channels), 0.25, np.float32)
    if fmt.layout.has_alpha:
        work[..., -1] = 1
        work[:30, :, -1] = 0
    image = from_work(work, fmt)
    assert image.dtype == DTYPES[fmt.samples]
    detector = ToyDetector([row_at(60, 30, 20)])
    (done,) = do(image, detector, format=fmt)
    crop = detector.works[0].crop
    assert (crop.shape, crop.dtype) == ((60, 90, 3), np.float32)
    assert np.abs(crop[30:] - 0.25).max() < 0.003
    assert np.abs(crop[:30] - (0.5 if fmt.layout.has_alpha else 0.25)).max() < 0.003
    assert done.pixels.shape == (0, 0, fmt.layout.channels)
    assert len(done.meta.faces) == 1


def test_light_in_linear_floats_is_seen_as_an_eye_does() -> None:
    fmt = PixelFormat(Samples.F32, Layout.RGB, Transfer.LINEAR)
    detector = ToyDetector([])
    image = np.full((60, 90, 3), 0.2140411, np.float32)
    image[0, 0] = (-4.0, 9.0, 0.2140411)
    do(image, detector, format=fmt)
    crop = detector.works[0].crop
    assert np.abs(crop[1:] - 0.5).max() < 1e-4
    assert crop[0, 0].tolist() == pytest.approx([0, 1, 0.5], abs=1e-4)


def test_pixels_that_are_no_numbers_are_refused() -> None:
    image = np.zeros((60, 90, 3), np.float32)
    image[3, 4] = np.nan
    with pytest.raises(ImageNotFinite):
        do(image, ToyDetector([]), format=PixelFormat(Samples.F32, Layout.RGB))


def test_the_detector_gets_the_parameters_of_the_request() -> None:
    detector = ToyDetector([])
    detector.spec = EngineSpec("toy-detector", "Toy", "Knows.", frozenset({Task.DETECT_FACES}), params=(SURE,))
    do(np.zeros((60, 90, 3), np.uint8), detector, engine_params={"confidence": 0.25})
    assert detector.works[0].params == {"confidence": 0.25}


def test_the_plan_is_the_canvas_or_what_is_selected_and_around_it() -> None:
    spec = EngineSpec("d", "D", "D.", frozenset({Task.DETECT_FACES}), size=SIZES)
    request = EditRequest(Size(9000, 3000), Box(0, 0, 0, 0), DetectFacesParams())
    assert row_of(Task.DETECT_FACES).plan is plan_detect_faces
    plan = plan_detect_faces(request, [], spec)
    assert (plan.region, plan.engine, plan.pieces[0].working) == (Box(0, 0, 9000, 3000), "d", Size(4096, 1365))
    plan = plan_detect_faces(request, [Box(1000, 1000, 50, 40)], spec)
    assert plan.region == Box(1000, 1000, 50, 40).grown(FACE_CONTEXT)
