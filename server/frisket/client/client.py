"""The client: plan, submit, watch, fetch, cancel. Synchronous; pixels are bytes, so that no numpy is needed."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from frisket import __version__
from frisket.client.transport import Transport
from frisket.edits.requests import EditRequest
from frisket.edits.results import Degradation, Face, Maker, Plan
from frisket.engines.spec import Task
from frisket.errors import ConnectionLost, FrisketError, RequestInvalid, ServerUnreachable, VersionMismatch
from frisket.raster.formats import Codec, Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size
from frisket.rpc import convert
from frisket.rpc.stubs import images_pb2, jobs_pb2, models_pb2, studio_pb2

PROTOCOL = 1
CHUNK = 1 << 20
QUICK = 20.0  # seconds for calls that only ask
REATTACH_SECONDS = 60.0
MASK_FORMAT = PixelFormat(Samples.U8, Layout.GRAY)
PLANES = {
    "pixels": studio_pb2.Chunk.PLANE_PIXELS,
    "mask": studio_pb2.Chunk.PLANE_MASK,
    "sources": studio_pb2.Chunk.PLANE_SOURCES,
}
FINAL = frozenset(
    (jobs_pb2.JOB_STATE_FINISHED, jobs_pb2.JOB_STATE_FAILED, jobs_pb2.JOB_STATE_CANCELLED),
)


@dataclass(frozen=True, slots=True)
class Picture:
    """One result. `pixels` and `mask` (8-bit gray) cover `box` of the canvas; show the pixels through the mask.

    scale: above 1 the canvas is to be made so many times larger first; box is in that one then. faces: those that were
    found, in the canvas as it was sent.
    """

    box: Box
    format: PixelFormat
    pixels: bytes
    mask: bytes
    seed: int
    degraded: tuple[Degradation, ...]
    notes: tuple[str, ...]
    request_json: str
    maker: Maker | None = None  # of a server that tells it
    scale: int = 1
    faces: tuple[Face, ...] = ()


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces that were found, the surest first, what the search had to do without, and the engine that looked."""

    faces: tuple[Face, ...]
    degraded: tuple[Degradation, ...]
    engine: str


