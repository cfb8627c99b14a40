"""What a picture shows, apart from where it is transparent: straight colours in, premultiplied ones out.

A variation keeps the alpha channel and changes colours only. A pixel without alpha has no colour: it is never copied.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from frisket.engines.patch.scale import Scale
from frisket.raster.spans import mapped, row_spans

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
    def of(cls, crop: np.ndarray, check: Callable[[], None] | None = None) -> Subject | None:
        """crop: (h, w, 1...4) float32, alpha last and premultiplied when there are 2 or 4. None: all is transparent.

        check: called now and then, may raise errors.Cancelled.
        """
        if crop.shape[2] in (1, 3):
            solid = np.ones(crop.shape[:2], bool)
            scale = Scale.of(crop, solid, check)
            return cls(scale.enter(crop, check), solid, None, scale)
        alpha = crop[..., -1]
        most = max(alpha[rows].max() for rows in row_spans(alpha.shape, check))
        if most <= 0:
            return None
        solid = mapped(lambda part: part >= SOLID * most, bool, check, alpha)
        straight = mapped(_straight, np.float32, check, crop[..., :-1], alpha)
        scale = Scale.of(straight, solid, check)
        return cls(scale.enter(straight, check), solid, alpha, scale)

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


def _straight(colours: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    out = colours / np.where(alpha > 0, alpha, 1)[..., None]
    out[alpha <= 0] = 0
    return out
