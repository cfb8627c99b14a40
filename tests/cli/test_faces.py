"""`frisket faces`: boxes, sizes, scores and landmarks, and a picture of them, through the real server."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from frisket.cli.faces import drawn
from frisket.edits.results import Face
from frisket.raster.files import Picture
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box


def test_the_surest_first_with_numbers(frisket, files: Path) -> None:
    told = frisket("faces", files / "photo.png", "--engine", "toy-detector").output.splitlines()
    assert len(told) == 3
    assert told[0].split()[:4] == ["1", "32", "x", "32"]
    assert "0.90  eyes at (42, 40) and (58, 40)" in told[0]


def test_json_and_a_picture(frisket, files: Path) -> None:
    out = files / "boxes.png"
    words = ("--engine", "toy-detector", "-o", out, "--json")
    told = json.loads(frisket("faces", files / "photo.png", *words).output)
    first = told["faces"][0]
    assert (first["number"], len(first["landmarks"]), told["engine"]) == (1, 5, "toy-detector")
    assert (told["output"], told["degraded"]) == (str(out), [])
    before, after = np.asarray(Image.open(files / "photo.png")), np.asarray(Image.open(out))
    assert before.shape == after.shape
    box = Box(**first["box"])
    assert (after[box.y, box.x + 4 : box.right - 4] == (255, 230, 0)).all()
    assert np.array_equal(before[:4, :30], after[:4, :30])


def test_no_face(frisket, files: Path) -> None:
    mask = files / "mask.png"
    Image.fromarray(np.pad(np.full((2, 2), 255, np.uint8), ((0, 78), (98, 0)))).save(mask)
    told = frisket("faces", files / "photo.png", "--mask", mask, "--engine", "toy-detector")
    assert "No face was found by toy-detector" in told.output


def test_what_is_refused(refused, files: Path) -> None:
    assert refused("faces", files / "photo.png", "--engine", "toy")["error"] == "task-not-supported"
    told = refused("faces", files / "photo.png", "-o", files / "out.nonsense")
    assert told["error"] == "file-unwritable"


def test_gray_pictures_of_16_bit_and_faces_beyond_the_border_are_drawn() -> None:
    fmt = PixelFormat(Samples.U16, Layout.GRAY_ALPHA)
    picture = Picture(np.full((40, 50, 2), 0x8000, np.uint16), fmt)
    made = drawn(picture, [Face(Box(-5, 10, 30, 100), 0.5)])
    assert (made.pixels.shape, made.pixels.dtype, made.format) == ((40, 50, 3), np.uint8, PixelFormat())
    assert (made.pixels[15, 40] == 128).all()
    assert (made.pixels[10, 5:20] == (255, 230, 0)).all()
