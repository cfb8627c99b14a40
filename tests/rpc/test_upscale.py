"""Upscale through a real server: killed half-way, refused on the header, and memory for 64 megapixels."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from frisket.client.client import Client
from frisket.edits.requests import EditRequest, UpscaleParams
from frisket.errors import ImageTooLarge
from frisket.raster.geometry import Box, Size
from live import ServerProcess
from rpc.test_durability import until_running
from rpc.test_studio import outcome

rng = np.random.default_rng(9)


def asking(client: Client, side: int, scale: int = 4) -> str:
    size = Size(side, side)
    tile = rng.integers(0, 256, (128, 128, 3), np.uint8)
    image = np.tile(tile, (side // 128, side // 128, 1))
    request = EditRequest(size, Box.of(size), UpscaleParams(scale), engine="edge-lanczos")
    return client.submit(request, image.tobytes()).id


def test_a_result_says_how_much_larger_it_is(client: Client) -> None:
    job = asking(client, 128, 2)
    outcome(client, job)
    done = client.result(job)
    assert (done.scale, done.box, len(done.pixels)) == (2, Box(0, 0, 256, 256), 256 * 256 * 3)
    assert done.mask == b"\xff" * 256 * 256


def test_what_would_become_too_large_is_refused_on_the_header(client: Client) -> None:
    size = Size(3000, 3000)
    request = EditRequest(size, Box.of(size), UpscaleParams(4), engine="edge-lanczos")
    with pytest.raises(ImageTooLarge, match="12000"):
        client.plan(request, [])
    with pytest.raises(ImageTooLarge, match="12000"):
        client.submit(request, bytes(size.area * 3))


@pytest.mark.slow
def test_a_worker_killed_between_tiles_does_them_all_again(own_server: ServerProcess) -> None:
    import psutil

    client = own_server.start().client()
    job = asking(client, 1024)
    until_running(client, job)
    (worker,) = psutil.Process(own_server.runtime.pid).children()
    worker.kill()
    kinds = [event.WhichOneof("what") for event in client.watch(job)]
    assert kinds.count("started") == 2
    assert kinds[-1] == "finished"
    assert client.result(job).box == Box(0, 0, 4096, 4096)
    client.close()


@pytest.mark.slow
def test_four_megapixels_become_64_in_less_than_two_gigabytes(own_server: ServerProcess) -> None:
    import psutil

    client = own_server.start().client()
    outcome(client, asking(client, 128, 2))
    (worker,) = psutil.Process(own_server.runtime.pid).children()
    before, peak, over = worker.memory_info().rss, [0], threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            peak[0] = max(peak[0], worker.memory_info().rss)

    watcher = threading.Thread(target=look)
    watcher.start()
    start = time.monotonic()
    job = asking(client, 2048)
    outcome(client, job)
    seconds = time.monotonic() - start
    over.set()
    watcher.join()
    print(f"{(peak[0] - before) >> 20} MiB over {before >> 20}, {seconds:.1f} s")
    assert client.result(job).box == Box(0, 0, 8192, 8192)
    assert peak[0] - before < 2 << 30
    client.close()
