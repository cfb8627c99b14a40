"""From a crop's values to the four channels and the scale that the algorithm is tuned for, and back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

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
    def of(cls, crop: np.ndarray, known: np.ndarray) -> Scale:
        """crop: (h, w, c) float32 and finite, known: (h, w) bool, some of it true.

        A crop within 0...1 is scaled by 255; one with a wider range by less, so that its bulk spans 255 too.
        """
        c = crop.shape[2]
        mask = known.astype(np.uint8)
        bounds = [cv2.minMaxLoc(cv2.extractChannel(crop, k), mask)[:2] for k in range(c)]
        low, high = np.array(bounds, np.float32).T
        span = 1.0
        if (high - low).max() > 1:
            bottom, top = np.percentile(crop[known], (0.5, 99.5))
            span = max(span, float(top - bottom))
        covered = c in (2, 4) and bool(((crop[..., :-1] <= crop[..., -1:]) | ~known[..., None]).all())
        return cls(c, WHITE / span, low, high, covered)

    def enter(self, crop: np.ndarray) -> np.ndarray:
        """(h, w, 4) float32, C order: red, green, blue, alpha. Grey is repeated, a missing alpha is 0 everywhere."""
        I = np.zeros((*crop.shape[:2], 4), np.float32)
        if self.channels <= 2:
            I[..., :3] = crop[..., :1]
        else:
            I[..., :3] = crop[..., :3]
        if self.channels in (2, 4):
            I[..., 3] = crop[..., -1]
        I *= np.float32(self.gain)
        return I

    def leave(self, I: np.ndarray) -> np.ndarray:
        """(..., c) float32 from (..., 4), each channel within the range of the known pixels."""
        picked = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[self.channels]
        values = np.clip(I[..., picked] / np.float32(self.gain), self.low, self.high)
        if self.covered:
            np.minimum(values[..., :-1], values[..., -1:], out=values[..., :-1])
        return values
