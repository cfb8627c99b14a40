"""`frisket made-by`: what the other commands write about themselves, and what they do not."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import frisket as package
from frisket.cli.made_by import packet_of
from frisket.client.client import Picture
from frisket.edits.requests import EditRequest, InpaintParams, InstructParams, TextToLayerParams, to_json
from frisket.edits.results import Maker
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box
from frisket.raster.provenance import MadeBy, Source, packet, read

WHOLE = Box(0, 0, 4, 3)
SECRET = "my aunt without her moustache"


def result(params, trained: bool = True) -> Picture:
    request = EditRequest(WHOLE.size, WHOLE, params, engine="e", seed=6)
    maker = Maker("Frisket 9", "e", "m", "r", trained)
    return Picture(WHOLE, PixelFormat(), b"", b"", 7, (), (), to_json(request), maker)


def test_the_packet_holds_the_facts_of_the_result_and_of_its_request() -> None:
    made = result(InpaintParams(SECRET))
    digest = hashlib.sha256(made.request_json.encode()).hexdigest()
    facts = MadeBy("Frisket 9", Source.COMPOSITE_TRAINED, "e", "inpaint", 7, digest, "m", "r")
    assert read(packet_of(made)) == facts
    assert SECRET.encode() not in packet_of(made)
    assert read(packet_of(made, keep_prompt=True)) == replace(facts, prompt=SECRET)


@pytest.mark.parametrize(
    ("params", "trained", "source"),
    [
        (TextToLayerParams("x"), True, Source.TRAINED),
        (TextToLayerParams("x"), False, Source.ALGORITHM),
        (InstructParams("x"), True, Source.COMPOSITE_TRAINED),
        (InpaintParams(), False, Source.ALTERED),
    ],
)
def test_how_far_ai_made_it(params, trained: bool, source: Source) -> None:
    made = read(packet_of(result(params, trained)))
    assert made is not None
    assert made.source is source


def test_what_was_ais_stays_marked() -> None:
    """A fill by the built-in engine does not make a generated picture a photograph."""
    once = packet_of(result(TextToLayerParams("x")))
    twice = packet_of(result(InpaintParams(), trained=False), once)
    made = read(twice)
    assert made is not None
    assert (made.task, made.source) == ("inpaint", Source.COMPOSITE_TRAINED)


def test_nothing_is_made_up_when_the_server_does_not_say_who_painted() -> None:
    silent = replace(result(InpaintParams()), maker=None)
    assert packet_of(silent) == b""
    assert packet_of(silent, b"old") == b"old"


def told(frisket, path: Path) -> dict:
    return json.loads(frisket("made-by", path, "--json").stdout)


def test_files_say_who_made_them(frisket, files: Path) -> None:
    """Through the server: an edit with the prompt kept to itself, in every kind of file, profile and EXIF as before."""
    photo = Image.open(files / "photo.png")
    exif = photo.getexif()
    exif[0x010E] = "A photograph"
    photo.save(files / "photo.png", exif=exif, icc_profile=b"a profile" * 20)
    for kind in ("png", "jpg", "tiff", "webp"):
        out = files / f"out.{kind}"
        frisket("instruct", files / "photo.png", SECRET, "--mask", files / "mask.png", "-o", out,
                "--seed", "5", "--layer", files / "layer.png")  # fmt: skip
        facts = told(frisket, out)
        assert len(facts.pop("request")) == 64
        assert facts == {
            "made_by_frisket": True,
            "software": f"Frisket {package.__version__}",
            "engine": "painter",
            "model": "easel",
            "revision": "c0ffee",
            "task": "instruct",
            "seed": 5,
            "digital_source_type": Source.COMPOSITE_TRAINED.uri,
        }
        with Image.open(out) as image:
            assert image.info["icc_profile"] == b"a profile" * 20
            if kind != "tiff":
                assert image.getexif()[0x010E] == "A photograph"
        for path in (out, files / "layer.png"):
            assert SECRET.encode() not in path.read_bytes()
    assert told(frisket, files / "layer.png")["engine"] == "painter"
    before, after = (np.asarray(Image.open(files / name)) for name in ("photo.png", "out.png"))
    assert np.array_equal(before[:30], after[:30])


def test_the_prompt_is_written_when_asked_for(frisket, files: Path, monkeypatch) -> None:
    words = ("text-to-layer", SECRET, "--size", "20x10", "-o", files / "a.png")
    frisket(*words)
    assert "prompt" not in told(frisket, files / "a.png")
    frisket(*words, "--keep-prompt")
    facts = told(frisket, files / "a.png")
    assert (facts["prompt"], facts["digital_source_type"]) == (SECRET, Source.TRAINED.uri)
    frisket("inpaint", files / "photo.png", "--mask", files / "mask.png", "-o", files / "b.png", "--engine", "toy")
    assert told(frisket, files / "b.png")["digital_source_type"] == Source.ALTERED.uri
    monkeypatch.setenv("FRISKET_KEEP_PROMPT", "1")
    frisket(*words)
    assert told(frisket, files / "a.png")["prompt"] == SECRET


def test_a_fetched_result_says_it_too(frisket, files: Path) -> None:
    frisket("text-to-layer", SECRET, "--size", "20x10", "-o", files / "a.png")
    job = json.loads(frisket("jobs", "--limit", "1", "--json").stdout)["jobs"][0]["id"]
    frisket("jobs", "result", job, "-o", files / "b.png")
    assert told(frisket, files / "b.png") == told(frisket, files / "a.png")


def test_files_that_say_nothing_or_something_else(frisket, refused, files: Path) -> None:
    assert told(frisket, files / "photo.png") == {"made_by_frisket": False}
    assert "It does not say." in frisket("made-by", files / "photo.png").stdout
    made = packet(MadeBy("Frisket 9", Source.TRAINED, "e", "inpaint", 7)).replace(b"frisket:engine", b"frisket:other")
    Image.new("RGB", (4, 3)).save(files / "other.webp", xmp=made)
    assert told(frisket, files / "other.webp") == {
        "made_by_frisket": False,
        "digital_source_type": Source.TRAINED.uri,
    }
    assert "made by AI" in frisket("made-by", files / "other.webp").stdout
    assert refused("made-by", files / "missing.png")["error"] == "file-unreadable"
