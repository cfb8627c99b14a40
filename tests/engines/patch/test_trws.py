"""TRW-S: exact on chains, never worse than neighbour-wise choice on grids, the same bits for any order it may take."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.trws import Grid, labelled


def costs(count: int, labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    U = rng.random((count, labels)).astype(np.float32)
    points = rng.random((count, labels, 2)).astype(np.float32)
    A = np.linalg.norm(points[:, :, None] - points[:, None], axis=-1).astype(np.float32)
    return U, A


def energy(label, U: np.ndarray, A: np.ndarray, grid: Grid) -> float:
    total = sum(float(U[m, label[m]]) for m in range(len(U)))
    for m in range(len(U)):
        for n in grid.after[m]:
            if n >= 0:
                total += float(A[m, label[m], label[n]] + A[n, label[m], label[n]])
    return total


def solve(hole: np.ndarray, U: np.ndarray, A: np.ndarray, sweeps: int = 20, threads: int = 1):
    with Bands(threads, lambda: None) as bands:
        return labelled(U, A, Grid.of(hole), sweeps, bands)


def test_neighbours_are_numbered_in_raster_order() -> None:
    hole = np.array([[1, 1, 0], [0, 1, 1]], bool)
    grid = Grid.of(hole)
    assert grid.after.tolist() == [[1, -1], [-1, 2], [3, -1], [-1, -1]]
    assert grid.before.tolist() == [[-1, -1], [0, -1], [-1, 1], [2, -1]]


def test_tiles_come_after_those_they_need() -> None:
    hole = np.random.default_rng(0).random((70, 50)) > 0.3
    grid = Grid.of(hole)
    assert sorted(grid.order) == list(range(int(hole.sum())))
    when = np.empty(len(grid.order), int)
    for k, (first, end) in enumerate(grid.diagonals):
        for t in range(first, end):
            when[grid.order[grid.tiles[t] : grid.tiles[t + 1]]] = k * 10_000 + t
    place = np.empty(len(grid.order), int)
    place[grid.order] = np.arange(len(grid.order))
    for m in range(len(grid.order)):
        for q in grid.before[m]:
            if q >= 0:
                assert when[q] // 10_000 < when[m] // 10_000 or (when[q] == when[m] and place[q] < place[m])


@pytest.mark.parametrize("shape", [(1, 6), (6, 1)])
def test_a_chain_is_solved_exactly(shape: tuple[int, int]) -> None:
    hole = np.ones(shape, bool)
    U, A = costs(6, 4, 3)
    label, least = solve(hole, U, A, 3)
    best = min(energy(c, U, A, Grid.of(hole)) for c in itertools.product(range(4), repeat=6))
    assert least == pytest.approx(best, abs=1e-5)
    assert energy(label, U, A, Grid.of(hole)) == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_a_small_grid_is_solved_nearly_exactly(seed: int) -> None:
    hole = np.ones((3, 3), bool)
    hole[1, 1] = seed % 2 == 0
    U, A = costs(int(hole.sum()), 3, seed)
    label, least = solve(hole, U, A)
    grid = Grid.of(hole)
    best = min(energy(c, U, A, grid) for c in itertools.product(range(3), repeat=len(U)))
    assert least == pytest.approx(energy(label, U, A, grid), abs=1e-5)
    assert least <= best * 1.02


def test_threads_and_tiles_do_not_change_a_label() -> None:
    hole = np.random.default_rng(5).random((60, 75)) > 0.2
    U, A = costs(int(hole.sum()), 9, 1)
    one, e1 = solve(hole, U, A, 4)
    three, e3 = solve(hole, U, A, 4, threads=3)
    assert (one == three).all()
    assert e1 == e3
    assert e1 == pytest.approx(energy(one, U, A, Grid.of(hole)), rel=1e-5)
