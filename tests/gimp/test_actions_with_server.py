"""The actions in the real GIMP with a real server and what is built in: no model is installed."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image
from real_gimp import a_server

from frisket.raster.geometry import Box

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

PHOTOS = Path(__file__).parents[3] / "shared" / "photos"
FACE = (slice(20, 250), slice(110, 340))  # of the astronaut's photograph: a head
SIDE = 230
OFFSET = (35, -12)  # of the layer in the image
W, H = 500, 210


@pytest.fixture
def server(gimp):
    with a_server(gimp) as client:
        yield client


@pytest.fixture
def heads(gimp) -> np.ndarray:
    """The same noisy head twice, side by side, as layer.png with a clear corner; its array (SIDE, 2 SIDE, 4)."""
    if not (PHOTOS / "astronaut.png").exists():
        pytest.skip(f"no photograph at {PHOTOS}")
    clean = np.asarray(Image.open(PHOTOS / "astronaut.png").convert("RGB"))[FACE]
    head = np.clip(clean + np.random.default_rng(2).normal(0, 12, clean.shape), 0, 255).astype(np.uint8)
    alpha = np.full((SIDE, 2 * SIDE), 255, np.uint8)
    alpha[-30:, -60:] = 0
    alpha[:20] = 128
    layer = np.dstack([np.hstack([head, head]), alpha])
    Image.fromarray(layer).save(gimp.folder / "layer.png")
    Image.fromarray(np.full((H, W, 3), (40, 90, 60), np.uint8)).save(gimp.folder / "in.png")
    return layer


BODY = f"""
layer = selection = None
def note(name):
    out[name] = state(image); dump_visible(image, name); dump(name + "-heads", raw(layer))
    dump(name + "-selection", raw(image.get_selection(), "Y u8"))
for bits, precision in (("8", Gimp.Precision.U8_NON_LINEAR), ("16", Gimp.Precision.U16_NON_LINEAR)):
    image = load()
    if bits != "8": image.convert_precision(precision)
    layer = Gimp.file_load_layer(NI, image, path("layer.png")); layer.set_name("heads")
    image.insert_layer(layer, None, 0); layer.set_offsets{OFFSET}; image.set_selected_layers([layer])
    image.select_ellipse(Gimp.ChannelOps.REPLACE, {OFFSET[0] + SIDE + 25}, 0, {SIDE - 50}, {H})
    note("before" + bits); status, new = act("restore-faces", image, strength=1.0); assert status == "success", new
    note("after" + bits); out["new" + bits] = tree(new)
    dump("new" + bits, raw(new)); dump("mask" + bits, raw(new.get_mask(), "Y u8"))
    out["job" + bits] = json.loads(bytes(new.get_parasite("frisket-request").get_data()))["job"]
    if bits == "8":
        image.remove_layer(new)
        status, new = act("restore-faces", image, strength=0.0); assert status == "success", new
        dump_visible(image, "weak"); image.remove_layer(new)
        image.select_rectangle(Gimp.ChannelOps.REPLACE, 40, 150, 60, 40); out["none"] = act("restore-faces", image)
    image.delete()
