"""*Frisket Server* in the real GIMP: which server, how it is, and its models."""

from __future__ import annotations

import contextlib
import json
import os
import time

import numpy as np
import pytest
from PIL import Image
from real_gimp import a_server

from fakes.hub import FakeHub, Fault
from fakes.model_server import LICENCE
from fakes.weights import UNET, pipeline
from frisket.client.models import Models
from frisket.client.places import Runtime, read_runtime, write_runtime
from frisket.errors import ServerNotRunning
from frisket.rpc.stubs import models_pb2

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

OPEN = """
image = load(); Gimp.Display.new(image); Gimp.displays_flush()
out["status"] = act("server", image, mode=Gimp.RunMode.INTERACTIVE)[0]
"""
PAINT = {
    "title": "Paint",
    "repository": "acme/paint",
    "revision": "main",
    "family": "sd15-inpaint",
    "licence": LICENCE,
    "memory_needed": 5,
}


@pytest.fixture
def photo(gimp):
    array = np.random.default_rng(7).integers(0, 256, (80, 100, 3), dtype=np.uint8)
    Image.fromarray(array).save(gimp.folder / "in.png")


@pytest.fixture
def hub(monkeypatch):
    """A hub on this machine, the only one that a server started from here knows."""
    for name in [n for n in os.environ if n.lower().endswith("_proxy") or n.startswith("HF_")]:
        monkeypatch.delenv(name)
    with FakeHub({"acme/paint": pipeline(unet_bytes=400_000)}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def kept(gimp) -> dict:
    return json.loads((gimp.folder / "frisket" / "server.json").read_text())


def test_the_server_that_is_chosen_is_the_one_of_all_actions(gimp, photo):
    body = """
image = load(); image.select_rectangle(Gimp.ChannelOps.REPLACE, 20, 20, 30, 30)
out["first"] = fill(image)[0]
out["set"] = act("server", image, server="127.0.0.1:9")[0]
out["nobody"] = fill(image)
out["wrong"] = act("server", image, server="frisket://nonsense")
out["still"] = fill(image)[0]
out["back"] = act("server", image)[0]
out["last"] = fill(image)[0]
"""
    with a_server(gimp):
        out = gimp.run(body)
    assert [out[name] for name in ("first", "set", "back", "last")] == ["success"] * 4
    assert out["nobody"][0] == out["wrong"][0] == out["still"] == "execution-error"
    assert "127.0.0.1:9" in out["nobody"][1]
    assert kept(gimp) == {"address": ""}
    assert (gimp.folder / "frisket" / "server.json").stat().st_mode & 0o777 == 0o600


def test_its_window_tells_how_the_server_is_and_takes_another_one(gimp, screen, photo):
    with a_server(gimp), gimp.shown(screen, OPEN):
        window = screen.window("^Frisket Server$", 60)
        time.sleep(1.5)
        screen.shot(gimp.folder / "server.png", window)
        screen.key("alt+a")
        screen.key("Tab")
        runtime = read_runtime(gimp.folder / "frisket-home")
        screen.do("type", runtime.address)
        screen.key("Return")
        time.sleep(1)
        assert kept(gimp) == {"address": runtime.address}
        screen.shot(gimp.folder / "server-there.png", window)
        screen.key("alt+t")
        time.sleep(0.5)
        assert kept(gimp) == {"address": ""}
        screen.key("Escape")
        assert gimp.finished()["status"] == "success"


def test_a_model_is_fetched_checked_and_removed(gimp, screen, photo, hub):
    offered(gimp)
    with a_server(gimp) as client, gimp.shown(screen, OPEN):
        models = Models(client.transport)
        window = screen.window("^Frisket Server$", 60)
        screen.key("alt+m")
        time.sleep(1.5)
        screen.key("End")  # of the list
        time.sleep(0.5)
        screen.shot(gimp.folder / "models.png", window)
        screen.key("alt+d")
        time.sleep(1)
        screen.shot(gimp.folder / "terms.png")
        screen.key("alt+y")
        wait_for(models, models_pb2.Model.STATE_INSTALLED)
        time.sleep(1)
        screen.shot(gimp.folder / "installed.png", window)
        screen.window("^Frisket Server$")
        screen.key("alt+h")
        time.sleep(1)
        screen.shot(gimp.folder / "checked.png", window)
        screen.key("alt+r")
        time.sleep(1)
        screen.key("alt+y")
        wait_for(models, models_pb2.Model.STATE_AVAILABLE)
        screen.window("^Frisket Server$")
        screen.key("Escape")
        assert gimp.finished()["status"] == "success"


def test_a_download_is_cancelled_and_goes_on_where_it_was(gimp, screen, photo, hub):
    offered(gimp)
    hub.faults[UNET] = [Fault(slow=1.0)]  # s after every 64 KiB
    with a_server(gimp) as client, gimp.shown(screen, OPEN):
        models = Models(client.transport)
        window = screen.window("^Frisket Server$", 60)
        screen.key("alt+m")
        time.sleep(1.5)
        screen.key("End")  # of the list
        time.sleep(0.5)
        screen.key("alt+d")
        time.sleep(1)
        screen.key("alt+y")
        wait_for(models, models_pb2.Model.STATE_AVAILABLE, pulling=True)
        time.sleep(3)
        screen.window("^Frisket Server$")
        screen.shot(gimp.folder / "pulling.png", window)
        screen.key("alt+a")
        wait_for(models, models_pb2.Model.STATE_AVAILABLE)
        assert hub.ranges(UNET) == [""]
        time.sleep(1)
        screen.shot(gimp.folder / "cancelled.png", window)
        screen.key("alt+d")
        time.sleep(1)
        screen.key("alt+y")
        wait_for(models, models_pb2.Model.STATE_INSTALLED)
        screen.window("^Frisket Server$")
        screen.key("Escape")
        assert gimp.finished()["status"] == "success"
    (first,) = (asked for asked in hub.ranges(UNET) if asked)
    assert int(first.removeprefix("bytes=").rstrip("-")) >= 1 << 16, "what had come is kept"


def offered(gimp) -> None:
    """The server's catalogue has one model of the hub's."""
    folder = gimp.folder / "frisket-home" / "catalogue"
    folder.mkdir(parents=True)
    (folder / "mine.json").write_text(json.dumps({"models": {"paint": PAINT}}))


def wait_for(models: Models, state: int, pulling: bool = False) -> None:
    until = time.monotonic() + 30
    while True:
        model = next(model for model in models.catalogue().models if model.id == "paint")
        if (model.state, model.pulling) == (state, pulling):
            return
        assert time.monotonic() < until
        time.sleep(0.2)


def test_this_computers_server_is_stopped(gimp, screen, photo):
    with a_server(gimp), gimp.shown(screen, OPEN):
        screen.window("^Frisket Server$", 60)
        time.sleep(1.5)
        screen.key("alt+o")
        until = time.monotonic() + 20
        while True:
            try:
                read_runtime(gimp.folder / "frisket-home")
            except ServerNotRunning:
                break
            assert time.monotonic() < until
            time.sleep(0.2)
        screen.key("Escape")
        assert gimp.finished()["status"] == "success"


def test_how_it_is_started_is_set_and_prompts_are_forgotten(gimp, screen, photo):
    home, models = gimp.folder / "frisket-home", gimp.folder / "my models"
    models.mkdir()
    seen = f"{gimp.inside}/my models"
    next_one = Runtime("127.0.0.1:9", "token", os.getpid(), "0")
    write_runtime(gimp.folder / "next", next_one).rename(gimp.folder / "waiting.json")
    prompts, serving = gimp.folder / "frisket" / "prompts.json", gimp.folder / "frisket" / "serving.json"
    prompts.parent.mkdir(parents=True)
    prompts.write_text(json.dumps({"picture prompt": ["a lake"]}))
    with a_server(gimp), gimp.shown(screen, OPEN):
        first = read_runtime(home)
        window = screen.window("^Frisket Server$", 60)
        screen.key("alt+e")
        time.sleep(1)
        screen.shot(gimp.folder / "settings.png", window)
        screen.key("alt+g")
        screen.do("type", "plenty")
        screen.key("alt+a")
        time.sleep(0.5)
        screen.shot(gimp.folder / "settings-refused.png", window)
        assert not serving.exists()
        screen.key("alt+g")
        screen.key("ctrl+a")
        screen.do("type", "3GB")
        screen.key("alt+d")
        screen.do("type", seen)
        screen.key("alt+f")
        screen.key("alt+a")
        time.sleep(0.5)
        told = json.loads(serving.read_text())
        assert (told["models"], told["gpu_memory"], told["safety_checker"]) == (seen, "3GB", True)
        assert read_runtime(home) == first  # it goes on as it is
        screen.key("alt+r")
        until = time.monotonic() + 40
        while noted(home) != next_one:
            assert time.monotonic() < until
            time.sleep(0.2)
        time.sleep(0.5)
        screen.shot(gimp.folder / "settings-restarted.png", window)
        options = gimp.wait_for("options.txt").read_text().splitlines()
        assert options == ["--models", seen, "--gpu-memory", "3GB", "--safety-checker"]
        screen.key("alt+p")
        screen.key("alt+o")
        time.sleep(0.5)
        assert json.loads(prompts.read_text()) == {"remember": False}
        screen.key("Escape")
        assert gimp.finished()["status"] == "success"


def noted(home):
    """The server that is noted as running, if one is."""
    with contextlib.suppress(ServerNotRunning):
        return read_runtime(home)
