"""Every action of the table in the real GIMP: what it sends, what comes back where, and that all else stays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from negative_studio import expected_negative, picture, subject
from PIL import Image

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

W, H = 160, 120
LAYER = (90, -10, 100, 75)  # x, y, width, height of the layer that is not where the image is
SELECT = "image.select_ellipse(Gimp.ChannelOps.REPLACE, 100, 20, 44, 36); Gimp.Selection.feather(image, 5)"
# name -> (precision, gray, a layer of its own with alpha that lies elsewhere, dtype)
KINDS = {
    "rgb8": ("U8_NON_LINEAR", False, False, np.uint8),
    "rgba16-moved": ("U16_LINEAR", False, True, np.uint16),
    "rgbafloat-moved": ("FLOAT_LINEAR", False, True, np.float32),
    "graya8-moved": ("U8_NON_LINEAR", True, True, np.uint8),
}
MAKE = f"""
def make(precision, gray, moved):
    image = load()
    if gray: image.convert_grayscale()
    if precision != "U8_NON_LINEAR": image.convert_precision(getattr(Gimp.Precision, precision))
    if moved:
        layer = image.get_selected_layers()[0].copy(); layer.set_name("top"); layer.add_alpha()
        image.insert_layer(layer, None, 0); layer.scale({LAYER[2]}, {LAYER[3]}, False)
        layer.set_offsets({LAYER[0]}, {LAYER[1]}); image.set_selected_layers([layer])
    return image

def note(image, name):
    out[name] = state(image); dump_visible(image, name)
    dump(name + "-selection", raw(image.get_selection(), "Y u8"))
    old = [layer for layer in image.get_layers() if layer.get_name() in ("top", "in.png", "Background")]
    for k, layer in enumerate(old): dump(name + "-old" + str(k), raw(layer))
    return len(old)

def attempt(name, action, image, select, **settings):
    '''`action` on a copy of the image, with all that can be seen before and after.'''
    image = image.duplicate()
    if select: {SELECT}
    note(image, name + "-before")
    status, layer = act(action, image, **settings)
    assert status == "success", (name, status, layer)
    out[name + "-olds"] = note(image, name + "-after")
    if layer:
        out[name + "-layer"] = tree(layer); out[name + "-elsewhere"] = layer.get_image() != image
        dump(name + "-layer", raw(layer))
        if layer.get_mask(): dump(name + "-mask", raw(layer.get_mask(), "Y u8"))
        out[name + "-precision"] = layer.get_image().get_precision().value_nick
        if layer.get_image() != image: dump_visible(layer.get_image(), name + "-new"); layer.get_image().delete()
    image.delete()
