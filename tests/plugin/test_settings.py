"""From what the user set to the request."""

from __future__ import annotations

import pytest
from frisket_gimp import settings
from frisket_gimp.actions import ACTIONS
from frisket_gimp.arguments import ANCHORS, RATIOS
from frisket_gimp.styles import Style
from hypothesis import given
from hypothesis import strategies as st

from frisket.edits.requests import InpaintParams, RestoreFacesParams
from frisket.errors import ParameterOutOfRange
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box, Size

ratios = st.sampled_from([word for word, _ in RATIOS if word != "sides"])
sizes = st.integers(1, 20000)


@given(sizes, sizes, ratios, st.sampled_from([word for word, _ in ANCHORS]))
def test_to_a_ratio_by_the_least_growth(width, height, ratio, anchor):
    wide, high = (int(number) for number in ratio.split(":"))
    sides = settings.to_ratio(Size(width, height), wide, high, anchor)
    assert min(sides.values()) >= 0
    across, down = sides["left"] + sides["right"], sides["top"] + sides["bottom"]
    assert not (across and down)
    new = width + across, height + down
    # within rounding: less than one px along the side that grows
    assert new[0] * high - new[1] * wide < high
    assert new[1] * wide - new[0] * high < wide
    if across:
        assert (new[0] - 1) * high < height * wide, "one px less would do"
    if down:
        assert (new[1] - 1) * wide < width * high, "one px less would do"


@pytest.mark.parametrize(
    ("anchor", "sides"),
    [
        ("centre", {"left": 150, "top": 0, "right": 151, "bottom": 0}),
        ("left", {"left": 0, "top": 0, "right": 301, "bottom": 0}),
        ("right", {"left": 301, "top": 0, "right": 0, "bottom": 0}),
        ("top", {"left": 150, "top": 0, "right": 151, "bottom": 0}),
    ],
)
def test_where_the_picture_stays(anchor, sides):
    values = {"aspect": "1:1", "anchor": anchor, "unit": "px", "left": 9, "right": 9, "top": 9, "bottom": 9}
    assert settings.added(values, Size(99, 400)) == sides
    assert settings.added({**values, "aspect": "sides"}, Size(99, 400)) == dict.fromkeys(settings.SIDES, 9)


def defaults(name: str) -> tuple:
    action = next(action for action in ACTIONS if action.name == name)
    return action, {argument.name: action.default(argument) for argument in action.arguments}


def test_a_style_is_in_the_request():
    action, values = defaults("fill-selection")
    style = Style("s", "{prompt}, ink", "people", "brush", {"quality": 4})
    given = {**values, "prompt": "a barn"}
    made = settings.request(action, given, Box(0, 0, 8, 8), PixelFormat(), Box(0, 0, 8, 8), style)
    assert isinstance(made.params, InpaintParams)
    assert (made.params.prompt, made.params.negative_prompt) == ("a barn, ink", "people")
    assert (made.engine, dict(made.engine_params)) == ("brush", {"quality": 4})
    assert given["prompt"] == "a barn"


def test_a_canvas_that_has_the_ratio_already_does_not_grow():
    action, values = defaults("expand-canvas")
    with pytest.raises(ParameterOutOfRange, match="growth"):
        settings.request(action, {**values, "aspect": "1:1"}, Box(0, 0, 8, 8), PixelFormat(), Box(0, 0, 8, 8))


def test_chosen_faces_are_told_in_the_frame_of_the_request():
    action, values = defaults("restore-faces")
    given = {**values, "faces": "  30,40,64,50\t-2,8,20,20 "}
    frame = Box(10, -5, 200, 100)
    made = settings.request(action, given, frame, PixelFormat(), Box.of(frame.size)).params
    assert isinstance(made, RestoreFacesParams)
    assert made.faces == (Box(20, 45, 64, 50), Box(-12, 13, 20, 20))
    assert settings.faces_as(settings.faces_in(given["faces"])) == "30,40,64,50 -2,8,20,20"


@given(st.lists(st.builds(Box, *[st.integers(-9999, 9999)] * 2, *[st.integers(1, 9999)] * 2)))
def test_faces_come_back(boxes):
    assert settings.faces_in(settings.faces_as(boxes)) == tuple(boxes)


@pytest.mark.parametrize("text", ["all", "1,2,3", "1,2,3,4,5", "1,2,0,4", "1,2,3,-4", "1.5,2,3,4", "1,2,3,4;5,6,7,8"])
def test_what_is_no_place_of_a_face_is_refused(text):
    with pytest.raises(ParameterOutOfRange, match="faces"):
        settings.faces_in(text)
