"""Rows of detectors: each face once, in the right place."""

from __future__ import annotations

import numpy as np

from frisket.engines.faces import rows as faces


def row(x: float, y: float, w: float, h: float, score: float) -> np.ndarray:
    return faces.row((x, y, w, h), np.full((5, 2), (x, y)), score)


def test_a_row_keeps_what_is_not_known_as_such() -> None:
    known = faces.row((1, 2, 3, 4), np.arange(10).reshape(5, 2), 0.5)
    assert known.tolist() == [1, 2, 3, 4, *range(10), 0.5]
    assert np.isnan(faces.row((1, 2, 3, 4), None, 0.5)[faces.POINTS]).all()
    assert faces.stacked([]).shape == (0, 15)
    assert faces.stacked([known, faces.stacked([known, known])]).shape == (3, 15)


def test_of_overlapping_boxes_the_surest_is_kept_and_the_best_comes_first() -> None:
    found = faces.stacked(
        [
            row(0, 0, 10, 10, 0.6),
            row(1, 1, 10, 10, 0.9),  # the same face
            row(30, 30, 10, 10, 0.95),
            row(33, 33, 4, 4, 0.9),  # a part of that one
            row(7, 0, 10, 10, 0.5),  # shares a little with the first
        ]
    )
    best = faces.best(found)
    assert np.abs(best[:, faces.SCORE] - [0.95, 0.9, 0.5]).max() < 1e-6
    assert best[1, :4].tolist() == [1, 1, 10, 10]
    assert faces.best(faces.none()).shape == (0, 15)


def test_equal_scores_do_not_depend_on_the_order() -> None:
    found = faces.stacked([row(0, 0, 10, 10, 0.5), row(2, 0, 12, 12, 0.5), row(50, 0, 10, 10, 0.5)])
    assert (faces.best(found) == faces.best(found[::-1])).all()


def test_moved_and_scaled() -> None:
    one = faces.stacked([faces.row((1, 2, 3, 4), np.arange(10).reshape(5, 2), 0.5)])
    assert faces.moved(one, 10, 20)[0].tolist() == [11, 22, 3, 4, *(v + (20 if v % 2 else 10) for v in range(10)), 0.5]
    assert faces.scaled(one, 2, 3)[0].tolist() == [2, 6, 6, 12, *(v * (3 if v % 2 else 2) for v in range(10)), 0.5]
    assert one[0, 0] == 1


def test_boxes_that_are_none_and_those_outside_are_left_out() -> None:
    found = faces.stacked(
        [
            row(-5, -5, 10, 10, 0.5),
            row(100, 0, 10, 10, 0.5),
            row(0, 0, 0, 10, 0.5),
            row(np.nan, 0, 5, 10, 0.5),
            row(-20, 0, 10, 10, 0.5),
            row(0, 0, 5, 5, np.nan),
        ]
    )
    assert faces.within(found, 100, 100)[:, :4].tolist() == [[-5, -5, 10, 10]]
