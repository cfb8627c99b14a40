"""Long work on arrays in short pieces: between two of them the caller's `check` may stop it.

numpy and OpenCV cannot be stopped inside a call. A piece of SPAN pixels takes some milliseconds, and its temporaries
stay in the cache, so pieces cost no more than the whole. `check` raises whatever ends the work; None = never asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import DTypeLike, NDArray

Check = Callable[[], None]

SPAN = 1 << 18  # elements; some milliseconds of numpy


def spans(count: int, check: Check | None, length: int = SPAN) -> Iterator[slice]:
    """Slices of at most `length` that make up 0...count. After each `check` is asked."""
    for low in range(0, count, length):
        yield slice(low, min(low + length, count))
        if check is not None:
            check()


def row_spans(shape: Sequence[int], check: Check | None, length: int = SPAN) -> Iterator[slice]:
    """The same for the rows of an array (h, ...): an even number of them, about `length` px."""
    width = shape[1] if len(shape) > 1 else 1
    return spans(shape[0], check, max(2, length // max(1, width) // 2 * 2))


def mapped(
    kernel: Callable[..., np.ndarray], dtype: DTypeLike, check: Check | None, first: np.ndarray, *others: np.ndarray
) -> np.ndarray:
    """`kernel(first, *others)` as a new array of `first`'s shape and `dtype`, for a kernel that works row by row."""
    out = np.empty(first.shape, dtype)
    for rows in row_spans(first.shape, check):
        out[rows] = kernel(first[rows], *(array[rows] for array in others))
    return out


def copied(array: np.ndarray, check: Check | None) -> np.ndarray:
    """A new array with the same values, C order."""
    return mapped(lambda part: part, array.dtype, check, array)


def copy_into(target: np.ndarray, source: np.ndarray, check: Check | None) -> None:
    """`target[...] = source`, of the same number of rows."""
    for rows in row_spans(target.shape, check):
        target[rows] = source[rows]


def filled(shape: Sequence[int], value: float, dtype: DTypeLike, check: Check | None) -> np.ndarray:
    """A new array of `shape` with `value` everywhere."""
    out = np.empty(shape, dtype)
    for rows in row_spans(shape, check):
        out[rows] = value
    return out


def every(kernel: Callable[..., np.ndarray], check: Check | None, first: np.ndarray, *others: np.ndarray) -> bool:
    """Whether `kernel(first, *others)`, row by row, is true everywhere; stops at the first piece where it is not."""
    return all(kernel(first[r], *(array[r] for array in others)).all() for r in row_spans(first.shape, check))


def places(where: NDArray[np.bool_], check: Check | None) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """(y, x) of the true pixels of (h, w) in raster order, each (n,) int32."""
    counts = [np.count_nonzero(where[rows]) for rows in row_spans(where.shape, check)]
    y, x = np.empty(sum(counts), np.int32), np.empty(sum(counts), np.int32)
    low = 0
    for rows, count in zip(row_spans(where.shape, check), counts, strict=True):
        found_y, found_x = np.nonzero(where[rows])
        y[low : low + count], x[low : low + count] = found_y + rows.start, found_x
        low += count
    return y, x
