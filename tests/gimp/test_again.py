"""*Again* in the real GIMP, with a real server and the built-in engine."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from real_gimp import a_server

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

W, H = 120, 90


@pytest.fixture
def photo(gimp):
    array = np.random.default_rng(7).integers(0, 256, (H, W, 3), dtype=np.uint8)
    Image.fromarray(array).save(gimp.folder / "in.png")


HELP = """
def again(image, layer, new_seed=False):
    return act("again-new-seed" if new_seed else "again", image, [layer])
def same(a, b):
    return raw(a) == raw(b) and raw(a.get_mask()) == raw(b.get_mask()) and a.get_offsets() == b.get_offsets()
def outline(image):
    def one(item):
        return [item.get_name(), item.get_visible(), [one(c) for c in item.get_children()] if item.is_group() else None]
    return [one(item) for item in image.get_layers()]
"""


@pytest.mark.parametrize("kind", ["rgb8", "rgba16-moved", "graya-float"])
def test_the_same_seed_gives_the_same_bytes_though_the_selection_is_gone(gimp, photo, kind):
    body = f"""{HELP}
kind = {kind!r}
image = load()
below = image.get_layers()[0]
if kind == "rgba16-moved":
    below.add_alpha(); image.convert_precision(Gimp.Precision.U16_NON_LINEAR); below.set_offsets(9, -4)
if kind == "graya-float":
    below.add_alpha(); image.convert_grayscale(); image.convert_precision(Gimp.Precision.FLOAT_LINEAR)
image.select_ellipse(Gimp.ChannelOps.REPLACE, 40, 20, 40, 35); Gimp.Selection.feather(image, 5)
status, first = fill(image, seed=5); assert status == "success", first
Gimp.Selection.none(image)
status, second = again(image, first); assert status == "success", second
out["same"] = same(first, second)
status, third = again(image, first, True); assert status == "success", third
out["other"] = raw(third) != raw(first) and third.get_offsets() == first.get_offsets()
out["mask kept"] = raw(third.get_mask()) == raw(first.get_mask())
out["tree"] = outline(image)
out["selected"] = [layer.get_name() for layer in image.get_selected_layers()]
"""
    with a_server(gimp):
        out = gimp.run(body)
    assert [out["same"], out["other"], out["mask kept"]] == [True, True, True]
    (name, shown, inside), (below, _, _) = out["tree"]
    assert (name, shown, below) == ("Frisket fill", True, "Background")
    assert [visible for _, visible, _ in inside] == [False, False, True]
    assert len({name for name, _, _ in inside}) == 3
    assert inside[0][0] == "Frisket fill (seed 5)"
    assert out["selected"] == ["Background"]


def test_what_is_seen_is_looked_at_without_the_result_itself(gimp, photo):
    body = f"""{HELP}
image = load()
image.select_rectangle(Gimp.ChannelOps.REPLACE, 40, 20, 40, 35)
status, first = fill(image, seed=5, sample_merged=True); assert status == "success", first
image.select_rectangle(Gimp.ChannelOps.REPLACE, 0, 0, 5, 5)
status, second = again(image, first); assert status == "success", second
out["same"] = same(first, second)
status, wide = act("expand-canvas", image, left=10, top=6, random_seed=False, seed=3, sample_merged=True)
assert status == "success", wide
status, next = again(image, wide); assert status == "success", next
out["wide"] = same(wide, next); out["size"] = [image.get_width(), image.get_height()]
status, next = again(image, wide, True); assert status == "success", next
out["other"] = raw(next) != raw(wide) and next.get_offsets() == wide.get_offsets()
Gimp.Selection.none(image)
first.set_visible(False); second.set_visible(False)
status, versions = act("layer-variations", image, [image.get_layers()[-1]], count=2, strength=0.5, random_seed=False)
assert status == "success", versions
status, more = again(image, versions.get_parent(), True); assert status == "success", more
out["variations"] = [c.get_visible() for c in versions.get_parent().get_children()]
out["parent"] = more.get_parent() == versions.get_parent()
"""
    with a_server(gimp):
        out = gimp.run(body)
    assert out["same"]
    assert [out["wide"], out["other"]] == [True, True]
    assert out["size"] == [W + 10, H + 6]
    assert out["variations"] == [False, False, True, False]
    assert out["parent"]


def test_what_cannot_be_done_again_is_said_in_a_sentence(gimp, photo):
    body = f"""{HELP}
image = load()
below = image.get_layers()[0]
out["stranger"] = again(image, below)
image.select_rectangle(Gimp.ChannelOps.REPLACE, 40, 20, 40, 35)
status, first = fill(image, seed=5); assert status == "success", first
before = state(image)
image.resize(200, 200, 0, 0); out["resized"] = again(image, first)
image.resize({W}, {H}, 0, 0)
image.convert_precision(Gimp.Precision.U16_LINEAR); out["converted"] = again(image, first)
image.convert_precision(Gimp.Precision.U8_NON_LINEAR)
out["back"] = again(image, first)[0]
below.set_offsets(60, 0); out["moved"] = again(image, first); below.set_offsets(0, 0)
image.remove_layer(below); out["gone"] = again(image, first)
"""
    with a_server(gimp):
        out = gimp.run(body)
    assert out["stranger"][0] == out["resized"][0] == out["gone"][0] == "execution-error"
    assert "does not know how it was made" in out["stranger"][1]
    for case in ("resized", "converted", "moved"):
        assert "another size, place or kind of pixels" in out[case][1], case
    assert "not in the image any more" in out["gone"][1]
    assert out["back"] == "success"
