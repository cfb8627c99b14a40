"""Masks: the masked-edit law pixel by pixel, boxes of selections, dials."""

from __future__ import annotations

import math
import time
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from frisket.errors import ImageNotFinite, ParameterOutOfRange, RequestInvalid
from frisket.raster import masks
from frisket.raster.geometry import Box
from frisket.raster.masks import (
    LEVELS,
    REACH_CAP,
    Dials,
    as_mask,
    blobs,
    bounds,
    exact_dials,
    joined,
    paste_alpha,
    soft_dials,
    spread,
    work_mask,
)

SHAPES = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=14)
HARD = hnp.arrays(np.float32, SHAPES, elements=st.sampled_from([0.0, 0.0, 0.0, 1.0]))
FEW = hnp.arrays(np.float32, SHAPES, elements=st.sampled_from([0.0, 0.0, 0.25, 0.5, 1.0]))
SOFT = hnp.arrays(np.float32, SHAPES, elements=st.floats(0, 1, width=32))
DIAL = st.integers(0, 6)


def law(selection: np.ndarray, solid: int, fade: int) -> np.ndarray:
    """The definition, pixel against pixel in float64."""
    h, w = selection.shape
    ys, xs = np.mgrid[:h, :w]
    out = np.zeros((h, w))
    for y, x in zip(*np.nonzero(selection), strict=True):
        d = np.hypot(ys - y, xs - x)
        ramp = np.clip((solid + fade - d) / fade, 0, 1) if fade else (d <= solid).astype(float)
        out = np.maximum(out, selection[y, x] * ramp)
    return out


# --- the law ---------------------------------------------------------------------------------------------------------


def test_spread_golden_row():
    row = np.zeros((1, 9), np.float32)
    row[0, 1] = 1
    assert spread(row, 2, 4).tolist() == [[1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]]
    assert spread(row, 2, 0).tolist() == [[1, 1, 1, 1, 0, 0, 0, 0, 0]]


def test_spread_golden_disc():
    dot = np.zeros((5, 5), np.float32)
    dot[2, 2] = 1
    k, e = 1 - math.sqrt(2) / 2, 0.5
    want = [[0, 0, 0, 0, 0], [0, k, e, k, 0], [0, e, 1, e, 0], [0, k, e, k, 0], [0, 0, 0, 0, 0]]
    np.testing.assert_allclose(spread(dot, 0, 2), want, atol=1e-7)


@given(st.one_of(HARD, FEW), DIAL, DIAL)
def test_spread_is_the_law_for_few_levels(selection, solid, fade):
    np.testing.assert_allclose(spread(selection, solid, fade), law(selection, solid, fade), atol=2e-6)


@given(SOFT, DIAL, DIAL)
def test_spread_of_soft_selections_is_the_law_within_a_level(selection, solid, fade):
    got, want = spread(selection, solid, fade), law(selection, solid, fade)
    assert (got <= want + 2e-6).all()
    assert (got >= want - selection.max() / LEVELS - 2e-6).all()


@given(SOFT, DIAL, DIAL)
def test_spread_never_falls_below_the_selection_and_stays_opaque_inside(selection, solid, fade):
    got = spread(selection, solid, fade)
    assert got.dtype == np.float32
    assert got.shape == selection.shape
    assert (got >= selection).all()
    assert (got <= 1).all()
    assert (got[selection == 1] == 1).all()


@given(SOFT, DIAL, DIAL)
def test_spread_is_exactly_zero_beyond_its_reach(selection, solid, fade):
    got = spread(selection, solid, fade)
    ys, xs = np.nonzero(selection)
    for y, x in zip(*np.nonzero(got), strict=True):
        assert selection[y, x] or ((ys - y) ** 2 + (xs - x) ** 2).min() <= (solid + fade) ** 2


@given(SOFT, DIAL, DIAL, DIAL, DIAL)
def test_spread_is_monotone_in_both_dials(selection, solid, fade, more_solid, more_fade):
    less = spread(selection, solid, fade)
    more = spread(selection, solid + more_solid, fade + more_fade)
    assert (more >= less - 1e-6).all()


@given(st.one_of(HARD, SOFT))
def test_spread_with_zero_dials_changes_no_bit(selection):
    got = spread(selection, 0, 0)
    assert got is selection
    assert work_mask(selection, Dials()) is selection
    assert paste_alpha(selection, Dials(context=64)) is selection


def test_spread_falls_with_distance():
    selection = np.zeros((1, 80), np.float32)
    selection[0, :5] = 1
    row = spread(selection, 7, 30)[0]
    assert (np.diff(row) <= 0).all()
    assert (row[:12] == 1).all()
    assert (row[41:] == 0).all()
    assert 0 < row[40] < 0.04


def test_soft_selections_stay_soft():
    ramp = np.tile(np.linspace(0, 1, 41, dtype=np.float32), (3, 1))
    got = spread(ramp, 2, 6)
    assert len(np.unique(got)) > 20
    assert np.abs(np.diff(got[1])).max() < 0.15


