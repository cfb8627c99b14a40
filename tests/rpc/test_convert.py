"""Every value makes the trip to protobuf and back, and what says nothing sensible is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from edits.test_requests import requests
from frisket.edits.requests import EditRequest, InpaintParams, VariationParams
from frisket.edits.results import Degradation, DegradationKind, Maker, Piece, Plan
from frisket.engines.spec import EngineSpec, Param, ParamKind, Task
from frisket.errors import RegionInvalid, RequestInvalid
from frisket.raster.geometry import Box, Size
from frisket.rpc import convert
from frisket.rpc.stubs import edits_pb2, images_pb2


@given(requests)
def test_requests(request: EditRequest) -> None:
    wire = edits_pb2.EditRequest.FromString(convert.request_to_proto(request).SerializeToString())
    back = convert.request_from_proto(wire)
    params, wanted = back.params, request.params
    if hasattr(wanted, "strength"):
        assert params.strength == pytest.approx(wanted.strength, abs=1e-7)  # type: ignore[union-attr]
    assert back.seeds == request.seeds
    assert (back.canvas, back.region, back.format, back.engine) == (
        request.canvas,
        request.region,
        request.format,
        request.engine,
    )
    assert dict(back.engine_params) == dict(request.engine_params)
    assert type(params) is type(wanted)
    for name in ("dials", "prompt", "negative_prompt", "transparent"):
        assert getattr(params, name, None) == getattr(wanted, name, None)


def test_unset_fields_mean_the_documented_defaults() -> None:
    message = edits_pb2.EditRequest(
        canvas=images_pb2.Size(width=4, height=3),
        region=images_pb2.Box(width=4, height=3),
        format=images_pb2.PixelFormat(samples=images_pb2.SAMPLES_U8, layout=images_pb2.LAYOUT_RGB),
    )
    message.inpaint.SetInParent()
    assert convert.request_from_proto(message) == EditRequest(Size(4, 3), Box(0, 0, 4, 3), InpaintParams())
    message.variation.SetInParent()
    assert convert.request_from_proto(message).params == VariationParams(strength=0.5)


@pytest.mark.parametrize("broken", ["task", "samples", "value", "canvas"])
def test_nonsense_is_refused(broken: str) -> None:
    message = convert.request_to_proto(EditRequest(Size(4, 3), Box(0, 0, 4, 3), InpaintParams()))
    if broken == "task":
        message.ClearField("inpaint")
    elif broken == "samples":
        message.format.samples = 99  # type: ignore[assignment]
    elif broken == "value":
        message.engine_params["x"].SetInParent()
    else:
        message.canvas.width = 0
    with pytest.raises(RegionInvalid if broken == "canvas" else RequestInvalid):
        convert.request_from_proto(message)


def test_plans() -> None:
    told = (Degradation(DegradationKind.SMALLER_SIZE, "why"),)
    plan = Plan(Box(1, 2, 30, 40), (Piece(Box(1, 2, 30, 40), Size(15, 20)),), told, "patch")
    assert convert.plan_from_proto(convert.plan_to_proto(plan)) == plan


def test_tables_cover_their_enums() -> None:
    assert set(convert.TASKS) == set(Task)
    assert set(convert.PARAM_KINDS) == set(ParamKind)
    assert set(convert.DEGRADATIONS) == set(DegradationKind)
    for table in (convert.SAMPLES, convert.LAYOUTS, convert.CODECS, convert.TASKS, convert.PARAM_KINDS):
        assert len(set(table.values())) == len(table)
        assert 0 not in table.values()


def test_engines_show_their_parameters() -> None:
    param = Param("steps", ParamKind.INT, 20, "How many.", 1, 100, unit="steps", advanced=True)
    spec = EngineSpec("x", "X", "An engine.", frozenset({Task.INPAINT}), params=(param,), models=("m",))
    message = convert.engine_to_proto(spec)
    (shown,) = message.params
    assert (shown.name, shown.default_value.integer, shown.low, shown.high) == ("steps", 20, 1, 100)
    assert shown.advanced
    assert list(message.models) == ["m"]
    assert (message.uses_prompt, message.uses_negative_prompt, message.uses_strength) == (False, False, True)
    assert convert.engine_to_proto(replace(spec, uses_negative_prompt=True)).uses_negative_prompt
    assert not convert.engine_to_proto(replace(spec, uses_strength=False)).uses_strength
    assert not message.uses_tileable
    assert convert.engine_to_proto(replace(spec, uses_tileable=True)).uses_tileable
    assert not message.uses_sources
    assert convert.engine_to_proto(replace(spec, uses_sources=True)).uses_sources
    assert convert.engine_to_proto(replace(spec, trained=True)).trained


def test_makers_go_there_and_back() -> None:
    for maker in (Maker("Frisket 9", "e"), Maker("Frisket 9", "e", "m", "r", True)):
        assert convert.maker_from_proto(convert.maker_to_proto(maker)) == maker
