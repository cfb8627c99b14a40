"""From a crop's values to the four channels and the scale that the algorithm is tuned for, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from frisket.raster.spans import row_spans

MOST_SAMPLES = 1_000_000  # px that the span of a wide range is taken from
WHITE = 255.0  # the unit of every price and threshold in this package: grey levels of an 8-bit picture


@dataclass(frozen=True, slots=True)
class Scale:
    """channels: 1...4 of the crop. gain: working value of 1.0. low, high: (channels,) float32, range of known pixels.

    covered: whether every known colour is at most its alpha, as in a premultiplied picture without glowing pixels.
    """

    channels: int
    gain: float
    low: np.ndarray
    high: np.ndarray
    covered: bool

    @classmethod
    def of(cls, crop: np.ndarray, known: np.ndarray, check: Callable[[], None] | None = None) -> Scale:
        """crop: (h, w, c) float32 and finite, known: (h, w) bool, some of it true.

        A crop within 0...1 is scaled by 255; one with a wider range by less, so that its bulk spans 255 too.
        check: called now and then, may raise errors.Cancelled.
        """
        c = crop.shape[2]
        low, high = np.full(c, np.inf, np.float32), np.full(c, -np.inf, np.float32)
        covered = c in (2, 4)
        for rows in row_spans(known.shape, check):
            part, mask = crop[rows], known[rows].astype(np.uint8)
            if not mask.any():
                continue
            bounds = [cv2.minMaxLoc(cv2.extractChannel(part, k), mask)[:2] for k in range(c)]
            lowest, highest = np.array(bounds, np.float32).T
            low, high = np.minimum(low, lowest), np.maximum(high, highest)
            covered = covered and bool(((part[..., :-1] <= part[..., -1:]) | ~known[rows, :, None]).all())
        span = 1.0
        if (high - low).max() > 1:
            sample = _some(crop, known, check)
            bottom, top = np.percentile(sample, (0.5, 99.5))
            span = max(span, float(top - bottom))
        return cls(c, WHITE / span, low, high, covered)

    def enter(self, crop: np.ndarray, check: Callable[[], None] | None = None) -> np.ndarray:
        """(h, w, 4) float32, C order: red, green, blue, alpha. Grey is repeated, a missing alpha is 0 everywhere."""
        I = np.empty((*crop.shape[:2], 4), np.float32)
        gain, colours = np.float32(self.gain), slice(0, 1 if self.channels <= 2 else 3)
        for rows in row_spans(I.shape, check):
            np.multiply(crop[rows, :, colours], gain, out=I[rows, :, :3])
            I[rows, :, 3] = crop[rows, :, -1] * gain if self.channels in (2, 4) else 0
        return I

    def leave(self, I: np.ndarray) -> np.ndarray:
        """(..., c) float32 from (..., 4), each channel within the range of the known pixels."""
        picked = {1: slice(1), 2: slice(0, 4, 3), 3: slice(3), 4: slice(4)}[self.channels]
        values = np.clip(I[..., picked] / np.float32(self.gain), self.low, self.high)
        if self.covered:
            np.minimum(values[..., :-1], values[..., -1:], out=values[..., :-1])
        return values


def _some(crop: np.ndarray, known: np.ndarray, check: Callable[[], None] | None) -> np.ndarray:
    """(n, c) known pixels in raster order: all, or every n-th of more than MOST_SAMPLES."""
    step = -(-np.count_nonzero(known) // MOST_SAMPLES)
    taken, passed = [], 0
    for rows in row_spans(known.shape, check):
        pixels = crop[rows][known[rows]]
        taken.append(pixels[-passed % step :: step])
        passed += len(pixels)
    return np.concatenate(taken)
