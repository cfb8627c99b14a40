"""Frisket's own way to fill a hole, as the benchmark calls it: in this process, and through a real server.

Both plan first and touch only the planned region, as an editor's plug-in does; both paste the result through its mask.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from frisket.edits.requests import EditRequest, InpaintParams, OutpaintParams, to_json
from frisket.edits.results import ResultMeta
from frisket.edits.run import EngineEasel
from frisket.edits.tasks import row_of
from frisket.engines.patch.engine import PatchEngine
from frisket.engines.registry import Registry
from frisket.engines.spec import EngineSpec, Task
from frisket.raster.geometry import Box, Size
from frisket.raster.masks import bounds

Answer = tuple[Box, np.ndarray, np.ndarray]  # on the canvas; pixels (h, w, 3) and mask (h, w) uint8
Fill = Callable[[np.ndarray, np.ndarray], np.ndarray]  # (h, w, 3) uint8 and (h, w) bool -> (h, w, 3) uint8
READY_SECONDS = 120.0  # for a server to warm its engine, compilation included


@dataclass(frozen=True, slots=True)
class Ask:
    """A request, its region still the whole canvas, and what it is about.

    canvas: (h, w, 3) uint8. hole: (h, w) bool. selection: canvas boxes. x, y: where the canvas lies in the picture.
    """

    request: EditRequest
    canvas: np.ndarray
    hole: np.ndarray
    selection: tuple[Box, ...]
    x: int
    y: int

    def planes(self, region: Box) -> tuple[bytes, bytes]:
        """The bytes of the region's pixels and of its mask."""
        here = region.slices
        return self.canvas[here].tobytes(), (self.hole[here].astype(np.uint8) * 255).tobytes()


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
    return lambda picture, hole: filled(picture, hole, spec, lambda ask: edited(easel, spec, ask), seed)


def loaded(threads: int = 0) -> tuple[EngineEasel, EngineSpec]:
    """An easel whose engine has compiled or read its kernels, and the engine's spec."""
    engine = PatchEngine(threads)
    easel = EngineEasel(Registry([engine]))
    easel.warm()
    return easel, engine.spec


def edited(easel: EngineEasel, spec: EngineSpec, ask: Ask) -> Answer:
    """Plan, crop, fill."""
    request = replace(ask.request, region=row_of(ask.request.task).plan(ask.request, ask.selection, spec).region)
    pixels, mask = ask.planes(request.region)
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

        def edit(ask: Ask) -> Answer:
            request = replace(ask.request, region=client.plan(ask.request, ask.selection).region)
            job = client.submit(request, *ask.planes(request.region))
            for _ in client.watch(job.id):
                pass
            made = client.result(job.id)
            height, width = made.box.height, made.box.width
            pixels = np.frombuffer(made.pixels, np.uint8).reshape(height, width, 3)
            return made.box, pixels, np.frombuffer(made.mask, np.uint8).reshape(height, width)

        yield lambda picture, hole: filled(picture, hole, PatchEngine().spec, edit, seed)


def filled(
    picture: np.ndarray, hole: np.ndarray, spec: EngineSpec, edit: Callable[[Ask], Answer], seed: int = 0
) -> np.ndarray:
    """A copy of `picture` with the answer to `asked` pasted in."""
    ask = asked(picture, hole, spec, seed)
    box, pixels, mask = edit(ask)
    return pasted(picture, box.moved(ask.x, ask.y), pixels, mask)


def asked(picture: np.ndarray, hole: np.ndarray, spec: EngineSpec, seed: int = 0) -> Ask:
    """Inpaint; but outpaint, for an engine that does it, where the hole is all that lies around a rectangle.

    Outpaint gets the known rectangle alone as its canvas, as an editor would send it. Raises ValueError when no pixel
    is to be filled, or none is known.
    """
    selection, whole = bounds(hole), Box.of(Size(hole.shape[1], hole.shape[0]))
    if selection is None or hole.all():
        raise ValueError("nothing to fill, or nothing but holes: the hole is empty or everywhere")
    spans = selection.width == whole.width or selection.height == whole.height  # spares most holes a second look
    if Task.OUTPAINT in spec.tasks and spans:
        known = bounds(~hole)
        assert known is not None
        if known != whole and not hole[known.slices].any():
            sides = (known.x, known.y, whole.right - known.right, whole.bottom - known.bottom)
            canvas = Box.of(known.size)
            request = EditRequest(canvas.size, canvas, OutpaintParams(*sides), engine=spec.id, seed=seed)
            return Ask(request, picture[known.slices], hole[known.slices], (), known.x, known.y)
    request = EditRequest(whole.size, whole, InpaintParams(), engine=spec.id, seed=seed)
    return Ask(request, picture, hole, (selection,), 0, 0)


def pasted(picture: np.ndarray, box: Box, pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """A copy of `picture` with `pixels` (h, w, 3) uint8 shown through `mask` (h, w) uint8 at `box`."""
    out = picture.copy()
    here = out[box.slices]
    share = mask[..., None].astype(np.float32) / 255
    mixed = np.rint(here * (1 - share) + pixels * share).astype(np.uint8)
    here[mask > 0] = mixed[mask > 0]
    return out
