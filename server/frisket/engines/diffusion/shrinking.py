"""The same work at a smaller size, and its pictures brought back to the size that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from frisket.engines.spec import Work
from frisket.raster.geometry import Size


def shrunk(work: Work, size: Size) -> Work:
    """`work` with its crop and hole at `size`, which is not larger. A hole without grey has none afterwards, and is not
    lost however small it is: every pixel that it touches is in it."""
    h, w = work.hole.shape
    if (w, h) == (size.width, size.height):
        return work
    crop = cv2.resize(work.crop, (size.width, size.height), interpolation=cv2.INTER_AREA)
    hole = cv2.resize(work.hole, (size.width, size.height), interpolation=cv2.INTER_AREA)
    if not ((work.hole > 0) & (work.hole < 1)).any():
        hole = (hole > 0).astype(np.float32)
    return replace(work, crop=crop, hole=np.clip(hole, 0, 1), sources=None)


def fitted(pictures: Sequence[np.ndarray], size: Size) -> list[np.ndarray]:
    """Pictures (h, w, 3) float32 0...1 enlarged to `size`; those that have it are left as they are."""
    return [_fitted(picture, size) for picture in pictures]


def _fitted(picture: np.ndarray, size: Size) -> np.ndarray:
    if picture.shape[:2] == (size.height, size.width):
        return picture
    return np.clip(cv2.resize(picture, (size.width, size.height), interpolation=cv2.INTER_CUBIC), 0, 1)
