"""What a broken or hostile client sends: each gets its own error, nothing is INTERNAL, and the server goes on."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
import zstandard

from frisket.edits.requests import EditRequest, InpaintParams, OutpaintParams, TextToLayerParams
from frisket.raster.formats import PixelFormat, Samples
from frisket.raster.geometry import Box, Size
from frisket.rpc import convert
from frisket.rpc.status import ERROR_TRAILER
from frisket.rpc.stubs import images_pb2, jobs_pb2, studio_pb2, studio_pb2_grpc

Messages = list[studio_pb2.SubmitEditRequest]
PIXELS, MASK = studio_pb2.Chunk.PLANE_PIXELS, studio_pb2.Chunk.PLANE_MASK
W, H = 16, 12
SIZE = Size(W, H)


def header(**changes) -> studio_pb2.SubmitHeader:
    request = EditRequest(Size(W, H), Box(0, 0, W, H), InpaintParams(), engine="toy")
    size = images_pb2.Size(width=W, height=H)
    gray = images_pb2.PixelFormat(samples=images_pb2.SAMPLES_U8, layout=images_pb2.LAYOUT_GRAY)
    made = studio_pb2.SubmitHeader(
        request_id=str(uuid.uuid4()),
        client_name="hostile",
        request=convert.request_to_proto(request),
        pixels=images_pb2.ImageHeader(
            size=size,
            format=convert.format_to_proto(PixelFormat()),
            codec=images_pb2.CODEC_RAW,
            total_bytes=W * H * 3,
        ),
        mask=images_pb2.ImageHeader(size=size, format=gray, codec=images_pb2.CODEC_RAW, total_bytes=W * H),
    )
    for path, value in changes.items():
        target = made
        *way, last = path.split("__")
        for step in way:
            target = getattr(target, step)
        setattr(target, last, value)
    return made


def first(**changes) -> studio_pb2.SubmitEditRequest:
    return studio_pb2.SubmitEditRequest(header=header(**changes))


def chunk(plane: int, data: bytes) -> studio_pb2.SubmitEditRequest:
    return studio_pb2.SubmitEditRequest(chunk=studio_pb2.Chunk(plane=plane, data=data))  # type: ignore[arg-type]


def whole(**changes) -> Messages:
    return [first(**changes), chunk(PIXELS, bytes(W * H * 3)), chunk(MASK, b"\xff" * W * H)]


def without(plane: str) -> studio_pb2.SubmitEditRequest:
    made = header()
    made.ClearField(plane)  # type: ignore[arg-type]
    return studio_pb2.SubmitEditRequest(header=made)


def new_layer(size: Size = SIZE, region: Box | None = None, words: str = "cat") -> studio_pb2.SubmitEditRequest:
    """A header that declares no plane, as this task needs none."""
    request = convert.request_to_proto(EditRequest(size, region or Box.of(size), TextToLayerParams("cat")))
    request.text_to_layer.prompt = words
    return studio_pb2.SubmitEditRequest(
        header=studio_pb2.SubmitHeader(request_id=str(uuid.uuid4()), client_name="hostile", request=request)
    )


HUGE = {f"{plane}__size__{side}": 30_000 for plane in ("pixels", "mask") for side in ("width", "height")}
HUGE |= {f"request__{box}__{side}": 30_000 for box in ("canvas", "region") for side in ("width", "height")}
FLOAT = {"request__format__samples": images_pb2.SAMPLES_F32, "pixels__format__samples": images_pb2.SAMPLES_F32}

LIES: dict[str, tuple[Callable[[], Messages], str]] = {
    "nothing at all": (list, "upload-truncated"),
    "chunk before header": (lambda: [chunk(PIXELS, b"x")], "request-invalid"),
    "empty message": (lambda: [studio_pb2.SubmitEditRequest()], "request-invalid"),
    "two headers": (lambda: [first(), first()], "request-invalid"),
    "no pixels": (lambda: [first()], "upload-truncated"),
    "half the pixels": (lambda: [first(), chunk(PIXELS, bytes(100))], "upload-truncated"),
    "no mask": (lambda: whole()[:2], "upload-truncated"),
    "too many pixels": (lambda: [first(), chunk(PIXELS, bytes(W * H * 3 + 1))], "upload-too-long"),
    "too much mask": (lambda: [*whole(), chunk(MASK, b"x")], "upload-too-long"),
    "plane unknown": (lambda: [first(), chunk(0, b"x")], "request-invalid"),
    "30 000 x 30 000": (lambda: [first(**HUGE)], "image-too-large"),
    "canvas of none": (lambda: whole(request__canvas__width=0), "region-invalid"),
    "region outside": (lambda: whole(request__region__x=1), "region-invalid"),
    "region left of it": (lambda: whole(request__region__x=-1), "region-invalid"),
    "pixels of another size": (lambda: whole(pixels__size__width=W + 1, pixels__total_bytes=640), "region-invalid"),
    "pixels of no size": (lambda: whole(pixels__size__width=0), "request-invalid"),
    "mask of another size": (lambda: whole(mask__size__height=H + 1), "mask-size-differs"),
    "mask of 16 bit": (lambda: whole(mask__format__samples=images_pb2.SAMPLES_U16), "request-invalid"),
    "total too large": (lambda: whole(pixels__total_bytes=1 << 40), "upload-too-large"),
    "total too small": (lambda: whole(pixels__total_bytes=5), "request-invalid"),
    "samples unknown": (lambda: whole(pixels__format__samples=77), "request-invalid"),
    "samples differ": (lambda: whole(pixels__format__samples=images_pb2.SAMPLES_U16), "request-invalid"),
    "codec unknown": (lambda: whole(pixels__codec=77), "request-invalid"),
    "codec unset": (lambda: whole(pixels__codec=0), "request-invalid"),
    "float in png": (lambda: whole(pixels__codec=images_pb2.CODEC_PNG, **FLOAT), "request-invalid"),
    "png that is none": (lambda: whole(pixels__codec=images_pb2.CODEC_PNG), "upload-corrupt"),
    "zstd that is none": (lambda: whole(mask__codec=images_pb2.CODEC_ZSTD), "upload-corrupt"),
    "strips that are none": (lambda: whole(pixels__codec=images_pb2.CODEC_STRIP_ZSTD), "upload-corrupt"),
    "wrong sha256": (lambda: whole(pixels__sha256=hashlib.sha256(b"other").digest()), "upload-corrupt"),
    "pixels not declared": (lambda: [without("pixels")], "request-invalid"),
    "mask not declared": (lambda: [without("mask")], "request-invalid"),
    "a chunk of a plane not declared": (lambda: [new_layer(), chunk(PIXELS, b"x")], "request-invalid"),
    "a layer of 30 000 x 30 000": (lambda: [new_layer(Size(30_000, 30_000))], "image-too-large"),
    "a layer of no size": (lambda: [new_layer(region=Box(3, 3, 0, 0))], "region-invalid"),
    "no words": (lambda: [new_layer(words="")], "parameter-out-of-range"),
    "no request id": (lambda: whole(request_id=""), "parameter-out-of-range"),
    "endless request id": (lambda: whole(request_id="x" * 10_000), "parameter-out-of-range"),
    "endless name": (lambda: whole(client_name="x" * 10_000), "parameter-out-of-range"),
    "unknown engine": (lambda: whole(request__engine="../../etc/passwd"), "engine-unknown"),
    "unknown model": (lambda: whole(request__model="../../etc/passwd"), "model-unknown"),
    "17 pictures": (lambda: whole(request__count=17), "parameter-out-of-range"),
    "endless prompt": (lambda: whole(request__inpaint__prompt="x" * 30_000), "parameter-out-of-range"),
    "strength is no number": (lambda: whole(request__inpaint__strength=float("nan")), "parameter-out-of-range"),
    "dial beyond its end": (lambda: whole(request__inpaint__dials__grow=1 << 31), "parameter-out-of-range"),
}


@pytest.fixture(scope="module")
def stub(server) -> Iterator[Callable[[Messages], jobs_pb2.Job]]:
    with grpc.insecure_channel(server.runtime.address) as channel:
        made = studio_pb2_grpc.StudioStub(channel)
        metadata = (("authorization", f"Bearer {server.runtime.token}"),)
        yield lambda messages: made.SubmitEdit(iter(messages), metadata=metadata, timeout=20)


def refusal(stub, messages: Messages) -> jobs_pb2.Error:
    with pytest.raises(grpc.RpcError) as caught:
        stub(messages)
    error = caught.value
    assert error.code() is not grpc.StatusCode.INTERNAL, error.details()
    assert error.code() is not grpc.StatusCode.UNKNOWN, error.details()
    trailers: Any = error.trailing_metadata()
    (details,) = [value for key, value in trailers if key == ERROR_TRAILER]
    assert isinstance(details, bytes)
    return jobs_pb2.Error.FromString(details)


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_each_lie_has_its_error(stub, lie: str) -> None:
    make, slug = LIES[lie]
    error = refusal(stub, make())
    assert error.slug == slug, error
    assert error.title
    assert error.remedy


def test_the_truth_passes_afterwards(stub) -> None:
    assert stub(whole()).state in (jobs_pb2.JOB_STATE_QUEUED, jobs_pb2.JOB_STATE_RUNNING)


def test_a_zstd_bomb_is_not_inflated(stub) -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(200 << 20))
    messages = [first(mask__codec=images_pb2.CODEC_ZSTD, mask__total_bytes=len(bomb))]
    if len(bomb) <= W * H + 1024:
        messages += [chunk(PIXELS, bytes(W * H * 3)), chunk(MASK, bomb)]
    assert refusal(stub, messages).slug in ("upload-corrupt", "upload-too-large")


def test_a_message_beyond_the_cap_is_refused(stub) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        stub([first(), chunk(PIXELS, bytes(9 << 20))])
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_nan_in_a_float_picture_fails_the_job_with_words(server) -> None:
    import struct

    fmt = PixelFormat(Samples.F32)
    request = EditRequest(Size(W, H), Box(0, 0, W, H), InpaintParams(), fmt, engine="toy")
    client = server.client()
    job = client.submit(request, struct.pack("<f", float("nan")) * (W * H * 3), b"\xff" + bytes(W * H - 1))
    last = list(client.watch(job.id))[-1]
    assert last.failed.slug == "image-not-finite"
    assert last.failed.data["count"] == str(W * H * 3)
    client.close()


def test_endless_words_come_back_short_and_typed(stub) -> None:
    for changes in ({"request__engine": "é" * 20_000}, {"request__model": "x" * 20_000}):
        error = refusal(stub, whole(**changes))
        assert error.slug in ("engine-unknown", "model-unknown")
        assert len(error.cause) < 1000


def test_an_empty_chunk_is_refused(stub) -> None:
    assert refusal(stub, [first(), chunk(PIXELS, b"")]).slug == "request-invalid"


def test_a_plan_of_countless_parts_is_refused(server) -> None:
    from frisket.errors import ParameterOutOfRange

    client = server.client()
    request = EditRequest(Size(W, H), Box(0, 0, 0, 0), InpaintParams(), engine="toy")
    with pytest.raises(ParameterOutOfRange):
        client.plan(request, [Box(1, 1, 2, 2)] * 5000)
    client.close()


def test_a_picture_grown_to_the_size_of_a_house_is_refused(server) -> None:
    from frisket.errors import ImageTooLarge

    client = server.client()
    params = OutpaintParams(left=30_000, right=2_000, bottom=30_000)
    with pytest.raises(ImageTooLarge):
        client.plan(EditRequest(Size(W, H), Box(0, 0, 0, 0), params), [])
    client.close()


def test_a_stalled_upload_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    from frisket.errors import UploadStalled
    from frisket.rpc import transfer

    async def silent():
        await asyncio.sleep(30)
        yield first()

    monkeypatch.setattr(transfer, "UPLOAD_IDLE", 0.05)
    with pytest.raises(UploadStalled):
        asyncio.run(transfer.receive(aiter(silent()), {}))
