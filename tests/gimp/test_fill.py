"""The plug-in in the real GIMP, against a studio whose answers can be computed to the last bit."""

from __future__ import annotations

import base64
import json
import zlib

import numpy as np
import pytest
from negative_studio import H, W, expected_negative, picture
from PIL import Image
from real_gimp import kill

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

ELLIPSE = "image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 60, 120, 90)"


@pytest.fixture
def photo(gimp, studio):
    """An 8-bit photograph, in.png; its array."""
    array = np.round(picture() * 255).astype(np.uint8)
    Image.fromarray(array).save(gimp.folder / "in.png")
    return array


def test_nothing_outside_the_selection_changes(gimp, studio, photo):
    out = gimp.run(f"""
image = load(); {ELLIPSE}; Gimp.Selection.feather(image, 12)
source = image.get_selected_layers()[0]
out["before"] = state(image); dump_visible(image, "before"); selection = raw(image.get_selection(), "Y u8")
status, layer = fill(image, prompt="a red barn", seed=7)
out["status"] = status; out["after"] = state(image)
dump_visible(image, "after"); dump("selection", selection); dump("source", raw(source))
out["selection_same"] = selection == raw(image.get_selection(), "Y u8")
out["parasite"] = json.loads(bytes(layer.get_parasite("frisket-request").get_data()))
out["dirty_mask"] = layer.get_edit_mask()
assert Gimp.file_save(NI, image, path("out.png"), None) and Gimp.file_save(NI, image, path("out.xcf"), None)
image.delete()
again = load("out.xcf"); dump_visible(again, "reopened"); out["reopened"] = state(again); again.delete()
""")
    assert out["status"] == "success"
    selection = gimp.array("selection", (H, W), np.uint8)
    before = gimp.array("before", (H, W, 4), np.uint8)
    after = gimp.array("after", (H, W, 4), np.uint8)
    np.testing.assert_array_equal(before[..., :3], photo)
    np.testing.assert_array_equal(after[selection == 0], before[selection == 0])
    np.testing.assert_array_equal(after[selection == 255, :3], 255 - photo[selection == 255])
    assert np.count_nonzero((selection > 0) & (selection < 255)) > 0  # the feathered ring was really there
    np.testing.assert_array_equal(gimp.array("source", (H, W, 3), np.uint8), photo)
    saved = np.asarray(Image.open(gimp.folder / "out.png").convert("RGB"))
    np.testing.assert_array_equal(saved[selection == 0], photo[selection == 0])
    np.testing.assert_array_equal(gimp.array("reopened", (H, W, 4), np.uint8), after)

    x0, y0, x1, y1 = out["before"]["bounds"][1:]
    new, old = out["after"]["layers"]
    assert [old] == out["before"]["layers"]
    assert new["name"] == "a red barn (seed 7)"
    assert new["box"] == [x0 - 16, y0 - 16, x1 - x0 + 32, y1 - y0 + 32]
    assert (new["mask"], new["edit_mask"], new["visible"]) == (True, False, True)
    for key in ("selected", "bounds", "foreground"):
        assert out["after"][key] == out["before"][key]
    assert out["selection_same"]
    assert out["reopened"]["layers"] == out["after"]["layers"]
    origin = out["parasite"].pop("origin")
    kept = zlib.decompress(base64.b64decode(origin.pop("mask")))
    assert origin.pop("layer") > 0
    assert origin == {"action": "fill-selection", "words": "a red barn", "masked": True, "srgb": False}
    assert out["parasite"] == {
        "version": 2,
        "request": '{"for": "the layer"}',
        "seed": 7,
        "job": "job-0",
        "index": 0,
        "notes": ["A note with an umlaut: ü"],
        "degraded": ["Tiled."],
        "made_by": {"software": "Frisket 9", "engine": "a", "model": "m", "revision": "r", "trained": True},
    }
    header, _, mask = studio.jobs["job-0"]
    assert header.request.inpaint.prompt == "a red barn"
    assert not header.request.inpaint.dials.HasField("context")
    box = new["box"]
    inside = selection[box[1] : box[1] + box[3], box[0] : box[0] + box[2]]
    np.testing.assert_array_equal(np.frombuffer(mask, np.uint8).reshape(inside.shape), inside)
    assert kept == mask


