"""Images whose numbers mean other colours than sRGB's, in the real GIMP: what is sent, and what a result looks like."""

from __future__ import annotations

import numpy as np
import pytest
from negative_studio import picture
from PIL import Image

from frisket.rpc.stubs import images_pb2

pytestmark = [pytest.mark.gimp, pytest.mark.slow]

W, H = 96, 72
DEPTHS = {"U8_NON_LINEAR": np.uint8, "U16_LINEAR": np.uint16, "FLOAT_NON_LINEAR": np.float32, "HALF_LINEAR": np.float16}
NAMES = {3: "R'G'B' float", 4: "R'G'B'A float", 1: "Y' float"}
MAKE = """
image = load()
if {gray}: image.convert_grayscale(); profile = Gimp.ColorProfile.new_d50_gray_lab_trc()
else: profile = Gimp.ColorProfile.new_rgb_adobe()
image.set_color_profile(profile)
if "{depth}" != "U8_NON_LINEAR": image.convert_precision(Gimp.Precision.{depth})
below = image.get_layers()[0]
image.select_ellipse(Gimp.ChannelOps.REPLACE, 30, 20, 40, 34); Gimp.Selection.feather(image, 4)
dump("own", raw(below)); dump("srgb", raw(below, "{name}")); dump_visible(image, "before")
dump("selection", raw(image.get_selection(), "Y u8"))
status, layer = fill(image); assert status == "success", layer
out["box"] = tree(layer)["box"]; dump("layer", raw(layer)); dump("layer-srgb", raw(layer, "{name}"))
dump_visible(image, "after")
out["same profile"] = image.get_color_profile().is_equal(profile) or "LINEAR" in "{depth}"
"""


@pytest.fixture
def photo(gimp):
    # Colours that sRGB has as well, and so have their negatives.
    Image.fromarray(np.round((0.3 + 0.4 * picture()[:H, :W]) * 255).astype(np.uint8)).save(gimp.folder / "in.png")


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("gray", [False, True])
def test_an_engine_that_was_trained_sees_srgb_and_paints_it(gimp, studio, photo, depth, gray):
    studio.trained = True
    colours = 1 if gray else 3
    out = gimp.run(MAKE.format(depth=depth, gray=gray, name=NAMES[colours]))
    x, y, w, h = out["box"]
    header, pixels, _ = studio.jobs["job-0"]
    fmt = header.request.format
    assert (fmt.samples, fmt.transfer) == (images_pb2.SAMPLES_F32, images_pb2.TRANSFER_PERCEPTUAL)
    sent = np.frombuffer(pixels, np.float32).reshape(h, w, colours)
    seen = gimp.array("srgb", (H, W, colours), np.float32)[y : y + h, x : x + w]
    np.testing.assert_array_equal(sent, seen)
    own = gimp.array("own", (H, W, colours), DEPTHS[depth])
    if not gray and depth == "U8_NON_LINEAR":
        assert np.abs(own[y : y + h, x : x + w] / 255 - seen).max() > 0.02  # it is another space
    painted = gimp.array("layer-srgb", (h, w, colours), np.float32)
    np.testing.assert_allclose(painted, 1 - sent, atol=1.5 / 255)
    weight = np.zeros((H, W), np.uint8)
    weight[y : y + h, x : x + w] = gimp.array("selection", (H, W), np.uint8)[y : y + h, x : x + w]
    before, after = (gimp.array(name, (H, W, colours + 1), DEPTHS[depth]) for name in ("before", "after"))
    if gray and DEPTHS[depth] in (np.float16, np.float32):  # GIMP itself composes them by way of RGB
        np.testing.assert_allclose(after[weight == 0], before[weight == 0], atol=1e-3)
    else:
        np.testing.assert_array_equal(after[weight == 0], before[weight == 0])
    assert not np.array_equal(after, before)
    assert out["same profile"]


def test_an_engine_that_copies_gets_the_images_own_numbers(gimp, studio, photo):
    out = gimp.run(MAKE.format(depth="U8_NON_LINEAR", gray=False, name=NAMES[3]))
    x, y, w, h = out["box"]
    own = gimp.array("own", (H, W, 3), np.uint8)[y : y + h, x : x + w]
    assert studio.jobs["job-0"][1] == own.tobytes()
    np.testing.assert_array_equal(gimp.array("layer", (h, w, 3), np.uint8), 255 - own)


def test_without_a_profile_of_its_own_nothing_is_converted(gimp, studio, photo):
    studio.trained = True
    gimp.run("""
image = load(); image.select_rectangle(Gimp.ChannelOps.REPLACE, 30, 20, 40, 34)
status, layer = fill(image); assert status == "success", layer
image.set_color_profile(Gimp.ColorProfile.new_rgb_srgb())
status, layer = fill(image); assert status == "success", layer
""")
    for job in ("job-0", "job-1"):
        assert studio.jobs[job][0].request.format.samples == images_pb2.SAMPLES_U8


def test_again_and_more_of_it_travel_the_same_way(gimp, studio, photo):
    studio.trained, studio.request_json = True, ""
    out = gimp.run("""
image = load(); image.set_color_profile(Gimp.ColorProfile.new_rgb_adobe())
image.select_rectangle(Gimp.ChannelOps.REPLACE, 30, 20, 40, 34)
status, first = fill(image, seed=3); assert status == "success", first
status, second = act("again", image, [first]); assert status == "success", second
out["same"] = raw(first) == raw(second)
""")
    assert out["same"]
    assert studio.jobs["job-0"][1] == studio.jobs["job-1"][1]
