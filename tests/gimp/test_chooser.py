"""The window that lets the user choose among several results, in the real GIMP, by keyboard."""

from __future__ import annotations

import time

import numpy as np
import pytest
from console import Console, plugin_processes, press_in_menu
from PIL import Image
from real_gimp import a_server

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

W, H = 320, 240
TITLE = "^Choose a Version$"
IMAGE = "in.*320x240"
OPEN = """
image = load(); image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 60, 120, 90); Gimp.Selection.feather(image, 9)
display = Gimp.Display.new(image); Gimp.displays_flush()
def children(): return image.get_layers()[0].get_children()
def wait_until(true):
    until = time.monotonic() + 30
    while not true() and time.monotonic() < until: time.sleep(0.1)
"""
SHOWN = "[child.get_visible() for child in children()]"
NAMES = "[child.get_name() for child in children()]"
BOXES = "[tree(child)['box'] for child in children()]"
MASKS = "[str(raw(child.get_mask())) for child in children()]"
DEPTH = "len(image.get_layers())"


@pytest.fixture
def console(gimp, studio, screen):
    """A shown GIMP with an image of noise."""
    array = np.random.default_rng(3).integers(0, 256, (H, W, 3), dtype=np.uint8)
    Image.fromarray(array).save(gimp.folder / "in.png")
    console = Console(gimp, OPEN)
    with gimp.shown(screen, console.body):
        console.ask("1")
        yield console


def vary(screen, key: str = "alt+y") -> str:
    """Four variations, started from the menu; the chooser's window."""
    screen.window(IMAGE)
    press_in_menu(screen, "v")
    screen.window("^Layer Variations$")
    time.sleep(1)
    screen.key(key)
    window = screen.window(TITLE)
    time.sleep(0.7)
    return window


def undo(screen, key: str = "ctrl+z") -> None:
    screen.window(IMAGE)
    screen.key(key)
    time.sleep(0.7)


def test_arrows_show_the_others_and_one_undo_takes_all(console, screen, tmp_path):
    before, state = console.visible(), console.ask("state(image)")
    window = vary(screen)
    assert console.ask(SHOWN) == [True, False, False, False]
    screen.key("Right", "Right")
    time.sleep(0.5)
    assert console.ask(SHOWN) == [False, False, True, False]
    screen.shot(tmp_path / "chooser.png", window)
    screen.shot(tmp_path / "all.png")
    after = console.visible()
    assert after != before
    screen.key("b")
    time.sleep(0.5)
    assert console.visible() == before
    screen.key("b")
    time.sleep(0.5)
    assert console.visible() == after
    screen.key("Escape")
    time.sleep(0.7)
    undo(screen)
    assert (console.visible(), console.ask("state(image)")) == (before, state)
    undo(screen, "ctrl+y")
    assert console.visible() == after
    assert console.ask(SHOWN) == [False, False, True, False]


def test_more_like_this_is_one_step_whatever_was_looked_at_since(console, studio, screen, tmp_path):
    original = console.visible()
    vary(screen)
    screen.key("Right")
    time.sleep(0.5)
    before, seeds = console.visible(), console.ask(NAMES)
    screen.key("alt+m")
    window = screen.window(TITLE)
    console.ask("wait_until(lambda: len(children()) == 8)")
    time.sleep(1)
    asked = studio.jobs["job-1"][0].request
    assert (asked.count, round(asked.variation.strength, 2)) == (4, 0.3)
    assert (asked.variation.dials.grow, asked.variation.dials.feather) == (0, 0)
    assert console.ask(SHOWN) == [False] * 4 + [True] + [False] * 3
    names = console.ask(NAMES)
    assert names[:4] == seeds
    assert len({*names}) == 8, "new seeds"
    assert len({*map(tuple, console.ask(BOXES))}) == 1, "the same box"
    assert len({*console.ask(MASKS)}) == 1, "the same mask"
    screen.shot(tmp_path / "more.png", window)
    assert console.visible() != before, "the negative of the negative"
    screen.key("Up", "Left")  # the first of the old ones
    time.sleep(0.5)
    assert console.ask(SHOWN) == [True] + [False] * 7
    after = console.visible()
    undo(screen)
    assert console.visible() == before
    assert console.ask(SHOWN) == [False, True, False, False]
    undo(screen, "ctrl+y")
    assert console.visible() == after
    undo(screen)
    undo(screen)
    assert console.visible() == original
    assert not plugin_processes(console.gimp), "the window is closed, with its group"


