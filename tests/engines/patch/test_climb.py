"""The first question and the climb: pushes grow with strength, and what stays is met."""

from __future__ import annotations

import numpy as np
import pytest

from engines.patch.pictures import box, edge
from frisket.engines.patch.bands import Bands
from frisket.engines.patch.climb import SIDES, Layout, Manner, climbed, pushed
from frisket.engines.patch.exhaustive import nearest, patches
from frisket.engines.patch.ladder import Rung, built
from frisket.engines.patch.match import SIDE


def manner(strength: float = 0.5, layout: Layout = Layout.FREE, wraps: bool = False) -> Manner:
    return Manner(strength, layout, wraps, quality=1, variance=50.0**2, channels=3)


def ramp(h: int = 40, w: int = 60) -> Rung:
    """Red is x, green is y: a pixel's colour says where it came from."""
    y, x = np.mgrid[:h, :w].astype(np.float32)
    all_ = np.ones((h, w), bool)
    return Rung.of(np.stack([x, y, 0 * x, 0 * x], 2), all_, all_, all_, None)


def push(strength: float, layout: Layout, seed: int) -> tuple[float, float]:
    """Mean vertical and horizontal distance, in px, at which the first question's pixels lay in the picture."""
    rung = ramp()
    still = Manner(strength, layout, False, 1, 0.0, 3)  # no variance: no noise
    away = np.abs(pushed(rung, still, seed) - rung.V).mean((0, 1))
    return float(away[1]), float(away[0])


@pytest.mark.parametrize("layout", list(Layout))
def test_the_push_grows_with_strength(layout: Layout) -> None:
    for seed in range(3):
        far = [sum(push(s, layout, seed)) for s in (0.05, 0.2, 0.4, 0.6, 0.8, 1.0)]
        assert far == sorted(far)
        assert far[-1] > far[1] + 2


def test_free_pushes_sideways_and_keep_pushes_little() -> None:
    free = np.mean([push(1, Layout.FREE, seed) for seed in range(5)], 0)
    keep = np.mean([push(1, Layout.KEEP, seed) for seed in range(5)], 0)
    assert free[1] > 4 * free[0]
    assert free[1] > 2 * keep[1]


def test_the_coarsest_side_follows_strength() -> None:
    assert manner(1.0).side == pytest.approx(SIDES[1])
    assert manner(0.0001).side == pytest.approx(SIDES[0], rel=1e-3)


def test_a_climb_keeps_what_is_known_and_copies_the_rest() -> None:
    crop = edge(96, 96, 0.3) * 255
    V = np.concatenate([crop, np.zeros_like(crop[..., :1])], 2).astype(np.float32)
    all_, hole = np.ones((96, 96), bool), box(96, 96, 24, 24, 48, 48) > 0
    full = Rung.of(V, hole, all_, all_, None)
    rungs = built(full, all_, all_, 24, lambda: None)
    told: list[int] = []
    with Bands(2, lambda: None) as bands:
        answer = climbed(rungs, manner(), 3, bands, lambda k, Y: told.append(k))
    assert (answer.Y[~hole] == V[~hole]).all()
    y, x = np.nonzero(hole)
    vy, vx = np.nonzero(full.valid)
    with Bands(2, lambda: None) as bands:
        _, D = nearest(patches(answer.Y, y, x, 3), patches(V, vy, vx, 3).T, np.ones(len(vy), np.float32), bands)
    apart = np.sqrt(D / (SIDE * SIDE * 3))  # of each patch from the nearest one in the picture
    assert np.median(apart) < 0.1 * V[..., :3].std()
    assert told == sorted(told)
    assert set(told) == set(range(len(rungs)))