"""


def test_faces_in_a_selection_on_a_layer_with_alpha_and_an_offset(gimp, server, heads):
    out = gimp.run(BODY)
    for bits, dtype in (("8", np.uint8), ("16", np.uint16)):
        x, y, w, h = out[f"new{bits}"]["box"]
        mask = np.zeros((H, W), np.uint8)
        mask[y : y + h, x : x + w] = gimp.array(f"mask{bits}", (h, w), np.uint8)
        before, after = (gimp.array(name + bits, (H, W, 4), dtype) for name in ("before", "after"))
        np.testing.assert_array_equal(after[mask == 0], before[mask == 0])
        assert (mask > 0).sum() > 3000
        assert not mask[:, : OFFSET[0] + SIDE].any(), "the head that is not selected"
        changed = np.abs(after[mask > 0, :3].astype(int) - before[mask > 0, :3]).mean() / np.iinfo(dtype).max
        assert changed > 0.5 / 255
        check_same_but_for_the_layer(gimp, out, bits)
        old = gimp.array(f"before{bits}-heads", (SIDE, 2 * SIDE, 4), dtype)
        np.testing.assert_array_equal(gimp.array(f"after{bits}-heads", old.shape, dtype), old)
        new = gimp.array(f"new{bits}", (h, w, 4), dtype)
        under = old[y - OFFSET[1] :, x - OFFSET[0] :][:h, :w]
        np.testing.assert_array_equal(new[..., 3], under[..., 3])  # half transparent pixels stay so
        result = server.result(out[f"job{bits}"])
        assert result.pixels == new.tobytes()
        assert result.box == Box(x, y, w, h)
        assert len(result.faces) == 2  # both are found, one is restored
    weak, before = (gimp.array(name, (H, W, 4), np.uint8) for name in ("weak", "before8"))
    np.testing.assert_array_equal(weak, before)
    status, text = out["none"]
    assert status == "execution-error"
    assert "There is no face to restore" in text


def check_same_but_for_the_layer(gimp, out: dict, bits: str) -> None:
    before, after = out[f"before{bits}"], out[f"after{bits}"]
    assert after["layers"][0]["name"] == "Frisket faces"
    assert after["layers"][1:] == before["layers"]
    for key in ("selected", "bounds", "foreground"):
        assert after[key] == before[key]
    noted = [(gimp.folder / f"{when}{bits}-selection.raw").read_bytes() for when in ("before", "after")]
    assert noted[0] == noted[1]


def waves(width: int, height: int, left: int = 0) -> np.ndarray:
    """(height, width, 3) uint8: upright stripes with grain; `left` px more of them on that side."""
    x = np.arange(-left, width)
    grain = np.random.default_rng(5).normal(0, 3, (height, width + left, 3))
    return np.clip((128 + 70 * np.sin(x / 5))[None, :, None] * (1.0, 0.9, 0.7) + grain, 0, 255).astype(np.uint8)


def test_expanded_varied_enlarged_and_selected(gimp, server):
    photo = waves(200, 120)
    Image.fromarray(photo).save(gimp.folder / "in.png")
    y, x = np.mgrid[0:120, 0:200]
    alpha = np.where(x + y < 40, 0, np.where(x > 190, 128, 255)).astype(np.uint8)
    Image.fromarray(np.dstack([photo, alpha])).save(gimp.folder / "cut.png")
    ball = (x - 90) ** 2 + (y - 62) ** 2 < 34**2
    Image.fromarray(np.where(ball[..., None], (230, 120, 20), photo // 4 + 20).astype(np.uint8)).save(
        gimp.folder / "ball.png"
    )
    out = gimp.run("""
image = load()
status, layer = act("expand-canvas", image, left=40, random_seed=False); assert status == "success", layer
out["canvas"] = [image.get_width(), image.get_height()]; dump_visible(image, "expanded"); image.delete()
image = load()
status, layer = act("layer-variations", image, count=2, strength=0.4, random_seed=False)
assert status == "success", layer
out["varied"] = tree(image.get_layers()[0]); dump("varied", raw(layer)); image.delete()
image = load(); image.get_selected_layers()[0].set_offsets(30, 20)
status, layer = act("upscale-layer", image, scale=2); assert status == "success", layer
out["large"] = tree(layer)["box"]; dump("large", raw(layer)); new = layer.get_image()
out["new"] = [new.get_width(), new.get_height(), new.is_dirty()]; new.delete(); image.delete()
image = load("cut.png"); dump_visible(image, "cut")
status, layer = act("expand-canvas", image, transparent=True, random_seed=False); assert status == "success", layer
out["uncut"] = [image.get_width(), image.get_height()]; dump_visible(image, "uncut"); image.delete()
image = load("ball.png"); before = state(image)
out["subject"] = act("select-subject", image)
out["subject kept"] = state(image)["layers"] == before["layers"] and state(image)["selected"] == before["selected"]
dump("subject", raw(image.get_selection(), "Y u8")); image.delete()
""")
    assert out["canvas"] == [240, 120]
    expanded = gimp.array("expanded", (120, 240, 4), np.uint8)
    np.testing.assert_array_equal(expanded[:, 40:, :3], photo)
    off = np.abs(expanded[:, :40, :3].astype(float) - waves(200, 120, 40)[:, :40]).mean()
    assert off < 12  # the stripes go on, in step: a flat gray would be 45 away

    assert [child["box"] for child in out["varied"]["children"]] == [[0, 0, 200, 120]] * 2
    varied = gimp.array("varied", (120, 200, 3), np.uint8)
    assert not np.array_equal(varied, photo)

    assert out["large"] == [0, 0, 400, 240]
    assert out["new"] == [400, 240, True]
    large = gimp.array("large", (240, 400, 3), np.uint8)
    back = cv2.resize(large, (200, 120), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(back - photo).mean() < 3

    assert out["uncut"] == [200, 120]
    cut, uncut = (gimp.array(name, (120, 200, 4), np.uint8) for name in ("cut", "uncut"))
    np.testing.assert_array_equal(uncut[alpha > 0], cut[alpha > 0])
    assert (uncut[alpha == 0, 3] == 255).all()
    assert np.abs(uncut[alpha == 0, :3].astype(float) - photo[alpha == 0]).mean() < 30  # a flat gray would be 39 away

    assert out["subject"][0] == "success", out["subject"]
    assert out["subject kept"]
    chosen = gimp.array("subject", (120, 200), np.uint8) > 127
    assert (chosen & ball).sum() / (chosen | ball).sum() > 0.9
