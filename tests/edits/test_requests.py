"""A request is one value: it checks itself, and comes back from JSON equal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frisket.edits.requests import (
    DEFAULT_STRENGTH,
    NEEDS,
    PARAMS,
    DetectFacesParams,
    EditRequest,
    InpaintParams,
    InstructParams,
    MaskDials,
    OutpaintParams,
    Plane,
    RestoreFacesParams,
    SelectSubjectParams,
    TextToLayerParams,
    UpscaleParams,
    VariationParams,
    from_json,
    strength_of,
    to_json,
)
from frisket.engines.spec import Task
from frisket.errors import ParameterOutOfRange, RegionInvalid, RequestInvalid
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Box, Size

dial = st.none() | st.integers(0, 1024)
dials = st.builds(MaskDials, dial, dial, dial, st.none() | st.integers(0, 4096))
context = st.builds(MaskDials, context=st.none() | st.integers(0, 4096))
offset = st.integers(-(1 << 20), 1 << 20)
unit = st.floats(0, 1)
words = st.text(min_size=1, max_size=9).filter(str.strip)
params = st.one_of(
    st.builds(InpaintParams, st.text(max_size=30), st.text(max_size=9), unit, dials, st.tuples(offset, offset)),
    st.builds(
        OutpaintParams, *[st.integers(0, 99)] * 4, st.text(max_size=9), st.text(max_size=9), context, st.booleans()
    ),
    st.builds(VariationParams, unit, st.text(max_size=9), st.text(max_size=9), st.booleans(), dials),
    st.builds(TextToLayerParams, words, st.text(max_size=9)),
    st.builds(InstructParams, words, st.text(max_size=9), dials),
    st.builds(RestoreFacesParams, unit, st.just((Box(1, 2, 3, 4),)), st.sampled_from((1, 2, 4)), words, words),
    st.builds(UpscaleParams, st.sampled_from((2, 3, 4))),
    st.builds(DetectFacesParams),
    st.builds(SelectSubjectParams),
)
values = st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.text(max_size=5)
requests = st.builds(
    EditRequest,
    canvas=st.just(Size(640, 480)),
    region=st.sampled_from((Box(0, 0, 640, 480), Box(7, 9, 100, 50), Box(0, 0, 0, 0))),
    params=params,
    format=st.builds(PixelFormat, st.sampled_from(Samples), st.sampled_from(Layout), st.sampled_from(Transfer)),
    engine=st.sampled_from(("", "patch")),
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 16),
    engine_params=st.dictionaries(st.text(max_size=5), values, max_size=3),
)


@given(requests)
def test_json_gives_it_back(request: EditRequest) -> None:
    text = to_json(request)
    assert from_json(text) == request
    assert text.isascii()
    assert "\n" not in text


def test_json_is_pinned() -> None:
    request = EditRequest(Size(4, 3), Box(0, 0, 4, 3), InpaintParams(prompt="é", dials=MaskDials(grow=2)), seed=5)
    assert to_json(request) == (
        '{"canvas":{"height":3,"width":4},"count":1,"engine":"","engine_params":{},'
        '"format":["u8","rgb","perceptual"],"model":"","params":{"dials":{"blend":null,"context":null,"feather":null,'
        '"grow":2},"move":[0,0],"negative_prompt":"","prompt":"\\u00e9","strength":1.0},'
        '"region":{"height":3,"width":4,"x":0,"y":0},"seed":5,"task":"inpaint"}'
    )


def test_requests_stored_before_a_field_was_added_can_be_read() -> None:
    request = EditRequest(Size(4, 3), Box(0, 0, 4, 3), OutpaintParams(left=2))
    fields = json.loads(to_json(request))
    del fields["params"]["transparent"]
    assert from_json(json.dumps(fields)) == request


def test_every_task_says_what_it_needs() -> None:
    assert set(NEEDS) == set(PARAMS) == set(Task) - {Task.PARSE_FACES}, "a help that nobody asks for by itself"
    assert NEEDS[Task.TEXT_TO_LAYER] == frozenset()
    assert all(Plane.PIXELS in needed for task, needed in NEEDS.items() if task is not Task.TEXT_TO_LAYER)
    assert [task for task, needed in NEEDS.items() if Plane.MASK in needed] == [Task.INPAINT]


def test_a_task_without_strength_is_done_in_full() -> None:
    assert DEFAULT_STRENGTH == {Task.INPAINT: 1.0, Task.VARIATION: 0.5}
    assert strength_of(InstructParams("x")) == strength_of(OutpaintParams(left=1)) == 1.0
    assert strength_of(VariationParams(0.25)) == 0.25


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"task":"inpaint"}', "nonsense", '{"task": 3}'])
def test_what_is_no_request_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalid):
        from_json(text)


def test_unknown_task_in_json_is_refused() -> None:
    fields = json.loads(to_json(EditRequest(Size(4, 3), Box(0, 0, 4, 3), InpaintParams())))
    with pytest.raises(RequestInvalid):
        from_json(json.dumps(fields | {"task": "juggle"}))


def test_seeds_count_up_and_wrap() -> None:
    request = EditRequest(Size(4, 3), Box(0, 0, 4, 3), InpaintParams(), seed=2**32 - 2, count=4)
    assert request.seeds == (2**32 - 2, 2**32 - 1, 0, 1)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"seed": -1}, ParameterOutOfRange),
        ({"seed": 2**32}, ParameterOutOfRange),
        ({"count": 0}, ParameterOutOfRange),
        ({"count": 17}, ParameterOutOfRange),
        ({"engine_params": {"steps": 2**63}}, ParameterOutOfRange),
        ({"canvas": Size(0, 3)}, RegionInvalid),
        ({"region": Box(1, 0, 4, 3)}, RegionInvalid),
        ({"region": Box(-1, 0, 4, 3)}, RegionInvalid),
    ],
)
def test_checks_itself(changes: dict, error: type[Exception]) -> None:
    fields = {"canvas": Size(4, 3), "region": Box(0, 0, 4, 3), "params": InpaintParams()} | changes
    with pytest.raises(error):
        EditRequest(**fields)


@pytest.mark.parametrize(
    "make",
    [
        lambda: InpaintParams(strength=1.5),
        lambda: InpaintParams(strength=float("nan")),
        lambda: InpaintParams(prompt="x" * 20_001),
        lambda: MaskDials(grow=-1),
        lambda: InpaintParams(move=(1 << 21, 0)),
        lambda: OutpaintParams(left=-1),
        lambda: OutpaintParams(left=1, dials=MaskDials(feather=3)),
        lambda: MaskDials(feather=1025),
        lambda: MaskDials(context=4097),
        lambda: VariationParams(strength=-0.1),
        lambda: TextToLayerParams(""),
        lambda: TextToLayerParams("x" * 20_001),
        lambda: TextToLayerParams("cat", "x" * 20_001),
        lambda: InstructParams(" \n"),
        lambda: RestoreFacesParams(upscale=3),
        lambda: UpscaleParams(scale=5),
    ],
)
def test_parameters_check_themselves(make) -> None:
    with pytest.raises(ParameterOutOfRange):
        make()
