"""The plug-in in a GIMP with windows: undo, the dialog, Cancel, errors."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from frisket.rpc import convert

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

W, H = 320, 240
OPEN = """
image = load(); image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 60, 120, 90); Gimp.Selection.feather(image, 9)
Gimp.Display.new(image); Gimp.displays_flush()
"""
INTERACTIVE = "mode=Gimp.RunMode.INTERACTIVE"


@pytest.fixture
def photo(gimp):
    array = np.random.default_rng(3).integers(0, 256, (H, W, 3), dtype=np.uint8)
    Image.fromarray(array).save(gimp.folder / "in.png")
    return array


@pytest.mark.parametrize("count", [1, 3])
def test_one_undo_brings_the_image_back(gimp, studio, screen, photo, count):
    body = f"""{OPEN}
def note(name):
    out[name] = state(image); dump_visible(image, name); dump(name + "-selection", raw(image.get_selection(), "Y u8"))
note("before"); status, layer = fill(image, count={count}); out["result"] = [status, str(layer)]; note("after")
signal("filled"); wait_for("undone"); time.sleep(1); note("undone")
signal("noted"); wait_for("redone"); time.sleep(1); note("redone")
"""
    with gimp.shown(screen, body):
        gimp.wait_for("filled")
        screen.window("in.*320x240")
        screen.key("ctrl+z")
        (gimp.folder / "undone").touch()
        gimp.wait_for("noted")
        screen.key("ctrl+y")
        (gimp.folder / "redone").touch()
        out = gimp.finished()
    assert out["result"][0] == "success", out["result"]
    assert out["before"] != out["after"]
    assert out["undone"] == out["before"]
    assert out["redone"]["layers"] == out["after"]["layers"]

    def noted(name: str) -> bytes:
        return (gimp.folder / f"{name}.raw").read_bytes()

    assert noted("undone") == noted("before") != noted("after")
    assert noted("redone") == noted("after")
    assert noted("undone-selection") == noted("before-selection")


UNDOABLE = {  # action -> its settings; each with a selection
    "expand-canvas": {"left": 30, "bottom": 40},
    "layer-variations": {"count": 3},
    "upscale-layer": {"into": "layer"},
    "text-to-layer": {"prompt": "a moon"},
    "select-subject": {},
    "restore-faces": {},
}


def test_one_undo_brings_the_image_back_after_each_action(gimp, studio, screen, photo):
    body = f"""{OPEN}
image.get_selected_layers()[0].add_alpha()
def note(name):
    out[name] = state(image); dump_visible(image, name); dump(name + "-selection", raw(image.get_selection(), "Y u8"))
for action, settings in {UNDOABLE}.items():
    note("before-" + action); status, layer = act(action, image, **settings); assert status == "success", layer
    note("after-" + action)
    signal("did-" + action); wait_for("undone-" + action); time.sleep(0.7); note("undone-" + action)
"""
    with gimp.shown(screen, body):
        for action in UNDOABLE:
            gimp.wait_for(f"did-{action}")
            screen.window("in.*320x240" if action != "expand-canvas" else "in.*350x280")
            screen.key("ctrl+z")
            (gimp.folder / f"undone-{action}").touch()
        out = gimp.finished()

    def noted(name: str) -> bytes:
        return (gimp.folder / f"{name}.raw").read_bytes()

    for action in UNDOABLE:
        assert out[f"undone-{action}"] == out[f"before-{action}"], action
        assert noted(f"undone-{action}") == noted(f"before-{action}")
        assert noted(f"undone-{action}-selection") == noted(f"before-{action}-selection")
        shown = [noted(f"{when}-{action}") + noted(f"{when}-{action}-selection") for when in ("before", "after")]
        assert out[f"after-{action}"] != out[f"before-{action}"] or shown[0] != shown[1]


def test_typing_a_prompt_and_pressing_fill(gimp, studio, screen, photo):
    body = f"""{OPEN}
status, layer = fill(image, {INTERACTIVE})
out["status"] = status; out["layers"] = len(image.get_layers())
out["again"] = fill(image, mode=Gimp.RunMode.WITH_LAST_VALS)[0]
"""
    with gimp.shown(screen, body):
        screen.window("^Fill Selection$")
        time.sleep(0.5)
        screen.do("type", "a red barn")  # goes to the prompt: its blanks press no button
        screen.key("alt+f")
        out = gimp.finished()
    assert (out["status"], out["layers"]) == ("success", 2)
    request = studio.jobs["job-0"][0].request
    assert request.inpaint.prompt == "a red barn"
    assert not request.inpaint.dials.HasField("context")
    assert out["again"] == "success"
    assert studio.jobs["job-1"][0].request.inpaint.prompt == "a red barn"


def test_the_engines_own_options_are_set_in_the_dialog(gimp, studio, screen, photo):
    body = f"""{OPEN}
