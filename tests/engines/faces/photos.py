"""The photographs beside the checkout, for tests that need real faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[4] / "shared"


def photo(name: str, side: int = 0) -> np.ndarray:
    """(h, w, 3) float32 RGB 0...1, its longer side at most `side`. Skips the test where there is none."""
    path = SHARED / "photos" / name
    if not path.exists():
        pytest.skip(f"no photograph {path}")
    image = np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR))
    if side and max(image.shape) > side:
        scale = side / max(image.shape)
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    return np.ascontiguousarray(image[..., ::-1]).astype(np.float32) / 255


def weights(name: str) -> Path:
    """Skips the test where there is no such file."""
    path = SHARED / "weights" / name
    if not path.exists():
        pytest.skip(f"no weights {path}")
    return path
