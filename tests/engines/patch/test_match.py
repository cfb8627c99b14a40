"""The field: valid sources, exact distances, and matches close to those of an exhaustive search."""

from __future__ import annotations

import numpy as np
import pytest

from engines.patch.pictures import box, tiles
from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import Field, P, mixed, valid_sources

QUIET = {"seed": 1, "radius": 96, "prior": 0.0}


def picture(rgb: np.ndarray) -> np.ndarray:
    return np.concatenate([rgb * 255, np.zeros_like(rgb[..., :1])], 2).astype(np.float32)


def distance(I: np.ndarray, t: tuple[int, int], s: tuple[int, int], weight: np.ndarray | None = None) -> float:
    a = I[t[0] - P : t[0] + P + 1, t[1] - P : t[1] + P + 1].astype(float)
    b = I[s[0] - P : s[0] + P + 1, s[1] - P : s[1] + P + 1]
    w = 1 if weight is None else weight[t[0] - P : t[0] + P + 1, t[1] - P : t[1] + P + 1, None]
    return float((w * (a - b) ** 2).sum())


def test_valid_sources_are_whole_known_patches_with_a_rim() -> None:
    known = np.ones((20, 30), bool)
    known[10, 15] = False
    valid = valid_sources(known)
    y, x = np.mgrid[:20, :30]
    expected = (y >= 3) & (y < 17) & (x >= 3) & (x < 27) & ((abs(y - 10) > 4) | (abs(x - 15) > 4))
    assert (valid == expected).all()
    assert not valid_sources(np.ones((6, 30), bool)).any()


def test_targets_are_the_patches_that_touch_the_hole() -> None:
    field = Field.over(box(20, 30, 0, 10, 5, 4) > 0)
    y, x = field.ty, field.tx
    assert (y.min(), y.max(), x.min(), x.max()) == (3, 7, 7, 16)
    assert len(y) == 5 * 10
    assert (field.index[y, x] == np.arange(50)).all()
    assert (field.index >= 0).sum() == 50


def test_distances_are_those_of_the_patches_and_near_the_best() -> None:
    rng = np.random.default_rng(0)
    I = picture(rng.random((40, 48, 3)))
    hole = box(40, 48, 16, 20, 3, 3) > 0
    valid, field = valid_sources(~hole), Field.over(hole)
    field.scatter(valid, 3)
    with Bands(1, lambda: None) as bands:
        field.refine(I, valid, bands, sweeps=30, **QUIET)
    vy, vx = np.nonzero(valid)
    ratios = []
    for n in range(len(field.ty)):
        t = (int(field.ty[n]), int(field.tx[n]))
        s = (int(field.sy[n]), int(field.sx[n]))
        assert valid[s]
        assert field.D[n] == pytest.approx(distance(I, t, s), rel=1e-5)
        best = min(distance(I, t, (int(y), int(x))) for y, x in zip(vy, vx, strict=True))
        ratios.append(field.D[n] / best)
    assert min(ratios) > 0.9999
    assert np.median(ratios) < 1.1  # on noise, where nothing leads from a good match to a better one


def test_trust_and_prior_enter_the_distance() -> None:
    I = picture(np.random.default_rng(0).random((40, 48, 3)))
    hole = box(40, 48, 16, 20, 6, 6) > 0
    trust = np.random.default_rng(1).random((40, 48)).astype(np.float32)
    valid, field = valid_sources(~hole), Field.over(hole)
    field.scatter(valid, 3)
    with Bands(1, lambda: None) as bands:
        field.refine(I, valid, bands, seed=1, sweeps=2, radius=8, prior=7.0, trust=trust)
    for n in (0, 50, 100):
        t, s = (int(field.ty[n]), int(field.tx[n])), (int(field.sy[n]), int(field.sx[n]))
        far = (s[0] - t[0]) ** 2 + (s[1] - t[1]) ** 2
        assert field.D[n] == pytest.approx(distance(I, t, s, trust) + 7 * far, rel=1e-5)


def test_a_heavy_prior_keeps_sources_near() -> None:
    I = picture(np.random.default_rng(0).random((60, 60, 3)))
    hole = box(60, 60, 24, 24, 8, 8) > 0
    valid = valid_sources(~hole)
    reach = []
    for prior in (0.0, 1e4):
        field = Field.over(hole)
        field.scatter(valid, 3)
        with Bands(1, lambda: None) as bands:
            field.refine(I, valid, bands, seed=1, sweeps=12, radius=60, prior=prior)
        reach.append(np.hypot(field.sy - field.ty, field.sx - field.tx).mean())
    assert reach[1] < 0.6 * reach[0]


def test_a_pattern_is_matched_exactly_and_the_finer_level_inherits_it() -> None:
    I = picture(tiles(96, 96))
    hole = box(96, 96, 40, 40, 10, 10) > 0
    valid, field = valid_sources(~hole), Field.over(hole)
    field.scatter(valid, 3)
    with Bands(2, lambda: None) as bands:
        field.refine(I, valid, bands, sweeps=12, **QUIET)
    assert field.D.max() < 1e-2
    assert ((field.sy - field.ty) % 16 == 0).all()
    finer_hole = box(192, 192, 80, 80, 20, 20) > 0
    finer, finer_valid = Field.over(finer_hole), valid_sources(~finer_hole)
    finer.inherit(field, finer_valid, 4)
    kept = ((finer.sy - finer.ty) % 32 == 0) & ((finer.sx - finer.tx) % 32 == 0)
    assert kept.mean() > 0.9  # all but those whose doubled source lies in the hole or beyond the border
    assert finer_valid[finer.sy, finer.sx].all()


def test_keys_differ_in_every_part() -> None:
    keys = {mixed(seed, a, b) for seed in range(8) for a in range(8) for b in range(8)}
    assert len(keys) == 512
    assert all(0 <= key < 2**64 for key in keys)
    assert mixed(1, 2, 3) != mixed(1, 3, 2)


def test_targets_and_sources_do_not_know_of_strips() -> None:
    hole = np.zeros((601, 1003), bool)  # three strips
    hole[255:268, 300:340] = hole[520:524, 5:9] = hole[598:, 700:] = True
    field, valid = Field.over(hole), valid_sources(~hole)
    near = np.zeros_like(hole)
    far = np.ones_like(hole)
    for y, x in np.argwhere(hole):
        near[max(0, y - P) : y + P + 1, max(0, x - P) : x + P + 1] = True
        far[max(0, y - P - 1) : y + P + 2, max(0, x - P - 1) : x + P + 2] = False
    inside = np.zeros_like(hole)
    inside[P:-P, P:-P] = True
    ty, tx = np.nonzero(near & inside)
    assert (field.ty == ty).all()
    assert (field.tx == tx).all()
    assert (field.index[ty, tx] == np.arange(len(ty))).all()
    assert (field.index >= 0).sum() == len(ty)
    assert (valid == (far & inside)).all()
    field.scatter(valid, 1)
    assert valid[field.sy, field.sx].all()
    assert np.ptp(field.sy) > 500
