"""Actions x depths x colour models x kinds of layers, in GIMP 3.0 and 3.2 with windows: outside of the result nothing
changes, the result lies at its place to the pixel, and one Ctrl+Z brings back what was there, byte for byte."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from negative_studio import expected_negative, picture
from PIL import Image
from real_gimp import TREES, Gimp, a_gimp, a_screen, step_aside, why_no_gimp, why_no_screen
from running_studio import a_studio

pytestmark = [pytest.mark.gimp, pytest.mark.slow, pytest.mark.timeout(500)]

W, H = 96, 72
DEPTHS = {"8": ("U8_NON_LINEAR", np.uint8), "16": ("U16_LINEAR", np.uint16), "float": ("FLOAT_NON_LINEAR", np.float32)}
COLOURS = {"rgb": (False, False), "rgba": (False, True), "gray": (True, False), "graya": (True, True)}  # gray, alpha
PLACES = ("plain", "offset", "in-group", "masked", "text")
SHARED = {"random_seed": False, "seed": 4}
# Of these the result is the negative of what was selected; then those with another kind of result.
MASKED = {
    "fill-selection": SHARED,
    "remove-object": SHARED,
    "layer-variations": {**SHARED, "count": 2},
    "restore-faces": {},
    "edit-by-instruction": {**SHARED, "prompt": "winter", "count": 1},
}
OTHERS = {
    "expand-canvas": {**SHARED, "left": 8, "bottom": 5},
    "text-to-layer": {**SHARED, "prompt": "a moon"},
    "upscale-layer": {"scale": 2, "into": "layer"},
    "select-subject": {},
}


@dataclass(frozen=True)
class Case:
    """One call in one kind of image."""

    depth: str
    colour: str
    place: str
    action: str

    def __str__(self) -> str:
        return f"{self.action}-{self.depth}-{self.colour}-{self.place}"

    @property
    def kind(self) -> tuple[str, str, str]:
        return self.depth, self.colour, self.place


def cases() -> list[Case]:
    """Each kind of image with one action of each sort, taking turns."""
    masked, others = itertools.cycle(MASKED), itertools.cycle(OTHERS)
    found = []
    for depth, colour, place in itertools.product(DEPTHS, COLOURS, PLACES):
        if place == "text" and not COLOURS[colour][1]:
            continue  # a text layer has alpha
        found += [Case(depth, colour, place, next(turn)) for turn in (masked, others)]
    return found


REFUSED = {
    "indexed": "D, P = Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE\n"
    "image.convert_indexed(D, P, 16, False, False, '')",
    "nothing-selected": "Gimp.Selection.none(image)",
    "selected-outside": "layer.scale(20, 20, False); layer.set_offsets(0, 0)",
    "floating": "Gimp.edit_copy([layer]); Gimp.edit_paste(layer, True)",
    "several": "image.insert_layer(layer.copy(), None, 0); image.set_selected_layers(image.get_layers())",
    "channel": "c = Gimp.Channel.new_from_component(image, 0, 'c'); image.insert_channel(c, None, 0); chosen = [c]",
    "layer-outside": "layer.set_offsets(500, 0)",
}
SAID = {  # a part of what is said
    "indexed": "indexed (see Image > Mode)",
    "nothing-selected": "Nothing is selected",
    "selected-outside": "The selection lies outside the layer",
    "floating": "Anchor it first",
    "several": "Several layers are selected",
    "channel": "No layer is selected",
    "layer-outside": "lies outside the",
}
SELECT = "image.select_ellipse(Gimp.ChannelOps.REPLACE, 30, 20, 40, 34); Gimp.Selection.feather(image, 4)"
BODY = f"""
import hashlib
def make(depth, gray, alpha, place):
    image = load()
    if gray: image.convert_grayscale()
    if depth != "U8_NON_LINEAR": image.convert_precision(getattr(Gimp.Precision, depth))
    base = image.get_layers()[0]; layer = base
    if place == "text":
        layer = Gimp.TextLayer.new(image, "Frisket", Gimp.context_get_font(), 30, Gimp.Unit.pixel())
        image.insert_layer(layer, None, 0); layer.set_offsets(7, 21)
    elif place != "plain":
        layer = base.copy(); group = None
        if place == "in-group":
            group = Gimp.GroupLayer.new(image, "group"); image.insert_layer(group, None, 0)
        image.insert_layer(layer, group, 0)
    if alpha and not layer.has_alpha(): layer.add_alpha()
    if place in ("offset", "in-group"): layer.scale(70, 60, False); layer.set_offsets(19, -9)
    if place == "masked":
        mask = layer.create_mask(Gimp.AddMaskType.WHITE); layer.add_mask(mask); layer.set_edit_mask(False)
        mask.get_buffer().set(Gegl.Rectangle.new(0, 0, 40, 72), "Y u8", bytes([90]) * (40 * 72))
        mask.update(0, 0, 40, 72)
    path = Gimp.Path.new(image, "path"); image.insert_path(path, None, 0)
    {SELECT}
    image.set_selected_layers([layer])
    return image, layer

