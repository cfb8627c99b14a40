"""Restore Faces: only those that are chosen, in the dialog and from a script."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from real_gimp import a_server

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

PHOTO = Path(__file__).parents[3] / "shared" / "photos" / "astronaut.png"
FACE = (slice(20, 250), slice(110, 340))  # of the photograph: a head
SIDE = 230
OFFSET = (35, 20)  # of the layer in the image
W, H = 500, 260


@pytest.fixture
def heads(gimp):
    """The same noisy head twice, side by side."""
    if not PHOTO.exists():
        pytest.skip(f"no photograph at {PHOTO}")
    clean = np.asarray(Image.open(PHOTO).convert("RGB"))[FACE]
    head = np.clip(clean + np.random.default_rng(2).normal(0, 12, clean.shape), 0, 255).astype(np.uint8)
    Image.fromarray(np.hstack([head, head])).save(gimp.folder / "layer.png")
    Image.fromarray(np.full((H, W, 3), (40, 90, 60), np.uint8)).save(gimp.folder / "in.png")


LOAD = f"""
image = load(); layer = Gimp.file_load_layer(NI, image, path("layer.png"))
image.insert_layer(layer, None, 0); layer.set_offsets{OFFSET}; image.set_selected_layers([layer])
dump_visible(image, "before")
def request(new): return bytes(new.get_parasite("frisket-request").get_data()).decode()
"""


def changed(gimp, name: str) -> np.ndarray:
    """(H, W) bool: where the image is another one."""
    before, after = (gimp.array(n, (H, W, 4), np.uint8) for n in ("before", name))
    return (before != after).any(-1)


def height(screen, window: str) -> int:
    return int(screen.do("getwindowgeometry", window).rpartition("x")[2])


def test_only_the_chosen_face_in_the_dialog(gimp, screen, heads):
    body = (
        LOAD
        + """
Gimp.Display.new(image); Gimp.displays_flush()
status, new = act("restore-faces", image, mode=Gimp.RunMode.INTERACTIVE, strength=1.0)
out["status"] = [status, str(new)]; out["request"] = request(new); dump_visible(image, "after")
image.remove_layer(new); status, new = act("restore-faces", image, mode=Gimp.RunMode.WITH_LAST_VALS)
out["again"] = request(new)
"""
    )
    with a_server(gimp), gimp.shown(screen, body):
        screen.window("^Restore Faces$", 60)
        time.sleep(1)
        screen.key("alt+f")
        chooser = screen.window("^Choose Faces$")
        until = time.monotonic() + 30
        while height(screen, chooser) < 130:  # before the faces are there it has one line and its buttons
            assert time.monotonic() < until
            time.sleep(0.1)
        time.sleep(0.5)
        screen.key("space")  # not the first one
        time.sleep(0.3)
        screen.key("alt+o")
        screen.window("^Restore Faces$")
        time.sleep(0.5)
        screen.key("alt+t")
        out = gimp.finished(60)
    assert out["status"][0] == "success", out
    (face,) = json.loads(json.loads(out["request"])["request"])["params"]["faces"]
    right = face["x"] + face["width"] / 2 > SIDE  # in the layer
    at = changed(gimp, "after")
    assert at.sum() > 2000
    middle = OFFSET[0] + SIDE
    assert not (at[:, :middle] if right else at[:, middle:]).any(), "the other head"
    assert json.loads(json.loads(out["again"])["request"])["params"]["faces"] == [], "another run looks for all"


def test_faces_from_a_script(gimp, heads):
    left = f"{OFFSET[0] + 20},{OFFSET[1] + 10},{SIDE - 40},{SIDE - 20}"
    body = (
        LOAD
        + f"""
status, new = act("restore-faces", image, strength=1.0, faces={left!r}); assert status == "success", new
dump_visible(image, "after"); image.remove_layer(new)
image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, {W}, {H})
status, new = act("restore-faces", image, strength=1.0, faces={left!r}); assert status == "success", new
dump_visible(image, "selected"); image.remove_layer(new)
out["rubbish"] = act("restore-faces", image, faces="the left one")
out["nowhere"] = act("restore-faces", image, faces="0,0,9,9")
"""
    )
    with a_server(gimp):
        out = gimp.run(body)
    for name in ("after", "selected"):
        at = changed(gimp, name)
        assert at.sum() > 2000
        assert not at[:, OFFSET[0] + SIDE :].any()
    assert out["rubbish"][0] == out["nowhere"][0] == "execution-error"
    assert "faces is 'the left one'" in out["rubbish"][1]
    assert "There is no face to restore" in out["nowhere"][1]