# --- dials -----------------------------------------------------------------------------------------------------------


def test_paste_alpha_ends_where_the_hole_ends():
    selection = np.zeros((61, 61), np.float32)
    selection[25:36, 25:36] = 1
    dials = Dials(grow=3, feather=9, blend=5)
    hole, alpha = work_mask(selection, dials), paste_alpha(selection, dials)
    row = alpha[30, 35:50]
    assert row[:8].tolist() == [1] * 8
    np.testing.assert_allclose(row[8:13], [0.8, 0.6, 0.4, 0.2, 0], atol=1e-6)
    assert not (alpha > 0)[hole == 0].any()


@pytest.mark.parametrize(("grow", "feather", "shown"), [(0, 6, 5), (3, 4, 6), (7, 0, 7)])
def test_without_a_blend_it_is_full_up_to_the_last_pixel_of_the_hole(grow: int, feather: int, shown: int):
    selection = np.zeros((3, 41), np.float32)
    selection[1, 0] = 1
    dials = Dials(grow=grow, feather=feather)
    assert paste_alpha(selection, dials)[1].tolist() == [1.0] * (shown + 1) + [0.0] * (40 - shown)
    assert ((paste_alpha(selection, dials) > 0) == (work_mask(selection, dials) > 0)).all()


@given(SOFT, DIAL, DIAL, st.integers(0, 20))
def test_paste_alpha_never_leaves_the_hole(selection, grow, feather, blend):
    dials = Dials(grow, feather, blend)
    reach = dials.reach
    got = paste_alpha(selection, dials)
    assert (got >= selection).all()
    assert not got[spread(np.sign(selection), reach, 0) == 0].any()
    assert not got[work_mask(selection, dials) == 0].any()


def test_soft_dials_table():
    assert soft_dials(Box(0, 0, 60, 60), 1.0) == Dials(2, 7, 4, 9 + 64)
    assert soft_dials(Box(9, 9, 200, 200), 1.0) == Dials(5, 16, 8, 21 + 100)
    assert soft_dials(Box(0, 0, 512, 512), 1.0) == Dials(12, 36, 18, 48 + 256)
    assert soft_dials(Box(0, 0, 1500, 1200), 1.0) == Dials(12, 36, 18, 48 + 512)
    assert soft_dials(Box(0, 0, 200, 200), 0.5) == Dials(2, 8, 4, 10 + 100)


def test_soft_dials_spill_less_than_a_tenth_of_the_diagonal_with_a_minimum_of_32_px():
    """The usual rule, which triples the width of a small selection and adds 200 px to a large one."""
    for side in (10, 60, 200, 512, 1200, 4000):
        for strength in (0.3, 0.6, 1.0):
            usual = 4 + max(math.floor(0.1 * strength * side * math.sqrt(2)), round(32 * strength))
            assert soft_dials(Box(0, 0, side, side), strength).reach < usual


@given(st.integers(1, 9000), st.integers(1, 9000), st.floats(0, 1), st.integers(0, 999), st.floats(0, 1))
def test_soft_dials_are_monotone_and_capped(width, height, strength, more, other):
    low, high = sorted((strength, other))
    small, large = Box(0, 0, width, height), Box(0, 0, width + more, height)
    pairs = [(soft_dials(small, low), soft_dials(small, high)), (soft_dials(small, high), soft_dials(large, high))]
    for a, b in pairs:
        assert a.grow <= b.grow
        assert a.feather <= b.feather
        assert a.blend <= b.blend <= b.feather
        assert a.context <= b.context
        assert b.reach <= REACH_CAP
        assert b.context > b.reach


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_nothing_spills_at_strength_zero(width, height):
    dials = soft_dials(Box(0, 0, width, height), 0.0)
    assert (dials.grow, dials.feather, dials.blend) == (0, 0, 0)


def test_exact_dials():
    assert exact_dials(Box(5, 5, 100, 41), 0.75, 64) == Dials(context=75)
    assert exact_dials(Box(5, 5, 10, 41), 0.75, 64) == Dials(context=64)


def test_dials_refuse_nonsense():
    with pytest.raises(ParameterOutOfRange):
        Dials(grow=-1)
    for strength in (-0.1, 1.1, math.nan):
        with pytest.raises(ParameterOutOfRange):
            soft_dials(Box(0, 0, 9, 9), strength)


# --- arrays in -------------------------------------------------------------------------------------------------------


def test_as_mask_scales_each_type_to_its_full_range():
    assert as_mask(np.array([[0, 51, 255]], np.uint8)).tolist() == [[0, np.float32(0.2), 1]]
    assert as_mask(np.array([[[0], [65535]]], np.uint16)).tolist() == [[0, 1]]
    assert as_mask(np.array([[-0.5, 0.25, 7]], np.float64)).tolist() == [[0, 0.25, 1]]
    assert as_mask(np.array([[True, False]])).tolist() == [[1, 0]]
    assert as_mask(np.zeros((2, 3), np.float16)).dtype == np.float32


