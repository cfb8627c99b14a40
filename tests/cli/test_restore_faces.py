"""`frisket restore-faces`: all faces, those of a mask, those of a number; the picture made larger."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

TOYS = ("--engine", "checks", "--detector", "toy-detector")


def read(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path)).astype(int)


def changed(files: Path, name: str = "out.png") -> np.ndarray:
    return (read(files / name) != read(files / "photo.png")).any(axis=2)


def test_all_faces_are_restored_and_the_rest_is_left(frisket, files: Path) -> None:
    done = frisket("restore-faces", files / "photo.png", "-o", files / "out.png", "--layer", files / "layer.png",
                   "--json", *TOYS)  # fmt: skip
    told = json.loads(done.stdout)
    where = changed(files)
    assert where[34:54, 44:56].mean() > 0.8
    assert where[26:36, 82:88].mean() > 0.5
    assert not where[:, :15].any(), "a third is too small"
    assert [face["number"] for face in told["faces"]] == [1, 2, 3]
    assert ["", "", told["faces"][2]["trouble"]] == [face["trouble"] for face in told["faces"]]
    assert "Its licence: CC-BY-NC-4.0" in told["notes"][0]
    assert any(note.startswith("Face 3: It is too small") for note in told["notes"])
    x, y, width, height = told["box"]
    inside = np.zeros(where.shape, bool)
    inside[y : y + height, x : x + width] = True
    assert not where[~inside].any()
    assert (read(files / "layer.png")[~inside][:, 3] == 0).all()


def test_those_of_a_mask_or_of_a_number_alone(frisket, files: Path) -> None:
    frisket("restore-faces", files / "photo.png", "--mask", files / "mask.png", "-o", files / "out.png", *TOYS)
    by_mask = changed(files)
    assert by_mask[:, 40:60].any()
    assert not by_mask[:, 80:].any()
    frisket("restore-faces", files / "photo.png", "--face", 2, "-o", files / "out.png", "--strength", 1, *TOYS)
    by_number = changed(files)
    assert by_number[:, 80:].any()
    assert not by_number[:, 40:60].any()


def test_strength_0_writes_the_same_picture(frisket, files: Path) -> None:
    frisket("restore-faces", files / "photo.png", "-o", files / "out.png", "--strength", "0", *TOYS)
    assert not changed(files).any()


@pytest.mark.parametrize(
    ("words", "error", "says"),
    [
        (("--face", "7"), "parameter-out-of-range", "at most 3"),
        (("--detector", "casade"), "engine-unknown", "cascade"),
        (("--detector", "checks"), "task-not-supported", "detect-faces"),
        (("--detector", "cascade"), "no-face-found", "no face"),
        (("--mask", "empty.png"), "mask-empty", "mask"),
    ],
)
def test_what_cannot_be_done_is_named(refused, files: Path, words: tuple[str, str], error: str, says: str) -> None:
    here = [files / word if word.endswith(".png") else word for word in words]
    told = refused("restore-faces", files / "photo.png", "-o", files / "out.png", *TOYS, *here)
    assert told["error"] == error
    assert says in json.dumps(told)
    assert not (files / "out.png").exists()
