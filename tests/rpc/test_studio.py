"""The service as clients meet it: a real server process, real sockets, both transports."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from typing import Any

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import frisket
from frisket.client.client import Client
from frisket.edits.requests import (
    EditRequest,
    InpaintParams,
    InstructParams,
    OutpaintParams,
    TextToLayerParams,
    VariationParams,
    from_json,
)
from frisket.edits.results import Maker
from frisket.errors import (
    Cancelled,
    EngineFailed,
    EngineUnknown,
    FrisketError,
    ImageNotFinite,
    JobNotFinished,
    JobUnknown,
    LayerUnsuitable,
    MaskEmpty,
    OutOfMemory,
    ParameterNotHonoured,
    RequestIdReused,
    RequestInvalid,
    ResultUnknown,
    TaskNotSupported,
    TokenMissing,
    TokenWrong,
    WorkerCrashed,
)
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size
from frisket.rpc.convert import error_from_proto
from frisket.rpc.stubs import jobs_pb2, studio_pb2

W, H = 64, 48
HOLE = Box(20, 16, 10, 8)
FORMATS = [PixelFormat(s, l) for s in Samples for l in Layout]


def picture(fmt: PixelFormat = PixelFormat(), seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    kind = {Samples.U8: "<u1", Samples.U16: "<u2", Samples.F16: "<f2", Samples.F32: "<f4"}[fmt.samples]
    values = rng.random((H, W, fmt.layout.channels)) * (1 if fmt.samples.is_float else np.iinfo(kind).max)
    values = values.astype(kind)
    if fmt.layout.has_alpha:
        values[..., -1] = 1 if fmt.samples.is_float else np.iinfo(kind).max
    return values


def mask() -> np.ndarray:
    made = np.zeros((H, W), np.uint8)
    made[HOLE.slices] = 255
    return made


def ask(engine: str = "toy", fmt: PixelFormat | None = None, **changes) -> EditRequest:
    fields: dict[str, Any] = {"canvas": Size(W, H), "region": Box(0, 0, W, H), "params": InpaintParams()}
    fields |= {"engine": engine, "format": fmt or PixelFormat()}
    return EditRequest(**(fields | changes))


def submit(client: Client, request: EditRequest, image: np.ndarray | None = None, request_id: str | None = None):
    image = picture(request.format) if image is None else image
    return client.submit(request, image.tobytes(), mask().tobytes(), request_id)


def outcome(client: Client, job: str) -> list[jobs_pb2.JobEvent]:
    """All events of a job; raises its error."""
    events = list(client.watch(job))
    if events[-1].WhichOneof("what") == "failed":
        raise error_from_proto(events[-1].failed)
    if events[-1].WhichOneof("what") == "cancelled":
        raise Cancelled
    return events


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_there_and_back_in_every_format(client: Client, fmt: PixelFormat) -> None:
    image = picture(fmt)
    job = submit(client, ask(fmt=fmt, engine_params={"level": 1.0}), image)
    outcome(client, job.id)
    result = client.result(job.id)
    assert result.box == HOLE
    assert result.format == fmt
    pixels = np.frombuffer(result.pixels, image.dtype).reshape(HOLE.height, HOLE.width, -1)
    full = 1 if fmt.samples.is_float else np.iinfo(image.dtype).max
    assert (pixels == full).all()
    assert result.mask == b"\xff" * HOLE.area
    assert from_json(result.request_json).engine == "toy"
    assert result.maker == Maker(f"Frisket {frisket.__version__}", "toy")


def test_events_tell_the_story_without_gaps(client: Client) -> None:
    job = submit(client, ask("slow", engine_params={"steps": 20, "step_ms": 20}))
    events = outcome(client, job.id)
    kinds = [e.WhichOneof("what") for e in events if e.WhichOneof("what") != "heartbeat"]
    assert kinds[:2] == ["queued", "started"]
    assert kinds[-1] == "finished"
    assert set(kinds[2:-1]) == {"progress"}
    assert [e.sequence for e in events] == list(range(1, len(events) + 1))
    fractions = [e.progress.fraction for e in events if e.WhichOneof("what") == "progress"]
    assert fractions == sorted(fractions)
    again = list(client.watch(job.id, after=events[2].sequence))
    assert [e.sequence for e in again] == [e.sequence for e in events[3:]]


def test_previews_show_the_crop(client: Client) -> None:
    job = submit(client, ask("slow", engine_params={"steps": 40, "step_ms": 20}))
    previews = [e.preview for e in client.watch(job.id, previews=True) if e.WhichOneof("what") == "preview"]
    assert previews
    assert previews[0].jpeg[:2] == b"\xff\xd8"
    assert Box(0, 0, W, H).holds(
        Box(previews[0].box.x, previews[0].box.y, previews[0].box.width, previews[0].box.height)
    )


def test_the_same_request_is_the_same_job_and_another_is_refused(client: Client) -> None:
    key = str(uuid.uuid4())
    first = submit(client, ask(), request_id=key)
    second = submit(client, ask(), request_id=key)
    assert (second.id, second.reused, first.reused) == (first.id, True, False)
    with pytest.raises(RequestIdReused):
        submit(client, ask(seed=1), request_id=key)
    with pytest.raises(RequestIdReused):
        submit(client, ask(), image=picture(seed=9), request_id=key)


def test_cancel_frees_the_worker(client: Client) -> None:
    job = submit(client, ask("slow", engine_params={"steps": 1000, "step_ms": 20}))
    for event in client.watch(job.id):
        if event.WhichOneof("what") == "progress":
            break
    began = time.monotonic()
    client.cancel(job.id)
    with pytest.raises(Cancelled):
        outcome(client, job.id)
    assert time.monotonic() - began < 2
    outcome(client, submit(client, ask()).id)
    with pytest.raises(JobNotFinished, match="cancelled"):
        client.result(job.id)
    assert client.cancel(job.id).state == jobs_pb2.JOB_STATE_CANCELLED


def test_a_picture_too_large_for_one_chunk_arrives_whole(client: Client) -> None:
    size, fmt = Size(1500, 1100), PixelFormat(layout=Layout.RGBA)
    image = np.random.default_rng(3).integers(0, 256, (1100, 1500, 4), dtype=np.uint8)
    everywhere = np.full((1100, 1500), 255, np.uint8)
    request = ask("null", fmt, canvas=size, region=Box.of(size))
    job = client.submit(request, image.tobytes(), everywhere.tobytes())
    outcome(client, job.id)
    result = client.result(job.id)
    image[..., 3] = 255  # nothing known is left, so what is painted is opaque
    assert np.array_equal(np.frombuffer(result.pixels, np.uint8).reshape(image.shape), image)


CAT = TextToLayerParams("a cat that sleeps in the morning sun on a wall", "dogs")  # 46 and 4 characters: 42 %


@pytest.mark.parametrize("fmt", [FORMATS[i] for i in (2, 5, 8, 15)], ids=str)
def test_a_new_layer_needs_no_plane_at_all(client: Client, fmt: PixelFormat) -> None:
    region = Box(9, 5, 21, 13)
    request = ask("", fmt, params=CAT, region=region)
    assert client.plan(request, []).region == region
    job = client.submit(request)
    outcome(client, job.id)
    result = client.result(job.id)
    assert (result.box, result.format) == (region, fmt)
    kind = picture(fmt).dtype
    pixels = np.frombuffer(result.pixels, kind).reshape(13, 21, -1).astype(np.float64)
    full = 1 if fmt.samples.is_float else np.iinfo(kind).max
    assert np.abs(pixels[..., : fmt.layout.colors] / full - 0.42).max() < 3e-3
    assert not fmt.layout.has_alpha or (pixels[..., -1] == full).all()
    assert result.mask == b"\xff" * region.area
    assert from_json(result.request_json).params == CAT


def test_planes_that_a_new_layer_does_not_need_are_not_looked_at(client: Client) -> None:
    jobs = [client.submit(ask("", params=CAT)), submit(client, ask("", params=CAT))]
    for job in jobs:
        outcome(client, job.id)
    first, second = (client.result(job.id) for job in jobs)
    assert (first.pixels, first.mask, first.box) == (second.pixels, second.mask, second.box)


def test_a_new_layer_is_the_same_job_for_the_same_id(client: Client) -> None:
    key = str(uuid.uuid4())
    first, second = (client.submit(ask("", params=CAT), request_id=key) for _ in range(2))
    assert (second.id, second.reused) == (first.id, True)
    with pytest.raises(RequestIdReused):
        submit(client, ask("", params=CAT), request_id=key)


@pytest.mark.parametrize("whole", [False, True])
def test_an_instruction_changes_what_is_selected(client: Client, whole: bool) -> None:
    request, image = ask("", params=InstructParams("make it winter, please")), picture()
    job = client.submit(request, image.tobytes()) if whole else submit(client, request, image)
    outcome(client, job.id)
    result = client.result(job.id)
    assert result.box == (Box(0, 0, W, H) if whole else HOLE), "no mask means everything"
    assert set(result.pixels) == {56}, "22 % of 255"
    assert set(result.mask) == {255}


def test_no_mask_means_everything_and_none_is_needed_to_grow(client: Client) -> None:
    image = picture()
    job = client.submit(ask("every", params=VariationParams(), engine_params={"level": 1.0}), image.tobytes())
    outcome(client, job.id)
    assert client.result(job.id).box == Box(0, 0, W, H)
    job = client.submit(ask("every", params=OutpaintParams(left=3)), image.tobytes())
    outcome(client, job.id)
    assert client.result(job.id).box == Box(-3, 0, 3, H)


@pytest.mark.parametrize(
    ("params", "planes", "lacking"),
    [
        (InpaintParams(), (), "pixels"),
        (InpaintParams(), ("pixels",), "mask"),
        (InpaintParams(), ("mask",), "pixels"),
        (OutpaintParams(left=1), (), "pixels"),
        (VariationParams(), ("mask",), "pixels"),
        (InstructParams("x"), ("mask",), "pixels"),
    ],
)
def test_a_plane_that_the_task_needs_is_asked_for(client: Client, params, planes, lacking: str) -> None:
    sent = {"pixels": picture().tobytes(), "mask": mask().tobytes()}
    pixels, seen = (sent[plane] if plane in planes else None for plane in ("pixels", "mask"))
    engine = "painter" if isinstance(params, InstructParams) else "every"
    with pytest.raises(RequestInvalid, match=f"needs the {lacking}"):
        client.submit(ask(engine, params=params), pixels, seen)


def test_the_transparent_part_is_filled(client: Client) -> None:
    fmt = PixelFormat(layout=Layout.RGBA)
    image = picture(fmt)
    request = ask("every", fmt, params=OutpaintParams(transparent=True), engine_params={"level": 1.0})
    with pytest.raises(LayerUnsuitable):
        outcome(client, submit(client, request, image).id)
    image[HOLE.slices][..., 3] = 0
    image[0, 0, 3] = 1
    plan = client.plan(request, [HOLE])
    assert plan.region == Box(15, 11, 20, 18)
    job = submit(client, request, image)
    outcome(client, job.id)
    result = client.result(job.id)
    assert result.box == HOLE
    assert set(result.pixels) == set(result.mask) == {255}


def test_what_an_engine_cannot_do_or_follow_is_refused_before_a_pixel_is_sent(client: Client) -> None:
    with pytest.raises(TaskNotSupported, match="painter"):
        client.submit(ask("patch", params=CAT))
    with pytest.raises(ParameterNotHonoured, match="negative_prompt"):
        submit(client, ask("patch", params=InpaintParams(negative_prompt="people")))
    with pytest.raises(ParameterNotHonoured, match="sources"):
        client.submit(ask("every"), picture().tobytes(), mask().tobytes(), sources=mask().tobytes())
    shown = {e.id: (e.uses_negative_prompt, e.uses_strength, e.uses_sources) for e in client.engines()}
    assert shown["painter"] == (True, False, False)
    assert shown["patch"] == (False, True, True)


@pytest.mark.parametrize(
    ("request_", "image", "error"),
    [
        (ask("broken", engine_params={"how": "raise"}), None, EngineFailed),
        (ask("broken", engine_params={"how": "memory"}), None, OutOfMemory),
        (ask("broken", engine_params={"how": "nan"}), None, EngineFailed),
        (ask(fmt=PixelFormat(Samples.F32)), np.full((H, W, 3), np.nan, np.float32), ImageNotFinite),
    ],
)
def test_a_failed_job_says_why(client: Client, request_: EditRequest, image, error: type[FrisketError]) -> None:
    job = submit(client, request_, image)
    with pytest.raises(error):
        outcome(client, job.id)
    outcome(client, submit(client, ask()).id)


def test_a_worker_that_dies_is_tried_again_then_told(client: Client) -> None:
    job = submit(client, ask("broken", engine_params={"how": "die"}))
    with pytest.raises(WorkerCrashed) as caught:
        outcome(client, job.id)
    assert caught.value.data["tries"] == "3"
    outcome(client, submit(client, ask()).id)


def test_an_empty_mask_is_told(client: Client) -> None:
    with pytest.raises(MaskEmpty):
        client.plan(ask(), [])
    job = client.submit(ask(), picture().tobytes(), bytes(W * H))
    with pytest.raises(MaskEmpty):
        outcome(client, job.id)


def test_what_is_unknown_is_named(client: Client) -> None:
    with pytest.raises(EngineUnknown, match="Did you mean patch"):
        submit(client, ask("pach"))
    with pytest.raises(JobUnknown):
        list(client.watch("nonesuch"))
    with pytest.raises(JobUnknown):
        client.cancel("nonesuch")
    job = submit(client, ask())
    outcome(client, job.id)
    with pytest.raises(ResultUnknown):
        client.result(job.id, 1)
    with pytest.raises(RequestInvalid, match="bytes"):
        client.submit(ask(), b"short", mask().tobytes())


def test_a_plan_tells_how_long_it_takes_once_something_like_it_was_done(client: Client) -> None:
    request = ask("slow", engine_params={"steps": 4, "step_ms": 25})
    outcome(client, submit(client, request).id)
    first = client.plan(request, [HOLE]).seconds
    assert first is not None
    assert first > 0.001
    assert client.plan(replace(request, count=3), [HOLE]).seconds == pytest.approx(3 * first)


def test_plan_names_region_and_size(client: Client) -> None:
    plan = client.plan(ask(canvas=Size(900, 800), region=Box(0, 0, 0, 0)), [Box(400, 300, 40, 20)])
    assert plan.region == Box(380, 280, 80, 60)
    assert plan.engine == "toy"


def test_lists_engines_and_jobs(client: Client) -> None:
    ids = [engine.id for engine in client.engines()]
    assert ids[0] == "patch"
    assert "soft" in ids
    job = submit(client, ask())
    listed = client.jobs(client="test", limit=5)
    assert job.id in [j.id for j in listed]
    assert len(listed) <= 5
    assert client.jobs(client="nobody") == []


def test_server_info(client: Client) -> None:
    info = client.server_info()
    assert info.local
    assert info.chunk_bytes == 1 << 20
    assert info.max_pixels >= 64_000_000


@pytest.mark.parametrize("transport", ["grpc", "h2"])
def test_tokens(server, transport: str) -> None:
    wrong = server.client(transport, token="not-it")
    with pytest.raises(TokenWrong):
        wrong.server_info()
    with pytest.raises(TokenWrong):
        submit(wrong, ask())
    with pytest.raises(TokenWrong):
        list(wrong.watch("any"))
    wrong.close()
    with grpc.insecure_channel(server.runtime.address) as channel:
        call = channel.unary_unary("/frisket.v1.Studio/GetServerInfo")
        with pytest.raises(grpc.RpcError) as caught:
            call(studio_pb2.GetServerInfoRequest().SerializeToString())
        assert TokenMissing.title in str(caught.value)
        health: Any = health_pb2_grpc.HealthStub(channel)
        reply = health.Check(health_pb2.HealthCheckRequest(service="frisket.v1.Studio"))
        assert reply.status == health_pb2.HealthCheckResponse.SERVING


def test_interrupt_ends_a_watch_and_leaves_the_job(client: Client) -> None:
    import threading

    job = submit(client, ask("slow", engine_params={"steps": 60, "step_ms": 20}))
    threading.Timer(0.3, client.interrupt).start()
    with pytest.raises(Cancelled):
        for _ in client.watch(job.id):
            pass
    outcome(client, job.id)