out["status"] = act("layer-variations", image, {INTERACTIVE})[0]
out["again"] = act("layer-variations", image, mode=Gimp.RunMode.WITH_LAST_VALS)[0]
"""
    with gimp.shown(screen, body):
        screen.window("^Layer Variations$")
        time.sleep(1.5)  # the server has told its engines
        screen.key("alt+o")  # unfolded, and the keyboard there
        time.sleep(0.3)
        screen.key("Tab", "ctrl+a")
        screen.do("type", "4")
        screen.key("Tab", "Down", "Tab", "space", "Tab", "ctrl+a")  # the next choice; not sharp
        screen.do("type", "0.25")
        screen.key("Tab")
        screen.do("type", "ink")
        time.sleep(0.3)
        screen.key("alt+y")
        screen.window("^Choose a Version$")
        screen.key("Escape")
        out = gimp.finished()
    assert (out["status"], out["again"]) == ("success", "success")
    wanted = {"quality": 4, "paper": "b", "sharp": False, "gain": 0.25, "word": "ink"}
    for name in ("job-0", "job-1"):
        given = studio.jobs[name][0].request.engine_params
        assert {param: convert.value_from_proto(value) for param, value in given.items()} == wanted


def test_an_action_without_a_dialog_asks_nothing_and_a_new_image_is_shown(gimp, studio, screen, photo):
    body = f"""{OPEN}
out["removed"] = act("remove-object", image, {INTERACTIVE})[0]; out["layers"] = len(image.get_layers())
out["subject"] = act("select-subject", image, {INTERACTIVE})[0]
status, layer = act("upscale-layer", image, {INTERACTIVE}); out["enlarged"] = status
signal("shown"); wait_for("seen"); out["kept"] = len(image.get_layers())
"""
    with gimp.shown(screen, body):
        screen.window("^Upscale Layer$")  # the first dialog that comes
        time.sleep(0.5)
        screen.key("alt+p")
        gimp.wait_for("shown")
        screen.window("640x480")
        (gimp.folder / "seen").touch()
        out = gimp.finished()
    assert out == {"removed": "success", "layers": 2, "subject": "success", "enlarged": "success", "kept": 2}
    assert not studio.jobs["job-0"][0].request.inpaint.prompt


@pytest.mark.parametrize("key", ["Escape", "alt+F4", "alt+c"])
def test_cancel_in_the_progress_window(gimp, studio, screen, photo, key):
    studio.pause = 30
    body = f"""{OPEN}
before = state(image); dump_visible(image, "before")
out["result"] = fill(image, {INTERACTIVE}); out["same"] = state(image) == before; dump_visible(image, "after")
"""
    with gimp.shown(screen, body):
        screen.window("^Fill Selection$")
        time.sleep(0.5)
        screen.key("alt+f")
        assert studio.reached.wait(20)
        time.sleep(0.5)
        screen.window("^Fill Selection$")
        began = time.monotonic()
        screen.key(key)
        out = gimp.finished()
        assert time.monotonic() - began < 4
    assert out["result"][0] == "cancel"
    assert out["same"]
    assert (gimp.folder / "after.raw").read_bytes() == (gimp.folder / "before.raw").read_bytes()
    assert studio.cancelled == ["job-0"]


def test_leaving_the_dialog_asks_nothing_of_the_server(gimp, studio, screen, photo):
    body = f'{OPEN}out["result"] = fill(image, {INTERACTIVE})[0]'
    with gimp.shown(screen, body):
        screen.window("^Fill Selection$")
        time.sleep(0.5)
        screen.key("Escape")
        assert gimp.finished()["result"] == "cancel"
    assert not studio.jobs


def test_a_result_is_not_forced_into_an_image_that_changed(gimp, studio, screen, photo):
    studio.pause = 6
    body = f"{OPEN}out['result'] = fill(image); out['layers'] = len(image.get_layers())"
    with gimp.shown(screen, body):
        assert studio.reached.wait(40)
        screen.window("320x240")
        screen.key("alt+i", "m", "g")  # Image > Mode > Grayscale, while the server works
        out = gimp.finished()
    status, text = out["result"]
    assert status == "execution-error"
    assert "resized or converted while the server worked" in text
    assert "job-0" in text
    assert out["layers"] == 1