def whole_state(image):
    visible = Gimp.Layer.new_from_visible(image, image, "tmp")
    shown = hashlib.sha256(raw(visible)).hexdigest(); visible.delete()
    chosen = hashlib.sha256(raw(image.get_selection(), "Y u8")).hexdigest()
    return [state(image), shown, chosen, len(image.get_channels()), len(image.get_paths()),
            image.get_width(), image.get_height(), image.get_base_type().value_nick,
            list(Gimp.context_get_background().get_rgba())]

def attempt(name, image, layer, action, settings):
    before = whole_state(image)
    dump_visible(image, name + "-before"); dump(name + "-source", raw(layer)); own = raw(layer)
    dump(name + "-selection", raw(image.get_selection(), "Y u8"))
    status, made = act(action, image, **settings)
    told = {{"status": status, "said": made if isinstance(made, str) else "", "source": [*layer.get_offsets()[1:],
             layer.get_width(), layer.get_height()], "own": raw(layer) == own}}
    after = whole_state(image)
    told["selected"] = after[0]["selected"] == before[0]["selected"]
    told["selection"] = after[2] == before[2]
    told["rest"] = after[3:5] + after[7:] == before[3:5] + before[7:]
    told["foreground"] = after[0]["foreground"] == before[0]["foreground"]
    told["canvas"] = after[5:7]; told["changed"] = after != before
    dump_visible(image, name + "-after")
    if isinstance(made, Gimp.Layer):
        told["box"] = tree(made)["box"]; dump(name + "-layer", raw(made))
        if made.get_mask(): dump(name + "-mask", raw(made.get_mask(), "Y u8"))
        told["beside"] = [made.get_parent().get_parent() if after[0]["layers"][0].get("children") and made.get_parent()
                          and made.get_parent() != layer.get_parent() else made.get_parent()] == [layer.get_parent()]
    Gimp.displays_flush(); signal("did-" + name); wait_for("undo-" + name)
    for _ in range(60):
        told["undone"] = whole_state(image) == before
        if told["undone"]: break
        time.sleep(0.05)
    out[name] = told

def refuse(name, action, settings, spoil):
    image, layer = make("U8_NON_LINEAR", False, False, "plain"); chosen = None
    names = dict(image=image, layer=layer, chosen=None, Gimp=Gimp)
    exec(spoil, names)
    before = whole_state(image)
    status, said = act(action, image, names["chosen"], **settings)
    out["refused-" + name] = [status, said if isinstance(said, str) else "", whole_state(image) == before]
    image.delete()
