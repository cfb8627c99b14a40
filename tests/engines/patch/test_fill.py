"""How a fill is composed: when the picture is being extended, which levels and how many rounds."""

from __future__ import annotations

import numpy as np
import pytest

from engines.patch.pictures import box
from frisket.engines.patch.bands import Bands
from frisket.engines.patch.fill import Method, Shunned, extends, fill, scarce, used
from frisket.engines.patch.pyramid import Level, built
from frisket.engines.patch.shiftmap import MOST_PIXELS


@pytest.mark.parametrize(
    ("hole", "expected"),
    [
        (box(100, 100, 30, 30, 40, 40), (False, False)),
        (box(100, 100, 0, 30, 55, 40), (False, False)),  # cut by the top, 40 % of it
        (box(100, 100, 0, 80, 100, 20), (True, False)),
        (box(100, 100, 0, 0, 20, 100), (False, True)),
        (box(100, 100, 60, 0, 40, 100), (False, True)),
        (1 - box(100, 100, 20, 20, 60, 60), (True, True)),
    ],
)
def test_a_covered_side_means_that_the_picture_grows(hole: np.ndarray, expected: tuple[bool, bool]) -> None:
    assert extends(hole > 0) == expected


def test_rounds_grow_with_quality_and_towards_the_coarse() -> None:
    assert Method(quality=2).rounds(1) == [4]
    assert Method(quality=2).rounds(3) == [2, 8, 4]
    assert Method(structured=False, quality=2).rounds(4) == [2, 6, 10, 14]
    assert Method(quality=4).rounds(3) == [4, 16, 8]
    assert Method(quality=1).rounds(2) == [1, 2]


def test_a_layout_is_made_where_the_hole_is_small_enough() -> None:
    known = box(400, 400, 100, 100, 200, 200) == 0
    levels = built(np.zeros((400, 400, 4), np.float32), known)
    start = used(levels, True)[-1]
    assert start.hole_pixels == 10_000 <= MOST_PIXELS
    assert len(used(levels, False)) == len(levels) > len(used(levels, True))


def test_few_rounds_where_little_is_known() -> None:
    known = np.zeros((300, 400), bool)
    known[100:140, 100:140] = True
    level = Level.of(np.zeros((300, 400, 4), np.float32), known, known)
    assert scarce(level)
    assert Method(quality=2, brief=True).rounds(3) == [1, 2, 2]
    known[:, :200] = True
    assert not scarce(Level.of(level.I, known, known))


@pytest.mark.parametrize("throughout", [False, True])
def test_what_is_shunned_is_not_shown_where_something_else_will_do(throughout: bool) -> None:
    """One grain, a little redder on the left and bluer on the right of the hole: which of them shows?"""
    I = np.random.default_rng(5).uniform(80, 160, (64, 160, 4)).astype(np.float32)
    I[:, :80, 0] += 20
    I[:, 80:, 2] += 20
    known = box(64, 160, 0, 50, 64, 60) == 0
    odd = np.zeros((32, 80), np.float32)
    odd[:, 40:] = 1

    def bluer(shunned: Shunned | None) -> float:
        method = Method(structured=False, quality=1, shunned=shunned)
        with Bands(1, lambda: None) as bands:
            filled = fill(built(I.copy(), known), method, 3, bands, lambda I: None)
        return float((filled[..., 2] - filled[..., 0])[:, 74:86].mean())

    assert abs(bluer(None)) < 8
    assert bluer(Shunned(odd, 100.0, throughout)) < -12  # all of the left would be -20
