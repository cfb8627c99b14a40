"""Detail beyond the searched size is copied whole."""

from __future__ import annotations

import numpy as np

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.between import targets
from frisket.engines.patch.detail import copied
from frisket.engines.patch.match import Field


def all_of(V: np.ndarray, field: Field, wraps: bool = False) -> np.ndarray:
    y, x = (a.astype(np.int32).ravel() for a in np.indices(V.shape[:2]))
    with Bands(2, lambda: None) as bands:
        return copied(V, field, y, x, bands, wraps).reshape(V.shape)


def test_a_field_that_points_at_itself_gives_the_picture_back() -> None:
    V = np.random.default_rng(0).random((61, 80, 4), np.float32)
    field = targets(np.ones((24, 32), bool), wraps=False)
    field.sy[:], field.sx[:] = field.ty, field.tx
    np.testing.assert_allclose(all_of(V, field), V, atol=1e-6)  # four equal values are averaged


def test_one_offset_moves_the_picture_by_it() -> None:
    V = np.random.default_rng(0).random((48, 64, 4), np.float32)
    field = targets(np.ones((24, 32), bool), wraps=True)
    field.sy[:], field.sx[:] = field.ty, (field.tx + 5) % 32
    got = all_of(V, field, wraps=True)
    np.testing.assert_allclose(got[1:-1, :52], V[1:-1, 10:62], atol=1e-6)


def test_far_from_all_targets_there_is_nothing() -> None:
    hole = np.zeros((24, 32), bool)
    hole[5, 5] = True
    got = all_of(np.ones((48, 64, 4), np.float32), targets(hole, wraps=False))
    assert np.isnan(got[40, 50]).all()
    assert not np.isnan(got[10, 10]).any()