PRECISIONS = ["U8_NON_LINEAR", "U8_LINEAR", "U16_NON_LINEAR", "U16_LINEAR", "U32_NON_LINEAR", "HALF_LINEAR"]
PRECISIONS += ["HALF_NON_LINEAR", "FLOAT_LINEAR", "FLOAT_NON_LINEAR", "FLOAT_PERCEPTUAL", "DOUBLE_LINEAR"]
DTYPES = {"U8": np.uint8, "U16": np.uint16, "U32": np.uint32, "HALF": np.float16, "FLOAT": np.float32}


@pytest.mark.parametrize("gray", [False, True], ids=["rgb", "gray"])
def test_every_depth_keeps_its_samples(gimp, studio, photo, gray):
    out = gimp.run(f"""
for precision in {PRECISIONS}:
    for alpha in (False, True):
        image = load()
        if {gray}: image.convert_grayscale()
        image.convert_precision(getattr(Gimp.Precision, precision))
        source = image.get_selected_layers()[0]
        if alpha: source.add_alpha()
        {ELLIPSE}
        name = precision + str(alpha)
        dump(name + "-source", raw(source)); dump_visible(image, name + "-before")
        status, layer = fill(image)
        assert status == "success", layer
        out[name] = [layer.get_bpp(), source.get_bpp(), tree(layer)["box"]]
        dump(name + "-layer", raw(layer)); dump_visible(image, name + "-after")
        dump(name + "-same", raw(source)); dump("selection", raw(image.get_selection(), "Y u8"))
        image.delete()
""")
    selection = gimp.array("selection", (H, W), np.uint8)
    colours = 1 if gray else 3
    for precision in PRECISIONS:
        dtype = DTYPES.get(precision.split("_")[0], np.float64)
        for alpha in (False, True):
            name = f"{precision}{alpha}"
            _, _, (x, y, w, h) = out[name]
            source = gimp.array(f"{name}-source", (H, W, colours + alpha), dtype)
            np.testing.assert_array_equal(gimp.array(f"{name}-same", source.shape, dtype), source)
            before = gimp.array(f"{name}-before", (H, W, colours + 1), dtype)
            after = gimp.array(f"{name}-after", (H, W, colours + 1), dtype)
            slack = composed_slack(dtype, gray)
            np.testing.assert_allclose(after[selection == 0], before[selection == 0], rtol=0, atol=slack)
            layer = gimp.array(f"{name}-layer", (h, w, colours + alpha), dtype)
            sent = source[y : y + h, x : x + w, :colours]
            wanted = expected_negative(sent, dtype)
            np.testing.assert_allclose(layer[..., :colours], wanted, rtol=0, atol=layer_slack(dtype), err_msg=name)
            full = 1 if np.dtype(dtype).kind == "f" else np.iinfo(dtype).max
            assert not alpha or (layer[..., -1] == full).all()
    assert len(studio.jobs) == 2 * len(PRECISIONS)


def composed_slack(dtype: type, gray: bool) -> float:
    """How far GIMP's own composition of two layers may move a pixel that the upper one does not touch: not at all, but
    32-bit integers are composed as 32-bit floats, and gray floats by way of RGB."""
    if dtype is np.uint32:
        return 2**12
    return 1e-6 if gray and dtype in (np.float32, np.float64) else 0


def layer_slack(dtype: type) -> float:
    """Exact, but for the two depths that travel as 32-bit float."""
    return {np.uint32: 2**12, np.float64: 2**-22}.get(dtype, 0)


def test_a_wide_profile_is_not_converted(gimp, studio, photo):
    out = gimp.run(f"""
image = load()
profile = Gimp.ColorProfile.new_rgb_adobe(); assert image.set_color_profile(profile)
source = image.get_selected_layers()[0]; {ELLIPSE}
status, layer = fill(image); out["status"] = status
dump("layer", raw(layer)); out["box"] = tree(layer)["box"]
image.delete()
""")
    x, y, w, h = out["box"]
    layer = gimp.array("layer", (h, w, 3), np.uint8)
    np.testing.assert_array_equal(layer, 255 - photo[y : y + h, x : x + w])
    assert studio.jobs["job-0"][1] == photo[y : y + h, x : x + w].tobytes()


