"""Frisket's own way to fill a hole, as the benchmark calls it: in this process, and through a real server.

Both plan first and touch only the planned region, as an editor's plug-in does; both paste the result through its mask.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from frisket.edits.requests import EditRequest, InpaintParams, to_json
from frisket.edits.results import ResultMeta
from frisket.edits.run import EngineEasel
from frisket.edits.tasks import row_of
from frisket.engines.patch.engine import PatchEngine
from frisket.engines.registry import Registry
from frisket.engines.spec import EngineSpec
from frisket.raster.geometry import Box, Size
from frisket.raster.masks import bounds

Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (h, w, 3) uint8 and (h, w) bool -> (h, w, 3) uint8
READY_SECONDS = 120.0  # for a server to warm its engine, compilation included


class Silent:
    """A Teller that nobody listens to."""

    def progress(self, fraction: float) -> None:
        pass

    def preview(self, jpeg: bytes, box: tuple[int, int, int, int]) -> None:
        pass

    def check(self) -> None:
        pass


def in_process(threads: int = 0, seed: int = 0) -> Fill:
    """The built-in engine through plan and edit, loaded before the first call. threads: 0 = all."""
    easel, spec = loaded(threads)
    return lambda picture, hole: pasted(picture, *edited(easel, spec, picture, hole, seed))


def loaded(threads: int = 0) -> tuple[EngineEasel, EngineSpec]:
    """An easel whose engine has compiled or read its kernels, and the engine's spec."""
    engine = PatchEngine(threads)
    easel = EngineEasel(Registry([engine]))
    easel.warm()
    return easel, engine.spec


def edited(
    easel: EngineEasel, spec: EngineSpec, picture: np.ndarray, hole: np.ndarray, seed: int = 0
) -> tuple[Box, np.ndarray, np.ndarray]:
    """Plan, crop, fill. The box of the result on the canvas, its pixels (h, w, 3) uint8 and its mask (h, w) uint8."""
    request, selection = request_for(hole, seed)
    request = replace(request, region=row_of(request.task).plan(request, [selection], spec).region)
    pixels, mask = planes_of(picture, hole, request.region)
    (done,) = easel.run(to_json(request), {"pixels": memoryview(pixels), "mask": memoryview(mask)}, Silent())
    made, shown = (np.asarray(plane) for plane in done.planes)
    return ResultMeta.from_json(done.meta).box, made, shown


@contextlib.contextmanager
def through_server(seed: int = 0) -> Iterator[Fill]:
    """The same with a server of its own on loopback: submit, watch, fetch. Raises ServerDidNotStart, TimeoutError."""
    from frisket.cli.connect import client_of, private_server

    with private_server() as runtime, client_of(runtime) as client:
        until = time.monotonic() + READY_SECONDS
        while not client.server_info().ready:
            if time.monotonic() > until:
                raise TimeoutError(f"the server was not ready after {READY_SECONDS:.0f} s")
            time.sleep(0.1)

        def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
            request, selection = request_for(hole, seed)
            request = replace(request, region=client.plan(request, [selection]).region)
            job = client.submit(request, *planes_of(picture, hole, request.region))
            for _ in client.watch(job.id):
                pass
            made = client.result(job.id)
            height, width = made.box.height, made.box.width
            pixels = np.frombuffer(made.pixels, np.uint8).reshape(height, width, 3)
            return pasted(picture, made.box, pixels, np.frombuffer(made.mask, np.uint8).reshape(height, width))

        yield fill


def request_for(hole: np.ndarray, seed: int = 0) -> tuple[EditRequest, Box]:
    """The request to fill `hole`, its region still the whole canvas, and the hole's box. Raises ValueError if empty."""
    height, width = hole.shape
    selection = bounds(hole)
    if selection is None:
        raise ValueError("the hole is empty")
    canvas = Size(width, height)
    return EditRequest(canvas, Box.of(canvas), InpaintParams(), engine="patch", seed=seed), selection


def planes_of(picture: np.ndarray, hole: np.ndarray, region: Box) -> tuple[bytes, bytes]:
    """The bytes of the region's pixels and of its mask."""
    here = region.slices
    return picture[here].tobytes(), (hole[here].astype(np.uint8) * 255).tobytes()


def pasted(picture: np.ndarray, box: Box, pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A copy of `picture` with `pixels` (h, w, 3) uint8 shown through `mask` (h, w) uint8 at `box`."""
    out = picture.copy()
    here = out[box.slices]
    share = mask[..., None].astype(np.float32) / 255
    mixed = np.rint(here * (1 - share) + pixels * share).astype(np.uint8)
    here[mask > 0] = mixed[mask > 0]
    return out
