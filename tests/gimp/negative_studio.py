"""A studio whose answers can be computed to the last bit, and the pictures that are sent to it."""

from __future__ import annotations

import io
import threading
import time

import grpc
import numpy as np
from PIL import Image

from frisket.edits.requests import to_json
from frisket.raster.geometry import Box
from frisket.rpc import convert
from frisket.rpc.stubs import edits_pb2, images_pb2, jobs_pb2, models_pb2, studio_pb2, studio_pb2_grpc

TOKEN = "paper-mask"
W, H = 320, 240  # of `picture`
DTYPES = {
    images_pb2.SAMPLES_U8: np.uint8,
    images_pb2.SAMPLES_U16: np.uint16,
    images_pb2.SAMPLES_F16: np.float16,
    images_pb2.SAMPLES_F32: np.float32,
}
CHANNELS = {
    images_pb2.LAYOUT_GRAY: 1,
    images_pb2.LAYOUT_GRAY_ALPHA: 2,
    images_pb2.LAYOUT_RGB: 3,
    images_pb2.LAYOUT_RGBA: 4,
}


def negative(pixels: bytes, fmt: images_pb2.PixelFormat) -> bytes:
    """Colours turned round, alpha full: what the negative studio answers."""
    dtype = np.dtype(DTYPES[fmt.samples])
    full = np.iinfo(dtype).max if dtype.kind == "u" else 1
    channels = CHANNELS[fmt.layout]
    array = (full - np.frombuffer(pixels, dtype).reshape(-1, channels)).astype(dtype)
    if channels in (2, 4):
        array[:, -1] = full
    return array.tobytes()


def subject(width: int, height: int) -> np.ndarray:
    """(height, width) uint8: the mask that the negative studio gives for a subject. Every value is in it."""
    y, x = np.mgrid[0:height, 0:width]
    return ((7 * x + 3 * y) % 256).astype(np.uint8)


def enlarged(pixels: bytes, fmt: images_pb2.PixelFormat, width: int, scale: int) -> bytes:
    """Each pixel as a square of scale x scale."""
    size = np.dtype(DTYPES[fmt.samples]).itemsize * CHANNELS[fmt.layout]
    rows = np.frombuffer(pixels, np.uint8).reshape(-1, width, size)
    return rows.repeat(scale, 0).repeat(scale, 1).tobytes()


def dark(count: int, fmt: images_pb2.PixelFormat) -> bytes:
    """Black, opaque pixels."""
    dtype, channels = np.dtype(DTYPES[fmt.samples]), CHANNELS[fmt.layout]
    array = np.zeros((count, channels), dtype)
    if channels in (2, 4):
        array[:, -1] = np.iinfo(dtype).max if dtype.kind == "u" else 1
    return array.tobytes()


