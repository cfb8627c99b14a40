"""Layers that are no plain ones, in GIMP 3.0 and 3.2 with windows: each works as its pixels are, nothing of it changes,
and one Ctrl+Z brings back what was there, byte for byte."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from negative_studio import expected_negative, picture
from PIL import Image
from real_gimp import TREES, Gimp, a_gimp, a_screen, step_aside, why_no_gimp, why_no_screen
from running_studio import a_studio
from test_matrix import BODY, SHARED, H, W

pytestmark = [pytest.mark.gimp, pytest.mark.slow, pytest.mark.timeout(300)]

# How a layer becomes one; `layer` lies in `image`, a copy of the picture above it.
KINDS = {
    "effect": 'f = Gimp.DrawableFilter.new(layer, "gegl:gaussian-blur", "blur"); layer.append_filter(f)',
    "locked-pixels": "layer.set_lock_content(True)",
    "locked-position": "layer.set_lock_position(True)",
    "locked-alpha": "layer.set_lock_alpha(True)",
    "locked-visibility": "layer.set_lock_visibility(True)",
    "multiplied": "layer.set_mode(Gimp.LayerMode.MULTIPLY); layer.set_opacity(40)",
    "hidden": "layer.set_visible(False)",
    "group": "g = Gimp.GroupLayer.new(image, 'g'); image.insert_layer(g, None, 0);"
    "image.reorder_item(layer, g, 0); layer = g",
    "pass-through": "g = Gimp.GroupLayer.new(image, 'g'); image.insert_layer(g, None, 0);"
    "g.set_mode(Gimp.LayerMode.PASS_THROUGH); image.reorder_item(layer, g, 0); layer = g",
    "in-locked-group": "g = Gimp.GroupLayer.new(image, 'g'); image.insert_layer(g, None, 0);"
    "image.reorder_item(layer, g, 0); g.set_lock_content(True)",
    "mask-shown": "m = layer.create_mask(Gimp.AddMaskType.WHITE); layer.add_mask(m); layer.set_edit_mask(True);"
    "layer.set_show_mask(True)",
    "link": "layer = Gimp.LinkLayer.new(image, path('in.png')); image.insert_layer(layer, None, 0)",
    "vector": "p = Gimp.Path.new(image, 'shape'); image.insert_path(p, None, 0);"
    "p.bezier_stroke_new_ellipse(45, 35, 30, 20, 0); layer = Gimp.VectorLayer.new(image, p);"
    "image.insert_layer(layer, None, 0); layer.refresh()",
}
ONLY_NEW = ("link", "vector")  # since GIMP 3.2
ACTIONS = {"fill-selection": SHARED, "layer-variations": {**SHARED, "count": 2}}


def script(kinds: list[str]) -> str:
    lines = [BODY]
    for kind in kinds:
        lines.append("image, layer = make('U8_NON_LINEAR', False, True, 'offset')")
        lines.append(f"names = dict(image=image, layer=layer, Gimp=Gimp, path=path); exec({KINDS[kind]!r}, names)")
        lines.append("layer = names['layer']; image.set_selected_layers([layer])")
        lines.append("display = Gimp.Display.new(image); Gimp.displays_flush()")
        for action, settings in ACTIONS.items():
            lines.append(f"attempt('{kind}-{action}', image, layer, {action!r}, {settings!r})")
        lines.append("display.delete()")
    return "\n".join(lines)


@pytest.fixture(scope="module", params=TREES)
def done(request) -> Iterator[tuple[Gimp, dict]]:
    """All of them, done in one GIMP of that Debian: (where its dumps lie, what it told of each)."""
    tree = TREES[request.param]
    if request.param == "3.2" and why_no_gimp(tree):
        pytest.skip(why_no_gimp(tree))  # Debian's testing moves: its tree cannot always be built
    reason = why_no_gimp(tree) or why_no_screen()
    if reason:
        step_aside(reason)
    kinds = [kind for kind in KINDS if request.param != "3.0" or kind not in ONLY_NEW]
    with contextlib.ExitStack() as stack:
        gimp, screen = stack.enter_context(a_gimp(tree)), stack.enter_context(a_screen())
        stack.enter_context(a_studio(gimp))
        Image.fromarray(np.round(picture()[:H, :W] * 255).astype(np.uint8)).save(gimp.folder / "in.png")
        gimp.seconds = 250
        stack.enter_context(gimp.shown(screen, script(kinds)))
        for kind in kinds:
            for action in ACTIONS:
                gimp.wait_for(f"did-{kind}-{action}", 60)
                screen.key("ctrl+z")
                (gimp.folder / f"undo-{kind}-{action}").touch()
        out = gimp.finished(60)
        out["arrays"] = {path.stem: path.read_bytes() for path in Path(gimp.folder).glob("*.raw")}
        yield gimp, out


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_of_this_kind(done, kind, action):
    name, (_, out) = f"{kind}-{action}", done
    if name not in out:
        assert kind in ONLY_NEW
        pytest.skip("GIMP 3.0 has no such layers")
    told, arrays = out[name], out["arrays"]
    assert told["status"] == "success", told["said"]
    kept = ("own", "selected", "selection", "rest", "foreground", "changed", "undone")
    assert {key: told[key] for key in kept} == dict.fromkeys(kept, True)
    x, y, w, h = told["box"]
    sx, sy, sw, sh = told["source"]
    selection = np.frombuffer(arrays[f"{name}-selection"], np.uint8).reshape(H, W)
    mask = np.frombuffer(arrays[f"{name}-mask"], np.uint8).reshape(h, w)
    np.testing.assert_array_equal(mask, selection[y : y + h, x : x + w])
    source = np.frombuffer(arrays[f"{name}-source"], np.uint8).reshape(sh, sw, 4)[y - sy : y - sy + h, x - sx :][:, :w]
    layer = np.frombuffer(arrays[f"{name}-layer"], np.uint8).reshape(h, w, 4)
    np.testing.assert_array_equal(layer[..., :3], expected_negative(source[..., :3], np.uint8))
    before, after = (np.frombuffer(arrays[f"{name}-{when}"], np.uint8).reshape(H, W, 4) for when in ("before", "after"))
    outside = np.ones((H, W), bool)
    outside[y : y + h, x : x + w] = mask == 0
    np.testing.assert_array_equal(after[outside], before[outside])