def test_a_layer_with_alpha_and_an_offset(gimp, studio, photo):
    out = gimp.run(f"""
image = load()
layer = image.get_selected_layers()[0].copy(); layer.set_name("top"); layer.add_alpha()
image.insert_layer(layer, None, 0); layer.scale(200, 150, False); layer.set_offsets(150, -20)
image.set_selected_layers([layer])
Gimp.context_set_feather(False); {ELLIPSE}
dump("source", raw(layer)); dump_visible(image, "before"); dump("selection", raw(image.get_selection(), "Y u8"))
status, new = fill(image); assert status == "success", new
out["state"] = state(image); dump("layer", raw(new)); dump_visible(image, "after")
image.delete()
""")
    assert [layer["name"] for layer in out["state"]["layers"]] == ["Frisket fill (seed 0)", "top", "Background"]
    x, y, w, h = out["state"]["layers"][0]["box"]
    assert (x, y, w, h) == (
        150,
        44,
        86,
        86,
    )  # the selection on this layer and 16 px around it, clipped
    source = gimp.array("source", (150, 200, 4), np.uint8)
    sent = source[y + 20 : y + 20 + h, x - 150 : x - 150 + w]
    assert studio.jobs["job-0"][1] == sent.tobytes()
    layer = gimp.array("layer", (h, w, 4), np.uint8)
    np.testing.assert_array_equal(layer[..., :3], 255 - sent[..., :3])
    selection = gimp.array("selection", (H, W), np.uint8)
    before, after = (gimp.array(name, (H, W, 4), np.uint8) for name in ("before", "after"))
    np.testing.assert_array_equal(after[selection == 0], before[selection == 0])


def test_several_pictures_share_a_group(gimp, studio, photo):
    out = gimp.run(f"""
image = load(); {ELLIPSE}
status, layer = fill(image, count=3, seed=2147483647, context=30, grow=4, feather=6)
assert status == "success", layer
out["first"] = layer.get_name(); out["state"] = state(image)
out["parasites"] = [
    json.loads(bytes(child.get_parasite("frisket-request").get_data()))["seed"]
    for child in image.get_layers()[0].get_children()
]
image.delete()
""")
    group, old = out["state"]["layers"]
    assert group["name"] == "Frisket fill"
    assert out["first"] == "Frisket fill (seed 2147483647)"
    assert [(c["visible"], c["mask"], c["edit_mask"]) for c in group["children"]] == [
        (True, True, False),
        (False, True, False),
        (False, True, False),
    ]
    assert out["parasites"] == [2147483647, 2147483648, 2147483649]
    assert out["state"]["selected"] == [old["name"]]
    dials = studio.jobs["job-0"][0].request.inpaint.dials
    assert (dials.context, dials.grow, dials.feather) == (30, 4, 6)


def test_merged_sampling_group_and_layer_mask(gimp, studio, photo):
    out = gimp.run(f"""
image = load(); {ELLIPSE}
base = image.get_selected_layers()[0]
ink = Gimp.Layer.new(image, "ink", 60, 40, Gimp.ImageType.RGBA_IMAGE, 100.0, Gimp.LayerMode.NORMAL)
image.insert_layer(ink, None, 0); ink.fill(Gimp.FillType.FOREGROUND); ink.set_offsets(130, 80)
dump_visible(image, "seen"); image.set_selected_layers([ink])
status, layer = fill(image, sample_merged=True); assert status == "success", layer
out["merged"] = tree(layer); image.remove_layer(layer)
image.set_selected_layers([ink, base])
status, layer = fill(image, sample_merged=True); assert status == "success", layer
image.remove_layer(layer)

group = Gimp.GroupLayer.new(image, "folder"); image.insert_layer(group, None, 0)
image.reorder_item(ink, group, 0)
status, layer = fill(image, [group]); assert status == "success", layer
out["on_group"] = tree(layer); image.remove_layer(layer)
status, layer = fill(image, [ink]); assert status == "success", layer
out["in_group"] = layer.get_parent().get_name(); image.remove_layer(layer)

mask = base.create_mask(Gimp.AddMaskType.WHITE); base.add_mask(mask); base.set_edit_mask(True)
status, layer = fill(image, [mask]); assert status == "success", layer
out["mask_kept"] = base.get_edit_mask()
image.delete()
""")
    x, y, w, h = out["merged"]["box"]
    seen = gimp.array("seen", (H, W, 4), np.uint8)
    assert studio.jobs["job-0"][1] == seen[y : y + h, x : x + w].tobytes()
    assert studio.jobs["job-1"][1] == studio.jobs["job-0"][1]
    assert out["on_group"]["box"] == [130, 80, 60, 40]
    assert out["in_group"] == "folder"
    assert out["mask_kept"] is True
    assert studio.jobs["job-4"][1] == photo[y : y + h, x : x + w].tobytes()


