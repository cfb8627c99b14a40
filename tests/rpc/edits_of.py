"""One edit of each task, as a client asks for it, at odd sizes and with a soft mask."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from frisket.client.client import Client, Picture, with_region
from frisket.edits.requests import (
    EditRequest,
    InpaintParams,
    InstructParams,
    MaskDials,
    OutpaintParams,
    TextToLayerParams,
    VariationParams,
)
from frisket.engines.spec import Task
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box, Size
from rpc.test_studio import outcome

W, H = 333, 217
HARD = MaskDials(grow=0, feather=0, blend=0)  # the mask as it was sent, its soft edge too
PARAMS: dict[Task, Callable[[], Any]] = {
    Task.INPAINT: lambda: InpaintParams("a red sofa", dials=HARD),
    Task.OUTPAINT: lambda: OutpaintParams(left=21, bottom=10, prompt="more of it"),
    Task.VARIATION: lambda: VariationParams(0.7, "a red sofa", dials=HARD),
    Task.TEXT_TO_LAYER: lambda: TextToLayerParams("a red sofa"),
    Task.INSTRUCT: lambda: InstructParams("make it winter", dials=HARD),
}
STEPS = 3


def photo(width: int = W, height: int = H) -> np.ndarray:
    """(height, width, 3) uint8: slopes and grain, so that no two pixels are alike by design."""
    y, x = np.mgrid[0:height, 0:width]
    slopes = np.stack([60 + 120 * x / width, 90 + 100 * y / height, 180 - 90 * x / width], -1)
    return np.clip(slopes + np.random.default_rng(3).normal(0, 12, slopes.shape), 0, 255).astype(np.uint8)


def soft_mask(width: int = W, height: int = H) -> np.ndarray:
    """(height, width) uint8: an ellipse that is feathered over some 20 px."""
    made = np.zeros((height, width), np.float32)
    cv2.ellipse(made, (150, 100), (60, 40), 15, 0, 360, 255, -1)
    return np.rint(cv2.GaussianBlur(made, (0, 0), 5)).astype(np.uint8)


def bounds(mask: np.ndarray) -> Box:
    """The box around all that is not 0."""
    ys, xs = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return Box.spanning(int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1)


@dataclass(frozen=True)
class Edit:
    """What was asked of one engine, and how to ask again."""

    engine: str
    task: Task
    picture: np.ndarray
    mask: np.ndarray

    def request(self, client: Client, seed: int, count: int, steps: int = STEPS) -> EditRequest:
        """Planned by the server."""
        canvas = Size(self.picture.shape[1], self.picture.shape[0])
        asked = EditRequest(
            canvas=canvas,
            region=Box(0, 0, 0, 0),
            params=self._params(client),
            engine=self.engine,
            engine_params={"steps": steps},
            seed=seed,
            count=count,
        )
        chosen = [bounds(self.mask)] if self.task in (Task.INPAINT, Task.VARIATION, Task.INSTRUCT) else []
        return with_region(asked, client.plan(asked, chosen).region, PixelFormat())

    def _params(self, client: Client) -> Any:
        """As far from the usual as the engine allows."""
        params = PARAMS[self.task]()
        if self.task is Task.VARIATION and not {e.id: e for e in client.engines()}[self.engine].uses_strength:
            return replace(params, strength=VariationParams().strength)
        return params

    def send(self, client: Client, request: EditRequest) -> str:
        """The job's id."""
        here = request.region.slices
        pixels = None if self.task is Task.TEXT_TO_LAYER else self.picture[here].tobytes()
        masked = self.task not in (Task.TEXT_TO_LAYER, Task.OUTPAINT)
        return client.submit(request, pixels, self.mask[here].tobytes() if masked else None).id

    def done(self, client: Client, seed: int, count: int = 1, steps: int = STEPS) -> list[Picture]:
        """Asked, watched and fetched. Raises what the job ended with."""
        job = self.send(client, self.request(client, seed, count, steps))
        outcome(client, job)
        return [client.result(job, index) for index in range(count)]

    def laid(self, result: Picture) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(sheet, weight, before): the picture as an editor shows it with the result on top, how much of the result is
        seen there, and the picture before; all as large as the picture and the result together, new area 0."""
        whole = Box(0, 0, self.picture.shape[1], self.picture.shape[0])
        sheet_box = whole.joined(result.box)
        before = np.zeros((sheet_box.height, sheet_box.width, 3), np.uint8)
        weight = np.zeros(before.shape[:2], np.uint8)
        before[whole.moved(-sheet_box.x, -sheet_box.y).slices] = self.picture
        here = result.box.moved(-sheet_box.x, -sheet_box.y).slices
        pixels = np.frombuffer(result.pixels, np.uint8).reshape(result.box.height, result.box.width, 3)
        weight[here] = np.frombuffer(result.mask, np.uint8).reshape(result.box.height, result.box.width)
        sheet = before.astype(np.float32)
        share = weight[here].astype(np.float32)[..., None] / 255
        sheet[here] += share * (pixels - sheet[here])
        return np.rint(sheet).astype(np.uint8), weight, before
