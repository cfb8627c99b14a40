"""How a detector looks at a picture: at a bounded size, in tiles when closer, and where the hits then lie."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.engines.faces import rows as faces
from frisket.engines.faces.dials import CLOSER, SIDE, confidence
from frisket.engines.faces.looking import Tile, _uncut, as_bytes, looked
from frisket.engines.spec import Silent, Task, Work
from frisket.errors import Cancelled

RED, GROUND = (1.0, 0.0, 0.0), 0.25


class Spots:
    """Finds each red rectangle that is at least `smallest` px wide: box, points at its corner, score."""

    def __init__(self, smallest: int = 4) -> None:
        self.smallest, self.seen = smallest, []

    def __call__(self, picture, check) -> faces.Rows:
        import cv2

        check()
        self.seen.append(picture.shape)
        red = ((picture[..., 0] > 200) & (picture[..., 1] < 40)).astype(np.uint8)
        _, _, boxes, _ = cv2.connectedComponentsWithStats(red)
        found = [b[:4] for b in boxes[1:] if b[2] >= self.smallest]
        return faces.stacked([faces.row(b, np.full((5, 2), b[:2]), 0.8) for b in found])


class Counting(Silent):
    def __init__(self, stop: int = 10**9) -> None:
        self.steps, self.stop, self.checks = [], stop, 0

    def __call__(self, step, total, preview=None) -> None:
        self.steps.append((step, total))

    def check(self) -> None:
        self.checks += 1
        if self.checks >= self.stop:
            raise Cancelled


def look(crop: np.ndarray, find=None, report=None, **params) -> np.ndarray:
    given = {SIDE.name: 256, CLOSER.name: False, "confidence": 0.5} | params
    work = Work(Task.DETECT_FACES, crop, np.ones(crop.shape[:2], np.float32), given, (0,))
    (rows,) = looked(find or Spots(), work, report or Silent())
    return rows


def picture(height: int, width: int, *spots: tuple[int, int, int, int]) -> np.ndarray:
    crop = np.full((height, width, 3), GROUND, np.float32)
    for x, y, w, h in spots:
        crop[y : y + h, x : x + w] = RED
    return crop


def test_a_small_picture_is_seen_as_it_is() -> None:
    find = Spots()
    rows = look(picture(60, 90, (10, 20, 8, 9)), find)
    assert find.seen == [(60, 90, 3)]
    assert rows[:, faces.BOX].tolist() == [[10, 20, 8, 9]]
    assert rows[0, 4:6].tolist() == [10, 20]


def test_a_large_picture_is_seen_reduced_and_the_hits_lie_in_its_own_px() -> None:
    find = Spots()
    rows = look(picture(512, 1024, (400, 200, 80, 96)), find)
    assert find.seen == [(128, 256, 3)]
    assert np.abs(rows[0, faces.BOX] - [400, 200, 80, 96]).max() < 0.01


def test_sides_that_do_not_divide() -> None:
    find = Spots()
    rows = look(picture(333, 777, (300, 150, 60, 60)), find)
    assert find.seen == [(110, 256, 3)]
    assert np.abs(rows[0, faces.BOX] - [300, 150, 60, 60]).max() < 6, "two px of the reduced picture"


def test_a_closer_look_finds_what_was_too_small_and_each_once() -> None:
    spots = [(x, y, 8, 8) for x in range(40, 1000, 90) for y in range(40, 560, 90)]
    crop = picture(600, 1024, *spots, (100, 100, 60, 60))
    find = Spots(smallest=6)
    assert len(look(crop, find)) == 1
    rows = look(crop, find, closer=True)
    assert {tuple(r) for r in rows[:, faces.BOX].round().astype(int).tolist()} >= {s for s in spots if s[0] > 200}
    inside = [s for s in spots if 100 <= s[0] < 160 and 100 <= s[1] < 160]
    assert len(rows) == len(spots) - len(inside) + 1
    assert max(h * w for h, w, _ in find.seen) <= 256 * 256


def test_a_small_picture_is_enlarged_for_a_closer_look() -> None:
    find = Spots(smallest=6)
    rows = look(picture(50, 60, (20, 30, 4, 4)), find, closer=True)
    assert find.seen == [(50, 60, 3), (100, 120, 3)]
    assert np.abs(rows[0, faces.BOX] - [20, 30, 4, 4]).max() < 1.1


def test_a_thing_cut_by_a_tile_is_left_to_its_neighbour_and_one_cut_by_the_picture_is_kept() -> None:
    crop = picture(200, 1024, (0, 50, 40, 40), (240, 50, 40, 40), (1004, 50, 20, 40))
    rows = look(crop, Spots(smallest=15), closer=True)
    assert sorted(rows[:, 0].round().tolist()) == [0, 240, 1004]
    assert sorted(rows[:, 2].round().tolist()) == [20, 40, 40]


def test_hits_below_the_confidence_are_left_out() -> None:
    assert len(look(picture(60, 90, (10, 20, 8, 8)), confidence=0.81)) == 0
    assert confidence(0.8).checked(0.5) == 0.5


def test_progress_and_stopping() -> None:
    report = Counting()
    look(picture(256, 600), report=report, closer=True)
    steps, total = zip(*report.steps, strict=True)
    assert steps == tuple(range(max(total) + 1))
    with pytest.raises(Cancelled):
        look(picture(256, 600), report=Counting(stop=5), closer=True)


def test_values_beyond_0_and_1_are_clipped() -> None:
    crop = np.array([[[-3.0, 0.5, 7.0]]], np.float32)
    assert as_bytes(crop).tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 1)])
def test_pictures_that_hold_no_face(shape) -> None:
    assert look(np.full((*shape, 3), 0.5, np.float32), closer=True).shape == (0, 15)


def test_of_a_large_face_no_piece_is_taken_for_it() -> None:
    """A tile may show a part of it that looks like a whole one, and the surer for being larger."""
    large = faces.stacked([faces.row((20, 20, 200, 210), None, 0.96), faces.row((20, 20, 90, 110), None, 0.9)])
    assert _uncut(large, Tile(256, 0, 256, 256, (900, 600))).tolist() == [False, True]
    assert _uncut(large, Tile(0, 0, 256, 256, (256, 256))).tolist() == [True, True], "nothing is cut there"
