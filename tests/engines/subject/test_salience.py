"""What stands out: distances by hand, and no subject where there is none."""

from __future__ import annotations

import cv2
import numpy as np

from frisket.engines.subject import salience


def quiet() -> None:
    pass


def test_the_least_barrier_is_the_one_of_the_best_way() -> None:
    """Through the gap in a wall of 9 the way from the border rises by 2 only; behind a whole wall it is 9."""
    plane = np.zeros((7, 7), np.float32)
    plane[2:5, 2:5] = 9
    plane[3, 3] = 2
    known = np.zeros((7, 7), bool)
    known[0] = known[-1] = known[:, 0] = known[:, -1] = True
    shut = salience._barriers(plane, known, 4)
    assert (shut[3, 3], shut[2, 2], shut[1, 1]) == (9, 9, 0)
    plane[3, 2] = 1
    assert salience._barriers(plane, known, 4)[3, 3] == 2


def test_a_thing_of_another_colour_is_cut_out_also_where_it_touches_the_border() -> None:
    rgb = np.full((60, 80, 3), (40, 90, 160), np.uint8)
    rgb[20:60, 30:50] = (220, 120, 40)
    rgb = np.clip(rgb + np.random.default_rng(0).normal(0, 4, rgb.shape), 0, 255).astype(np.uint8)
    lab = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), np.uint8)
    whole = np.ones((60, 80), bool)
    chosen = salience.cut(lab, whole, 1, quiet)
    truth = np.zeros((60, 80), bool)
    truth[20:60, 30:50] = True
    assert (chosen & truth).sum() / (chosen | truth).sum() > 0.95


def test_nothing_beyond_the_hole() -> None:
    rgb = np.full((60, 80, 3), (40, 90, 160), np.uint8)
    rgb[10:20, 10:20] = rgb[30:50, 50:70] = (220, 120, 40)
    lab = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB), np.uint8)
    hole = np.zeros((60, 80), bool)
    hole[25:55, 45:75] = True
    chosen = salience.cut(lab, hole, 1, quiet)
    assert not chosen[~hole].any()
    assert chosen.sum() == 20 * 20


def test_a_uniform_picture_has_no_subject() -> None:
    lab = np.full((30, 40, 3), 128, np.uint8)
    assert salience.guess(lab, np.ones((30, 40), bool), quiet) is None
    assert not salience.cut(lab, np.ones((30, 40), bool), 1, quiet).any()


def test_whom_a_face_belongs_to_is_below_and_around_it() -> None:
    faces = np.array([[40, 30, 20, 24]], np.float32)
    sure, likely = salience.people(faces, (200, 100))
    assert sure[42, 50]
    assert not sure[42, 42]
    assert likely[sure].all()
    assert likely[26, 50], "hair"
    assert likely[120, 30], "shoulders and trunk"
    assert not likely[42, 10]
    assert not likely[190, 50]
    none, nobody = salience.people(faces[:0], (200, 100))
    assert not none.any()
    assert not nobody.any()
