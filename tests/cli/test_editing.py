"""What the editing commands have in common: wishes that cannot be met, options, and what is answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from frisket.cli.main import main

WISHES = [
    (("--engine", "nonesuch"), "engine-unknown"),
    (("--model", "nonesuch"), "model-unknown"),
    (("--param", "nonesuch=1"), "parameter-unknown"),
    (("--engine", "toy", "--param", "level=2"), "parameter-out-of-range"),
    (("--param", "nonesuch"), "parameter-out-of-range"),
    (("--server", "127.0.0.1:1"), "server-unreachable"),
]


@pytest.mark.parametrize(("extra", "slug"), WISHES)
def test_bad_wishes_have_words_and_an_exit_code(refused, files: Path, extra: tuple[str, ...], slug: str) -> None:
    photo, out = files / "photo.png", files / "out.png"
    assert refused("inpaint", photo, "--mask", files / "mask.png", "-o", out, *extra)["error"] == slug
    assert not out.exists()


def test_the_answer_says_what_a_repeat_needs(frisket, files: Path) -> None:
    """A random seed is told, and with it the same picture comes again."""
    words = ("inpaint", files / "photo.png", "--mask", files / "mask.png", "--engine", "slow", "--param", "steps=1",
             "--json", "-o")  # fmt: skip
    first = json.loads(frisket(*words, files / "one.png").stdout)
    again = json.loads(frisket(*words, files / "two.png", "--seed", first["seeds"][0]).stdout)
    assert again == first | {"outputs": [str(files / "two.png")]}
    assert (files / "one.png").read_bytes() == (files / "two.png").read_bytes()


def test_shortfalls_and_notes_are_told(frisket, files: Path) -> None:
    words = ("inpaint", files / "photo.png", "--mask", files / "mask.png", "-o", files / "out.png")
    told = frisket(*words, "--engine", "toy", "--prompt", "a barn").stdout.splitlines()
    assert told[0].startswith(str(files / "out.png"))
    assert told[1:] == ["  Toy paints from the picture itself; the prompt had no effect."]
    Image.new("RGB", (300, 200)).save(files / "large.png")
    Image.new("L", (300, 200), 255).save(files / "everywhere.png")
    large = ("inpaint", files / "large.png", "--mask", files / "everywhere.png", "-o", files / "out.png")
    soft = json.loads(frisket(*large, "--engine", "soft", "--param", "level=1.0", "--json").stdout)
    assert soft["degraded"] == ["300 x 200 px around the selection were worked on at 128 x 85, then enlarged."]


def test_only_masks_have_dials() -> None:
    helps = {name: CliRunner().invoke(main, [name, "--help"]).output for name in ("inpaint", "vary", "outpaint")}
    assert {name: "--grow" in text for name, text in helps.items()} == {
        "inpaint": True,
        "vary": True,
        "outpaint": False,
    }
    assert all("--context" in text and "--sources" in text and "--json" in text for text in helps.values())