"""
# name -> (action, with a selection, settings)
CALLS = {
    "fill": ("fill-selection", True, {"random_seed": False, "seed": 4}),
    "remove": ("remove-object", True, {"random_seed": False}),
    "expand": ("expand-canvas", True, {"left": 10, "top": 7, "bottom": 20, "random_seed": False}),
    "percent": ("expand-canvas", False, {"unit": "percent", "right": 25, "random_seed": False}),
    "vary": ("layer-variations", False, {"count": 2, "strength": 0.25, "random_seed": False}),
    "vary-part": ("layer-variations", True, {"count": 1, "random_seed": False}),
    "faces": ("restore-faces", True, {}),
    "upscale": ("upscale-layer", True, {"scale": 2}),
    "upscale-here": ("upscale-layer", False, {"scale": 3, "into": "layer"}),
    "text": ("text-to-layer", True, {"prompt": "a moon"}),
    "text-all": ("text-to-layer", False, {"prompt": "a moon"}),
    "instruct": ("edit-by-instruction", False, {"prompt": "make it winter"}),
    "subject": ("select-subject", False, {}),
    "subject-layer": ("select-subject", True, {"sample_merged": False}),
}
ONCE = {"remove", "percent", "vary-part", "text-all"}  # in the first kind only: other kinds change nothing in them


@pytest.fixture
def photo(gimp, studio):
    array = np.round(picture()[:H, :W] * 255).astype(np.uint8)
    Image.fromarray(array).save(gimp.folder / "in.png")
    return array


class Seen:
    """What was dumped of one call."""

    def __init__(self, gimp, out: dict, name: str, kind: str) -> None:
        self.gimp, self.out, self.name = gimp, out, name
        _, self.gray, self.moved, self.dtype = KINDS[kind]
        self.colours = 1 if self.gray else 3
        self.frame = LAYER if self.moved else (0, 0, W, H)
        self.channels = self.colours + self.moved

    def picture(self, what: str, width: int = W, height: int = H) -> np.ndarray:
        return self.gimp.array(f"{self.name}-{what}", (height, width, self.colours + 1), self.dtype)

    def selection(self, when: str, width: int = W, height: int = H) -> np.ndarray:
        return self.gimp.array(f"{self.name}-{when}-selection", (height, width), np.uint8)

    def source(self) -> np.ndarray:
        """The selected layer's own samples, before."""
        _, _, w, h = self.frame
        return self.gimp.array(f"{self.name}-before-old0", (h, w, self.channels), self.dtype)

    def state(self, when: str) -> dict:
        return self.out[f"{self.name}-{when}"]

    def layer(self) -> tuple[tuple[int, int, int, int], np.ndarray]:
        x, y, w, h = self.out[f"{self.name}-layer"]["box"]
        return (x, y, w, h), self.gimp.array(f"{self.name}-layer", (h, w, -1), self.dtype)

    def mask(self) -> np.ndarray:
        _, _, w, h = self.out[f"{self.name}-layer"]["box"]
        return self.gimp.array(f"{self.name}-mask", (h, w), np.uint8)

    def check_the_rest(self, added: int = 1, selection: bool = True) -> None:
        """Old layers, their order, which is selected, the colours; the selection too, unless it is the result."""
        before, after = self.state("before"), self.state("after")
        for k in range(1 + self.moved):
            old = [(self.gimp.folder / f"{self.name}-{when}-old{k}.raw").read_bytes() for when in ("before", "after")]
            assert old[0] == old[1], self.name
        assert self.out[f"{self.name}-olds"] == 1 + self.moved
        assert len(after["layers"]) == len(before["layers"]) + added, self.name
        assert after["layers"][added:] == before["layers"]
        assert after["selected"] == before["selected"]
        assert after["foreground"] == before["foreground"]
        if selection:
            np.testing.assert_array_equal(self.selection("after"), self.selection("before"))

    def check_outside(self, weight: np.ndarray) -> None:
        """Where the result's mask is 0 what is shown is what was shown, to the last bit."""
        before, after = self.picture("before"), self.picture("after")
        np.testing.assert_array_equal(after[weight == 0], before[weight == 0], err_msg=self.name)
        assert not np.array_equal(after, before), self.name

    def weight(self) -> np.ndarray:
        """The result's mask on the canvas."""
        (x, y, w, h), _ = self.layer()
        wide = np.zeros((H + 400, W + 400), np.uint8)  # room for layers that reach beyond it
        wide[200 + y : 200 + y + h, 200 + x : 200 + x + w] = self.mask()
        return wide[200 : 200 + H, 200 : 200 + W]


@pytest.mark.parametrize("kind", KINDS)
def test_each_action_in_each_kind_of_image(gimp, studio, photo, kind):
    precision, gray, moved, _ = KINDS[kind]
    names = [name for name in CALLS if name not in ONCE or kind == "rgb8"]
    calls = "\n".join("attempt({!r}, {!r}, image, {}, **{!r})".format(name, *CALLS[name]) for name in names)
    out = gimp.run(f"{MAKE}\nimage = make({precision!r}, {gray}, {moved})\n{calls}\nimage.delete()")
    for number, name in enumerate(names):
        check, *more = CHECKS[name]
        check(Seen(gimp, out, name, kind), studio.jobs[f"job-{number}"], *more)


def check_part(seen: Seen, job) -> None:
    """A new version of what is selected, under the selection, at its place."""
    seen.check_the_rest()
    (x, y, w, h), layer = seen.layer()
    fx, fy, fw, fh = seen.frame
    sent = seen.source()[y - fy : y - fy + h, x - fx : x - fx + w]
    assert job[1] == sent.tobytes()
    np.testing.assert_array_equal(layer[..., : seen.colours], expected_negative(sent[..., : seen.colours], seen.dtype))
    assert layer.shape[2] == seen.channels
    selection = seen.selection("before")[y : y + h, x : x + w]
    assert (x, y, x + w, y + h) == (max(fx, x), max(0, fy, y), min(fx + fw, W, x + w), min(fy + fh, H, y + h))
    np.testing.assert_array_equal(seen.mask(), selection)
    assert job[2] == selection.tobytes()
    seen.check_outside(seen.weight())
    assert (seen.weight() == 0).any()


