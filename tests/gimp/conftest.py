"""The real GIMP in its tree, the plug-in installed there, and a studio that answers in a way that can be computed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import pytest
from frisket.cli import plugin_bundle
from frisket.client.places import Runtime, write_runtime
from frisket.rpc import convert
from frisket.rpc.stubs import edits_pb2, images_pb2, jobs_pb2, studio_pb2, studio_pb2_grpc

HERE = Path(__file__).parent
TREE = Path(os.environ.get("FRISKET_GIMP_TREE", "/var/tmp/frisket-gimp/trixie"))
SYSTEM = "/usr/lib/x86_64-linux-gnu/gimp/3.0/plug-ins"
TOKEN = "paper-mask"
GIMPRC = """(plug-in-path "${gimp_dir}/core:${gimp_dir}/plug-ins")
(check-updates no)
(show-welcome-dialog no)
(color-profile-policy keep)
(save-session-info no)
"""
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
        self.reached = threading.Event()

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


class Gimp:
    """A GIMP with a configuration of its own. `folder` is seen by the host, `inside` by GIMP."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inside = "/" + str(folder.relative_to(TREE))
        (folder / "core").mkdir()
        for name in ("python-eval", "file-png"):
            (folder / "core" / name).symlink_to(f"{SYSTEM}/{name}")
        (folder / "gimprc").write_text(GIMPRC)
        home = folder / "frisket-home"
        home.mkdir()
        # The command is one that the tree can run: it proves that the note is used.
        command = ["/bin/sh", "-c", f"cp {self.inside}/waiting.json {self.inside}/frisket-home/server.json; sleep 5"]
        plugin_bundle.install(folder / "plug-ins", command, Path(self.inside) / "frisket-home")
        shutil.copy(HERE / "inside.py", folder / "inside.py")

    def command(self, program: str, *arguments: str, **env: str) -> list[str]:
        base = {"PATH": "/usr/bin:/bin", "HOME": self.inside, "GIMP3_DIRECTORY": self.inside, "LANG": "C.UTF-8"}
        pairs = [f"{name}={value}" for name, value in {**base, **env}.items()]
        return ["chroot", str(TREE), "env", "-i", *pairs, "timeout", "-k", "5", "100", program, *arguments]

    def script(self, body: str) -> str:
        """What GIMP's Python is given: our helpers, then `body`."""
        (self.folder / "body.py").write_text(body)
        run = "for n in ('inside', 'body'): exec(pathlib.Path(D, n + '.py').read_text())"
        return f"import pathlib; D = {self.inside!r}\n{run}"

    def run(self, body: str) -> dict:
        """Run `body` in GIMP; it fills the dictionary `out`, which comes back. Fails the test when it raises."""
        (self.folder / "out.json").unlink(missing_ok=True)
        options = ("-n", "-i", "-d", "-f", "--batch-interpreter", "python-fu-eval", "-b", self.script(body), "--quit")
        done = subprocess.run(self.command("gimp-console-3", *options), capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, f"GIMP ended with {done.returncode}\n{done.stdout}\n{done.stderr[-6000:]}"
        return json.loads((self.folder / "out.json").read_text())

    def array(self, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """Raw samples that `dump` left."""
        return np.frombuffer((self.folder / f"{name}.raw").read_bytes(), dtype).reshape(shape)


@pytest.fixture
def gimp():
    if not (TREE / ".frisket-ready").exists():
        pytest.skip(f"no tree with the real GIMP in {TREE}: build it with tests/gimp/make_tree.sh")
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("the real GIMP runs in a chroot, which needs root")
    folder = Path(tempfile.mkdtemp(prefix="frisket-test-", dir=TREE / "var" / "tmp"))
    folder.chmod(0o755)
    yield Gimp(folder)
    shutil.rmtree(folder)


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
