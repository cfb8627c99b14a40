"""Boxes and sizes as values: each operation against the set of pixels it stands for."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frisket.raster.geometry import Box, Size

SPAN = st.integers(-8, 8)
SIDE = st.integers(0, 6)
BOXES = st.builds(Box, SPAN, SPAN, SIDE, SIDE)
FULL = st.builds(Box, SPAN, SPAN, st.integers(1, 6), st.integers(1, 6))


def pixels(box: Box) -> set[tuple[int, int]]:
    return {(x, y) for x in range(box.x, box.right) for y in range(box.y, box.bottom)}


@given(BOXES)
def test_area_and_emptiness(box):
    assert len(pixels(box)) == box.area == box.size.area
    assert box.empty == (not pixels(box))


@given(BOXES, BOXES)
def test_clipped_is_the_intersection(a, b):
    assert pixels(a.clipped(b)) == pixels(a) & pixels(b)
    assert a.meets(b) == bool(pixels(a) & pixels(b)) == b.meets(a)


@given(FULL, FULL)
def test_joined_is_the_smallest_box_around_both(a, b):
    both = a.joined(b)
    assert pixels(both) >= pixels(a) | pixels(b)
    xs, ys = zip(*(pixels(a) | pixels(b)), strict=True)
    assert both == Box.spanning(min(xs), min(ys), max(xs) + 1, max(ys) + 1)
    assert both == b.joined(a)
    assert both.holds(a)
    assert both.holds(b)


@given(FULL, SPAN, SPAN, st.sampled_from([Size(0, 4), Size(3, 0), Size(0, 0)]))
def test_an_empty_box_adds_nothing(box, x, y, size):
    empty = Box(x, y, size.width, size.height)
    assert box.joined(empty) == empty.joined(box) == box
    assert box.holds(empty)


@given(FULL, FULL)
def test_holds_means_every_pixel(a, b):
    assert a.holds(b) == (pixels(b) <= pixels(a))


@given(FULL, st.integers(0, 5))
def test_growing_and_shrinking_are_inverse(box, px):
    grown = box.grown(px)
    assert grown.grown(-px) == box
    reach = range(-px, px + 1)
    assert pixels(grown) == {(x + i, y + j) for x, y in pixels(box) for i in reach for j in reach}


@given(BOXES, st.integers(4, 9))
def test_shrinking_never_goes_below_empty(box, px):
    assert box.grown(-px).empty
    assert box.grown(-px).area == 0


@given(BOXES, BOXES)
def test_relative_to_moves_the_origin(a, b):
    inside = a.relative_to(b)
    assert inside.moved(b.x, b.y) == a
    assert b.relative_to(b) == Box.of(b.size)


@given(st.builds(Box, SIDE, SIDE, SIDE, SIDE))
def test_slices_cut_the_box_out_of_an_array(box):
    ys, xs = np.mgrid[:12, :12]
    cut = box.slices
    assert set(zip(xs[cut].ravel().tolist(), ys[cut].ravel().tolist(), strict=True)) == pixels(box)


def test_spanning_of_crossed_corners_is_empty():
    assert Box.spanning(5, 5, 3, 9) == Box(5, 5, 0, 4)
    assert Box.spanning(5, 5, 3, 9).empty


def test_sizes():
    size = Size(7, 3)
    assert (size.area, size.longer, size.shorter, str(size)) == (21, 7, 3, "7 x 3")
    assert str(Box(1, -2, 7, 3)) == "7 x 3 at (1, -2)"


def test_values_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Box(0, 0, 1, 1).x = 3  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Size(1, 1).width = 3  # type: ignore[misc]
    assert len({Box(0, 0, 1, 1), Box(0, 0, 1, 1), Box(0, 0, 1, 2)}) == 2


def test_the_value_modules_load_no_numpy():
    """An editor's own Python has none."""
    code = (
        "import sys; import frisket.raster.geometry, frisket.raster.formats, frisket.raster.sizes;"
        "print(sorted({'numpy', 'cv2', 'PIL', 'zstandard'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
