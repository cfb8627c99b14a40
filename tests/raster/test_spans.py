"""Spans: pieces that make up the whole, the whole's own result, and a question after each."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.raster.spans import SPAN, copied, copy_into, every, filled, mapped, places, row_spans, spans


def test_spans_make_up_the_whole_and_ask_after_each() -> None:
    asked: list[None] = []
    made = list(spans(10, lambda: asked.append(None), 4))
    assert made == [slice(0, 4), slice(4, 8), slice(8, 10)]
    assert len(asked) == 3
    assert list(spans(0, None)) == []


@pytest.mark.parametrize("shape", [(5, 3), (1001, 700, 4), (7, 2 * SPAN), (9,)])
def test_spans_of_rows_begin_at_even_ones(shape: tuple[int, ...]) -> None:
    made = list(row_spans(shape, None))
    assert [s.start for s in made] == [0, *(s.stop for s in made[:-1])]
    assert made[-1].stop == shape[0]
    assert all(s.start % 2 == 0 for s in made)


def test_pieces_give_the_result_of_the_whole() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random((700, 1100), np.float32), rng.random((700, 1100), np.float32)
    asked: list[None] = []
    made = mapped(lambda a, b: np.exp(a) * b > 1, bool, lambda: asked.append(None), a, b)
    assert made.dtype == bool
    np.testing.assert_array_equal(made, np.exp(a) * b > 1)
    assert len(asked) >= a.size // SPAN
    turned = a.T
    copy = copied(turned, None)
    np.testing.assert_array_equal(copy, turned)
    assert copy.flags.c_contiguous
    assert not np.shares_memory(copy, a)


def test_every_looks_at_all_and_stops_at_the_first_that_is_not() -> None:
    a, asked = np.ones((2000, 1000), np.float32), []
    assert every(np.isfinite, None, a)
    a[1999, 999] = np.nan
    assert not every(np.isfinite, None, a)
    a[0, 0] = np.inf
    assert not every(np.isfinite, lambda: asked.append(None), a)
    assert not asked


@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_places_are_those_of_nonzero(share: float) -> None:
    where = np.random.default_rng(1).random((523, 1201)) < share
    asked: list[None] = []
    y, x = places(where, lambda: asked.append(None))
    assert y.dtype == x.dtype == np.int32
    np.testing.assert_array_equal(np.stack([y, x]), np.stack(np.nonzero(where)))
    assert len(asked) >= where.size // SPAN


def test_copies_and_fills_ask_for_each_piece() -> None:
    source = np.arange(900 * 1000, dtype=np.float32).reshape(900, 1000)
    target, asked = np.zeros((1000, 1100), np.float32), []
    copy_into(target[50:950, 20:1020], source, lambda: asked.append(None))
    np.testing.assert_array_equal(target[50:950, 20:1020], source)
    assert target.sum(dtype=float) == source.sum(dtype=float)
    assert len(asked) >= source.size // SPAN
    asked.clear()
    sevens = filled((900, 1000, 2), 7, np.uint8, lambda: asked.append(None))
    assert sevens.dtype == np.uint8
    assert sevens.shape == (900, 1000, 2)
    assert (sevens == 7).all()
    assert len(asked) >= 900 * 1000 // SPAN
