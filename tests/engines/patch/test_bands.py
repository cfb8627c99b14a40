"""Bands: every index once, in any number of threads; stops between bands."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from frisket.engines.patch.bands import Bands, usual_threads
from frisket.errors import Cancelled


def add(low: int, high: int, out: np.ndarray, amount: int) -> None:
    out[low:high] += amount


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(("start", "count"), [(0, 0), (0, 1), (0, 10), (3, 10), (0, 1000), (10, 10)])
def test_each_index_is_visited_once(threads: int, start: int, count: int) -> None:
    out = np.zeros(1000, int)
    with Bands(threads, lambda: None) as bands:
        bands.run(add, count, out, 2, band=7, start=start)
    assert (out[start:count] == 2).all()
    assert out.sum() == 2 * (count - start)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_check_that_raises_stops_soon(threads: int) -> None:
    out, asked = np.zeros(1000, int), []

    def check() -> None:
        asked.append(1)
        if len(asked) == 4:
            raise Cancelled()

    with pytest.raises(Cancelled), Bands(threads, check) as bands:
        bands.run(add, 1000, out, 1, band=10)
    assert out.sum() <= 10 * (4 + 2 * threads + 1)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_a_kernel_raises_comes_out(threads: int) -> None:
    def bad(low: int, high: int) -> None:
        raise MemoryError

    with pytest.raises(MemoryError), Bands(threads, lambda: None) as bands:
        bands.run(bad, 100, band=10)


def test_usual_threads_follow_numba() -> None:
    code = "from frisket.engines.patch.bands import usual_threads; print(usual_threads())"
    env = {**os.environ, "NUMBA_NUM_THREADS": "3"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env)
    assert done.stdout.strip() == "3"
    assert usual_threads() >= 1
