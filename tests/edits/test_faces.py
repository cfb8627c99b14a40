"""Faces looked for in what was sent, whatever its format and size, and picked."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.faces import ToyDetector, row_at
from fakes.tellers import Listener
from frisket.edits import faces
from frisket.edits.faces import found_in, picked, shown
from frisket.edits.progress import Progress
from frisket.edits.requests import DetectFacesParams, EditRequest
from frisket.engines.spec import Silent, Task
from frisket.errors import EngineFailed
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Box, Size

REGION = Box(10, 20, 60, 40)


def ask(fmt: PixelFormat = PixelFormat(), region: Box = REGION) -> EditRequest:
    return EditRequest(Size(200, 200), region, DetectFacesParams(), fmt, seed=7)


def idle() -> None:
    pass


def test_faces_are_told_in_canvas_space() -> None:
    detector = ToyDetector([row_at(30, 20, 10, score=1.5), row_at(50, 10, 8, points=False)])
    first, second = found_in(ask(), np.zeros((40, 60, 3), np.uint8), detector, Silent())
    (work,) = detector.works
    assert (work.task, work.crop.shape, work.hole.shape, work.seeds) == (
        Task.DETECT_FACES, (40, 60, 3), (40, 60), (7,))  # fmt: skip
    assert first.face.box == Box(10 + 20, 20 + 13, 20, 20)
    assert first.face.landmarks[0] == pytest.approx((10 + 25, 20 + 20), abs=0.1)
    assert first.face.score == 1
    assert first.middle == pytest.approx((30, 23.3), abs=0.1)
    assert (second.face.landmarks, second.points) == ((), None)


def test_a_large_picture_is_shown_reduced_and_faces_come_back_enlarged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faces, "LOOKED_AT", 25)  # 60 px: three times too long
    progress = Progress(Listener())
    image = np.zeros((40, 60, 3), np.uint8)
    image[21:24, 30:33] = 255  # one px of the reduced picture
    detector = ToyDetector([row_at(10, 7, 4)])
    (found,) = found_in(ask(), image, detector, progress)
    crop = detector.works[0].crop
    assert crop.shape == (13, 20, 3)
    assert (crop[7, 10] == 1).all()
    assert crop.sum() == 3
    assert found.points is not None
    assert found.points[:2].mean(axis=0) == pytest.approx((31, 22), abs=0.05), "the middle of that px's nine"
    assert found.row[2] == pytest.approx(24)
    assert "20 x 13" in progress.degraded[0].detail


@pytest.mark.parametrize(
    "answer", [np.zeros((2, 4)), np.full((1, 15), np.nan), np.zeros((2, 2, 15)), np.full((1, 15), 3e9)]
)
def test_what_are_no_faces_is_refused(answer: np.ndarray) -> None:
    detector = ToyDetector([])
    detector.rows = answer
    with pytest.raises(EngineFailed, match="toy-detector"):
        found_in(ask(), np.zeros((40, 60, 3), np.uint8), detector, Silent())


def test_nothing_is_found_in_nothing() -> None:
    assert found_in(ask(region=Box(0, 0, 0, 0)), np.zeros((0, 0, 3), np.uint8), ToyDetector([ONE]), Silent()) == []
    assert found_in(ask(), np.zeros((40, 60, 3), np.uint8), ToyDetector([]), Silent()) == []


@pytest.mark.parametrize("whole", [1, 2, 7])
def test_a_picture_is_shown_over_gray_within_0_and_1(whole: int) -> None:
    fmt = PixelFormat(Samples.F32, Layout.RGBA, Transfer.LINEAR)
    image = np.zeros((21, 28, 4), np.float32)
    image[..., 0], image[..., 3] = 5, 1
    image[:14, :14, 3] = 0
    out = shown(image, fmt, whole, idle)
    assert out.shape == (21 // whole, 28 // whole, 3)
    assert (out[0, 0] == 0.5).all()
    assert out[-1, -1] == pytest.approx((1, 0, 0))


@pytest.mark.parametrize("size", [(1, 5000), (9000, 2)])
def test_a_line_of_pixels_has_no_faces(size: tuple[int, int]) -> None:
    """Reduced by a whole number nothing is left of it."""
    line, detector = Size(*size), ToyDetector([])
    image = np.zeros((line.height, line.width, 3), np.uint8)
    asked = EditRequest(line, Box.of(line), DetectFacesParams())
    assert found_in(asked, image, detector, Silent()) == []
    assert not detector.works


def test_gray_is_shown_in_three_channels() -> None:
    out = shown(np.full((4, 4, 1), 51, np.uint8), PixelFormat(Samples.U8, Layout.GRAY), 2, idle)
    assert out.shape == (2, 2, 3)
    assert out == pytest.approx(0.2)


ONE, TWO = row_at(30, 20, 10), row_at(50, 10, 8)


@pytest.mark.parametrize(
    ("wished", "kept"),
    [
        ((), [0, 1]),
        ((Box(0, 0, 200, 200),), [0, 1]),
        ((Box(30, 33, 11, 20),), [0]),  # 11 of its 20 columns
        ((Box(30, 33, 9, 20),), []),
        ((Box(50, 20, 30, 30), Box(30, 33, 20, 20)), [0, 1]),
    ],
)
def test_half_a_face_is_enough_to_be_meant(wished: tuple[Box, ...], kept: list[int]) -> None:
    found = found_in(ask(), np.zeros((40, 60, 3), np.uint8), ToyDetector([ONE, TWO]), Silent())
    assert picked(found, wished, np.full((40, 60), 255, np.uint8)) == kept


def test_the_middle_says_whether_a_face_is_selected() -> None:
    rows = [ONE, TWO, row_at(-5, 20, 8)]
    found = found_in(ask(), np.zeros((40, 60, 3), np.uint8), ToyDetector(rows), Silent())
    mask = np.zeros((40, 60), np.uint8)
    assert picked(found, (), mask) == []
    mask[23, 30] = 255
    assert picked(found, (), mask) == [0]
    mask[23, 30], mask[22:, 0] = 127, 255
    assert picked(found, (), mask) == [2], "its middle is beyond the region: the nearest px counts"
