"""The safety checker that a Stable Diffusion model came with: which pictures must not be shown.

It compares a picture's CLIP embedding with those of concepts that its authors chose (diffusers'
StableDiffusionSafetyChecker). It is asked only where the server is told to check (`edits.safety`), errs both ways, and
sees the crop of an edit in squares, each scaled to what CLIP sees.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from frisket.engines.diffusion.opening import mapped, network, quiet
from frisket.models.record import Record

NETWORK, PROCESSOR = "safety_checker", "feature_extractor"


class SafetyChecker:
    """Opened once; belongs to the model in `folder`, installed as `record` says. On a processor, in full precision.

    Raises what opening raises: ModelDamaged and the like.
    """

    __slots__ = ("_network", "_processor")

    def __init__(self, folder: Path, record: Record) -> None:
        self._network = network(folder, record, NETWORK)
        with quiet(), mapped(record):
            from transformers import CLIPImageProcessor

            self._processor: Any = CLIPImageProcessor.from_pretrained(folder / PROCESSOR, local_files_only=True)

    @torch.no_grad()
    def unfit(self, pictures: Sequence[np.ndarray]) -> list[bool]:
        """For each picture (h, w, 3) float32 0...1: whether it must not be shown."""
        return [self._is_unfit(picture) for picture in pictures]

    def _is_unfit(self, picture: np.ndarray) -> bool:
        return any(self._flags(picture[rows, columns]) for rows, columns in squares(*picture.shape[:2]))

    def _flags(self, square: np.ndarray) -> bool:
        from PIL import Image

        shown = np.rint(np.clip(square, 0, 1) * 255).astype(np.uint8)
        seen = self._processor(Image.fromarray(shown), return_tensors="pt").pixel_values
        _, found = self._network(images=[np.clip(square, 0, 1).copy()], clip_input=seen)  # it blackens what it is given
        return bool(found[0])


def squares(h: int, w: int) -> list[tuple[slice, slice]]:
    """Rows and columns of squares as high as the picture (or as wide, where that is less) that cover it, evenly spread,
    neighbours overlapping by half or more: of anything else CLIP's processor would show the middle alone."""
    side = min(h, w)
    count = math.ceil(2 * (max(h, w) - side) / side) + 1
    starts = [round((max(h, w) - side) * k / max(count - 1, 1)) for k in range(count)]
    spans = [slice(start, start + side) for start in starts]
    return [(slice(0, h), span) if w >= h else (span, slice(0, w)) for span in spans]
