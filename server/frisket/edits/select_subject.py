"""Select the subject: what the picture is of, or the thing that is roughly selected, as a mask. Paints nothing."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.edits.faces import LOOKED_AT, shown
from frisket.edits.progress import Progress, Unseen
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import EditRequest, SelectSubjectParams
from frisket.edits.results import Degradation, DegradationKind, ResultMeta
from frisket.engines.spec import Engine, Report, Task, Work
from frisket.errors import EngineFailed, NoSubjectFound
from frisket.raster import masks, pixels
from frisket.raster.spans import Check, copied, mapped, row_spans

Float32 = NDArray[np.float32]

ROUGH_SHARE, ROUGH_MIN = 0.04, 3  # px per px of a rough selection's longer side, px: what it may have left out


def run(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> list[Painted]:
    """For each of request.seeds (engines do not look at them) a result whose mask is the subject, soft at its edge, and
    whose pixels are those that were sent: both over the smallest box that holds it.

    A selection that leaves something out is taken as a rough one: the subject lies within it, or at most
    max(ROUGH_MIN, ROUGH_SHARE * its longer side) px beyond. What is fully transparent is no subject. A picture longer
    than LOOKED_AT px is looked at reduced, and that is told. Raises NoSubjectFound, ImageNotFinite, EngineFailed,
    Cancelled.
    """
    assert isinstance(request.params, SelectSubjectParams)
    region, check = request.region, progress.check
    pixels.check_finite(planes.image, check)
    with progress.part(0, 1, region):
        subject = selected(request, planes, engine, progress)
    box = masks.bounds(subject, check)
    if box is None:
        raise NoSubjectFound(engine=engine.spec.title, width=region.width, height=region.height)
    notes = ()
    if not engine.spec.models:
        notes = (f"{engine.spec.title}: found by colours and edges, without a model that knows what things are.",)
    meta = [ResultMeta(box.moved(region.x, region.y), seed, notes=notes) for seed in request.seeds]
    return [Painted(m, copied(planes.image[box.slices], check), copied(subject[box.slices], check)) for m in meta]


def selected(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> NDArray[np.uint8]:
    """The subject over request.region, (h, w) uint8. Raises EngineFailed, Cancelled."""
    whole = max(1, -(-request.region.size.longer // LOOKED_AT))
    image = planes.image
    if min(image.shape[:2]) < whole:  # a line of pixels: it stays one
        whole = min(image.shape[:2])
    crop = shown(image, request.format, whole, progress.check)
    if whole > 1:
        detail = f"The subject was looked for at {crop.shape[1]} x {crop.shape[0]}; its edge was enlarged from there."
        progress.told(Degradation(DegradationKind.SMALLER_SIZE, detail))
    hole = _reduced(hole_of(planes, request, progress.check), whole, progress.check)
    params = engine.spec.check_params(request.engine_params)
    if not hole.any():
        return np.zeros(image.shape[:2], np.uint8)
    mask = _asked(engine, Work(Task.SELECT_SUBJECT, crop, hole, params, (request.seed,)), progress)
    return _enlarged(mask, whole, image, request, progress.check)


def hole_of(planes: Planes, request: EditRequest, check: Check) -> Float32:
    """(h, w) 0 or 1: where the subject may be."""
    inside = np.ones(planes.mask.shape, np.float32)
    rough = masks.bounds(planes.mask, check)
    if rough is None:
        return np.zeros_like(inside)
    if any((planes.mask[rows] < 255).any() for rows in row_spans(inside.shape, check)):
        reach = max(ROUGH_MIN, round(ROUGH_SHARE * rough.size.longer))
        check()
        far = cv2.distanceTransform((planes.mask < 128).astype(np.uint8), cv2.DIST_L2, 5)
        inside = mapped(lambda d: d <= reach, np.float32, check, far)
    if request.format.layout.has_alpha:
        inside = mapped(lambda i, pixel: i * (pixel[..., -1] > 0), np.float32, check, inside, planes.image)
    return inside


def _reduced(hole: Float32, whole: int, check: Check) -> Float32:
    if whole == 1:
        return hole
    h, w = (n // whole for n in hole.shape)
    out = np.empty((h, w), np.float32)
    for rows in row_spans(out.shape, check):
        part = hole[rows.start * whole : rows.stop * whole : whole, : w * whole : whole]
        out[rows] = part[: rows.stop - rows.start]
    return out


def _asked(engine: Engine, work: Work, report: Report) -> Float32:
    answer = engine.run(work, Unseen(report))
    if len(answer) != 1 or np.shape(answer[0]) != work.hole.shape or not np.isfinite(answer[0]).all():
        raise EngineFailed(engine=engine.spec.id, reason="it gave back no mask, but something else")
    return np.asarray(answer[0], np.float32)


def _enlarged(mask: Float32, whole: int, image: np.ndarray, request: EditRequest, check: Check) -> NDArray[np.uint8]:
    """At the picture's own size in 8 bit; 0 where that is transparent."""
    height, width = image.shape[:2]
    own = mapped(lambda m: np.rint(np.clip(m, 0, 1) * 255), np.uint8, check, mask)
    if whole > 1:
        h, w = own.shape
        grown = cv2.resize(own, (w * whole, h * whole), interpolation=cv2.INTER_LINEAR)
        own = np.pad(np.asarray(grown, np.uint8), ((0, height - h * whole), (0, width - w * whole)), mode="edge")
    if request.format.layout.has_alpha:
        own = mapped(lambda m, pixel: np.where(pixel[..., -1] > 0, m, 0), np.uint8, check, own, image)
    return own
