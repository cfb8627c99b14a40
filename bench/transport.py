"""Round trip of an edit with an engine that does nothing: what the way there and back costs.

    python bench/transport.py [--megapixels 4] [--repeat 7]

Rows, measured in turn within each round, so that a busy machine touches all alike:
  bare           the edit in this process: no server, no wire
  frisket grpc   submit, watch, fetch over loopback with grpcio; job and pixels on disk before the answer, as always
  frisket h2     the same over the pure-Python transport that the GIMP plug-in uses
  comfyui-like   HTTP: PNG level 4 as multipart up, PNG level 1 down, as ComfyUI's upload and websocket image do
  a1111-like     HTTP: JSON with base64 PNG at Pillow's default level both ways, as stable-diffusion-webui's API does
The HTTP styles are emulations of what those servers' sources do, in a process of their own around the same edit, with
nothing durable. Half the picture is selected; noise of a camera's kind makes the PNGs honest.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import http.client
import io
import json
import multiprocessing
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests")]

from fakes.engines import NullEngine  # noqa: E402
from fakes.tellers import Listener  # noqa: E402
from frisket.client.client import Client  # noqa: E402
from frisket.client.grpc_transport import GrpcTransport  # noqa: E402
from frisket.client.h2_transport import H2Transport  # noqa: E402
from frisket.client.launch import start_server  # noqa: E402
from frisket.edits.requests import EditRequest, InpaintParams, to_json  # noqa: E402
from frisket.edits.run import EngineEasel  # noqa: E402
from frisket.engines.registry import Registry  # noqa: E402
from frisket.raster.formats import Layout, PixelFormat  # noqa: E402
from frisket.raster.geometry import Box, Size  # noqa: E402

BOUNDARY = b"----frisket-bench"
Edit = Callable[[bytes, bytes], bytes]


def picture(side: int) -> tuple[np.ndarray, np.ndarray]:
    """(side, side, 4) uint8 like a photograph with grain, and a mask of half of it."""
    rng = np.random.default_rng(1)
    smooth = cv2.resize(rng.random((16, 16, 3), dtype=np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    grain = rng.normal(0, 1.5 / 255, (side, side, 3)).astype(np.float32)
    color = np.clip((0.15 + 0.7 * smooth + grain) * 255, 0, 255).astype(np.uint8)
    mask = np.zeros((side, side), np.uint8)
    mask[:, side // 4 : side // 4 + side // 2] = 255
    return np.dstack([color, np.full((side, side), 255, np.uint8)]), mask


def request_for(side: int) -> EditRequest:
    size = Size(side, side)
    fmt = PixelFormat(layout=Layout.RGBA)
    return EditRequest(size, Box.of(size), InpaintParams(), fmt, engine="null", seed=1)


def bare_edit(side: int) -> Edit:
    easel = EngineEasel(Registry([NullEngine()]))
    text = to_json(request_for(side))

    def edit(pixels: bytes, mask: bytes) -> bytes:
        (done,) = easel.run(text, {"pixels": memoryview(pixels), "mask": memoryview(mask)}, Listener())
        return np.ascontiguousarray(done.planes[0]).tobytes()

    return edit


def frisket_edit(client: Client, side: int) -> Edit:
    request = request_for(side)

    def edit(pixels: bytes, mask: bytes) -> bytes:
        job = client.submit(request, pixels, mask)
        for _ in client.watch(job.id):
            pass
        return client.result(job.id).pixels

    return edit


def png(array: np.ndarray, **options: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, "PNG", **options)
    return out.getvalue()


def unpng(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


class HttpStyles(BaseHTTPRequestHandler):
    """POST /comfyui and /a1111."""

    protocol_version = "HTTP/1.1"
    edit: Edit

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/comfyui":
            parts = body.split(b"\r\n--" + BOUNDARY)
            image, mask = (unpng(part.split(b"\r\n\r\n", 1)[1]) for part in parts[:2])
            reply = png(self.done(image, mask), compress_level=1)
        else:
            fields = json.loads(body)
            image, mask = (unpng(base64.b64decode(fields[name])) for name in ("image", "mask"))
            reply = json.dumps({"images": [base64.b64encode(png(self.done(image, mask))).decode()]}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def done(self, image: np.ndarray, mask: np.ndarray) -> np.ndarray:
        width = image.shape[1] // 2
        return np.frombuffer(type(self).edit(image.tobytes(), mask.tobytes()), np.uint8).reshape(-1, width, 4)

    def log_message(self, format: str, *args: object) -> None:
        pass


def http_server(side: int, pipe) -> None:
    HttpStyles.edit = staticmethod(bare_edit(side))  # type: ignore[assignment]
    server = ThreadingHTTPServer(("127.0.0.1", 0), HttpStyles)
    pipe.send(server.server_port)
    server.serve_forever()


def comfyui_edit(port: int, side: int) -> Edit:
    def edit(pixels: bytes, mask: bytes) -> bytes:
        planes = (np.frombuffer(pixels, np.uint8).reshape(side, side, 4), np.frombuffer(mask, np.uint8))
        files = (png(planes[0], compress_level=4), png(planes[1].reshape(side, side), compress_level=4))
        head = b'--%b\r\ncontent-disposition: form-data; name="image"; filename="a.png"\r\n\r\n%b'
        body = b"\r\n".join(head % (BOUNDARY, file) for file in files) + b"\r\n--" + BOUNDARY + b"--\r\n"
        return unpng(post(port, "/comfyui", body)).tobytes()

    return edit


def a1111_edit(port: int, side: int) -> Edit:
    def edit(pixels: bytes, mask: bytes) -> bytes:
        planes = (np.frombuffer(pixels, np.uint8).reshape(side, side, 4), np.frombuffer(mask, np.uint8))
        image, hole = (base64.b64encode(png(p)).decode() for p in (planes[0], planes[1].reshape(side, side)))
        reply = json.loads(post(port, "/a1111", json.dumps({"image": image, "mask": hole}).encode()))
        return unpng(base64.b64decode(reply["images"][0])).tobytes()

    return edit


def post(port: int, path: str, body: bytes) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("POST", path, body)
    with contextlib.closing(connection):
        return connection.getresponse().read()


@contextlib.contextmanager
def setups(side: int) -> Iterator[dict[str, Edit]]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    http_process = context.Process(target=http_server, args=(side, theirs), daemon=True)
    http_process.start()
    port = ours.recv()
    with tempfile.TemporaryDirectory() as folder:
        engine = f"{ROOT / 'tests' / 'fakes' / 'engines.py'}:NULL"
        command = [sys.executable, "-m", "frisket.cli.main", "serve", "--listen", "127.0.0.1:0", "--engine", engine]
        runtime = start_server(command, Path(folder))
        grpcio = Client(GrpcTransport(runtime.address, runtime.token), "bench")
        h2 = Client(H2Transport(runtime.address, runtime.token), "bench")
        while not grpcio.server_info().ready:
            time.sleep(0.1)
        try:
            yield {
                "bare": bare_edit(side),
                "frisket grpc": frisket_edit(grpcio, side),
                "frisket h2": frisket_edit(h2, side),
                "comfyui-like": comfyui_edit(port, side),
                "a1111-like": a1111_edit(port, side),
            }
        finally:
            grpcio.close()
            h2.close()
            http_process.kill()
            from frisket.cli.connect import stop

            stop(runtime)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megapixels", type=float, default=4.0)
    parser.add_argument("--repeat", type=int, default=7)
    options = parser.parse_args()
    side = int((options.megapixels * (1 << 20)) ** 0.5)
    image, mask = picture(side)
    pixels, hole = image.tobytes(), mask.tobytes()
    wanted = image[:, side // 4 : side // 4 + side // 2].tobytes()
    times: dict[str, list[float]] = {}
    with setups(side) as ways:
        for round_ in range(options.repeat + 1):  # the first round warms up
            for name, edit in ways.items():
                began = time.perf_counter()
                got = edit(pixels, hole)
                took = time.perf_counter() - began
                assert got == wanted, f"{name} gave other pixels back"
                if round_:
                    times.setdefault(name, []).append(took * 1000)
    print(f"{side} x {side} RGBA8, {options.repeat} rounds, {platform.machine()}, Python {platform.python_version()}")
    print(f"{'':14} {'median ms':>10} {'min':>8} {'max':>8} {'over bare':>10} {'x frisket grpc':>15}")
    bare, ours = statistics.median(times["bare"]), statistics.median(times["frisket grpc"])
    for name, each in times.items():
        m = statistics.median(each)
        print(f"{name:14} {m:10.0f} {min(each):8.0f} {max(each):8.0f} {m - bare:10.0f} {m / ours:15.2f}")


if __name__ == "__main__":
    main()
