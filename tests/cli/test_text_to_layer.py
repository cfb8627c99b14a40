"""`frisket text-to-layer`: a new picture file of the size that was asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frisket.cli.text_to_layer import size_of
from frisket.errors import ParameterOutOfRange
from frisket.raster.geometry import Size

CAT = "a cat that sleeps in the morning sun on a wall"  # 46 characters: the painter's 46 %


def test_paints_what_the_words_say(frisket, files: Path) -> None:
    done = frisket("text-to-layer", CAT, "--size", "37x21", "-o", files / "cat.png", "--count", "2", "--seed", "8",
                   "--json")  # fmt: skip
    told = json.loads(done.stdout)
    assert told["seeds"] == [8, 9]
    assert told["box"] == [0, 0, 37, 21]
    assert told["outputs"] == [str(files / "cat.png"), str(files / "cat-2.png")]
    for path in told["outputs"]:
        made = np.asarray(Image.open(path))
        assert made.shape == (21, 37, 3)
        assert (made == 117).all()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("",), "parameter-out-of-range"),
        ((CAT, "--size", "20"), "parameter-out-of-range"),
        ((CAT, "--size", "40000x40000"), "image-too-large"),
        ((CAT, "--engine", "patch"), "task-not-supported"),
        ((CAT, "--model", "base"), "model-unknown"),
        ((CAT, "--param", "steps=3"), "parameter-unknown"),
    ],
)
def test_what_cannot_be_painted_is_told(refused, files: Path, words: tuple[str, ...], error: str) -> None:
    assert refused("text-to-layer", *words, "-o", files / "cat.png")["error"] == error
    assert not (files / "cat.png").exists()


def test_a_target_that_cannot_be_written_is_told_before_the_work(refused, files: Path) -> None:
    assert refused("text-to-layer", CAT, "-o", files / "cat.xyz")["error"] == "file-unwritable"


def test_sizes() -> None:
    assert size_of("1024x768") == size_of("1024X768") == Size(1024, 768)
    for text in ("", "x", "12", "12x", "x12", "0x5", "-3x5", "1.5x2", "3x4x5", "9" * 30 + "x1"):
        with pytest.raises(ParameterOutOfRange):
            size_of(text)
