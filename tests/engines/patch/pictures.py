"""Small pictures whose fill is known, and a silent report."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from frisket.engines.spec import Degradation

PHOTOS = Path(__file__).resolve().parents[4] / "shared" / "photos"


class Silent:
    """A report that never stops anything and remembers what it was told."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []
        self.previews: list[np.ndarray | None] = []
        self.checks = 0

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        self.steps.append((step, total))
        self.previews.append(preview)

    def check(self) -> None:
        self.checks += 1

    def told(self, degradation: Degradation) -> None:
        raise AssertionError(f"the built-in engine does without nothing, but told: {degradation}")


def box(height: int, width: int, y: int, x: int, h: int, w: int) -> np.ndarray:
    """(height, width) float32: 1 in the box, 0 elsewhere."""
    hole = np.zeros((height, width), np.float32)
    hole[y : y + h, x : x + w] = 1
    return hole


def tiles(height: int, width: int, period: int = 16, seed: int = 5) -> np.ndarray:
    """(height, width, 3) float32: one random tile, softened so that no pixel stands alone, repeated."""
    tile = np.random.default_rng(seed).random((period, period, 3), np.float32)
    tile = cv2.GaussianBlur(np.tile(tile, (3, 3, 1)), (0, 0), 1.0)[period : 2 * period, period : 2 * period]
    tile = (tile - tile.min()) / (tile.max() - tile.min())
    return np.tile(tile, (height // period + 1, width // period + 1, 1))[:height, :width].copy()


def edge(height: int, width: int, slope: float = 0.0) -> np.ndarray:
    """(height, width, 3) float32: dark above, bright below a straight edge, with a little grain."""
    y, x = np.mgrid[:height, :width]
    below = (y > height / 2 + slope * (x - width / 2)).astype(np.float32)
    grain = np.random.default_rng(1).normal(0, 0.01, (height, width)).astype(np.float32)
    return np.repeat((0.2 + 0.6 * below + grain)[..., None], 3, axis=2)


def photograph(name: str) -> np.ndarray:
    """(h, w, 3) float32 0...1, RGB. Skips where the photographs are not beside the repository."""
    path = PHOTOS / name
    if not path.exists():
        pytest.skip(f"needs the photograph {name} beside the repository; it is not there")
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    assert image is not None
    return (image[..., ::-1] / np.float32(255)).astype(np.float32)


def texture_distance(a: np.ndarray, where_a: np.ndarray, b: np.ndarray, where_b: np.ndarray) -> float:
    """Sliced Wasserstein-1 distance of the mean-free 7x7 patches centred in two areas, in grey levels of 255."""

    def patches(image: np.ndarray, where: np.ndarray) -> np.ndarray:
        inner = where.copy()
        inner[:3] = inner[-3:] = inner[:, :3] = inner[:, -3:] = False
        y, x = np.nonzero(inner)
        pick = np.random.default_rng(0).integers(0, len(y), 3000)
        views = np.lib.stride_tricks.sliding_window_view(image, (7, 7), axis=(0, 1))[y[pick] - 3, x[pick] - 3]
        return (views - views.mean((2, 3), keepdims=True)).reshape(len(pick), -1)

    A, B = patches(a, where_a), patches(b, where_b)
    lines = np.random.default_rng(1).standard_normal((A.shape[1], 64)).astype(np.float32)
    lines /= np.linalg.norm(lines, axis=0)
    return 255 * float(np.abs(np.sort(A @ lines, 0) - np.sort(B @ lines, 0)).mean())
