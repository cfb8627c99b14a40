"""Matching and voting between two pictures, also across borders."""

from __future__ import annotations

import numpy as np

from engines.patch.pictures import tiles
from frisket.engines.patch.bands import Bands
from frisket.engines.patch.between import certainty, inherit, refine, targets, voted
from frisket.engines.patch.match import P, valid_sources


def working(rgb: np.ndarray) -> np.ndarray:
    return np.concatenate([rgb * 255, np.zeros_like(rgb[..., :1])], 2).astype(np.float32)


def noise(h: int, w: int, seed: int = 0) -> np.ndarray:
    return working(np.random.default_rng(seed).random((h, w, 3), np.float32))


def whole(h: int, w: int) -> np.ndarray:
    return valid_sources(np.ones((h, w), bool))


def test_targets_touch_the_hole_and_wrap_only_when_told() -> None:
    hole = np.zeros((20, 30), bool)
    hole[10, 29] = True
    flat, endless = targets(hole, wraps=False), targets(hole, wraps=True)
    assert (flat.tx.min(), flat.tx.max(), len(flat.ty)) == (30 - 1 - P, 30 - 1 - P, 7)  # one column fits
    assert sorted(set(endless.tx.tolist())) == [0, 1, 2, 26, 27, 28, 29]
    assert len(endless.ty) == 49


def test_a_shifted_picture_is_found_where_it_came_from() -> None:
    V = noise(48, 56)
    Y = np.roll(V, (5, -7), (0, 1))
    field = targets(np.ones((48, 56), bool), wraps=True)
    valid = whole(48, 56)
    field.scatter(valid, 1)
    with Bands(2, lambda: None) as bands:
        for k in range(4):
            refine(field, Y, V, valid, bands, seed=k, sweeps=4, radius=56)
        inside = valid[(field.ty - 5) % 48, (field.tx + 7) % 56]
        right = (field.sy == (field.ty - 5) % 48) & (field.sx == (field.tx + 7) % 56)
        assert right[inside].all()
        assert (field.D[inside] == 0).all()
        y, x = (a.astype(np.int32).ravel() for a in np.indices((48, 56)))
        picture = voted(V, field, certainty(field), y, x, bands, wraps=True).reshape(48, 56, 4)
    assert np.abs(picture - Y)[15:40, :40].max() < 1e-2


def test_votes_are_weighted_means_and_nan_where_nobody_votes() -> None:
    V = noise(16, 16)
    hole = np.zeros((16, 16), bool)
    hole[8, 8] = True
    field = targets(hole, wraps=False)
    rng = np.random.default_rng(3)
    field.sy[:], field.sx[:] = rng.integers(P, 13, (2, len(field.ty)))
    weight = rng.uniform(0.1, 1, len(field.ty)).astype(np.float32)
    with Bands(1, lambda: None) as bands:
        got = voted(V, field, weight, np.array([8, 0], np.int32), np.array([8, 0], np.int32), bands, wraps=False)
    shown = V[field.sy + 8 - field.ty, field.sx + 8 - field.tx]
    np.testing.assert_allclose(got[0], (shown * weight[:, None]).sum(0) / weight.sum(), rtol=1e-5)
    assert np.isnan(got[1]).all()


def test_certainty_falls_with_the_distance() -> None:
    field = targets(np.ones((16, 16), bool), wraps=False)
    field.D[:] = np.linspace(0, 500, len(field.D))
    weight = certainty(field)
    assert weight[0] == 1
    assert (np.diff(weight) < 0).all()
    assert weight[-1] > 0


def test_offsets_are_inherited_scaled() -> None:
    parent = targets(np.ones((24, 24), bool), wraps=False)
    parent.sy[:], parent.sx[:] = np.clip(parent.ty + 3, P, 20), np.clip(parent.tx - 3, P, 20)
    field = targets(np.ones((32, 32), bool), wraps=False)
    with Bands(2, lambda: None) as bands:
        inherit(field, parent, whole(32, 32), 0, bands)
    middle = (field.ty > 8) & (field.ty < 20) & (field.tx > 12) & (field.tx < 24)
    assert (field.sy - field.ty == 4)[middle].all()  # 3 px at 24 are 4 px at 32
    assert (field.sx - field.tx == -4)[middle].all()


def test_threads_change_nothing() -> None:
    V = working(tiles(40, 40))
    fields = []
    for threads in (1, 3):
        field = targets(np.ones((40, 40), bool), wraps=False)
        field.scatter(whole(40, 40), 5)
        with Bands(threads, lambda: None) as bands:
            refine(field, noise(40, 40), V, whole(40, 40), bands, seed=2, sweeps=3, radius=16)
        fields.append(field)
    assert (fields[0].sy == fields[1].sy).all()
    assert (fields[0].sx == fields[1].sx).all()
