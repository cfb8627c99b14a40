"""GIMP, plug-in, a real server and a diffusion model whose right answer is known, from the prompt to one undo."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from real_gimp import Gimp, Screen, a_server

from frisket.client.client import Client
from frisket.edits.requests import InpaintParams, from_json
from frisket.models import record as records
from frisket.models.choice import LOCK
from frisket.models.families import Family
from frisket.rpc.stubs import jobs_pb2

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
pytestmark = [
    pytest.mark.gimp,
    pytest.mark.diffusion,
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
]

W, H = 320, 240
RED = (0.9, 0.1, 0.1)
PROMPT = "a red barn"
SELECT = "image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 60, 120, 90); Gimp.Selection.feather(image, 9)"
NOTE = """
def note(name):
    out[name] = state(image); dump_visible(image, name)
"""


@pytest.fixture
def painter(gimp: Gimp, tmp_path: Path) -> Iterator[Client]:
    """A client of a real server with a model that paints every hole red, in 40 steps, and one that paints all red."""
    from engines.diffusion import zoo
    from engines.diffusion.analytic import colour_painter, plain_painter

    models = gimp.folder / "frisket-home" / "models"
    models.mkdir()
    made = zoo.install(Family.SD15_INPAINT, colour_painter(tmp_path / "made", RED), models, "painter")
    (models / "painter" / LOCK).unlink()
    records.write(models / "painter", replace(made, defaults={"native_px": 128, "steps": 40}))
    made = zoo.install(Family.SD15, plain_painter(tmp_path / "plain", RED), models, "wall")
    (models / "wall" / LOCK).unlink()
    records.write(models / "wall", replace(made, defaults={"native_px": 128, "steps": 4}))
    with a_server(gimp) as client:
        yield client


@pytest.fixture
def photo(gimp: Gimp) -> np.ndarray:
    y, x = np.mgrid[0:H, 0:W]
    slopes = np.stack([60 + 120 * x / W, 90 + 100 * y / H, 180 - 90 * x / W], -1)
    array = np.clip(slopes + np.random.default_rng(3).normal(0, 8, slopes.shape), 0, 255).astype(np.uint8)
    Image.fromarray(array).save(gimp.folder / "in.png")
    return array


def watched(client: Client) -> tuple[str, list[jobs_pb2.JobEvent]]:
    """The first job that comes, and its events with previews."""
    until = time.monotonic() + 60
    while not (jobs := client.jobs()):
        assert time.monotonic() < until, "no job came"
        time.sleep(0.02)
    return jobs[0].id, list(client.watch(jobs[0].id, previews=True))


def check_previews(events: list[jobs_pb2.JobEvent]) -> None:
    assert events[-1].WhichOneof("what") == "finished", events[-1]
    previews = [event.preview for event in events if event.WhichOneof("what") == "preview"]
    assert previews
    seen = cv2.imdecode(np.frombuffer(previews[-1].jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert seen is not None
    middle = seen[seen.shape[0] // 2, seen.shape[1] // 2, ::-1].astype(int)  # of the crop, and so of the selection
    assert middle[0] > middle[1:].max() + 50, "red shows already: the last preview may be of half the steps"


def check_placed(gimp: Gimp, client: Client, job: str, layer: dict, photo: np.ndarray) -> None:
    """The layer is the server's result under its mask; red where it was selected, all else as it was."""
    result = client.result(job)
    request = from_json(result.request_json)
    assert isinstance(request.params, InpaintParams)
    assert (request.engine, request.params.prompt) == ("painter", PROMPT)
    box = result.box
    assert layer["box"] == [box.x, box.y, box.width, box.height]
    assert layer["mask"]
    before, after = (gimp.array(name, (H, W, 4), np.uint8) for name in ("before", "after"))
    np.testing.assert_array_equal(before[..., :3], photo)
    weight = np.zeros((H, W), np.uint8)
    weight[box.slices] = np.frombuffer(result.mask, np.uint8).reshape(box.height, box.width)
    np.testing.assert_array_equal(after[weight == 0], before[weight == 0])
    selection = gimp.array("selection", (H, W), np.uint8)
    assert (weight[selection == 255] == 255).all()
    reach = cv2.dilate((selection > 0).astype(np.uint8), np.ones((65, 65), np.uint8))
    assert not weight[reach == 0].any()
    off = np.abs(after[selection == 255, :3].astype(int) - np.rint(np.array(RED) * 255))
    assert np.median(off) <= 8
    assert off.max() <= 20


