"""GIMP, plug-in and a real server together: what a user does first, without weights."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image
from real_gimp import a_server, kill

from frisket.rpc.stubs import jobs_pb2

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

W, H = 320, 240
SELECT = "image.select_ellipse(Gimp.ChannelOps.REPLACE, 130, 90, 50, 40); Gimp.Selection.feather(image, 6)"


@pytest.fixture
def server(gimp):
    with a_server(gimp) as client:
        yield client


@pytest.fixture
def stripes(gimp) -> np.ndarray:
    """Slanted stripes with grain and a black blot in the middle, in.png; the picture without the blot."""
    y, x = np.mgrid[0:H, 0:W]
    wave = 128 + 80 * np.sin((x + 0.5 * y) / 6)
    grain = np.random.default_rng(5).normal(0, 4, (H, W, 3))
    clean = np.clip(wave[..., None] * (1.0, 0.9, 0.7) + grain, 0, 255).astype(np.uint8)
    blotted = clean.copy()
    blotted[(x - 155) ** 2 / 20**2 + (y - 110) ** 2 / 15**2 < 1] = 0
    Image.fromarray(blotted).save(gimp.folder / "in.png")
    return clean


def test_a_blot_is_filled_and_nothing_else_changes(gimp, server, stripes):
    out = gimp.run(f"""
image = load(); {SELECT}
dump_visible(image, "before"); dump("selection", raw(image.get_selection(), "Y u8"))
for name, seed in (("one", 7), ("same", 7), ("other", 8)):
    status, layer = fill(image, seed=seed); assert status == "success", layer
    dump_visible(image, name); dump(name + "-layer", raw(layer)); out[name] = tree(layer)["box"]
    image.remove_layer(layer)
image.delete()
""")
    selection = gimp.array("selection", (H, W), np.uint8)
    before, after = (gimp.array(name, (H, W, 4), np.uint8) for name in ("before", "one"))
    np.testing.assert_array_equal(after[selection == 0], before[selection == 0])

    def error(picture: np.ndarray) -> float:
        return float(np.abs(picture[..., :3].astype(float) - stripes)[selection == 255].mean())

    assert error(after) < error(before) / 3  # the stripes go on where the blot was
    assert after[selection == 255, :3].min(0).max() > 0
    layers = [gimp.array(f"{name}-layer", (-1,), np.uint8) for name in ("one", "same", "other")]
    np.testing.assert_array_equal(layers[0], layers[1])
    assert out["one"] == out["same"]
    assert not np.array_equal(layers[0], layers[2])
    assert {job.client for job in server.jobs()} == {"gimp"}


def test_a_job_survives_a_killed_gimp(gimp, server, stripes):
    Image.fromarray(np.tile(stripes, (5, 5, 1))).save(gimp.folder / "in.png")
    body = "image = load(); image.select_ellipse(Gimp.ChannelOps.REPLACE, 300, 200, 900, 700); fill(image)"
    with gimp.started(body) as process:
        until = time.monotonic() + 60
        while not (jobs := server.jobs()) or jobs[0].state == jobs_pb2.JOB_STATE_QUEUED:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert jobs[0].state == jobs_pb2.JOB_STATE_RUNNING
        kill(process)
    last = [event.state for event in server.watch(jobs[0].id)][-1]
    assert last == jobs_pb2.JOB_STATE_FINISHED
    assert server.result(jobs[0].id).box.area >= 900 * 700