def test_as_mask_refuses():
    with pytest.raises(ImageNotFinite) as caught:
        as_mask(np.array([[np.nan, 1, np.inf]]))
    assert caught.value.data["count"] == "2"
    for array in (np.zeros((2, 2, 3)), np.zeros(4), np.zeros((2, 2), np.int32)):
        with pytest.raises(RequestInvalid):
            as_mask(array)


# --- boxes -----------------------------------------------------------------------------------------------------------


@given(HARD)
def test_bounds_is_the_smallest_box(mask):
    box = bounds(mask)
    if box is None:
        assert not mask.any()
        return
    ys, xs = np.nonzero(mask)
    assert box == Box.spanning(int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)


def test_bounds_sees_the_faintest_pixel():
    mask = np.zeros((4, 5), np.float32)
    mask[2, 3] = 1e-30
    assert bounds(mask) == Box(3, 2, 1, 1)
    assert bounds(np.zeros((0, 5), np.float32)) is None


def test_blobs_join_at_the_gap_and_not_one_px_later():
    mask = np.zeros((20, 60), np.float32)
    mask[5:8, 2:6] = 1
    mask[6:9, 14:20] = 0.1  # 8 px of nothing between
    assert blobs(mask, 0) == [Box(2, 5, 4, 3), Box(14, 6, 6, 3)]
    assert blobs(mask, 8) == [Box(2, 5, 4, 3), Box(14, 6, 6, 3)]  # grown by 4 each they touch, but share no pixel
    assert blobs(mask, 10) == [Box(2, 5, 18, 4)]


def test_blobs_join_again_when_a_joined_box_reaches_further():
    mask = np.zeros((40, 40), np.float32)
    mask[0, 0:30] = 1  # a long row and a long column that meet: their box holds the speck within
    mask[0:30, 0] = 1
    mask[20, 20] = 1
    assert blobs(mask, 0) == [Box(0, 0, 30, 30)]


def test_blobs_are_eight_connected_and_sorted():
    mask = np.zeros((9, 12), np.float32)
    mask[1, 9] = mask[2, 10] = 1
    mask[1, 1] = mask[7, 0] = 1
    assert blobs(mask, 0) == [Box(1, 1, 1, 1), Box(9, 1, 2, 2), Box(0, 7, 1, 1)]
    assert blobs(np.zeros((3, 3), np.float32), 9) == []


@given(HARD, st.integers(0, 9))
@settings(max_examples=200)
def test_blobs_cover_the_mask_and_keep_apart(mask, gap):
    boxes = blobs(mask, gap)
    covered = np.zeros(mask.shape, bool)
    for box in boxes:
        assert bounds(mask[box.slices]) == Box(0, 0, box.width, box.height)
        covered[box.slices] = True
    assert covered[mask > 0].all()
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert not a.grown(gap // 2).meets(b.grown(gap // 2))
    assert all((a.y, a.x) <= (b.y, b.x) for a, b in pairwise(boxes))


@given(HARD, st.integers(0, 9))
def test_blobs_join_no_more_than_they_must(mask, gap):
    """Against the plain rule: start from single pixels' regions, join any two that meet, until none do."""
    boxes = blobs(mask, 0)
    changed = True
    while changed:
        changed = False
        for i, a in enumerate(boxes):
            for b in boxes[i + 1 :]:
                if a.grown(gap // 2).meets(b.grown(gap // 2)):
                    boxes = [c for c in boxes if c not in (a, b)] + [a.joined(b)]
                    changed = True
                    break
            if changed:
                break
    assert sorted(boxes, key=lambda b: (b.y, b.x, b.height, b.width)) == blobs(mask, gap)


@given(HARD, st.integers(0, 9), st.integers(0, 9))
def test_a_wider_gap_joins_the_boxes_of_a_narrower_one(mask, gap, more):
    assert joined(blobs(mask, gap), gap + more) == blobs(mask, gap + more)


@given(hnp.arrays(np.float32, (40, 9), elements=st.sampled_from([0, 0, 0, 0, 1])), st.integers(0, 9))
def test_regions_found_in_pieces_are_those_of_the_whole(mask, gap):
    whole, asked = blobs(mask, gap), []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(masks, "REGIONS_SPAN", 36)
        assert blobs(mask, gap, lambda: asked.append(None)) == whole
    if gap > 1 and whole:
        assert len(asked) > sum(box.height for box in whole) // 4 / len(whole)


def test_cost_follows_the_selection():
    """A selection of 0.1 MP in 64 MP costs far less than walking 64 MP as floats several times would (about 1 s)."""
    mask = np.zeros((8192, 8192), np.float32)
    mask[4000:4300, 4000:4400] = 1
    spread(mask[:64, :64], 1, 1)
    start = time.perf_counter()
    assert blobs(mask, 128) == [Box(4000, 4000, 400, 300)]
    out = spread(mask, 12, 36)
    assert time.perf_counter() - start < 0.5
    assert bounds(out) == Box(4000 - 47, 4000 - 47, 494, 394)
