"""Faces to the template and back: points land where they should, and a face nobody touched comes back as it was."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frisket.engines.faces.align import (
    FACE,
    GROUND,
    SIDE,
    TEMPLATE,
    Beyond,
    aligned,
    applied,
    box_of,
    enlarged,
    fallback_mask,
    inverse,
    laid_back,
    matrix_of,
    points_in,
    points_of,
    reach_of,
    scale_of,
    shifted,
    warped,
)
from frisket.raster.geometry import Box, Size


def similarity(scale: float, turn: float, x: float, y: float) -> np.ndarray:
    c, s = scale * np.cos(turn), scale * np.sin(turn)
    return np.array([[c, -s, x], [s, c, y]])


def smooth(h: int, w: int, seed: int = 0, grain: float = 2.0) -> np.ndarray:
    """Noise without detail finer than some px, (h, w, 3) 0...1."""
    noise = np.random.default_rng(seed).random((h, w, 3), np.float32)
    noise = cv2.GaussianBlur(noise, (0, 0), grain, borderType=cv2.BORDER_REFLECT_101)
    return (noise - noise.min()) / (noise.max() - noise.min())


@settings(deadline=None, max_examples=50)
@given(st.floats(0.02, 20), st.floats(-3.1, 3.1), st.floats(-5000, 5000), st.floats(-5000, 5000))
def test_points_of_a_template_that_was_moved_land_exactly_on_it(scale, turn, x, y) -> None:
    there = similarity(scale, turn, x, y)
    matrix = matrix_of(applied(there, TEMPLATE))
    assert matrix is not None
    assert np.abs(applied(matrix, applied(there, TEMPLATE)) - TEMPLATE).max() < 0.05
    assert scale_of(matrix) == pytest.approx(1 / scale, rel=1e-3)
    both = applied(inverse(matrix), applied(matrix, TEMPLATE))
    assert np.abs(both - TEMPLATE).max() < 1e-6


def test_one_point_that_is_off_does_not_turn_the_face() -> None:
    points = applied(similarity(0.3, 0.2, 100, 50), TEMPLATE)
    points[2] += (0, 60)  # the nose
    matrix = matrix_of(points)
    assert matrix is not None
    others = [0, 1, 3, 4]
    assert np.abs(applied(matrix, points)[others] - TEMPLATE[others]).max() < 3


@pytest.mark.parametrize(
    "points",
    [np.full((5, 2), np.nan), np.full((5, 2), 7.0), np.zeros((4, 2)), np.full((5, 2), np.inf)],
    ids=["unknown", "one place", "four", "infinite"],
)
def test_points_that_are_no_face_give_no_matrix(points) -> None:
    assert matrix_of(points) is None


def test_a_smaller_aligned_face_has_the_same_template() -> None:
    matrix = matrix_of(TEMPLATE / 2, SIDE // 2)
    assert np.abs(np.asarray(matrix) - [[1, 0, 0], [0, 1, 0]]).max() < 1e-5


def test_a_box_alone_is_taken_for_the_template_s_face() -> None:
    left, top, right, bottom = FACE
    box = np.array([left, top, right - left, bottom - top])
    assert np.abs(points_in(box) - TEMPLATE).max() < 1e-9
    row = np.full(15, np.nan, np.float32)
    row[:4] = box
    assert np.abs(points_of(row) - TEMPLATE).max() < 1e-4
    row[4:14] = np.arange(10)
    assert points_of(row).tolist() == np.arange(10).reshape(5, 2).tolist()


def test_points_give_their_box_back_and_a_turned_head_keeps_its_size() -> None:
    box = np.array([30.0, 40.0, FACE[2] - FACE[0], FACE[3] - FACE[1]])
    assert np.abs(np.asarray(box_of(points_in(box))) - box).max() < 1e-3
    turned = box_of(applied(similarity(1, 0.5, 0, 0), points_in(box)))
    assert np.abs(np.asarray(turned)[2:] - box[2:]).max() < 1e-3
    assert box_of(np.full((5, 2), np.nan)) is None


@pytest.mark.parametrize("times", [2, 4])
def test_the_matrix_of_an_enlarged_picture(times: int) -> None:
    matrix = similarity(1.7, 0.3, 11, -4)
    there = np.array([(3.0, 8.0), (0.0, 0.0)])
    larger = times * there + (times - 1) / 2  # where the middle of a px goes when it becomes times x times
    assert np.abs(applied(enlarged(matrix, times), larger) - applied(matrix, there)).max() < 1e-9


@pytest.mark.parametrize("scale", [4.0, 1.3, 0.6, 0.3])
@pytest.mark.parametrize("turn", [0.0, 0.4])
def test_a_face_laid_back_untouched_is_the_picture(scale: float, turn: float) -> None:
    """Detail of some px per period survives enlarging and shrinking by any number."""
    h, w = (int(560 / scale), int(620 / scale))
    grain = max(2.0, 2.0 / scale)
    picture = smooth(h, w, 1, grain)
    matrix = similarity(scale, turn, 0, 0)
    matrix[:, 2] = 256 - applied(matrix, np.array([(w / 2, h / 2)]))[0]
    box = reach_of(matrix, Size(w, h))
    piece, own = picture[box.slices], shifted(matrix, box.x, box.y)
    face = aligned(piece, own)
    assert np.abs(face - aligned(picture, matrix)).max() < 1e-4, "the piece holds all that it is made of"
    inside = laid_back(fallback_mask(), matrix, box) > 0.02
    assert inside.any()
    off = np.abs(laid_back(face, matrix, box) - piece)[inside]
    assert off.max() < 0.02
    assert off.mean() < 0.003


def test_a_large_face_is_shrunk_without_aliasing() -> None:
    """Stripes finer than the template's px become gray; taken point by point they would make a pattern."""
    rows, columns = np.mgrid[0:3000, 0:3000]
    stripes = np.repeat(((rows + columns) // 2 % 2).astype(np.float32)[..., None], 3, axis=2)
    face = aligned(stripes, similarity(512 / 3000, 0, 0, 0))
    assert np.abs(face[20:-20, 20:-20] - 0.5).max() < 0.03
    bare = cv2.warpAffine(stripes, similarity(512 / 3000, 0, 0, 0), (512, 512), flags=cv2.INTER_LINEAR)
    assert np.abs(bare[20:-20, 20:-20] - 0.5).max() > 0.2


def test_what_is_shown_beyond_the_picture() -> None:
    picture = np.full((40, 40, 3), 0.9, np.float32)
    matrix = similarity(8, 0, 250, 0)  # the picture covers the right half and a little more
    face = aligned(picture, matrix)
    assert np.abs(face[100, 50] - GROUND).max() < 1e-6
    assert np.abs(face[100, 400] - 0.9).max() < 1e-5
    assert np.abs(aligned(picture, matrix, beyond=Beyond.REFLECTED)[100, 50] - 0.9).max() < 1e-5
    assert (aligned(picture, similarity(1, 0, 900, 0)) == np.asarray(GROUND, np.float32)).all(), (
        "a face that is nowhere"
    )


def test_a_face_beside_the_picture_has_no_piece_of_it() -> None:
    box = reach_of(similarity(1, 0, 5000, 0), Size(100, 100))
    assert box.empty
    face = aligned(np.zeros((0, 0, 3), np.float32), similarity(1, 0, 5000, 0))
    assert (face == np.asarray(GROUND, np.float32)).all()


@pytest.mark.parametrize("shape", [(30, 40), (30, 40, 1), (30, 40, 3)])
def test_pictures_of_one_channel_and_of_three(shape) -> None:
    image = np.ones(shape, np.float32)
    out = warped(image, similarity(1, 0, 0, 0), Size(40, 30), Beyond.NOTHING)
    assert out.shape == shape
    assert (out == 1).all()


def test_the_fallback_mask_holds_the_features_and_fades_before_the_border() -> None:
    mask = fallback_mask()
    assert mask.shape == (SIDE, SIDE)
    assert (mask.min(), mask.max()) == (0, 1)
    for x, y in TEMPLATE:
        assert mask[round(y), round(x)] == 1
    assert mask[:12].max() == mask[-12:].max() == mask[:, :60].max() == mask[:, -60:].max() == 0
    assert np.abs(np.diff(mask, axis=0)).max() < 0.04, "no step that would show"
    assert np.abs(mask - mask[:, ::-1]).max() < 0.05
    assert fallback_mask(128).shape == (128, 128)


def test_the_mask_laid_back_is_zero_outside_the_face() -> None:
    matrix = similarity(2, 0.5, 0, 0)
    there = laid_back(fallback_mask(), matrix, Box(-200, -200, 700, 700))
    assert there.shape == (700, 700)
    assert (there[:30] == 0).all()
    assert there.max() <= 1.05
