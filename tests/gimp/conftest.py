"""The real GIMP in its tree, the plug-in installed there, and a studio that answers in a way that can be computed."""

from __future__ import annotations

import os
import sys
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import pytest

from frisket.client.places import Runtime, write_runtime
from frisket.rpc import convert
from frisket.rpc.stubs import edits_pb2, images_pb2, jobs_pb2, studio_pb2, studio_pb2_grpc

sys.path.insert(0, str(Path(__file__).parent))
from real_gimp import Gimp, a_gimp, a_screen, why_no_gimp, why_no_screen

TOKEN = "paper-mask"


def step_aside(reason: str) -> None:
    """Skip, or fail where FRISKET_NEED_GIMP says that all must be there."""
    (pytest.fail if os.environ.get("FRISKET_NEED_GIMP") else pytest.skip)(reason)


DTYPES = {
    images_pb2.SAMPLES_U8: np.uint8,
    images_pb2.SAMPLES_U16: np.uint16,
    images_pb2.SAMPLES_F16: np.float16,
    images_pb2.SAMPLES_F32: np.float32,
}


def negative(pixels: bytes, fmt: images_pb2.PixelFormat) -> bytes:
    """Colours turned round, alpha full: what the negative studio answers."""
    dtype = np.dtype(DTYPES[fmt.samples])
    full = np.iinfo(dtype).max if dtype.kind == "u" else 1
    channels = {images_pb2.LAYOUT_GRAY: 1, images_pb2.LAYOUT_GRAY_ALPHA: 2, images_pb2.LAYOUT_RGB: 3}.get(fmt.layout, 4)
    array = (full - np.frombuffer(pixels, dtype).reshape(-1, channels)).astype(dtype)
    if channels in (2, 4):
        array[:, -1] = full
    return array.tobytes()


class NegativeStudio(studio_pb2_grpc.StudioServicer):
    """Plans selection + 16 px; every picture of a job is the negative of what was sent, under the sent mask."""

    def __init__(self) -> None:
        self.jobs: dict[str, tuple[studio_pb2.SubmitHeader, bytes, bytes]] = {}
        self.cancelled: list[str] = []
        self.pause = 0.0
        self.reached, self.left = threading.Event(), threading.Event()

    def GetServerInfo(self, request, context):
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "")
        return studio_pb2.ServerInfo(version="0", protocol=1)

    def PlanEdit(self, request, context):
        canvas = images_pb2.Box(width=request.request.canvas.width, height=request.request.canvas.height)
        box = convert.box_from_proto(request.selection[0]).grown(16).clipped(convert.box_from_proto(canvas))
        return studio_pb2.PlanEditResponse(region=convert.box_to_proto(box), engine="negative")

    def SubmitEdit(self, request_iterator, context):
        header = next(request_iterator).header
        planes = {studio_pb2.Chunk.PLANE_PIXELS: b"", studio_pb2.Chunk.PLANE_MASK: b""}
        for part in request_iterator:
            planes[part.chunk.plane] += part.chunk.data
        name = f"job-{len(self.jobs)}"
        self.jobs[name] = (header, planes[studio_pb2.Chunk.PLANE_PIXELS], planes[studio_pb2.Chunk.PLANE_MASK])
        return self._job(name)

    def _job(self, name: str) -> jobs_pb2.Job:
        return jobs_pb2.Job(id=name, request_id=self.jobs[name][0].request_id, client="gimp")

    def WatchJob(self, request, context):
        context.add_callback(self.left.set)
        self.reached.set()
        until = time.monotonic() + self.pause
        sequence = 0
        while time.monotonic() < until and context.is_active():
            sequence += 1
            left = until - time.monotonic()
            progress = jobs_pb2.JobEvent.Progress(fraction=1 - left / self.pause, seconds_left=left)
            yield jobs_pb2.JobEvent(sequence=sequence, state=jobs_pb2.JOB_STATE_RUNNING, progress=progress)
            time.sleep(0.05)
        finished = jobs_pb2.JobEvent.Finished(result_count=1)
        yield jobs_pb2.JobEvent(sequence=sequence + 1, state=jobs_pb2.JOB_STATE_FINISHED, finished=finished)

    def GetResult(self, request, context):
        header, pixels, mask = self.jobs[request.job]
        pixels = negative(pixels, header.request.format)
        about = jobs_pb2.ResultHeader(
            box=header.request.region,
            pixels=header.pixels,
            mask=header.mask,
            seed=header.request.seed + request.index,
            notes=["A note with an umlaut: ü"],
            degraded=[edits_pb2.Degradation(kind=edits_pb2.Degradation.KIND_TILED, detail="Tiled.")],
            request_json='{"for": "the layer"}',
            maker=jobs_pb2.Maker(software="Frisket 9", engine="a", model="m", revision="r", trained=True),
            total_bytes=len(pixels) + len(mask),
        )
        yield studio_pb2.GetResultResponse(header=about)
        both = pixels + mask
        for start in range(0, len(both), 1 << 20):
            yield studio_pb2.GetResultResponse(data=both[start : start + (1 << 20)])

    def CancelJob(self, request, context):
        self.cancelled.append(request.job)
        return self._job(request.job)

    def ListJobs(self, request, context):
        return studio_pb2.ListJobsResponse(jobs=[self._job(name) for name in self.jobs])


@pytest.fixture
def gimp():
    reason = why_no_gimp()
    if reason:
        step_aside(reason)
    with a_gimp() as gimp:
        yield gimp


@pytest.fixture
def screen():
    reason = why_no_screen()
    if reason:
        step_aside(reason)
    with a_screen() as screen:
        yield screen


@pytest.fixture
def studio(gimp):
    """The negative studio, running, and noted where the plug-in looks."""
    servicer = NegativeStudio()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    studio_pb2_grpc.add_StudioServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    note(gimp, f"127.0.0.1:{port}")
    yield servicer
    server.stop(None).wait()


def note(gimp: Gimp, address: str, pid: int | None = None, name: str = "server.json") -> None:
    """Note a server as running."""
    written = write_runtime(gimp.folder / "frisket-home", Runtime(address, TOKEN, pid or os.getpid(), "0"))
    if name != "server.json":
        written.replace(gimp.folder / name)
