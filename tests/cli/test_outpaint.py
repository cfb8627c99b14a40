"""`frisket outpaint`: a larger picture with the old one in it, bit for bit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


@pytest.mark.parametrize(
    ("words", "size", "corner"),
    [
        (("--left", "13"), (113, 80), (13, 0)),
        (("--left", "25%", "--bottom", "10%"), (125, 88), (25, 0)),
        (("--top", "7", "--right", "12.5%"), (112, 87), (0, 7)),
    ],
)
def test_adds_px_and_shares(frisket, files: Path, words: tuple[str, ...], size, corner) -> None:
    done = frisket("outpaint", files / "photo.png", *words, "-o", files / "out.png", "--engine", "every", "--param",
                   "level=1.0", "--json", "--layer", files / "layer.png")  # fmt: skip
    before, after = (np.asarray(Image.open(files / name)) for name in ("photo.png", "out.png"))
    assert after.shape == (size[1], size[0], 3)
    x, y = corner
    old = np.zeros(after.shape[:2], bool)
    old[y : y + 80, x : x + 100] = True
    assert np.array_equal(after[old], before.reshape(-1, 3))
    assert (after[~old] == 255).all()
    assert np.array_equal(np.asarray(Image.open(files / "layer.png"))[..., 3] == 0, old)
    assert json.loads(done.stdout)["box"][:2] == [-x, -y if words[0] == "--top" or y else 0]


@pytest.mark.parametrize("text", ["x", "%", "12px", "nan%", "inf%"])
def test_what_is_no_length_is_refused(refused, files: Path, text: str) -> None:
    told = refused("outpaint", files / "photo.png", "--left", text, "-o", files / "out.png")
    assert told["error"] == "parameter-out-of-range"
    assert told["data"]["name"] == "left"


def test_fills_what_is_transparent(frisket, files: Path) -> None:
    frisket("outpaint", files / "cutout.png", "--transparent", "-o", files / "out.png", "--engine", "every", "--param",
            "level=1.0", "--layer", files / "layer.png", "--right", "3")  # fmt: skip
    before, after = (np.asarray(Image.open(files / name)) for name in ("cutout.png", "out.png"))
    assert after.shape == (80, 103, 4)
    new = np.zeros((80, 103), bool)
    new[30:50, 40:60] = new[:, 100:] = True
    assert np.array_equal(after[:, :100][~new[:, :100]], before[~new[:, :100]])
    assert (after[new] == 255).all()
    assert np.array_equal(np.asarray(Image.open(files / "layer.png"))[..., 3] > 0, new)


def test_nothing_transparent_is_told(refused, files: Path) -> None:
    told = refused("outpaint", files / "photo.png", "--transparent", "-o", files / "out.png", "--engine", "every")
    assert told["error"] == "layer-unsuitable"
    assert not (files / "out.png").exists()


def test_at_least_one_side_has_to_grow(refused, files: Path) -> None:
    told = refused("outpaint", files / "photo.png", "-o", files / "out.png", "--engine", "every")
    assert told["error"] == "request-invalid"
    assert "side" in told["cause"]
