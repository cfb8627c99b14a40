"""Pictures to select in, and how much two masks share."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

PHOTOS = Path(__file__).resolve().parents[4] / "shared" / "photos"
WEIGHTS = PHOTOS.with_name("weights") / "tracer-efficient-0.pth"


def photo(name: str) -> np.ndarray:
    """(h, w, 3) float32 0...1. Skips the test where the photographs are not there."""
    path = PHOTOS / name
    if not path.exists():
        pytest.skip(f"{path} is not there: this test looks at a photograph")
    bgr = cv2.imread(str(path))
    assert bgr is not None
    return np.ascontiguousarray(bgr[..., ::-1], dtype=np.float32) / 255


def thing(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """A red ellipse on a grainy blue slope, and where it is."""
    y, x = np.mgrid[0:height, 0:width]
    inside = np.hypot((y - height * 0.5) / (height * 0.3), (x - width * 0.55) / (width * 0.25)) < 1
    ground = np.stack([0.1 + 0.1 * x / width, 0.3 + 0.1 * y / height, np.full(x.shape, 0.6)], -1)
    picture = np.where(inside[..., None], (0.8, 0.25, 0.15), ground)
    grain = np.random.default_rng(5).normal(0, 0.015, picture.shape)
    return np.clip(picture + grain, 0, 1).astype(np.float32), inside


def iou(one: np.ndarray, other: np.ndarray) -> float:
    """Share of what both masks cover that they cover together."""
    return float((one & other).sum() / max((one | other).sum(), 1))