def test_refusals_say_what_to_do(gimp, studio, photo):
    out = gimp.run(f"""
def attempt(name, image, *args, **kwargs):
    before = len(image.get_layers()); out[name] = fill(image, *args, **kwargs); assert len(image.get_layers()) == before
image = load(); base = image.get_selected_layers()[0]
attempt("nothing", image)
{ELLIPSE}
small = Gimp.Layer.new(image, "small", 20, 20, Gimp.ImageType.RGBA_IMAGE, 100.0, Gimp.LayerMode.NORMAL)
image.insert_layer(small, None, 0)
attempt("outside", image, [small]); attempt("several", image, [small, base]);
channel = Gimp.Channel.new(image, "c", 320, 240, 50.0, Gimp.context_get_foreground())
image.insert_channel(channel, None, 0); attempt("channel", image, [channel])
attempt("token", image, [base], server="127.0.0.1:1")
Gimp.Selection.float(image, [base], 0, 0)
image.select_rectangle(Gimp.ChannelOps.REPLACE, 10, 10, 50, 50); attempt("floating", image)
image.delete()
image = load()
image.convert_indexed(Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 16, False, False, "")
{ELLIPSE}; attempt("indexed", image); image.delete()
""")
    wanted = {
        "nothing": ("Nothing is selected", "Select the part to repaint"),
        "outside": ("lies outside the layer 'small'", "Select another layer"),
        "several": ("Several layers are selected", "Select one layer"),
        "channel": ("No layer is selected", "Select one layer"),
        "token": ("The server does not answer", "Check that `frisket serve` runs"),
        "floating": ("floating selection", "Anchor it"),
        "indexed": ("This kind of picture is not supported", "Convert it to gray or RGB"),
    }
    assert set(out) == set(wanted)
    for name, (cause, remedy) in wanted.items():
        status, text = out[name]
        assert status == "execution-error", name
        assert cause in text, name
        assert remedy in text, name
    assert not studio.jobs


def test_a_missing_server_is_started_as_noted(gimp, studio, photo):
    home = gimp.folder / "frisket-home"
    (home / "server.json").rename(gimp.folder / "waiting.json")
    out = gimp.run(f'image = load(); {ELLIPSE}; out["result"] = fill(image)[0]; image.delete()')
    assert out["result"] == "success"
    assert (home / "server.json").exists()


def test_no_server_and_none_to_start_is_one_clear_message(gimp, photo):
    home = gimp.folder / "frisket-home"
    (home / "server.json").unlink()
    note = gimp.folder / "plug-ins" / "frisket" / "launch.json"
    fields = json.loads(note.read_text())
    note.write_text(json.dumps({**fields, "command": ["/bin/false"]}))
    body = f'image = load(); {ELLIPSE}; out["{{}}"] = fill(image); image.delete()'
    status, text = gimp.run(body.format("fails"))["fails"]
    assert status == "execution-error"
    assert "The server did not start" in text
    assert "/bin/false" in text
    note.unlink()
    status, text = gimp.run(body.format("lost"))["lost"]
    assert "No Frisket server is running" in text
    assert "Start one with `frisket serve`" in text


def test_a_damaged_folder_still_registers_and_says_so(gimp, photo):
    (gimp.folder / "plug-ins" / "frisket" / "vendor" / "h2" / "connection.py").unlink()
    status, text = gimp.run(f'image = load(); {ELLIPSE}; out["r"] = fill(image); image.delete()')["r"]
    assert status == "execution-error"
    assert "cannot be loaded" in text
    assert "frisket plugin install" in text


def test_a_killed_gimp_leaves_the_job_alone(gimp, studio, photo):
    studio.pause = 20
    with gimp.started(f"image = load(); {ELLIPSE}; fill(image)") as process:
        assert studio.reached.wait(40)
        assert not studio.left.is_set()
        kill(process)
        assert studio.left.wait(5)
    assert list(studio.jobs) == ["job-0"]
    assert studio.cancelled == []
