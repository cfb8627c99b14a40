"""What a ControlNet is shown: lines, scribbles, or a picture with a hole. OpenCV only."""

from __future__ import annotations

import cv2
import numpy as np

from frisket.engines.diffusion.addons import Control

LOW, HIGH = 100, 200  # of Canny, as the nets were trained with
SIGMA = 3.0  # blur before a scribble: a hand draws the large things
STROKE = 9  # px of a scribble's stroke at a side of 512
NATIVE = 512  # px
HOLE = -1.0  # how a picture is marked where it is to be painted


def control_of(kind: Control, crop: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """crop: (h, w, 3) float 0...1; hole: (h, w) 0...1. The same size, float32 0...1; HOLE in the hole for INPAINT.

    Lines are white on black, those under the hole too: they are what the new content is to follow.
    """
    if kind is Control.INPAINT:
        return np.where(hole[..., None] > 0, np.float32(HOLE), np.clip(crop, 0, 1)).astype(np.float32)
    drawn = lines(crop) if kind is Control.LINE else scribble(crop)
    return np.repeat(drawn[..., None], 3, 2).astype(np.float32)


def lines(crop: np.ndarray) -> np.ndarray:
    """(h, w) of 0 and 1: edges after Canny (1986), a pixel wide."""
    return (cv2.Canny(_gray(crop), LOW, HIGH) > 0).astype(np.float32)


def scribble(crop: np.ndarray) -> np.ndarray:
    """(h, w) of 0 and 1: the larger edges, drawn with a broad pen."""
    scale = max(crop.shape[:2]) / NATIVE
    soft = cv2.GaussianBlur(_gray(crop), (0, 0), max(SIGMA * scale, 0.5))
    edges = cv2.Canny(soft, LOW / 4, HIGH / 4)
    stroke = max(1, round(STROKE * scale))
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (stroke, stroke))
    return (cv2.dilate(edges, pen) > 0).astype(np.float32)


def _gray(crop: np.ndarray) -> np.ndarray:
    seen = np.rint(np.clip(crop, 0, 1) * 255).astype(np.uint8)
    return cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)