"""


def script() -> str:
    lines = [BODY]
    for kind, group in itertools.groupby(cases(), key=lambda case: case.kind):
        depth, colour, place = kind
        lines.append(f"image, layer = make({DEPTHS[depth][0]!r}, *{COLOURS[colour]!r}, {place!r})")
        lines.append("display = Gimp.Display.new(image); Gimp.displays_flush()")
        for case in group:
            settings = {**MASKED, **OTHERS}[case.action]
            lines.append(f"attempt({str(case)!r}, image, layer, {case.action!r}, {settings!r})")
        lines.append("display.delete()")
    lines += [f"refuse({name!r}, 'fill-selection', {SHARED!r}, {spoil!r})" for name, spoil in REFUSED.items()]
    return "\n".join(lines)


@pytest.fixture(scope="module", params=TREES)
def done(request) -> Iterator[tuple[Gimp, dict]]:
    """All cases, done in one GIMP of that Debian: (where its dumps lie, what it told of each)."""
    tree = TREES[request.param]
    if request.param == "3.2" and why_no_gimp(tree):
        pytest.skip(why_no_gimp(tree))  # Debian's testing moves: its tree cannot always be built
    reason = why_no_gimp(tree) or why_no_screen()
    if reason:
        step_aside(reason)
    with contextlib.ExitStack() as stack:
        gimp, screen = stack.enter_context(a_gimp(tree)), stack.enter_context(a_screen())
        stack.enter_context(a_studio(gimp))
        Image.fromarray(np.round(picture()[:H, :W] * 255).astype(np.uint8)).save(gimp.folder / "in.png")
        gimp.seconds = 400
        stack.enter_context(gimp.shown(screen, script()))
        for case in cases():
            gimp.wait_for(f"did-{case}", 60)
            screen.key("ctrl+z")
            (gimp.folder / f"undo-{case}").touch()
        out = gimp.finished(60)
        out["arrays"] = {path.stem: path.read_bytes() for path in Path(gimp.folder).glob("*.raw")}
        yield gimp, out


@pytest.mark.parametrize("case", cases(), ids=str)
def test_each_action_in_each_kind_of_image(done, case):
    _, out = done
    told = out[str(case)]
    assert told["status"] == "success", told["said"]
    kept = ("own", "selected", "rest", "foreground", "changed", "undone")
    assert {name: told[name] for name in kept} == dict.fromkeys(kept, True)
    assert told["selection"] == (case.action not in ("select-subject", "expand-canvas"))
    seen = Seen(case, out)
    if case.action in MASKED:
        seen.check_masked(told)
    elif case.action == "expand-canvas":
        assert told["canvas"] == [W + 8, H + 5]
        seen.check_same(seen.shown("after", W + 8, H + 5)[:H, 8:], seen.shown("before"))
    elif case.action == "text-to-layer":
        assert told["box"] == seen.selected()
    elif case.action == "upscale-layer":
        x, y, w, h = told["source"]
        assert told["box"] == [x - w // 2, y - h // 2, 2 * w, 2 * h]
    else:
        seen.check_same(seen.shown("after"), seen.shown("before"))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_said_in_a_sentence(done, name):
    status, said, unchanged = done[1][f"refused-{name}"]
    assert status == "execution-error"
    assert SAID[name] in said
    assert said.count("\n") >= 2  # title, cause, remedy
    assert unchanged


class Seen:
    """What was dumped of one case."""

    def __init__(self, case: Case, out: dict) -> None:
        self.case, self.arrays = case, out["arrays"]
        self.dtype = DEPTHS[case.depth][1]
        self.gray, self.alpha = COLOURS[case.colour]

    def read(self, what: str, width: int, height: int, dtype: type) -> np.ndarray:
        return np.frombuffer(self.arrays[f"{self.case}-{what}"], dtype).reshape(height, width, -1)

    def shown(self, when: str, width: int = W, height: int = H) -> np.ndarray:
        return self.read(when, width, height, self.dtype)

    def selected(self) -> list[int]:
        """Bounds of the selection: x, y, width, height."""
        selection = self.read("selection", W, H, np.uint8)[..., 0]
        rows, columns = selection.any(1).nonzero()[0], selection.any(0).nonzero()[0]
        x, y = int(columns[0]), int(rows[0])
        return [x, y, int(columns[-1]) + 1 - x, int(rows[-1]) + 1 - y]

    def check_same(self, shown: np.ndarray, before: np.ndarray) -> None:
        """GIMP itself composes gray floats by way of RGB: there the last bits may differ."""
        if self.gray and self.dtype == np.float32:
            np.testing.assert_allclose(shown, before, atol=2e-6, rtol=0)
        else:
            np.testing.assert_array_equal(shown, before)

    def check_masked(self, told: dict) -> None:
        x, y, w, h = told["box"]
        sx, sy, sw, sh = told["source"]
        selection = self.read("selection", W, H, np.uint8)[..., 0]
        mask = self.read("mask", w, h, np.uint8)[..., 0]
        np.testing.assert_array_equal(mask, selection[y : y + h, x : x + w])
        source = self.read("source", sw, sh, self.dtype)[y - sy : y - sy + h, x - sx : x - sx + w]
        layer, colours = self.read("layer", w, h, self.dtype), 1 if self.gray else 3
        np.testing.assert_array_equal(layer[..., :colours], expected_negative(source[..., :colours], self.dtype))
        weight = np.zeros((H, W), np.uint8)
        weight[y : y + h, x : x + w] = mask
        self.check_same(self.shown("after")[weight == 0], self.shown("before")[weight == 0])
        assert (weight == 0).any()
        assert told["beside"]


def test_the_matrix_is_as_large_as_it_should_be():
    found = cases()
    assert len(found) + len(REFUSED) >= 100
    assert {case.action for case in found} == {*MASKED, *OTHERS}
    for action in (*MASKED, *OTHERS):
        mine = [case for case in found if case.action == action]
        assert {case.depth for case in mine} == set(DEPTHS)
        assert len({case.colour for case in mine}) >= 2
        assert len({case.place for case in mine}) >= 3
