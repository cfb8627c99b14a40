"""The window that is shown while the server works: the picture so far, words, Cancel."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest
from console import plugin_processes
from PIL import Image
from real_gimp import a_server

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

W, H = 320, 240
OPEN = """
image = load(); image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 60, 120, 90); Gimp.Selection.feather(image, 9)
Gimp.Display.new(image); Gimp.displays_flush()
"""
REMOVE = "act('remove-object', image, mode=Gimp.RunMode.INTERACTIVE)"


@pytest.fixture
def photo(gimp):
    array = np.random.default_rng(3).integers(0, 256, (H, W, 3), dtype=np.uint8)
    Image.fromarray(array).save(gimp.folder / "in.png")
    return array


def seen(screen, window: str, path: Path) -> np.ndarray:
    screen.shot(path, window)
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def memory(gimp) -> int:
    """KiB of the plug-in's process."""
    (process,) = plugin_processes(gimp)
    return next(int(line.split()[1]) for line in (process / "status").read_text().splitlines() if "VmRSS" in line)


def test_previews_are_shown_without_a_leak_and_without_moving_the_window(gimp, studio, screen, photo, tmp_path):
    studio.pause = 8
    body = f"{OPEN}out['status'] = {REMOVE}[0]"
    with gimp.shown(screen, body):
        assert studio.reached.wait(40)
        window = screen.window("^Remove Selected Object$")
        time.sleep(1)
        size, first, before = (
            screen.do("getwindowgeometry", window),
            seen(screen, window, tmp_path / "1.png"),
            memory(gimp),
        )
        frames = studio.frames
        time.sleep(4)
        assert studio.frames - frames > 40
        after = memory(gimp)
        second = seen(screen, window, tmp_path / "2.png")
        assert screen.do("getwindowgeometry", window) == size
        out = gimp.finished()
    assert out["status"] == "success"
    assert after - before < 2048, "KiB more after 40 previews"
    bars = [int(np.argmax((shot[40:200] > 235).all(-1).mean(0))) for shot in (first, second)]
    assert bars[0] != bars[1], "the white bar moves"


LISTEN = """
def _overheard(self, text, fraction, _show=Progress._show):
    with open("{file}", "a") as file:
        file.write(text + "\\n")
    _show(self, text, fraction)
Progress._show = _overheard
"""


def overhear(gimp) -> Path:
    """A file that gets every text that the plug-in shows from now on."""
    with open(gimp.folder / "plug-ins/frisket/frisket_gimp/progress.py", "a") as file:
        file.write(LISTEN.format(file=f"{gimp.inside}/said.txt"))
    return gimp.folder / "said.txt"


def test_what_goes_on_is_said(gimp, studio, screen, photo, tmp_path):
    studio.waiting, studio.pause, studio.away = 1.0, 4.0, 1.5
    said = overhear(gimp)
    with gimp.shown(
        screen,
        f"{OPEN}out['status'] = {REMOVE}[0]; out['layers'] = len(image.get_layers())",
    ):
        out = gimp.finished(60)
    assert (out["status"], out["layers"]) == ("success", 2)
    texts = list(dict.fromkeys(re.sub(r"\d+ s", "_ s", line) for line in said.read_text().splitlines()))
    slow = [
        "Waiting for its turn (number 2)",
        "Working… about _ s left",
        "The connection broke; trying again…",
        "Working…",  # the last second
    ]
    assert [text for text in texts if text in slow] == slow, texts


def test_a_preview_is_decoded_in_no_time(gimp):
    from negative_studio import frame

    (gimp.folder / "frame.jpg").write_bytes(frame(1))
    out = gimp.run("""
import statistics, sys; sys.path[:0] = [D + "/plug-ins/frisket/vendor", D + "/plug-ins/frisket"]
from frisket_gimp import progress
data, times = open(D + "/frame.jpg", "rb").read(), []
for _ in range(20):
    began = time.perf_counter(); pixbuf = progress._decoded(data); times.append(time.perf_counter() - began)
out["ms"] = 1000 * statistics.median(times); out["all"] = [round(1000 * t, 2) for t in times]
out["size"] = [pixbuf.get_width(), pixbuf.get_height()]
out["none"] = progress._decoded(b"no picture") is None
out["about"] = [progress.about(seconds) for seconds in (1.2, 19.4, 43, 89, 91, 3600)]
moment = progress.Moment(progress.Stage.WORKING, seconds_left=12.0)
out["said"] = [progress.words(moment, since) for since in (0, 4, 11.5)]
out["fitting"] = [progress.fitting(*size) for size in ((512, 512), (512, 10), (10, 5000), (16, 16))]
""")
    assert out["about"] == ["about 1 s", "about 19 s", "about 45 s", "about 90 s", "about 2 min", "about 60 min"]
    assert out["said"] == ["Working… about 12 s left", "Working… about 8 s left", "Working…"]
    assert out["fitting"] == [[240, 240], [320, 6], [1, 240], [240, 240]]
    assert out["size"] == [320, 240]
    assert out["none"]
    assert out["ms"] < 10


DRAWN = """
def _drawn(self, pixbuf, draw=_Window.draw):
    with open("{file}", "a") as file:
        file.write("drawn\\n")
    draw(self, pixbuf)
_Window.draw = _drawn
"""


def test_previews_of_a_real_server_are_shown(gimp, screen):
    y, x = np.mgrid[0:900, 0:1200]
    waves = (128 + 60 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)
    Image.fromarray(waves).convert("RGB").save(gimp.folder / "in.png")
    with open(gimp.folder / "plug-ins/frisket/frisket_gimp/progress.py", "a") as file:
        file.write(DRAWN.format(file=f"{gimp.inside}/drawn.txt"))
    body = f"{OPEN}image.select_rectangle(Gimp.ChannelOps.REPLACE, 200, 200, 500, 400); out['status'] = {REMOVE}[0]"
    with a_server(gimp), gimp.shown(screen, body):
        assert gimp.finished(90)["status"] == "success"
    drawn = (gimp.folder / "drawn.txt").read_text().splitlines()
    assert len(drawn) >= 3, "what is to be worked on, and previews"
