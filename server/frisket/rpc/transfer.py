"""Pixels in and out: chunks of a call to files of the job store, and back."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from frisket.errors import RequestInvalid, UploadCorrupt, UploadStalled, UploadTooLong, UploadTruncated
from frisket.jobs.blobs import Blobs
from frisket.raster.formats import Codec, PixelFormat
from frisket.raster.geometry import Size
from frisket.rpc import convert
from frisket.rpc.stubs import images_pb2, studio_pb2

UPLOAD_IDLE = 60.0  # seconds without a chunk after which an upload is given up

PLANES = {
    studio_pb2.Chunk.PLANE_PIXELS: "pixels",
    studio_pb2.Chunk.PLANE_MASK: "mask",
    studio_pb2.Chunk.PLANE_SOURCES: "sources",
}


class Receiver:
    """One plane on its way in. Raw bytes go straight to a file; encoded ones are gathered, then decoded in a thread."""

    def __init__(
        self,
        plane: str,
        header: images_pb2.ImageHeader,
        fmt: PixelFormat,
        blobs: Blobs,
        decoding: asyncio.Semaphore,
    ) -> None:
        self._decoding = decoding  # a few kilobytes can inflate to gigabytes: so many planes at a time
        self._plane, self._header, self._fmt, self._blobs = plane, header, fmt, blobs
        self._codec = convert.codec_from_proto(header.codec)
        self._size = convert.size_from_proto(header.size)
        self._received = 0
        self._sum = hashlib.sha256() if header.sha256 else None
        self._writer = blobs.writer() if self._codec is Codec.RAW else None
        self._gathered = bytearray()

    @property
    def complete(self) -> bool:
        return self._received == self._header.total_bytes

    async def take(self, data: bytes) -> None:
        """Raises UploadTooLong, DiskFull."""
        self._received += len(data)
        if self._received > self._header.total_bytes:
            raise UploadTooLong(declared=self._header.total_bytes, plane=self._plane)
        if self._sum is not None:
            self._sum.update(data)
        if self._writer is None:
            self._gathered += data
        else:
            await asyncio.to_thread(self._writer.write, data)

    async def finish(self) -> str:
        """The name of the file with the raw samples. Raises UploadTruncated, UploadCorrupt."""
        if not self.complete:
            declared = self._header.total_bytes
            raise UploadTruncated(received=self._received, declared=declared, plane=self._plane)
        if self._sum is not None and self._sum.digest() != self._header.sha256:
            raise UploadCorrupt(plane=self._plane, codec=self._codec.value, reason="its sha256 differs")
        if self._writer is not None:
            return await asyncio.to_thread(self._writer.finish)
        async with self._decoding:
            return await asyncio.to_thread(self._decode)

    def abort(self) -> None:
        """Forget what came. Harmless after `finish`."""
        if self._writer is not None:
            self._writer.abort()
        self._gathered = bytearray()

    def _decode(self) -> str:
        from frisket.raster import codecs

        array = codecs.decode(self._gathered, self._fmt, self._size, self._codec, self._plane)
        return self._blobs.put(array.data.cast("B"))


async def receive(parts: AsyncIterator[studio_pb2.SubmitEditRequest], receivers: dict[str, Receiver]) -> dict[str, str]:
    """All chunks of a call into their planes. Returns the file names by plane."""
    try:
        while (part := await _next(parts)) is not None:
            plane = PLANES.get(part.chunk.plane, "") if part.WhichOneof("part") == "chunk" else ""
            if plane not in receivers:
                raise RequestInvalid(detail="After the header come chunks of the planes that it declared")
            if not part.chunk.data:
                raise RequestInvalid(detail="A chunk holds no bytes")
            await receivers[plane].take(part.chunk.data)
        return {plane: await receiver.finish() for plane, receiver in receivers.items()}
    finally:
        for receiver in receivers.values():
            receiver.abort()


async def _next(parts: AsyncIterator[studio_pb2.SubmitEditRequest]) -> studio_pb2.SubmitEditRequest | None:
    """The next message, None at the end. Raises UploadStalled."""
    try:
        return await asyncio.wait_for(anext(parts, None), UPLOAD_IDLE)
    except asyncio.TimeoutError:
        raise UploadStalled(seconds=round(UPLOAD_IDLE)) from None


async def send(files: list[Path], offset: int, chunk: int) -> AsyncIterator[bytes]:
    """The files' bytes as one run, from `offset` on."""
    for path in files:
        size = path.stat().st_size
        if offset >= size:
            offset -= size
            continue
        with open(path, "rb") as file:
            file.seek(offset)
            offset = 0
            while data := await asyncio.to_thread(file.read, chunk):
                yield data


async def send_encoded(pieces: Iterator[bytes], offset: int, chunk: int) -> AsyncIterator[bytes]:
    """Encoded pieces as one run, from `offset` on."""
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        if offset >= len(piece):
            offset -= len(piece)
            continue
        for start in range(offset, len(piece), chunk):
            yield piece[start : start + chunk]
        offset = 0


def encoded(path: Path, fmt: PixelFormat, size: Size, codec: Codec) -> list[bytes]:
    """A stored raw plane in another codec."""
    from frisket.raster import codecs, pixels

    array = pixels.from_bytes(path.read_bytes(), size, fmt)
    return list(codecs.encode(array, fmt, codec))
