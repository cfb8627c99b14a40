"""Growing in strips: a partition of the new area, sides before corners."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.engines.patch.strips import LEAST, SHARE, Strip, known_box, strips
from frisket.raster.geometry import Box


def test_one_side_in_steps_of_a_fifth() -> None:
    canvas, known = Box(0, 0, 160, 50), Box(0, 0, 100, 50)
    first, second, third = strips(canvas, known)
    assert first == Strip(known, Box(0, 0, 120, 50))
    assert second == Strip(first.grown, Box(0, 0, 144, 50))  # 24 = 0.2 * 120
    assert third == Strip(second.grown, canvas)  # 16 are left, less than a step and a half


def test_sides_come_before_the_corners() -> None:
    sideways, upright = strips(Box(0, 0, 120, 120), Box(20, 20, 80, 80))
    assert sideways.grown == Box(0, 20, 120, 80)
    assert upright == Strip(sideways.grown, Box(0, 0, 120, 120))


@pytest.mark.parametrize("known", [Box(0, 0, 1, 1), Box(300, 10, 40, 30), Box(0, 199, 400, 1), Box(199, 100, 200, 100)])
def test_strips_lead_from_the_known_box_to_the_canvas_without_a_gap(known: Box) -> None:
    canvas = Box(0, 0, 400, 200)
    seen, box = np.zeros((200, 400), int), known
    for strip in strips(canvas, known):
        assert strip.known == box
        fresh = np.zeros_like(seen)
        fresh[strip.grown.slices] = 1
        fresh[strip.known.slices] -= 1
        assert fresh.min() >= 0
        assert fresh.max() == 1
        seen += fresh
        for grown, before, length in (
            (strip.known.x - strip.grown.x, strip.known.width, 400),
            (strip.known.y - strip.grown.y, strip.known.height, 200),
        ):
            assert grown <= min(length, 1.5 * max(LEAST, round(SHARE * before)))
        box = strip.grown
    seen[known.slices] += 1
    assert (seen == 1).all()


def test_nothing_to_grow_is_no_strip() -> None:
    assert strips(Box(0, 0, 9, 9), Box(0, 0, 9, 9)) == []


def test_the_known_box_bounds_what_is_true() -> None:
    known = np.zeros((20, 30), bool)
    known[4, 7] = known[11, 22] = True
    assert known_box(known) == Box(7, 4, 16, 8)