def check_whole(seen: Seen, job, group: bool) -> None:
    """A new version of the whole layer, as large as it, wherever it lies."""
    seen.check_the_rest()
    box, layer = seen.layer()
    assert box == seen.frame
    assert job[1] == seen.source().tobytes()
    assert (job[0].request.canvas.width, job[0].request.canvas.height) == seen.frame[2:]
    assert not job[0].HasField("mask")
    wanted = expected_negative(seen.source()[..., : seen.colours], seen.dtype)
    np.testing.assert_array_equal(layer[..., : seen.colours], wanted)
    seen.check_outside(seen.weight())
    if group:
        children = seen.state("after")["layers"][0]["children"]
        assert [child["visible"] for child in children] == [True, False]
        assert [child["box"] for child in children] == [list(seen.frame)] * 2
        assert [child["name"] for child in children] == ["Frisket variation (seed 0)", "Frisket variation (seed 1)"]


def check_expanded(seen: Seen, job, left: int, top: int, right: int, bottom: int) -> None:
    """All moves with the canvas; what was there shows as it did, what is new is what was painted."""
    before, after = seen.state("before"), seen.state("after")
    width, height = W + left + right, H + top + bottom
    shown = seen.picture("after", width, height)
    old = (slice(top, top + H), slice(left, left + W))
    np.testing.assert_array_equal(shown[old], seen.picture("before"))
    new = np.ones((height, width), bool)
    new[old] = False
    assert not shown[new][:, : seen.colours].any()  # black
    assert shown[new][:, -1].min() > 0
    moved = [
        {**layer, "box": [layer["box"][0] + left, layer["box"][1] + top, *layer["box"][2:]]}
        for layer in before["layers"]
    ]
    assert after["layers"][1:] == moved
    assert after["selected"] == before["selected"]
    selection = seen.selection("after", width, height)
    np.testing.assert_array_equal(selection[old], seen.selection("before"))
    assert not selection[new].any()
    assert seen.layer()[0] == (0, 0, width, height)
    sides = job[0].request.outpaint
    assert (sides.left, sides.top, sides.right, sides.bottom) == (left, top, right, bottom)
    assert job[1] == seen.picture("before").tobytes()  # what is seen, not the selected layer alone


