"""What a picture shows, apart from where it is transparent: straight colours in, premultiplied ones out.

A variation keeps the alpha channel and changes colours only. A pixel without alpha has no colour: it is never copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frisket.engines.patch.scale import Scale

SOLID = 0.5  # of the greatest alpha: patches are copied from pixels at least as opaque, whose colour can be trusted


@dataclass(frozen=True, slots=True)
class Subject:
    """I: (h, w, 4) float32 working values, straight colours, the fourth channel 0; 0 where there is no colour.

    solid: (h, w) bool, where patches may come from. alpha: (h, w) float32 0...1, or None when there is no such channel.
    """

    I: np.ndarray
    solid: np.ndarray
    alpha: np.ndarray | None
    scale: Scale

    @classmethod
    def of(cls, crop: np.ndarray) -> Subject | None:
        """crop: (h, w, 1...4) float32, alpha last and premultiplied when there are 2 or 4. None: all is transparent."""
        if crop.shape[2] in (1, 3):
            solid = np.ones(crop.shape[:2], bool)
            scale = Scale.of(crop, solid)
            return cls(scale.enter(crop), solid, None, scale)
        alpha = crop[..., -1]
        if alpha.max() <= 0:
            return None
        solid = alpha >= SOLID * alpha.max()
        straight = crop[..., :-1] / np.where(alpha > 0, alpha, 1)[..., None]
        straight[alpha <= 0] = 0
        scale = Scale.of(straight, solid)
        return cls(scale.enter(straight), solid, alpha, scale)

    @property
    def channels(self) -> int:
        """How many channels of I differ: 1 for grey, 3 for colour."""
        return self.scale.channels

    def leave(self, I: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
        """(..., c) float32 like the crop, from I (..., 4) and the alpha (...) that goes with it, None without alpha."""
        colour = self.scale.leave(I)
        if alpha is None:
            return colour
        return np.concatenate([colour * alpha[..., None], alpha[..., None]], -1)