def test_the_prompt_typed_and_the_result_placed_with_one_undo(
    gimp: Gimp, screen: Screen, painter: Client, photo: np.ndarray
) -> None:
    body = f"""
image = load(); {SELECT}
Gimp.Display.new(image); Gimp.displays_flush()
{NOTE}
note("before"); dump("selection", raw(image.get_selection(), "Y u8"))
status, layer = fill(image, mode=Gimp.RunMode.INTERACTIVE)
out["result"] = [status, str(layer)]; note("after"); out["layer"] = tree(layer)
out["parasite"] = json.loads(bytes(layer.get_parasite("frisket-request").get_data()))
signal("filled"); wait_for("undone"); time.sleep(1); note("undone")
"""
    with gimp.shown(screen, body):
        screen.window("^Fill Selection$")
        time.sleep(1.5)  # the server has told its engines
        screen.do("type", PROMPT)
        screen.key("alt+e")
        screen.do("type", "pai")  # the rest is completed from what there is
        time.sleep(0.5)
        screen.key("alt+f")
        job, events = watched(painter)
        gimp.wait_for("filled", 60)
        screen.window("in.*320x240")
        screen.key("ctrl+z")
        (gimp.folder / "undone").touch()
        out = gimp.finished()
    assert out["result"][0] == "success", out["result"]
    check_previews(events)
    check_placed(gimp, painter, job, out["layer"], photo)
    assert out["parasite"]["made_by"]["model"] == "painter"
    assert out["parasite"]["made_by"]["trained"]
    assert len(out["after"]["layers"]) == len(out["before"]["layers"]) + 1
    assert out["undone"] == out["before"]
    assert (gimp.folder / "undone.raw").read_bytes() == (gimp.folder / "before.raw").read_bytes()


def test_a_script_asks_for_the_model_by_its_name_and_for_a_layer_of_words(
    gimp: Gimp, painter: Client, photo: np.ndarray
) -> None:
    assert {"painter", "wall"} <= {engine.id for engine in painter.engines()}
    out = gimp.run(f"""
image = load(); {SELECT}
{NOTE}
note("before"); dump("selection", raw(image.get_selection(), "Y u8"))
status, layer = fill(image, prompt={json.dumps(PROMPT)}, engine="painter", seed=3); assert status == "success", layer
note("after"); out["layer"] = tree(layer); image.remove_layer(layer)
status, layer = act("text-to-layer", image, prompt={json.dumps(PROMPT)}); assert status == "success", layer
note("worded"); out["words"] = tree(layer); dump("words", raw(layer)); image.remove_layer(layer)
Gimp.Selection.none(image)
status, layer = act("layer-variations", image, count=1, strength=1.0, engine="wall"); assert status == "success", layer
out["varied"] = tree(layer); dump("varied", raw(layer)); image.delete()
""")
    filled = next(job for job in painter.jobs() if job.task == "inpaint")
    check_placed(gimp, painter, filled.id, out["layer"], photo)
    selection = gimp.array("selection", (H, W), np.uint8)
    before, worded = (gimp.array(name, (H, W, 4), np.uint8) for name in ("before", "worded"))
    np.testing.assert_array_equal(worded[selection == 0], before[selection == 0])
    red = np.rint(np.array(RED) * 255)
    assert np.abs(worded[selection == 255, :3].astype(int) - red).max() <= 20
    _, _, w, h = out["words"]["box"]
    assert gimp.array("words", (h, w, 4), np.uint8)[..., 3].min() == 255
    assert out["varied"]["box"] == [0, 0, W, H]
    assert np.median(np.abs(gimp.array("varied", (H, W, 3), np.uint8).astype(int) - red)) <= 20
