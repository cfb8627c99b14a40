"""`frisket select-subject`: a mask as large as the picture, through the real server."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def suns(files: Path) -> Path:
    """suns.png: two bright squares on dark; rough.png: about the right one."""
    picture = np.full((60, 120, 3), 20, np.uint8)
    picture[20:40, 10:30] = picture[20:40, 80:100] = 240
    rough = np.zeros((60, 120), np.uint8)
    rough[18:38, 78:102] = 255
    Image.fromarray(picture).save(files / "suns.png")
    Image.fromarray(rough).save(files / "rough.png")
    return files


def test_a_mask_as_large_as_the_picture(frisket, suns: Path) -> None:
    told = frisket("select-subject", suns / "suns.png", "-o", suns / "out.png", "--engine", "bright")
    assert "90 x 20 at (10, 20)" in told.output
    made = Image.open(suns / "out.png")
    assert (made.mode, made.size) == ("L", (120, 60))
    bright = np.asarray(Image.open(suns / "suns.png"))[..., 0] > 128
    assert np.array_equal(np.asarray(made), np.where(bright, 240, 0))


def test_of_the_thing_that_is_roughly_selected_by_the_built_in_engine(frisket, suns: Path) -> None:
    words = ("--mask", suns / "rough.png", "--engine", "grabcut", "--json")
    told = json.loads(frisket("select-subject", suns / "suns.png", "-o", suns / "out.png", *words).output)
    made = np.asarray(Image.open(suns / "out.png"))
    assert made[:, :70].max() == 0
    truth = np.asarray(Image.open(suns / "suns.png"))[..., 0] > 128
    truth[:, :70] = False
    assert ((made > 127) & truth).sum() / ((made > 127) | truth).sum() > 0.95
    assert told["box"][0] >= 74
    assert "without a model" in told["notes"][0]
    assert (told["output"], told["degraded"]) == (str(suns / "out.png"), [])


def test_nothing_stands_out(refused, files: Path) -> None:
    Image.new("RGB", (30, 20), (9, 9, 9)).save(files / "flat.png")
    told = refused("select-subject", files / "flat.png", "-o", files / "out.png", "--engine", "grabcut")
    assert told["error"] == "no-subject-found"
    assert not (files / "out.png").exists()


def test_an_engine_that_does_something_else(refused, files: Path) -> None:
    told = refused("select-subject", files / "photo.png", "-o", files / "out.png", "--engine", "toy")
    assert told["error"] == "task-not-supported"
