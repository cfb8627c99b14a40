"""What else is done in GIMP while the server works: other actions, and changes of the very image."""

from __future__ import annotations

import time

import numpy as np
import pytest
from console import Console, plugin_processes, press_in_menu
from negative_studio import negative
from PIL import Image
from real_gimp import a_server

from frisket.rpc.stubs import jobs_pb2

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

W, H = 320, 240
OPEN = """
def shown(name):
    image = load(name); image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 60, 80, 60); image.clean_all()
    Gimp.Display.new(image); Gimp.displays_flush()
    return image
def wait_until(true):
    until = time.monotonic() + 60
    while not true() and time.monotonic() < until: time.sleep(0.1)
def depth(image): return len(image.get_layers())
"""
TITLE = "^Remove Selected Object$"


def noise(path, width: int, height: int) -> np.ndarray:
    array = np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(array).save(path)
    return array


@pytest.fixture
def console(gimp, screen):
    """A shown GIMP with two images: `one` of 320 x 240, `two` of 300 x 200, which is in front."""
    noise(gimp.folder / "one.png", W, H)
    noise(gimp.folder / "two.png", 300, 200)
    console = Console(gimp, f"{OPEN}one = shown('one.png'); two = shown('two.png')")
    with gimp.shown(screen, console.body):
        console.ask("1")
        yield console


def start(screen, size: str) -> None:
    """Remove Selected Object in the image of this size."""
    if size == "320x240":
        screen.window("300x200")
        screen.key("alt+1")
    screen.window(size)
    press_in_menu(screen, "r")


def test_two_images_at_once(console, studio, screen, gimp, tmp_path):
    studio.pause = 6
    before = {name: (console.visible(name), console.ask(f"state({name})")) for name in ("two", "one")}
    start(screen, "300x200")
    screen.window(TITLE)
    start(screen, "320x240")
    until = time.monotonic() + 10
    while len(studio.jobs) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(plugin_processes(gimp)) == 2
    assert len([title for title in screen.titles() if title == "Remove Selected Object"]) == 2
    screen.shot(tmp_path / "both.png")
    console.ask("wait_until(lambda: depth(one) == depth(two) == 2)")
    for name, tab, size in (("one", "alt+1", "320x240"), ("two", "alt+2", "300x200")):
        assert console.ask(f"tree({name}.get_layers()[0])['box'][:2]") == [84, 44]
        screen.window("GIMP$")
        screen.key(tab)
        screen.window(size)
        screen.key("ctrl+z")
        time.sleep(0.7)
        assert (console.visible(name), console.ask(f"state({name})")) == before[name]


def test_two_actions_on_one_image_wait_for_each_other_at_a_real_server(console, screen, gimp):
    with a_server(gimp) as client:
        before = console.visible("two")
        start(screen, "300x200")
        screen.window(TITLE)
        screen.window("300x200")
        press_in_menu(screen, "r")
        console.ask("wait_until(lambda: depth(two) == 3)")
        jobs = client.jobs()
        assert [job.state for job in jobs] == [jobs_pb2.JOB_STATE_FINISHED] * 2
        assert {job.client for job in jobs} == {"gimp"}
        screen.window("300x200")
        screen.key("ctrl+z")
        time.sleep(0.7)
        assert console.ask("depth(two)") == 2
        screen.key("ctrl+z")
        time.sleep(0.7)
        assert console.visible("two") == before


def test_a_result_lands_right_in_an_image_that_was_worked_on(console, studio, screen, gimp):
    """The layer was moved, so what was selected of it moved along; a stroke was made; nothing is selected any more."""
    studio.pause = 5
    console.ask("two.insert_layer(Gimp.Layer.new_from_drawable(two.get_layers()[0], two), None, 1)")
    console.ask("two.set_selected_layers(two.get_layers()[:1])")
    start(screen, "300x200")
    assert studio.reached.wait(20)
    time.sleep(0.5)
    console.ask("globals().update(top=two.get_layers()[0], below=two.get_layers()[1])")
    console.ask("top.set_offsets(13, -7)")
    console.ask("Gimp.Selection.none(two)")
    console.ask("Gimp.pencil(below, [5.0, 150.0, 200.0, 190.0])")
    before, state = console.visible("two"), console.ask("state(two)")
    console.ask("wait_until(lambda: depth(two) == 3)")
    header, pixels, mask = studio.jobs["job-0"]
    region = header.request.region
    box = [region.x + 13, region.y - 7, region.width, region.height]
    assert console.ask("tree(two.get_layers()[0])['box']") == box
    console.ask("dump('pixels', raw(two.get_layers()[0]))")
    console.ask("dump('mask', raw(two.get_layers()[0].get_mask(), 'Y u8'))")
    assert (gimp.folder / "pixels.raw").read_bytes() == negative(pixels, header.request.format)
    assert (gimp.folder / "mask.raw").read_bytes() == mask
    assert console.ask("state(two)")["selected"] == state["selected"]
    screen.window("300x200")
    screen.key("ctrl+z")
    time.sleep(0.7)
    assert (console.visible("two"), console.ask("state(two)")) == (before, state)


OVERHEAR = """
def _overheard(procedure, text, _failed=_failed):
    with open("{file}", "w") as file:
        file.write(text)
    return _failed(procedure, text)
_failed = _overheard
"""


def test_the_image_is_closed_meanwhile(console, studio, screen, gimp):
    """Started by the user: a script would keep the image alive."""
    with open(gimp.folder / "plug-ins/frisket/frisket_gimp/procedure.py", "a") as file:
        file.write(OVERHEAR.format(file=f"{gimp.inside}/failed.txt"))
    studio.pause = 5
    start(screen, "300x200")
    assert studio.reached.wait(20)
    screen.window("300x200")
    screen.key("ctrl+w")
    console.ask("wait_until(lambda: not two.is_valid())")
    assert studio.left.wait(20)
    screen.window("GIMP Message")
    text = (gimp.folder / "failed.txt").read_text()
    assert "It was closed, or its layer deleted, while the server worked" in text
    assert "job-0" in text
    assert console.ask("depth(one)") == 1
    assert not plugin_processes(gimp)
