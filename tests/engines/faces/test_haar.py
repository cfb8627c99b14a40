"""The built-in detector: the astronaut's face with its eyes, tilted, mirrored, cut; nothing where there is none."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from engines.faces.photos import photo
from frisket.engines.faces import haar
from frisket.engines.faces.cascade import ENGINE
from frisket.engines.spec import Silent, Task, Work
from frisket.errors import Cancelled

FACE = (176, 58, 95, 125)  # x, y, width, height in the photograph of 512 px
EYES = ((202, 104), (247, 105))  # px of it


def found(crop: np.ndarray, report=None, **params) -> np.ndarray:
    hole = np.ones(crop.shape[:2], np.float32)
    work = Work(Task.DETECT_FACES, crop, hole, ENGINE.spec.check_params(params), (0,))
    (rows,) = ENGINE.run(work, report or Silent())
    assert rows.dtype == np.float32
    assert rows.shape[1:] == (15,)
    return rows


@pytest.fixture(scope="module")
def astronaut() -> np.ndarray:
    return photo("astronaut.png")


def test_the_one_face_with_its_eyes_and_the_same_again(astronaut) -> None:
    crop = astronaut[:256, 90:346]  # x - 90
    rows = found(crop)
    assert len(rows) == 1
    x, y, w, h = rows[0, :4]
    assert abs(x + 90 - FACE[0]) < 10
    assert abs(y - FACE[1]) < 15
    assert abs(w - FACE[2]) < 15
    assert abs(h - FACE[3]) < 15
    assert np.abs(rows[0, 4:8].reshape(2, 2) - (np.array(EYES) - (90, 0))).max() < 6
    assert 0.7 < rows[0, 14] < 1
    assert (found(crop) == rows).all()


def test_a_tilted_head(astronaut) -> None:
    middle = (FACE[0] + FACE[2] / 2, FACE[1] + FACE[3] / 2)
    turn = cv2.getRotationMatrix2D(middle, 25, 1)
    turned = cv2.warpAffine(astronaut, turn, (512, 512), borderMode=cv2.BORDER_REFLECT)[:256, 90:346]
    rows = found(turned)
    assert len(rows) == 1
    eyes = np.array(EYES) @ turn[:, :2].T + turn[:, 2] - (90, 0)
    assert np.abs(rows[0, 4:8].reshape(2, 2) - eyes).max() < 7


def test_nothing_where_there_is_nothing() -> None:
    noise = np.random.default_rng(0).random((200, 200, 3), np.float32)
    for crop in (noise, np.full((200, 200, 3), 0.5, np.float32), np.zeros((1, 1, 3), np.float32), noise[:10]):
        assert found(crop).shape == (0, 15)


def test_nothing_in_photographs_without_people() -> None:
    for name in ("chelsea.png", "coffee.png"):
        assert len(found(photo(name, 320))) == 0


@pytest.mark.slow
def test_the_faces_of_whole_photographs() -> None:
    """bench/faces.py says where they are; here it is only how many."""
    for name, faces in {"faces/00.jpg": 2, "faces/10045.png": 3, "faces/Blake_Lively.jpg": 2, "eagle.png": 0}.items():
        assert len(found(photo(name))) == faces, name


def test_looking_in_bands_changes_little(astronaut, monkeypatch) -> None:
    crop = astronaut[:256, 90:346]
    whole = found(crop)
    monkeypatch.setattr(haar, "BAND", 40)
    (rows,) = found(crop)
    assert np.abs(rows[:4] - whole[0, :4]).max() < 6
    assert abs(rows[14] - whole[0, 14]) < 0.06


def test_it_stops_soon_when_asked(astronaut) -> None:
    class Stop(Silent):
        def __init__(self) -> None:
            self.left = 5

        def check(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise Cancelled

    with pytest.raises(Cancelled):
        found(astronaut[:256, 90:346], Stop())


def test_a_face_cut_by_the_border(astronaut) -> None:
    x, y, w, h = FACE
    for crop, left, top in (
        (astronaut[: y + 2 * h, : x + w * 3 // 4], 0, 0),
        (astronaut[y + h // 4 : 400], 0, y + h // 4),
    ):
        rows = found(crop)
        assert len(rows) == 1
        assert np.abs(rows[0, :2] + (left, top) - FACE[:2]).max() < 20
