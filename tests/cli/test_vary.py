"""`frisket vary`: all of a picture, or the masked part of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image


def test_without_a_mask_all_of_it_varies(frisket, files: Path) -> None:
    frisket("vary", files / "photo.png", "-o", files / "out.png", "--engine", "every", "--param", "level=1.0",
            "--tileable", "--strength", "0.3")  # fmt: skip
    assert (np.asarray(Image.open(files / "out.png")) == 255).all()


def test_the_masked_part_alone(frisket, files: Path) -> None:
    frisket("vary", files / "photo.png", "--mask", files / "mask.png", "-o", files / "out.png", "--engine", "every",
            "--param", "level=1.0", "--count", "2")  # fmt: skip
    before = np.asarray(Image.open(files / "photo.png"))
    mask = np.asarray(Image.open(files / "mask.png")) > 0
    for name in ("out.png", "out-2.png"):
        after = np.asarray(Image.open(files / name))
        assert np.array_equal(before[~mask], after[~mask])
        assert (after[mask] == 255).all()


def test_what_an_engine_cannot_follow_is_refused_by_name(refused, files: Path) -> None:
    told = refused("vary", files / "photo.png", "-o", files / "out.png", "--negative-prompt", "people")
    assert (told["error"], told["data"]["name"]) == ("parameter-not-honoured", "negative_prompt")


def test_an_engine_that_cannot_says_which_can(refused, files: Path) -> None:
    told = refused("vary", files / "photo.png", "-o", files / "out.png", "--engine", "toy")
    assert told["error"] == "task-not-supported"
    assert "every" in told["remedy"]
    assert not (files / "out.png").exists()
