"""A network that enlarges, and how often it runs for the scale that is asked for: arrays in, arrays out.

Shrinking is by means over areas, counted from the corner of each pixel of the small picture: exact, and the same
wherever a tile begins, so long as it begins at a whole one.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from frisket.engines.faces.stack import stoppable
from frisket.engines.spec import Report, Silent
from frisket.errors import PictureNotFinite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spandrel import ImageModelDescriptor

EXACT = frozenset({"Compact"})  # architectures of a few convolutions: all that they see is shown
FARTHEST = 32  # px shown of what others see: ESRGAN's convolutions reach 350, faintly
WINDOWS = 2  # that attention within shifted windows is shown
TRIAL = 64  # px
LIVE = 4  # of the largest layer's outputs are held at once


class Network:
    """A spandrel model on a device, in half precision where it bears that. Raises PictureNotFinite when it does not
    give numbers."""

    def __init__(self, described: ImageModelDescriptor[Any], where: str, half: bool) -> None:
        self._described, self._where = described, where
        self._type = torch.float16 if half else torch.float32
        described.to(where, self._type)
        self._largest = 0.0

    @property
    def scale(self) -> int:
        return self._described.scale

    def fill(self, state: Mapping[str, torch.Tensor]) -> None:
        """Other weights of the same shapes."""
        self._described.model.load_state_dict(state)

    def bytes_per_pixel(self) -> float:
        """What a run takes for each pixel that goes in: tried on a small picture, by the largest layer's output."""
        if not self._largest:
            found: list[int] = []

            def look(_module: object, _given: object, out: object) -> None:
                if isinstance(out, torch.Tensor):
                    found.append(out.numel())

            hooks = [layer.register_forward_hook(look) for layer in self._described.model.modules()]
            try:
                made = self._once(np.full((TRIAL, TRIAL, 3), 0.5, np.float32), Silent())
            finally:
                for hook in hooks:
                    hook.remove()
            if not np.isfinite(made).all() or made.shape != (TRIAL * self.scale, TRIAL * self.scale, 3):
                raise PictureNotFinite(what=self._described.architecture.name)
            width = 2 if self._type is torch.float16 else 4
            self._largest = LIVE * width * max(found) / TRIAL**2
        return self._largest

    def enlarged(self, crop: np.ndarray, scale: int, report: Report) -> np.ndarray:
        """(h, w, 3) float32 0...1 as (h * scale, w * scale, 3). Twice where once is not enough. Raises what torch
        raises, errors.Cancelled."""
        have = 1
        while have < scale:
            crop = self._once(crop, report)
            have *= self.scale
        return shrunk(crop, have, scale)

    def _once(self, crop: np.ndarray, report: Report) -> np.ndarray:
        shown = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))[None]).to(self._where, self._type)
        with torch.inference_mode(), stoppable(self._described.model, report):
            if self._described.input_channels == 1:
                made = torch.cat([self._described(shown[:, k : k + 1]) for k in range(3)], dim=1)
            else:
                made = self._described(shown)
        return np.ascontiguousarray(made[0].float().cpu().numpy().transpose(1, 2, 0))


def shrunk(large: np.ndarray, have: int, want: int) -> np.ndarray:
    """(h * have, w * have, c) float32 as (h * want, w * want, c), by means over areas, exact. have >= want."""
    if have == want:
        return large
    share = np.zeros((want, have))
    for k in range(want):
        for n in range(have):
            share[k, n] = max(0.0, min((k + 1) * have, (n + 1) * want) - max(k * have, n * want)) / have
    means = share.astype(np.float32)
    h, w, c = large.shape[0] // have, large.shape[1] // have, large.shape[2]
    tall = np.einsum("kn,hnx->hkx", means, large.reshape(h, have, -1))
    made = np.einsum("kn,ywnc->ywkc", means, tall.reshape(h * want, w, have, c))
    return np.ascontiguousarray(made.reshape(h * want, w * want, c))


def grid_of(described: ImageModelDescriptor[Any]) -> int:
    """px: tiles begin at multiples of it, so that windows of attention lie as in the whole picture."""
    return math.lcm(max(1, described.size_requirements.multiple_of), _window(described.model))


def apron_of(described: ImageModelDescriptor[Any]) -> int:
    """px around a tile of one pass that are shown with it: as far as convolutions reach, or as far as it matters."""
    reach = sum(
        (max(layer.kernel_size) - 1) * max(layer.dilation) // 2
        for layer in described.model.modules()
        if isinstance(layer, torch.nn.Conv2d)
    )
    if described.architecture.id in EXACT:
        return reach
    return max(min(reach, FARTHEST), WINDOWS * _window(described.model))


def _window(network: Any) -> int:
    """px of a side of its windows of attention; 1 for a network without."""
    for name in ("window_size", "split_size"):
        found = getattr(network, name, None)
        if isinstance(found, int) and found > 1:
            return found
        if isinstance(found, list | tuple) and found and all(isinstance(n, int) and n > 0 for n in found):
            return math.lcm(*found)
    return 1
