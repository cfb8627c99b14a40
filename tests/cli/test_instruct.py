"""`frisket instruct`: a picture changed by a sentence, all of it or the masked part alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

WINTER = "make it winter, with snow on every roof"  # 39 characters: the painter's 39 %


def test_without_a_mask_all_of_it_changes(frisket, files: Path) -> None:
    frisket("instruct", files / "photo.png", WINTER, "--negative-prompt", "fog", "-o", files / "out.png")
    assert (np.asarray(Image.open(files / "out.png")) == 92).all(), "36 % of 255"


def test_what_the_mask_leaves_out_stays_bit_for_bit(frisket, files: Path) -> None:
    frisket("instruct", files / "photo.png", WINTER, "--mask", files / "mask.png", "-o", files / "out.png",
            "--layer", files / "layer.png", "--engine", "painter", "--seed", "3")  # fmt: skip
    before, after = (np.asarray(Image.open(files / name)) for name in ("photo.png", "out.png"))
    mask = np.asarray(Image.open(files / "mask.png")) > 0
    assert np.array_equal(before[~mask], after[~mask])
    assert (after[mask] == 99).all()
    assert np.array_equal(np.asarray(Image.open(files / "layer.png"))[..., 3] > 0, mask)


def test_it_takes_words_and_an_engine_that_can(refused, files: Path) -> None:
    told = refused("instruct", files / "photo.png", " ", "-o", files / "out.png")
    assert (told["error"], told["data"]["name"]) == ("parameter-out-of-range", "prompt")
    told = refused("instruct", files / "photo.png", WINTER, "-o", files / "out.png", "--engine", "patch")
    assert told["error"] == "task-not-supported"
    assert "painter" in told["remedy"]
    assert not (files / "out.png").exists()