class Client:
    """Talks to one server over one transport. Every failure is a frisket.errors.FrisketError.

    One call at a time; `interrupt` may come from another thread.
    """

    def __init__(self, transport: Transport, name: str = "") -> None:
        self._transport = transport
        self._name = name

    def close(self) -> None:
        self._transport.close()

    def interrupt(self) -> None:
        """End the call under way: it raises Cancelled in its own thread. The job, if there is one, goes on."""
        self._transport.interrupt()

    def server_info(self) -> studio_pb2.ServerInfo:
        """Raises VersionMismatch when the server speaks another protocol."""
        info = self._unary("GetServerInfo", studio_pb2.GetServerInfoRequest(), studio_pb2.ServerInfo)
        if info.protocol != PROTOCOL:
            raise VersionMismatch(
                server=f"protocol {info.protocol} ({info.version})",
                client=f"protocol {PROTOCOL} ({__version__})",
                mend=VersionMismatch.CLIENT_OLDER if info.protocol > PROTOCOL else VersionMismatch.SERVER_OLDER,
            )
        return info

    def engines(self, task: Task | None = None) -> list[models_pb2.Engine]:
        """The server's engines, the default for the task first."""
        return list(self.listing(task).engines)

    def listing(self, task: Task | None = None) -> studio_pb2.ListModelsResponse:
        """The same, with those that could not be read, and why."""
        number = convert.TASKS[task] if task else models_pb2.TASK_UNSPECIFIED
        return self._unary("ListModels", studio_pb2.ListModelsRequest(task=number), studio_pb2.ListModelsResponse)

    @property
    def transport(self) -> Transport:
        """For frisket.client.models."""
        return self._transport

    def plan(self, request: EditRequest, selection: Sequence[Box]) -> Plan:
        """Which region to send for a selection (canvas boxes), and how it would be worked on."""
        message = studio_pb2.PlanEditRequest(
            request=convert.request_to_proto(request), selection=[convert.box_to_proto(box) for box in selection]
        )
        return convert.plan_from_proto(self._unary("PlanEdit", message, studio_pb2.PlanEditResponse))

    def submit(
        self,
        request: EditRequest,
        pixels: bytes | None = None,
        mask: bytes | None = None,
        request_id: str | None = None,
        sources: bytes | None = None,
    ) -> jobs_pb2.Job:
        """Send an edit. All planes cover `request.region`, row by row: `pixels` in request.format, `mask` in 8-bit
        gray, and `sources`, if given, too (above 127 = content may be copied from here).

        Text-to-layer needs no plane at all; no mask means everything, only inpaint needs one. A retry with the same
        `request_id` is harmless. Raises RequestInvalid when the bytes do not fit the region, or a plane is missing.
        """
        given = {"pixels": pixels, "mask": mask, "sources": sources}
        parts = self._upload(request, given, request_id or str(uuid.uuid4()))
        return self._transport.upload("SubmitEdit", parts, jobs_pb2.Job)

    def faces(self, request: EditRequest, pixels: bytes, mask: bytes | None = None) -> Faces:
        """Submit, watch and fetch in one, for Task.DETECT_FACES; planes as in `submit`. Faces in canvas space, the
        surest first. The job is cancelled when this is interrupted. Raises what the job ends with."""
        parts = self._upload(request, {"pixels": pixels, "mask": mask}, str(uuid.uuid4()))
        reply = self._transport.upload("DetectFaces", parts, studio_pb2.DetectFacesResponse)
        return Faces(
            tuple(convert.face_from_proto(face) for face in reply.faces),
            tuple(convert.degradation_from_proto(d) for d in reply.degraded),
            reply.engine,
        )

    def subject(self, request: EditRequest, pixels: bytes, mask: bytes | None = None) -> Picture:
        """The same for Task.SELECT_SUBJECT: a picture whose mask is the subject. mask: of it, roughly."""
        parts = self._upload(request, {"pixels": pixels, "mask": mask}, str(uuid.uuid4()))
        header, received = None, bytearray()
        with contextlib.closing(
            self._transport.exchange("SelectSubject", parts, studio_pb2.GetResultResponse)
        ) as answers:
            for part in answers:
                if part.WhichOneof("part") == "header":
                    header = part.header
                else:
                    received += part.data
        if header is None or len(received) != header.total_bytes:
            raise ConnectionLost(reason=f"Only {len(received)} bytes of the result arrived")
        return _picture(header, bytes(received))

    def watch(
        self, job: str, after: int = 0, previews: bool = False, broken: Callable[[], None] | None = None
    ) -> Iterator[jobs_pb2.JobEvent]:
        """Events of a job to its final one. Attaches again by itself for a minute after a broken connection; before
        each attempt `broken` is called, and what it raises ends the watch."""
        patience = _Patience(broken)
        while True:
            try:
                request = studio_pb2.WatchJobRequest(job=job, after_sequence=after, previews=previews)
                with contextlib.closing(self._transport.stream("WatchJob", request, jobs_pb2.JobEvent)) as events:
                    for event in events:
                        patience.heard()
                        after = event.sequence
                        yield event
                        if event.state in FINAL and event.WhichOneof("what") not in ("preview", "heartbeat"):
                            return
                raise ConnectionLost(reason="The stream of events ended before the job did")
            except (ConnectionLost, ServerUnreachable) as error:
                patience.wait(error)

    def result(self, job: str, index: int = 0, broken: Callable[[], None] | None = None) -> Picture:
        """Fetch a finished picture; a broken connection is resumed where it broke, with the patience of `watch`."""
        header: jobs_pb2.ResultHeader | None = None
        received = bytearray()
        patience = _Patience(broken)
        short = 0
        while short < 5:
            request = studio_pb2.GetResultRequest(
                job=job, index=index, accept=[images_pb2.CODEC_RAW], offset=len(received)
            )
            try:
                with contextlib.closing(
                    self._transport.stream("GetResult", request, studio_pb2.GetResultResponse)
                ) as parts:
                    for part in parts:
                        if part.WhichOneof("part") == "header":
                            header = part.header
                        else:
                            received += part.data
                            patience.heard()
            except (ConnectionLost, ServerUnreachable) as error:
                patience.wait(error)
                continue
            if header is not None and len(received) == header.total_bytes:
                return _picture(header, bytes(received))
            short += 1
        raise ConnectionLost(reason=f"Only {len(received)} bytes of the result arrived")

    def cancel(self, job: str) -> jobs_pb2.Job:
        return self._unary("CancelJob", studio_pb2.CancelJobRequest(job=job), jobs_pb2.Job)

    def jobs(self, client: str = "", limit: int = 0) -> list[jobs_pb2.Job]:
        """Newest first."""
        request = studio_pb2.ListJobsRequest(client=client, limit=limit)
        return list(self._unary("ListJobs", request, studio_pb2.ListJobsResponse).jobs)

    def _upload(
        self, request: EditRequest, given: Mapping[str, bytes | None], request_id: str
    ) -> Iterator[studio_pb2.SubmitEditRequest]:
        """The messages of a SubmitEdit. given: the planes by name. Raises RequestInvalid, before the first."""
        size, formats = request.region.size, {"pixels": request.format}
        planes = {plane: data for plane, data in given.items() if data is not None}
        for plane, data in planes.items():
            _check_length(plane, data, size, formats.get(plane, MASK_FORMAT))
        header = studio_pb2.SubmitHeader(
            request_id=request_id,
            client_name=self._name,
            request=convert.request_to_proto(request),
            **{plane: _header(size, formats.get(plane, MASK_FORMAT), data) for plane, data in planes.items()},
        )
        return _parts(header, planes)

    def _unary(self, method, request, reply):
        return self._transport.unary(method, request, reply, timeout=QUICK)


