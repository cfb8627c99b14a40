"""Votes against a plain loop over all voters."""

from __future__ import annotations

import numpy as np
import pytest

from engines.patch.pictures import box
from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import Field, valid_sources
from frisket.engines.patch.vote import certainty, third_quartile, trust, voted
from frisket.raster.spans import SPAN


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    I = rng.random((24, 28, 4), np.float32)
    hole = box(24, 28, 0, 10, 6, 5) > 0
    field = Field.over(hole)
    field.scatter(valid_sources(~hole), 2)
    weight = rng.random(len(field.ty), np.float32)
    hy, hx = (a.astype(np.int32) for a in np.nonzero(hole))
    return I, field, weight, hy, hx


@pytest.mark.parametrize("at", [(0, 0), (0, 1), (-1, 0)])
def test_a_vote_is_the_weighted_mean_of_all_covering_sources(case, at: tuple[int, int]) -> None:
    I, field, weight, hy, hx = case
    with Bands(1, lambda: None) as bands:
        out = voted(I, field, weight, hy, hx, bands, at)
    for m in range(0, len(hy), 3):
        total, mass = np.zeros(4), 0.0
        for n in range(len(field.ty)):
            dy, dx = field.ty[n] - hy[m], field.tx[n] - hx[m]
            if max(abs(dy), abs(dx)) <= 3:
                y, x = field.sy[n] - dy + at[0], field.sx[n] - dx + at[1]
                total += weight[n] * I[min(max(y, 0), 23), min(max(x, 0), 27)].astype(float)
                mass += weight[n]
        assert out[m] == pytest.approx(total / mass, abs=1e-5)


def test_certainty_prefers_small_distances() -> None:
    field = Field.over(box(24, 28, 8, 10, 4, 4) > 0)
    field.D[:] = np.linspace(0, 400, len(field.D))
    sure = certainty(field)
    assert sure[0] == 1
    assert (np.diff(sure) <= 0).all()
    assert sure[np.argmin(abs(field.D - 300))] == pytest.approx(np.exp(-10), rel=0.1)
    assert sure.min() >= 1e-8


def test_trust_falls_with_the_distance() -> None:
    assert trust(np.array([0.0, 1.0, 2.0, 100.0], np.float32)) == pytest.approx([1, 1 / 1.5, 1 / 2.25, 1e-6], rel=1e-4)


@pytest.mark.parametrize("more", [1, 2, 3, 4, 70_000])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e6])
def test_the_third_quartile_is_numpys(more: int, spread: float) -> None:
    D = (np.random.default_rng(more).random(SPAN + more) ** 4 * spread).astype(np.float32)
    D[::3] = 0
    assert third_quartile(D) == float(np.percentile(D, 75))
    assert third_quartile(np.full(SPAN + more, spread, np.float32)) == np.float32(spread)