def test_more_cancelled_changes_nothing_and_the_window_stays(console, studio, screen):
    vary(screen)
    before, state = console.visible(), console.ask("state(image)")
    studio.pause = 30
    screen.key("alt+m")
    screen.window("^More Like This$")
    time.sleep(1)
    screen.key("Escape")
    until = time.monotonic() + 5
    while not studio.cancelled and time.monotonic() < until:
        time.sleep(0.05)
    assert studio.cancelled == ["job-1"]
    screen.window(TITLE)
    time.sleep(0.5)
    assert (console.visible(), console.ask("state(image)")) == (before, state)
    screen.key("Right")
    time.sleep(0.5)
    assert console.ask(SHOWN) == [False, True, False, False]
    studio.pause = 1
    screen.key("alt+m")  # the image goes while they are made
    screen.window("^More Like This$")
    console.ask("display.delete()")
    screen.window("GIMP Message")
    time.sleep(1)
    assert not plugin_processes(console.gimp)


def test_keep_only_this(console, screen):
    original = console.visible()
    vary(screen)
    screen.key("Right", "Right", "Right")
    time.sleep(0.5)
    before, names = console.visible(), console.ask(NAMES)
    screen.key("alt+k")
    time.sleep(0.7)
    assert console.ask(DEPTH) == 2
    assert console.ask("image.get_layers()[0].get_name()") == names[3]
    assert console.visible() == before
    assert not plugin_processes(console.gimp)
    undo(screen)
    assert console.ask(SHOWN) == [False, False, False, True]
    assert console.visible() == before
    undo(screen)
    assert console.visible() == original


@pytest.mark.parametrize("how", ["undone", "deleted", "closed"])
def test_the_window_goes_with_what_it_is_for(console, screen, how):
    vary(screen)
    if how == "undone":
        undo(screen)
    elif how == "deleted":
        console.ask("image.remove_layer(image.get_layers()[0])")
    else:
        console.ask("display.delete()")
    time.sleep(1.2)
    assert not plugin_processes(console.gimp)
    assert "Choose a Version" not in screen.titles()


def test_gimp_goes_on_meanwhile_and_the_window_can_be_had_again(console, studio, screen):
    vary(screen)
    screen.window(IMAGE)
    press_in_menu(screen, "r")  # Remove Selected Object, while the window is open
    console.ask("wait_until(lambda: len(image.get_layers()) == 3)")
    screen.window(TITLE)
    screen.key("Escape")
    time.sleep(0.7)
    assert not plugin_processes(console.gimp)
    group = "next(layer for layer in image.get_layers() if layer.is_group())"
    console.ask(f"image.set_selected_layers([{group}.get_children()[1]])")
    screen.window(IMAGE)
    press_in_menu(screen, "c")
    screen.window(TITLE)
    time.sleep(0.7)
    screen.key("Right")
    time.sleep(0.5)
    assert console.ask(f"[child.get_visible() for child in {group}.get_children()]") == [False, True, False, False]
    screen.key("Escape")


def test_quitting_gimp_with_it_open(console, gimp, screen):
    vary(screen)
    screen.window(IMAGE)
    screen.key("ctrl+q")
    screen.window("Quit GIMP")
    time.sleep(0.5)
    screen.key("ctrl+d")
    until = time.monotonic() + 10
    while (plugin_processes(gimp) or any(screen.titles())) and time.monotonic() < until:
        time.sleep(0.1)
    assert not plugin_processes(gimp)
    assert not any(screen.titles())


def test_more_of_the_built_in_engine_has_the_same_place_and_mask(gimp, screen):
    y, x = np.mgrid[0:H, 0:W]
    Image.fromarray((128 + 60 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)).convert("RGB").save(
        gimp.folder / "in.png"
    )
    console = Console(gimp, OPEN)
    with a_server(gimp), gimp.shown(screen, console.body):
        console.ask("1")
        vary(screen)
        screen.key("Right")
        time.sleep(0.5)
        screen.key("alt+m")
        console.ask("wait_until(lambda: len(children()) == 8)")
        time.sleep(1)
        assert len({*map(tuple, console.ask(BOXES))}) == 1
        assert len({*console.ask(MASKS)}) == 1
        assert len({*console.ask("[str(raw(child)) for child in children()]")}) == 8
        assert "0.3" in console.ask("str(json.loads(bytes(children()[7].get_parasite('frisket-request').get_data())))")
        screen.key("Escape")
