"""Qwen's processor of words and pictures without its half for videos: that one needs a package which nothing else does.

Pictures are made smaller by Pillow, so that an edit does not depend on which packages are installed.
"""

from __future__ import annotations

from pathlib import Path

from transformers import Qwen2Tokenizer, Qwen2VLImageProcessorPil, Qwen2VLProcessor

FOLDER = "processor"  # of a model


class StillProcessor(Qwen2VLProcessor):
    """What image editing pipelines call as their `processor`: words with places for pictures in, tensors out."""

    def __init__(self, image_processor: Qwen2VLImageProcessorPil, tokenizer: Qwen2Tokenizer) -> None:
        super().__init__(image_processor, tokenizer)


def processor_of(folder: Path) -> StillProcessor:
    """Of the model in `folder`, from its files alone. Raises OSError, ValueError for a folder without them."""
    place = folder / FOLDER
    pictures = Qwen2VLImageProcessorPil.from_pretrained(place, local_files_only=True)
    words = Qwen2Tokenizer.from_pretrained(place, local_files_only=True)
    return StillProcessor(pictures, words)