def check_larger(seen: Seen, job, scale: int, elsewhere: bool) -> None:
    """Every pixel scale x scale times: in a new image of the same kind, or here around the same centre."""
    seen.check_the_rest(added=not elsewhere)
    x, y, w, h = seen.frame
    box, layer = seen.layer()
    assert job[1] == seen.source().tobytes()
    np.testing.assert_array_equal(layer, seen.source().repeat(scale, 0).repeat(scale, 1))
    assert seen.out[f"{seen.name}-elsewhere"] is elsewhere
    assert seen.out[f"{seen.name}-precision"] == seen.out["fill-precision"]
    assert not seen.out[f"{seen.name}-layer"]["mask"]
    if elsewhere:
        assert box == (0, 0, w * scale, h * scale)
        np.testing.assert_array_equal(seen.picture("new", *box[2:])[..., : seen.colours], layer[..., : seen.colours])
    else:
        assert box == (x - (scale - 1) * w // 2, y - (scale - 1) * h // 2, w * scale, h * scale)


def check_words(seen: Seen, job, masked: bool) -> None:
    """Nothing is sent; as large as the canvas, or as the selection and shown through it."""
    seen.check_the_rest()
    assert job[1:] == (b"", b"")
    (x, y, w, h), layer = seen.layer()
    assert not layer[..., : seen.colours].any()
    assert seen.out[f"{seen.name}-layer"]["mask"] is masked
    if masked:
        _, x0, y0, x1, y1 = seen.state("before")["bounds"]
        assert (x, y, x + w, y + h) == (x0, y0, x1, y1)
        np.testing.assert_array_equal(seen.mask(), seen.selection("before")[y : y + h, x : x + w])
        seen.check_outside(seen.weight())
    else:
        assert (x, y, w, h) == (0, 0, W, H)


def check_subject(seen: Seen, job) -> None:
    """The mask that came is the selection, to the last bit, and nothing else changes."""
    seen.check_the_rest(added=0, selection=False)
    np.testing.assert_array_equal(seen.picture("after"), seen.picture("before"))
    region = job[0].request.region
    wanted = np.zeros((H, W), np.uint8)
    wanted[region.y : region.y + region.height, region.x : region.x + region.width] = subject(
        region.width, region.height
    )
    np.testing.assert_array_equal(seen.selection("after"), wanted)
    rough = seen.selection("before")[region.y : region.y + region.height, region.x : region.x + region.width]
    assert job[2] == (rough.tobytes() if rough.any() else b"")


CHECKS = {
    "fill": (check_part,),
    "remove": (check_part,),
    "expand": (check_expanded, 10, 7, 0, 20),
    "percent": (check_expanded, 0, 0, W // 4, 0),
    "vary": (check_whole, True),
    "vary-part": (check_part,),
    "faces": (check_part,),
    "upscale": (check_larger, 2, True),
    "upscale-here": (check_larger, 3, False),
    "text": (check_words, True),
    "text-all": (check_words, False),
    "instruct": (check_whole, False),
    "subject": (check_subject,),
    "subject-layer": (check_subject,),
}


def test_refusals_and_options(gimp, studio, photo):
    out = gimp.run(f"""
{MAKE}
def tried(name, action, image, *args, **kwargs):
    before = state(image); out[name] = act(action, image, *args, **kwargs); assert state(image) == before
image = make("U8_NON_LINEAR", False, False)
tried("no words", "text-to-layer", image); tried("blank", "edit-by-instruction", image, prompt=" ")
tried("no side", "expand-canvas", image); tried("no object", "remove-object", image)
tried("no layer", "upscale-layer", image, drawables=[])
tried("no json", "layer-variations", image, options="quality=3")
out["set"] = act("layer-variations", image, options='{{"quality": 3, "growth": "background", "a": true, "b": 0.5}}')[0]
out["all"] = act("upscale-layer", image, drawables=[], sample_merged=True)[0]
out["last"] = act("remove-object", image, mode=Gimp.RunMode.WITH_LAST_VALS)[1]
far = image.get_selected_layers()[0].copy(); image.insert_layer(far, None, 0); far.set_offsets(500, 500)
tried("far away", "expand-canvas", image, [far], left=9, sample_merged=False)
image.delete()
image = Gimp.Image.new(30, 20, Gimp.ImageBaseType.RGB)
status, layer = act("text-to-layer", image, prompt="a moon", count=2); out["empty"] = status
out["made"] = tree(image.get_layers()[0]); image.delete()
""")
    wanted = {
        "no words": "prompt is empty, it must be words that say what to do",
        "blank": "prompt is empty, it must be words that say what to do",
        "no side": "the growth of each side is 0, it must be above 0 for at least one of them",
        "no object": "Nothing is selected",
        "no layer": "No layer is selected",
        "no json": 'options is quality=3, it must be a JSON object such as {"quality": 4}',
        "last": "Nothing is selected",
        "far away": "lies outside the canvas",
    }
    for name, cause in wanted.items():
        told = out[name] if name == "last" else out[name][1]
        assert cause in told, name
    assert (out["set"], out["all"], out["empty"]) == ("success", "success", "success")
    assert [child["box"] for child in out["made"]["children"]] == [[0, 0, 30, 20]] * 2
    assert len(studio.jobs) == 3
    given = studio.jobs["job-0"][0].request.engine_params
    assert {name: value.WhichOneof("kind") for name, value in given.items()} == {
        "quality": "integer",
        "growth": "text",
        "a": "flag",
        "b": "number",
    }
    assert (given["quality"].integer, given["growth"].text) == (3, "background")
    # All that is seen, with alpha: the variation lies on top.
    assert studio.jobs["job-1"][1][:4] == bytes([*(255 - photo[0, 0]), 255])


def test_the_script_of_the_docs_runs(gimp, studio, photo):
    docs = (Path(__file__).parents[2] / "docs" / "gimp.md").read_text()
    script = docs.split("```python\n")[1].split("```")[0]
    out = gimp.run(f"""
image = load()
{script}
out["versions"] = tree(versions); out["canvas"] = [image.get_width(), image.get_height()]
out["large"] = [large.get_width(), large.get_height()]; large.delete(); image.delete()
""")
    assert len(out["versions"]["children"]) == 3
    assert out["canvas"] == [W + 2 * W // 10, H]
    assert out["large"] == [2 * out["canvas"][0], 2 * H]
