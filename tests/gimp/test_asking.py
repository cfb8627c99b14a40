"""The dialogs in a GIMP with windows, by keyboard: earlier prompts, styles, the ratio of a canvas."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

OPEN = """
image = load(); image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 60, 120, 90)
Gimp.Display.new(image); Gimp.displays_flush()
ASK = Gimp.RunMode.INTERACTIVE
"""


@pytest.fixture
def photo(gimp):
    array = np.random.default_rng(3).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    Image.fromarray(array).save(gimp.folder / "in.png")


def dialog(screen, title: str) -> str:
    window = screen.window(f"^{title}$")
    time.sleep(1)
    return window


def sent(studio, number: int):
    return studio.jobs[f"job-{number}"][0].request


def test_earlier_prompts_and_ctrl_enter(gimp, studio, screen, photo):
    kept = gimp.folder / "frisket" / "prompts.json"
    body = f"""{OPEN}
for number in range(4):
    out[str(number)] = fill(image, mode=ASK)[0]
    signal("filled-%d" % number); wait_for("go-%d" % number)
"""
    with gimp.shown(screen, body):
        for number, words in enumerate(("a red barn", "a blue moon")):
            dialog(screen, "Fill Selection")
            screen.key("ctrl+a")
            screen.do("type", words)
            screen.key("ctrl+Return")
            gimp.wait_for(f"filled-{number}")
            (gimp.folder / f"go-{number}").touch()
        dialog(screen, "Fill Selection")
        screen.key("ctrl+a")
        screen.do("type", "typed")
        screen.key("ctrl+Up", "ctrl+Up", "ctrl+Up", "ctrl+Return")  # no further than the oldest
        gimp.wait_for("filled-2")
        assert json.loads(kept.read_text()) == {"picture prompt": ["a red barn", "a blue moon"]}
        (gimp.folder / "go-2").touch()
        dialog(screen, "Fill Selection")
        screen.key("ctrl+a")
        screen.do("type", "replaced")
        screen.key("alt+Down")
        time.sleep(0.5)
        screen.key("Down", "Return")  # the second entry
        time.sleep(0.5)
        screen.key("ctrl+Return")
        gimp.wait_for("filled-3")
        (gimp.folder / "go-3").touch()
        out = gimp.finished()
    assert set(out.values()) == {"success"}
    prompts = [sent(studio, number).inpaint.prompt for number in range(4)]
    assert prompts[:3] == ["a red barn", "a blue moon", "a red barn"]
    assert prompts[3] == "a blue moon"
    assert "replaced" in json.loads(kept.read_text())["picture prompt"]


def test_a_style_by_name_and_by_keyboard(gimp, studio, screen, photo):
    body = f"""{OPEN}
status, layer = fill(image, prompt="a barn", style="watercolour")
out["scripted"] = [status, layer.get_name()]
out["unknown"] = fill(image, prompt="a barn", style="crayon")
out["asked"] = fill(image, mode=ASK)[0]
"""
    with gimp.shown(screen, body):
        dialog(screen, "Fill Selection")
        screen.do("type", "a moon")
        screen.key("alt+l", "space")
        time.sleep(0.5)
        screen.key("Down", "Return")  # from none to the first of them
        time.sleep(0.5)
        screen.key("alt+f")
        out = gimp.finished()
    status, name = out["scripted"]
    assert status == "success"
    assert name.startswith("a barn (")
    assert sent(studio, 0).inpaint.prompt.startswith("a barn, watercolour")
    status, text = out["unknown"]
    assert status == "execution-error"
    assert "'crayon'" in text
    assert "'Watercolour'" in text
    assert out["asked"] == "success"
    assert sent(studio, 1).inpaint.prompt.startswith("a moon, 3D render")


def test_a_canvas_that_grows_to_a_ratio(gimp, studio, screen, photo):
    body = f"""{OPEN}
out["status"] = act("expand-canvas", image, mode=ASK)[0]
out["size"] = [image.get_width(), image.get_height()]
"""
    with gimp.shown(screen, body):
        dialog(screen, "Expand Canvas")
        screen.key("alt+k", "space")
        time.sleep(0.5)
        screen.key("Down", "Return")
        time.sleep(0.5)
        screen.key("alt+p")
        out = gimp.finished()
    assert out == {"status": "success", "size": [320, 320]}
    params = sent(studio, 0).outpaint
    assert (params.top, params.bottom, params.left, params.right) == (40, 40, 0, 0)


def test_a_style_of_ones_own_is_saved_and_deleted(gimp, studio, screen, photo):
    own = gimp.folder / "frisket" / "styles"
    body = f'{OPEN}out["status"] = fill(image, mode=ASK)[0]'
    with gimp.shown(screen, body):
        dialog(screen, "Fill Selection")
        screen.do("type", "white lines on blue")
        screen.key("alt+l", "Tab", "space")
        time.sleep(0.5)
        screen.key("Return")  # Save as Style...
        screen.window("^Save as Style$", 8)
        screen.do("type", "Blueprint")
        screen.key("Return")
        saved = json.loads(gimp.wait_for("frisket/styles/blueprint.json", 8).read_text())
        dialog(screen, "Fill Selection")
        screen.key("alt+l", "Tab", "space")
        time.sleep(0.5)
        screen.key("Down", "Return")  # Delete Style
        time.sleep(1)
        left = list(own.iterdir())
        screen.key("alt+f")
        out = gimp.finished(15)
    assert saved == {"name": "Blueprint", "prompt": "{prompt}, white lines on blue"}
    assert left == []
    assert out["status"] == "success"
