"""The last step against the same equations solved densely."""

from __future__ import annotations

import numpy as np
import pytest

from engines.patch.pictures import box, tiles
from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import Field, valid_sources
from frisket.engines.patch.poisson import AGREED, SCREEN, blended
from frisket.engines.patch.vote import voted


def blend(I: np.ndarray, hole: np.ndarray, field: Field) -> np.ndarray:
    out = I.copy()
    hy, hx = (a.astype(np.int32) for a in np.nonzero(hole))
    with Bands(1, lambda: None) as bands:
        blended(out, hole, field, np.ones(len(field.ty), np.float32), hy, hx, bands)
    return out


def dense(I: np.ndarray, hole: np.ndarray, field: Field) -> np.ndarray:
    """One channel of the solution, from the energy in the module's docstring, term by term."""
    hy, hx = (a.astype(np.int32) for a in np.nonzero(hole))
    one = np.ones(len(field.ty), np.float32)
    with Bands(1, lambda: None) as bands:
        votes = {
            at: voted(I, field, one, hy, hx, bands, at).astype(float)
            for at in [(0, 0), (0, 1), (1, 0), (0, -1), (-1, 0)]
        }
    V = votes.pop((0, 0))
    number = {(int(y), int(x)): m for m, (y, x) in enumerate(zip(hy, hx, strict=True))}
    rows, right = [], []
    for m, (y, x) in enumerate(zip(hy.tolist(), hx.tolist(), strict=True)):
        row = np.zeros(len(hy))
        row[m] = SCREEN**0.5
        rows.append(row)
        right.append(SCREEN**0.5 * V[m, 0])
        for (dy, dx), there in votes.items():
            q = (y + dy, x + dx)
            if not (0 <= q[0] < hole.shape[0] and 0 <= q[1] < hole.shape[1]):
                continue
            step, row = there[m, 0] - V[m, 0], np.zeros(len(hy))
            if q in number:
                if dy + dx < 0:
                    continue  # each pair once
                row[number[q]], row[m] = 1, -1
                right.append(step)
            else:
                row[m] = -1
                strange = ((there[m] - I[q]) ** 2).sum()
                right.append(step * np.exp(-strange / (2 * float(AGREED) ** 2)) - I[q][0])
            rows.append(row)
    return np.linalg.lstsq(np.array(rows), np.array(right), rcond=None)[0]


@pytest.mark.parametrize("corner", [(8, 9), (0, 0), (12, 20)])
def test_it_solves_its_equations(corner: tuple[int, int]) -> None:
    I = np.random.default_rng(0).random((24, 32, 4), np.float32) * np.float32(255)
    hole = box(24, 32, *corner, 12, 12) > 0
    field = Field.over(hole)
    field.scatter(valid_sources(~hole), 1)
    out = blend(I, hole, field)
    assert np.abs(out[hole][:, 0] - dense(I, hole, field)).max() < 0.05  # grey levels of 255
    assert (out[~hole] == I[~hole]).all()


def test_a_perfect_field_leaves_nothing_to_do() -> None:
    truth = np.concatenate([tiles(64, 64) * 255, np.zeros((64, 64, 1), np.float32)], 2)
    hole = box(64, 64, 24, 24, 14, 14) > 0
    field = Field.over(hole)
    field.sy[:], field.sx[:] = field.ty, np.where(field.tx < 31, field.tx - 16, field.tx + 16)
    assert valid_sources(~hole)[field.sy, field.sx].all()
    out = blend(np.where(hole[..., None], 0, truth).astype(np.float32), hole, field)
    assert np.abs(out - truth).max() < 0.05


def test_a_wrong_tone_is_pulled_to_the_border() -> None:
    flat = np.full((64, 64, 4), 100, np.float32)
    flat[:20] = 140  # the sources below are all up here
    hole = box(64, 64, 34, 24, 16, 16) > 0
    field = Field.over(hole)
    field.sy[:], field.sx[:] = 10, field.tx
    rows = blend(flat, hole, field)[34:50, 24:40, 0]
    assert rows.max() < 125  # screened: the middle keeps some of its own tone
    assert abs(rows[0, 8] - 100) < 6
    assert rows[8, 8] > rows[0, 8]