class _Patience:
    """With a connection that broke: for a minute since the last sign of life."""

    def __init__(self, broken: Callable[[], None] | None) -> None:
        self._broken = broken
        self._since: float | None = None

    def heard(self) -> None:
        self._since = None

    def wait(self, error: FrisketError) -> None:
        """Before the next attempt. Raises ConnectionLost when there is to be none, and what `broken` raises."""
        self._since = time.monotonic() if self._since is None else self._since
        if time.monotonic() - self._since > REATTACH_SECONDS:
            # Whatever the last attempt met: what matters by now is that the job is not lost.
            raise ConnectionLost(reason=error.cause.rstrip(".")) from error
        if self._broken is not None:
            self._broken()
        time.sleep(0.25)


def with_region(request: EditRequest, region: Box, fmt: PixelFormat) -> EditRequest:
    """The request for the pixels that are really sent."""
    return replace(request, region=region, format=fmt)


def _check_length(plane: str, data: bytes, size: Size, fmt: PixelFormat) -> None:
    wanted = size.area * fmt.pixel_bytes
    if len(data) != wanted:
        raise RequestInvalid(detail=f"The {plane} hold {len(data)} bytes, a region of {size} in {fmt} has {wanted}")


def _header(size: Size, fmt: PixelFormat, data: bytes) -> images_pb2.ImageHeader:
    return images_pb2.ImageHeader(
        size=convert.size_to_proto(size),
        format=convert.format_to_proto(fmt),
        codec=convert.CODECS[Codec.RAW],
        total_bytes=len(data),
    )


def _parts(header: studio_pb2.SubmitHeader, planes: Mapping[str, bytes]) -> Iterator[studio_pb2.SubmitEditRequest]:
    yield studio_pb2.SubmitEditRequest(header=header)
    for plane, data in planes.items():
        for start in range(0, len(data), CHUNK):
            chunk = studio_pb2.Chunk(plane=PLANES[plane], data=data[start : start + CHUNK])
            yield studio_pb2.SubmitEditRequest(chunk=chunk)


def _picture(header, data: bytes) -> Picture:
    split = header.pixels.total_bytes
    return Picture(
        box=convert.box_from_proto(header.box),
        format=convert.format_from_proto(header.pixels.format),
        pixels=data[:split],
        mask=data[split:],
        seed=header.seed,
        degraded=tuple(convert.degradation_from_proto(d) for d in header.degraded),
        notes=tuple(header.notes),
        request_json=header.request_json,
        maker=convert.maker_from_proto(header.maker) if header.HasField("maker") else None,
        scale=header.scale or 1,
        faces=tuple(convert.face_from_proto(face) for face in header.faces),
    )