def picture(seed: int = 1) -> np.ndarray:
    """(H, W, 3) float, 0...1: hills of several sizes and grain, so that no two pixels are alike by design."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:H, 0:W]
    waves = [np.sin(x / a + b) * np.cos(y / b + a) for a, b in rng.uniform(5, 60, (9, 2))]
    colour = np.stack([sum(waves[k::3]) for k in range(3)], -1)
    colour = 0.5 + 0.15 * colour + rng.normal(0, 0.05, (H, W, 3))
    return np.clip(colour, 0, 1)


def expected_negative(sent: np.ndarray, dtype: type) -> np.ndarray:
    if np.dtype(dtype).kind == "u":
        return np.iinfo(dtype).max - sent
    return (1 - sent).astype(dtype)


def frame(number: int) -> bytes:
    """A preview, as large as they come: a bar that moves to the right over hills."""
    y, x = np.mgrid[0:384, 0:512]
    colour = np.stack([x // 2, y // 2, 128 + 100 * np.sin(x / 20) * np.cos(y / 30)], -1).astype(np.uint8)
    colour[:, 8 * (number % 60) : 8 * (number % 60) + 16] = 255
    buffer = io.BytesIO()
    Image.fromarray(colour).save(buffer, "jpeg", quality=80)
    return buffer.getvalue()


class NegativeStudio(studio_pb2_grpc.StudioServicer):
    """Plans selection + 16 px; every picture of a job is the negative of what was sent, under the sent mask.

    But an extended canvas and a picture from words are black, what is enlarged has the same pixels, larger, and every
    subject looks like `subject`.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, tuple[studio_pb2.SubmitHeader, bytes, bytes]] = {}
        self.cancelled: list[str] = []
        self.pause = 0.0
        self.waiting = 0.0  # s in the queue before that
        self.away = 0.0  # s for which nobody can watch, from the middle of a pause on
        self.frames = 0  # previews that were sent
        self.trained = False
        self.request_json = '{"for": "the layer"}'  # what is told of every request; empty = the truth
        self.protocol, self.address = 1, ""  # where it listens
        self.reached, self.left = threading.Event(), threading.Event()
        self._began: dict[str, float] = {}

    def GetServerInfo(self, request, context):
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "")
        return studio_pb2.ServerInfo(version="0", protocol=self.protocol)

    def ListModels(self, request, context):
        kinds, value = models_pb2.Param, edits_pb2.Value
        params = [
            models_pb2.Param(name="quality", kind=kinds.KIND_INT, default_value=value(integer=2), low=1, high=4),
            models_pb2.Param(name="paper", kind=kinds.KIND_CHOICE, default_value=value(text="a"), choices=["a", "b"]),
            models_pb2.Param(name="sharp", kind=kinds.KIND_BOOL, default_value=value(flag=True)),
            models_pb2.Param(name="gain", kind=kinds.KIND_FLOAT, default_value=value(number=0.5), low=0, high=1),
            models_pb2.Param(name="word", kind=kinds.KIND_TEXT, default_value=value(text="")),
        ]
        return studio_pb2.ListModelsResponse(
            engines=[models_pb2.Engine(id="negative", params=params, trained=self.trained)]
        )

    def PlanEdit(self, request, context):
        canvas = Box.of(convert.size_from_proto(request.request.canvas))
        box = canvas
        if request.request.WhichOneof("task") == "text_to_layer":
            box = convert.box_from_proto(request.request.region)
        elif request.selection:
            box = convert.box_from_proto(request.selection[0]).grown(16).clipped(canvas)
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
        if self._gone(request.job):
            context.abort(grpc.StatusCode.UNAVAILABLE, "")
        sequence = 0
        if self.waiting and not request.after_sequence:
            queued = jobs_pb2.JobEvent.Queued(position=2)
            yield jobs_pb2.JobEvent(sequence=1, state=jobs_pb2.JOB_STATE_QUEUED, queued=queued)
            time.sleep(self.waiting)
        until = self._began.setdefault(request.job, time.monotonic()) + self.pause
        while time.monotonic() < until and context.is_active():
            if self._gone(request.job):
                context.abort(grpc.StatusCode.UNAVAILABLE, "")
            sequence += 1
            left = until - time.monotonic()
            progress = jobs_pb2.JobEvent.Progress(fraction=1 - left / self.pause, seconds_left=left)
            yield jobs_pb2.JobEvent(sequence=sequence, state=jobs_pb2.JOB_STATE_RUNNING, progress=progress)
            if request.previews:
                self.frames += 1
                yield jobs_pb2.JobEvent(sequence=sequence, preview=jobs_pb2.JobEvent.Preview(jpeg=frame(self.frames)))
            time.sleep(0.05)
        finished = jobs_pb2.JobEvent.Finished(result_count=1)
        yield jobs_pb2.JobEvent(sequence=sequence + 1, state=jobs_pb2.JOB_STATE_FINISHED, finished=finished)

    def _gone(self, job: str) -> bool:
        since = time.monotonic() - self._began.get(job, time.monotonic())
        return 0 <= since - self.pause / 2 < self.away

    def GetResult(self, request, context):
        header, pixels, mask = self.jobs[request.job]
        box, pixels, mask = self._answer(header.request, pixels, mask)
        about = jobs_pb2.ResultHeader(
            box=convert.box_to_proto(box),
            scale=header.request.upscale.scale,
            pixels=images_pb2.ImageHeader(format=header.request.format, total_bytes=len(pixels)),
            mask=images_pb2.ImageHeader(total_bytes=len(mask)),
            seed=header.request.seed + request.index,
            notes=["A note with an umlaut: ü"],
            degraded=[edits_pb2.Degradation(kind=edits_pb2.Degradation.KIND_TILED, detail="Tiled.")],
            request_json=self.request_json or to_json(convert.request_from_proto(header.request)),
            maker=jobs_pb2.Maker(software="Frisket 9", engine="a", model="m", revision="r", trained=True),
            total_bytes=len(pixels) + len(mask),
        )
        yield studio_pb2.GetResultResponse(header=about)
        both = pixels + mask
        for start in range(0, len(both), 1 << 20):
            yield studio_pb2.GetResultResponse(data=both[start : start + (1 << 20)])

    def _answer(self, request, pixels: bytes, mask: bytes) -> tuple[Box, bytes, bytes]:
        """Where it lies, pixels, mask."""
        box, fmt, task = convert.box_from_proto(request.region), request.format, request.WhichOneof("task")
        full = b"\xff" * box.area
        if task == "text_to_layer":
            return box, dark(box.area, fmt), full
        if task == "select_subject":
            return box, pixels, subject(box.width, box.height).tobytes()
        if task == "upscale":
            n = request.upscale.scale
            larger = Box(box.x * n, box.y * n, box.width * n, box.height * n)
            return larger, enlarged(pixels, fmt, box.width, n), full * n * n
        if task == "outpaint":
            by, size = request.outpaint, request.canvas
            box = Box.spanning(-by.left, -by.top, size.width + by.right, size.height + by.bottom)
            new = np.full((box.height, box.width), 255, np.uint8)
            new[by.top : by.top + size.height, by.left : by.left + size.width] = 0
            return box, dark(box.area, fmt), new.tobytes()
        return box, negative(pixels, fmt), mask or full

    def CancelJob(self, request, context):
        self.cancelled.append(request.job)
        return self._job(request.job)

    def ListJobs(self, request, context):
        return studio_pb2.ListJobsResponse(jobs=[self._job(name) for name in self.jobs])
