"""Chunks in and out: whatever the cuts, the same bytes; every order and every end of an upload."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frisket.errors import RequestInvalid, UploadCorrupt, UploadTooLong, UploadTruncated
from frisket.jobs.blobs import Blobs
from frisket.raster import codecs
from frisket.raster.formats import Codec, PixelFormat
from frisket.raster.geometry import Size
from frisket.rpc import convert
from frisket.rpc.limits import MASK_FORMAT
from frisket.rpc.stubs import images_pb2, studio_pb2
from frisket.rpc.transfer import Receiver, encoded, receive, send, send_encoded

SIZE = Size(4, 3)
PIXELS, MASK, SOURCES = bytes(range(36)), bytes(range(100, 112)), bytes(12)
NUMBERS = {
    "pixels": studio_pb2.Chunk.PLANE_PIXELS,
    "mask": studio_pb2.Chunk.PLANE_MASK,
    "sources": studio_pb2.Chunk.PLANE_SOURCES,
}


async def gathered(pieces) -> list[bytes]:
    return [piece async for piece in pieces]


@settings(deadline=None)  # threads of a busy machine
@given(st.lists(st.binary(max_size=40), min_size=2, max_size=3), st.integers(0, 130), st.integers(1, 50))
def test_send_is_a_slice_of_the_joined_files(tmp_path_factory, contents: list[bytes], offset: int, chunk: int) -> None:
    folder: Path = tmp_path_factory.getbasetemp()
    paths = [folder / f"plane-{n}" for n in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    pieces = asyncio.run(gathered(send(paths, offset, chunk)))
    assert b"".join(pieces) == b"".join(contents)[offset:]
    assert all(0 < len(piece) <= chunk for piece in pieces)


@settings(deadline=None)  # threads of a busy machine
@given(st.lists(st.binary(max_size=40), max_size=4), st.integers(0, 170), st.integers(1, 50))
def test_encoded_pieces_are_sent_alike(contents: list[bytes], offset: int, chunk: int) -> None:
    pieces = asyncio.run(gathered(send_encoded(iter(contents), offset, chunk)))
    assert b"".join(pieces) == b"".join(contents)[offset:]
    assert all(0 < len(piece) <= chunk for piece in pieces)


@pytest.mark.parametrize("codec", [Codec.STRIP_ZSTD, Codec.ZSTD])
def test_a_stored_plane_in_another_codec(tmp_path: Path, codec: Codec) -> None:
    fmt = PixelFormat() if codec is Codec.STRIP_ZSTD else MASK_FORMAT
    raw = PIXELS if codec is Codec.STRIP_ZSTD else MASK
    (tmp_path / "raw").write_bytes(raw)
    sent = b"".join(encoded(tmp_path / "raw", fmt, SIZE, codec))
    assert sent != raw
    assert codecs.decode(sent, fmt, SIZE, codec, "pixels").tobytes() == raw


def header(raw: bytes, fmt: PixelFormat, codec: Codec = Codec.RAW, sha256: bytes = b"", total: int | None = None):
    return images_pb2.ImageHeader(
        size=convert.size_to_proto(SIZE),
        format=convert.format_to_proto(fmt),
        codec=convert.CODECS[codec],
        total_bytes=len(raw) if total is None else total,
        sha256=sha256,
    )


def chunk(plane: str, data: bytes) -> studio_pb2.SubmitEditRequest:
    return studio_pb2.SubmitEditRequest(chunk=studio_pb2.Chunk(plane=NUMBERS[plane], data=data))


def take(blobs: Blobs, messages: list[studio_pb2.SubmitEditRequest], **headers) -> dict[str, str]:
    """Receive the planes that `headers` declare, by default pixels and mask in raw."""
    headers = {"pixels": header(PIXELS, PixelFormat()), "mask": header(MASK, MASK_FORMAT)} | headers

    async def parts():
        for message in messages:
            yield message

    async def run():
        busy = asyncio.Semaphore(1)
        formats = {"pixels": PixelFormat(), "mask": MASK_FORMAT, "sources": MASK_FORMAT}
        receivers = {plane: Receiver(plane, h, formats[plane], blobs, busy) for plane, h in headers.items()}
        return await receive(parts(), receivers)

    return asyncio.run(run())


def cut(plane: str, data: bytes, size: int) -> list[studio_pb2.SubmitEditRequest]:
    return [chunk(plane, data[start : start + size]) for start in range(0, len(data), size)]


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


def stored(blobs: Blobs) -> set[str]:
    return {path.name for path in blobs.folder.rglob("*") if path.is_file()}


ORDERS = {
    "pixels first": [*cut("pixels", PIXELS, 7), *cut("mask", MASK, 5)],
    "mask first": [*cut("mask", MASK, 12), *cut("pixels", PIXELS, 36)],
    "by turns": [m for pair in zip(cut("pixels", PIXELS, 12), cut("mask", MASK, 4), strict=True) for m in pair],
}


@pytest.mark.parametrize("order", ORDERS)
def test_planes_may_come_in_any_order(blobs: Blobs, order: str) -> None:
    names = take(blobs, ORDERS[order])
    assert names == {"pixels": hashlib.sha256(PIXELS).hexdigest(), "mask": hashlib.sha256(MASK).hexdigest()}
    assert blobs.path(names["pixels"]).read_bytes() == PIXELS
    assert blobs.path(names["mask"]).read_bytes() == MASK


@pytest.mark.parametrize("codec", [Codec.STRIP_ZSTD, Codec.PNG])
def test_what_is_kept_is_raw_whatever_it_came_as(blobs: Blobs, codec: Codec) -> None:
    picture = np.frombuffer(PIXELS, np.uint8).reshape(3, 4, 3)
    wire = b"".join(codecs.encode(picture, PixelFormat(), codec))
    checked = header(wire, PixelFormat(), codec, hashlib.sha256(wire).digest())
    names = take(blobs, [*cut("pixels", wire, 9), chunk("mask", MASK)], pixels=checked)
    assert blobs.path(names["pixels"]).read_bytes() == PIXELS


WHOLE = [chunk("pixels", PIXELS), chunk("mask", MASK)]
WRONG = {
    "nothing": ([], {}, UploadTruncated),
    "one byte short": ([chunk("pixels", PIXELS[:-1]), WHOLE[1]], {}, UploadTruncated),
    "a plane is missing": (WHOLE[:1], {}, UploadTruncated),
    "one byte over": ([chunk("pixels", PIXELS + b"x"), WHOLE[1]], {}, UploadTooLong),
    "a chunk after the end": ([*WHOLE, chunk("mask", b"x")], {}, UploadTooLong),
    "a plane that was not declared": ([*WHOLE, chunk("sources", SOURCES)], {}, RequestInvalid),
    "a second header": ([studio_pb2.SubmitEditRequest(header=studio_pb2.SubmitHeader())], {}, RequestInvalid),
    "an empty chunk": ([chunk("pixels", b"")], {}, RequestInvalid),
    "another sha256": (WHOLE, {"mask": header(MASK, MASK_FORMAT, sha256=bytes(32))}, UploadCorrupt),
    "no zstd": (WHOLE, {"mask": header(MASK, MASK_FORMAT, Codec.ZSTD)}, UploadCorrupt),
}


@pytest.mark.parametrize("case", WRONG)
def test_an_upload_that_goes_wrong_keeps_nothing_half_written(blobs: Blobs, case: str) -> None:
    messages, headers, error = WRONG[case]
    with pytest.raises(error):
        take(blobs, messages, **headers)
    whole = {hashlib.sha256(data).hexdigest() for data in (PIXELS, MASK)}
    assert stored(blobs) <= whole, "something half written is left"


def test_how_much_came_is_told(blobs: Blobs) -> None:
    with pytest.raises(UploadTruncated) as caught:
        take(blobs, cut("pixels", PIXELS[:30], 7))
    assert caught.value == UploadTruncated(received=30, declared=36, plane="pixels")
    with pytest.raises(UploadTooLong) as caught:
        take(blobs, cut("pixels", PIXELS * 2, 7))
    assert caught.value == UploadTooLong(declared=36, plane="pixels")
