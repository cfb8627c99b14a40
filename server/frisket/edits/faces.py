"""Which faces there are in what was sent, and which of them are meant. Between a detector and the edits that need it.

Rows are those of Task.DETECT_FACES, (n, 15) float32, in px of the region that was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.edits.progress import Unseen
from frisket.edits.requests import EditRequest
from frisket.edits.results import Degradation, DegradationKind, Face
from frisket.engines.spec import Engine, Report, Task, Work
from frisket.errors import EngineFailed
from frisket.raster import pixels
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box
from frisket.raster.spans import Check, row_spans

Float32 = NDArray[np.float32]

LOOKED_AT = 4096  # px: the longer side at which a detector is shown a picture, at most (200 MB)
ROW = 15  # numbers for each face
FARTHEST = 1 << 24  # px: no box of a face begins so far away, or is so large
ENOUGH = 0.5  # of a found face that a wished-for box must cover
GROUND = np.float32(0.5)  # what shows through transparent pixels, perceptual


@dataclass(frozen=True, slots=True)
class Found:
    """One row, and the face that it tells of. points: (5, 2) px of the region, None where the detector knew not all."""

    row: Float32
    face: Face
    points: NDArray[np.float64] | None

    @property
    def middle(self) -> tuple[float, float]:
        """px of the region."""
        x, y, width, height = (float(v) for v in self.row[:4])
        return x + width / 2, y + height / 2


def found_in(request: EditRequest, image: np.ndarray, detector: Engine, report: Report) -> list[Found]:
    """Faces, best first. image: (h, w, c) of request.format over request.region. Raises EngineFailed, Cancelled.

    A picture longer than LOOKED_AT px is shown to the detector reduced by a whole number, and that is told.
    """
    region = request.region
    whole = max(1, -(-region.size.longer // LOOKED_AT))
    crop = shown(image, request.format, whole, report.check)
    if whole > 1:
        detail = f"Faces were looked for at {crop.shape[1]} x {crop.shape[0]}: small ones may have been missed."
        report.told(Degradation(DegradationKind.SMALLER_SIZE, detail))
    if crop.size == 0:
        return []
    params = detector.spec.check_params(request.engine_params if request.task is Task.DETECT_FACES else {})
    work = Work(Task.DETECT_FACES, crop, np.ones(crop.shape[:2], np.float32), params, (request.seed,))
    answer = detector.run(work, Unseen(report))
    rows = np.array(answer[0] if len(answer) == 1 else (), np.float32)
    if rows.size and not _are_faces(rows):
        raise EngineFailed(engine=detector.spec.id, reason="it gave back no faces, but something else")
    return [_found(row, region) for row in _enlarged(rows.reshape(-1, ROW), whole)]


def _are_faces(rows: np.ndarray) -> bool:
    """Whether these are what `Engine.run` promises: numbers where there have to be some, none beyond all bounds."""
    if rows.ndim != 2 or rows.shape[1] != ROW:
        return False
    known = rows[:, [0, 1, 2, 3, 14]]
    return bool(np.isfinite(known).all() and np.abs(known).max() < FARTHEST)


def shown(image: np.ndarray, fmt: PixelFormat, whole: int, check: Check) -> Float32:
    """(h // whole, w // whole, 3) float32 0...1: what an eye sees of (h, w, c) over gray, each px the mean of
    whole x whole; empty where a side is shorter than that. Never more than a few rows of it as floats besides."""
    h, w = (n // whole for n in image.shape[:2])
    out = np.empty((h, w, 3), np.float32)
    if not out.size:
        return out
    for rows in row_spans(out.shape, check, max(1, (1 << 18) // whole**2)):
        part = image[rows.start * whole : rows.stop * whole, : w * whole]
        out[rows] = _shrunk(_seen(part, fmt), w, rows.stop - rows.start)
    return out


def _seen(part: np.ndarray, fmt: PixelFormat) -> Float32:
    work = pixels.to_work(part, fmt)
    rgb = np.clip(pixels.as_rgb(work, fmt.layout), 0, 1)
    if fmt.layout.has_alpha:
        alpha = np.clip(work[..., -1:], 0, 1)
        rgb = rgb * alpha + GROUND * (1 - alpha)
    return rgb


def _shrunk(rgb: Float32, width: int, height: int) -> Float32:
    if rgb.shape[:2] == (height, width):
        return rgb
    return np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _enlarged(rows: Float32, whole: int) -> Float32:
    """From px of the reduced picture: its px k has its middle at whole * k + (whole - 1) / 2."""
    out = rows.copy()
    out[:, :14] *= whole
    out[:, 4:14] += (whole - 1) / 2
    return out


def _found(row: Float32, region: Box) -> Found:
    x, y, width, height = (float(v) for v in row[:4])
    box = Box.spanning(*(int(np.floor(v + 0.5)) for v in (x, y, x + width, y + height))).moved(region.x, region.y)
    points = row[4:14].astype(np.float64).reshape(5, 2)
    known = bool(np.isfinite(points).all())
    landmarks = tuple((float(x) + region.x, float(y) + region.y) for x, y in points) if known else ()
    return Found(row, Face(box, float(np.clip(row[14], 0, 1)), landmarks), points if known else None)


def picked(found: Sequence[Found], wished: Sequence[Box], mask: np.ndarray) -> list[int]:
    """Which ones, by number: half of it lies in one of the `wished` canvas boxes (none = all), and its middle is where
    the mask (h, w) uint8 is above 127; a middle beyond the region counts where it is nearest."""
    return [k for k, one in enumerate(found) if _wished(one.face.box, wished) and _selected(one, mask)]


def _wished(box: Box, wished: Sequence[Box]) -> bool:
    return not wished or any(box.clipped(wish).area >= ENOUGH * box.area for wish in wished)


def _selected(one: Found, mask: np.ndarray) -> bool:
    x, y = (int(np.clip(v, 0, n - 1)) for v, n in zip(one.middle, mask.shape[::-1], strict=True))
    return bool(mask[y, x] > 127)
