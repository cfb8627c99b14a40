"""`frisket upscale`: the whole picture, larger, in its own depth; refusals by name."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frisket.engines.spec import Silent, Task, Work
from frisket.engines.upscale.edges import ENGINE
from frisket.raster import files as picture_files
from frisket.raster.formats import Layout, PixelFormat, Samples

DEEP = PixelFormat(Samples.U16, Layout.GRAY)


def test_a_file_becomes_larger_in_its_own_depth(frisket, tmp_path: Path) -> None:
    image = np.random.default_rng(2).integers(0, 65536, (17, 23, 1), np.uint16)
    picture_files.write_picture(tmp_path / "small.png", picture_files.Picture(image, DEEP))
    done = frisket("upscale", tmp_path / "small.png", "--scale", "3", "-o", tmp_path / "big.png", "--json")
    told = json.loads(done.stdout)
    assert (told["scale"], told["box"]) == (3, [0, 0, 69, 51])
    assert "without a model" in told["notes"][0]
    made = picture_files.read_picture(tmp_path / "big.png")
    assert made.format == DEEP
    crop = image.astype(np.float32) / 65535
    (wanted,) = ENGINE.run(Work(Task.UPSCALE, crop, crop[..., 0], {}, (0,), scale=3), Silent())
    assert np.abs(made.pixels - wanted * 65535).max() <= 0.51


def test_transparency_stays(frisket, tmp_path: Path) -> None:
    image = np.zeros((9, 8, 4), np.uint8)
    image[:, :4] = (200, 100, 50, 255)
    Image.fromarray(image).save(tmp_path / "cut.png")
    frisket("upscale", tmp_path / "cut.png", "-o", tmp_path / "big.png")
    made = np.asarray(Image.open(tmp_path / "big.png"))
    assert made.shape == (18, 16, 4)
    assert (made[:, :7] == (200, 100, 50, 255)).all()
    assert (made[:, 10:, 3] == 0).all()


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--engine", "patch"), "task-not-supported"),
        (("--model", "base"), "model-unknown"),
        (("--param", "denoise=0.5"), "parameter-unknown"),
    ],
)
def test_what_cannot_be_done_is_told(refused, tmp_path: Path, words: tuple[str, ...], error: str) -> None:
    Image.new("RGB", (5, 5)).save(tmp_path / "in.png")
    assert refused("upscale", tmp_path / "in.png", *words, "-o", tmp_path / "out.png")["error"] == error
    assert not (tmp_path / "out.png").exists()


def test_what_would_become_too_large_is_refused_before_it_is_sent(refused, tmp_path: Path) -> None:
    Image.new("L", (9000, 2)).save(tmp_path / "wide.png")
    told = refused("upscale", tmp_path / "wide.png", "--scale", "4", "-o", tmp_path / "out.png")
    assert told["error"] == "image-too-large"
