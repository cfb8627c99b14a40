"""Cancel during a running fill: seconds from the call to the job's last event, and to the end of the next job.

    python bench/cancel.py [--repeat 10] [--megapixels 4]

A real server, the built-in engine, a hole of 800 x 600 in 2400 x 1700 px of noise over a gradient, or both larger by as
much as --megapixels says. Each round cancels at another moment of the fill; then a small fill must still work.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from frisket.cli.connect import stop
from frisket.client.client import Client
from frisket.client.grpc_transport import GrpcTransport
from frisket.client.launch import start_server
from frisket.edits.requests import EditRequest, InpaintParams
from frisket.raster.geometry import Box, Size

SIZE = Size(2400, 1700)
HOLE = Box(800, 500, 800, 600)
SMALL = Box(100, 100, 30, 20)


def setting(megapixels: float) -> tuple[Size, Box]:
    """Canvas and hole; those of SIZE and HOLE for 4 MP."""
    times = max(1.0, (megapixels / 4) ** 0.5)
    x, y, width, height = (round(times * side) for side in (HOLE.x, HOLE.y, HOLE.width, HOLE.height))
    return Size(round(times * SIZE.width), round(times * SIZE.height)), Box(x, y, width, height)


def picture(size: Size) -> np.ndarray:
    rng = np.random.default_rng(1)
    slope = np.linspace(60, 180, size.width)[None, :, None]
    out = np.empty((size.height, size.width, 3), np.uint8)
    for y in range(0, size.height, 100):
        part = out[y : y + 100]
        part[...] = (slope + rng.normal(0, 12, part.shape)).clip(0, 255)
    return out


def submit(client: Client, image: np.ndarray, hole: Box) -> str:
    size = Size(image.shape[1], image.shape[0])
    request = EditRequest(size, Box(0, 0, 0, 0), InpaintParams(), seed=1)
    plan = client.plan(request, [hole])
    mask = np.zeros((size.height, size.width), np.uint8)
    mask[hole.slices] = 255
    where = plan.region.slices
    sent = replace(request, region=plan.region)
    return client.submit(sent, image[where].tobytes(), mask[where].tobytes()).id


def last_of(client: Client, job: str) -> str:
    return [event.WhichOneof("what") or "" for event in client.watch(job)][-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=10)
    parser.add_argument("--megapixels", type=float, default=4)
    options = parser.parse_args()
    rounds = options.repeat
    size, large = setting(options.megapixels)
    image = picture(size)
    with tempfile.TemporaryDirectory() as folder:
        runtime = start_server(
            [sys.executable, "-m", "frisket.cli.main", "serve", "--listen", "127.0.0.1:0"], Path(folder)
        )
        client = Client(GrpcTransport(runtime.address, runtime.token), "bench")
        began = time.perf_counter()
        assert last_of(client, submit(client, image, large)) == "finished"
        began = time.perf_counter()
        assert last_of(client, submit(client, image, large)) == "finished"
        whole = time.perf_counter() - began
        freed, again = [], []
        for number in range(rounds):
            job = submit(client, image, large)
            time.sleep(whole * (number + 0.5) / rounds * 0.9)
            began = time.perf_counter()
            client.cancel(job)
            what = last_of(client, job)
            freed.append(time.perf_counter() - began)
            assert what == "cancelled", what
            assert last_of(client, submit(client, image, SMALL)) == "finished"
            again.append(time.perf_counter() - began)
        client.close()
        stop(runtime)
    print(f"{size.width} x {size.height} px, hole {large.width} x {large.height} px")
    print(f"whole fill {whole:.2f} s, cancelled {rounds} times along its way; seconds: median (max)")
    print(f"  cancel to the job's last event   {statistics.median(freed):.3f} ({max(freed):.3f})")
    print(f"  cancel to the next job's end     {statistics.median(again):.3f} ({max(again):.3f})")


if __name__ == "__main__":
    main()
