"""*History* in the real GIMP, with a real server and the built-in engine."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image
from real_gimp import a_server, kill

from frisket.rpc.stubs import jobs_pb2

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

W, H = 160, 120
HELP = """
def history(image, **settings):
    return act("history", image, **settings)
def look(layer):
    image = layer.get_image()
    return [layer.get_name(), list(layer.get_offsets())[1:], [layer.get_width(), layer.get_height()],
            [image.get_width(), image.get_height()], image.get_precision().value_nick, len(image.get_layers())]
"""


@pytest.fixture
def photo(gimp):
    array = np.random.default_rng(7).integers(0, 256, (H, W, 3), dtype=np.uint8)
    Image.fromarray(array).save(gimp.folder / "in.png")


def test_a_killed_gimp_gets_its_result_when_it_starts_again(gimp):
    stripes = np.tile((np.arange(1600)[None, :, None] // 8 % 2 * 200 + 20).astype(np.uint8), (1200, 1, 3))
    Image.fromarray(stripes).save(gimp.folder / "in.png")
    select = "image = load(); image.select_ellipse(Gimp.ChannelOps.REPLACE, 300, 200, 900, 700)"
    with a_server(gimp) as server:
        with gimp.started(f"{select}; fill(image, seed=4)") as process:
            until = time.monotonic() + 60
            while not (jobs := server.jobs()) or jobs[0].state == jobs_pb2.JOB_STATE_QUEUED:
                assert time.monotonic() < until
                time.sleep(0.05)
            assert jobs[0].state == jobs_pb2.JOB_STATE_RUNNING
            kill(process)
        list(server.watch(jobs[0].id))
        out = gimp.run(f"""{HELP}
{select}
before = state(image)
status, layer = history(image); assert status == "success", layer
dump("brought", raw(layer)); dump("brought-mask", raw(layer.get_mask()))
out["look"] = look(layer); out["selected"] = state(image)["selected"] == before["selected"]
out["bounds"] = state(image)["bounds"] == before["bounds"]
image.remove_layer(layer); out["back"] = state(image) == before
status, layer = fill(image, seed=4); assert status == "success", layer
dump("undisturbed", raw(layer)); dump("undisturbed-mask", raw(layer.get_mask())); out["same"] = look(layer)
""")
    for name in ("", "-mask"):
        read = [(gimp.folder / f"{when}{name}.raw").read_bytes() for when in ("brought", "undisturbed")]
        assert read[0] == read[1]
    assert out["look"] == out["same"]
    assert [out["selected"], out["bounds"], out["back"]] == [True, True, True]


def test_each_result_goes_where_it_belongs_or_into_a_new_image(gimp, photo):
    body = f"""{HELP}
image = load(); below = image.get_layers()[0]
out["none"] = history(image)
image.select_rectangle(Gimp.ChannelOps.REPLACE, 40, 20, 40, 35)
status, first = fill(image, seed=5, count=2); assert status == "success", first
made = [(raw(c), look(c)[:3]) for c in first.get_parent().get_children()]
other = load(); other.convert_precision(Gimp.Precision.U16_NON_LINEAR)
status, layer = history(other); assert status == "success", layer
out["new"] = look(layer); out["other"] = len(other.get_layers()); new = layer.get_image()
out["children"] = [(raw(c), look(c)[:3]) for c in layer.get_parent().get_children()] == made
status, layer = history(None, drawables=[]); assert status == "success", layer
out["no image"] = look(layer)
small = load(); small.scale(80, 60)
status, layer = history(small); assert status == "success", layer
out["small"] = [len(small.get_layers()), look(layer)]
Gimp.Selection.none(image)
status, wide = act("expand-canvas", image, left=10, top=6, random_seed=False, seed=3); assert status == "success", wide
box, data = look(wide), raw(wide)
image.remove_layer(wide)
status, layer = history(image); assert status == "success", layer
out["grown already"] = look(layer) == box and raw(layer) == data
fresh = load()
status, layer = history(fresh); assert status == "success", layer
out["grows"] = look(layer)[1:4] == box[1:4] and raw(layer) == data
out["unknown"] = history(fresh, job="nonsense")
layer = Gimp.Layer.new(fresh, "part", 50, 40, Gimp.ImageType.RGB_IMAGE, 100, Gimp.LayerMode.NORMAL)
fresh.insert_layer(layer, None, 0); layer.set_offsets(-7, 90); fresh.set_selected_layers([layer])
status, varied = act("layer-variations", fresh, count=1, random_seed=False); assert status == "success", varied
box = look(varied); fresh.remove_layer(varied)
status, varied = history(fresh); assert status == "success", varied
out["varied"] = look(varied) == box
"""
    with a_server(gimp):
        out = gimp.run(body)
    assert out["none"][0] == "execution-error"
    assert out["none"][1].startswith("There is no finished result")
    assert out["new"][3:] == [[W, H], "u8-non-linear", 1]
    assert out["other"] == 1
    assert out["children"]
    assert out["no image"][1:] == out["new"][1:]
    assert out["small"][0] == 1
    assert out["small"][1][3] == [W, H]
    assert [out["grown already"], out["grows"], out["varied"]] == [True, True, True]
    assert "no job nonsense" in out["unknown"][1]


def test_the_window_shows_them_and_puts_one_in(gimp, screen, photo):
    body = f"""{HELP}
image = load(); image.select_rectangle(Gimp.ChannelOps.REPLACE, 40, 20, 40, 35)
status, first = fill(image, seed=5); assert status == "success", first
data = raw(first); image.remove_layer(first)
status, second = act("remove-object", image, random_seed=False, seed=9); assert status == "success", second
image.remove_layer(second)
Gimp.Display.new(image); Gimp.displays_flush()
status, layer = history(image, mode=Gimp.RunMode.INTERACTIVE); out["status"] = status
out["layers"] = len(image.get_layers()); out["older"] = raw(image.get_layers()[0]) == data
"""
    with a_server(gimp), gimp.shown(screen, body):
        screen.window("^History$", 60)
        time.sleep(1.5)
        screen.key("Down")
        time.sleep(1.5)
        screen.shot(gimp.folder / "history.png")
        screen.key("alt+i")
        time.sleep(1)
        screen.key("alt+c")
        out = gimp.finished()
    assert out == {"status": "success", "layers": 2, "older": True}
