"""Words with pictures in them, without the package that videos would need."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

from PIL import Image

from frisket.engines.diffusion.stills import processor_of
from frisket.models.families import Family

pytestmark = [pytest.mark.diffusion]
PLACE = "<|vision_start|><|image_pad|><|vision_end|>"


def test_a_picture_takes_as_many_places_among_the_words_as_it_has_patches(zoo_folder: Callable[[Family], Path]) -> None:
    processor = processor_of(zoo_folder(Family.QWEN_IMAGE_EDIT))
    pixels = np.random.default_rng(0).integers(0, 256, (56, 84, 3), np.uint8)
    made = processor(text=[f"make {PLACE} red"], images=[Image.fromarray(pixels)], padding=True, return_tensors="pt")
    assert made["image_grid_thw"].tolist() == [[1, 4, 6]]  # patches of 14 px
    assert (made["input_ids"] == processor.image_token_id).sum() == 4 * 6 // 4  # four patches to a place
    assert made["pixel_values"].shape == (24, 3 * 2 * 14 * 14)
    first = made["pixel_values"][0].reshape(3, 2, 14, 14)[:, 0].numpy()
    mean, deviation = (np.array(v)[:, None, None] for v in (processor.image_processor.image_mean,
                                                            processor.image_processor.image_std))  # fmt: skip
    assert np.abs(first * deviation + mean - pixels[:14, :14].transpose(2, 0, 1) / 255).max() < 1e-5


def test_a_folder_without_the_processors_files_is_an_error(tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError)):
        processor_of(tmp_path)
