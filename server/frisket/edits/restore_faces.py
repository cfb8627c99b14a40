"""Restore faces: found, picked, set upright, restored by the engine, and laid back where they came from.

A detector finds them, a parser (where there is one) says what belongs to a face, an upscaler enlarges the picture first
if that is asked for. Faces go to the engine some at a time; one that fails is told, and left as it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module

import numpy as np

from frisket.edits.face_batches import BATCH, Hands, reason_of
from frisket.edits.face_paste import Patch, Place, aligned, clusters, lay, patch_of, place_of, shows
from frisket.edits.faces import Found, found_in, picked
from frisket.edits.progress import PREVIEW_SIDE, Progress, Unseen
from frisket.edits.repaint import Painted, Planes, rounded
from frisket.edits.requests import EditRequest, RestoreFacesParams, UpscaleParams
from frisket.edits.results import ResultMeta
from frisket.edits.tasks import row_of
from frisket.engines.faces import align
from frisket.engines.spec import Engine, EngineSpec, Task
from frisket.errors import NoFaceFound
from frisket.raster import masks, pixels
from frisket.raster.geometry import Box, Size
from frisket.raster.spans import copied

EYES_APART = 5.0  # px of the picture: a face with less holds nothing to start from (facexlib's limit)
DETECTED, ENLARGED = 0.1, 0.5  # of the progress bar


@dataclass(frozen=True, slots=True)
class Sheet:
    """The picture that faces are laid on, `times` as large as the one that was sent. image: (h, w, c) of the request's
    format; corner: where it begins in a canvas that much larger; notes: of who enlarged it; mine: it may be painted on.
    """

    image: np.ndarray
    corner: tuple[int, int]
    times: int
    notes: tuple[str, ...] = ()
    mine: bool = False

    @property
    def size(self) -> Size:
        return Size(self.image.shape[1], self.image.shape[0])


def run(
    request: EditRequest, planes: Planes, engine: Engine, progress: Progress, crew: Mapping[Task, Engine]
) -> list[Painted]:
    """One picture for each of request.seeds: the box around the restored faces, or with `upscale` all that was sent.

    crew: engines for DETECT_FACES, for PARSE_FACES if there is one, for UPSCALE if that is asked for.
    Raises NoFaceFound, ImageNotFinite, EngineFailed, Cancelled; if every face fails, what the engine raised.
    """
    params, region, times = _params(request), request.region, _params(request).upscale
    pixels.check_finite(planes.image, progress.check)
    detector = crew[Task.DETECT_FACES]
    found = found_in(request, planes.image, detector, progress.portion(0, DETECTED))
    chosen = picked(found, params.faces, planes.mask)
    places, troubles = _places(found, chosen, engine.spec, region.size, times)
    if times == 1 and not places:
        raise NoFaceFound(detector=detector.spec.title, what=_why_none(found, chosen))
    sheet, start = Sheet(planes.image, (region.x, region.y), 1), DETECTED
    if times > 1:
        sheet = _enlarged(request, planes, crew[Task.UPSCALE], progress.portion(DETECTED, ENLARGED))
        start = ENLARGED
    results = []
    for number, seed in enumerate(request.seeds):
        begin, end = (start + (1 - start) * k / len(request.seeds) for k in (number, number + 1))
        hands = Hands(request, engine, crew.get(Task.PARSE_FACES), seed)
        results.append(_painted(hands, sheet, places, troubles, found, progress.portion(begin, end)))
    return results


def _params(request: EditRequest) -> RestoreFacesParams:
    assert isinstance(request.params, RestoreFacesParams)
    return request.params


def _why_none(found: Sequence[Found], chosen: Sequence[int]) -> str:
    if not found:
        return "no face"
    faces = "one face" if len(found) == 1 else f"{len(found)} faces"
    return faces + (", too small or too unclear to restore" if chosen else ", but none where it was asked for")


def _places(
    found: Sequence[Found], chosen: Sequence[int], spec: EngineSpec, size: Size, times: int
) -> tuple[dict[int, Place], dict[int, str]]:
    """Where the chosen faces lie in a picture `times` as large as `size`; and why others cannot be done. By number."""
    places, troubles = {}, {}
    for number in chosen:
        row, points = found[number].row, found[number].points
        if points is None and not spec.trained:  # for it a face need not stand upright
            points = align.points_of(row)
        matrix = None if points is None else align.matrix_of(points)
        if points is None:
            troubles[number] = "Its eyes, nose and mouth were not found, and the restorer needs it set upright by them."
        elif matrix is None:
            troubles[number] = "Its eyes, nose and mouth do not lie as in a face."
        elif (apart := float(np.hypot(*(points[1] - points[0])))) < EYES_APART:
            troubles[number] = f"It is too small: its eyes are {apart:.1f} px apart, {EYES_APART:g} is the least."
        else:
            x, y, width, height = (round(float(v) * times) for v in row[:4])
            large = Size(size.width * times, size.height * times)
            place = place_of(align.enlarged(matrix, times), Box(x, y, width, height), large)
            if place.reach.empty:
                troubles[number] = "Its eyes, nose and mouth lie beyond the picture."
            else:
                places[number] = place
    return places, troubles


def _enlarged(request: EditRequest, planes: Planes, upscaler: Engine, progress: Progress) -> Sheet:
    """All that was sent, as the task of enlarging does it. Raises TaskNotBuilt, and what that task raises."""
    times = _params(request).upscale
    module, name = row_of(Task.UPSCALE).run.split(":")
    own = {"engine": upscaler.spec.id, "model": "", "engine_params": upscaler.spec.check_params({})}
    wanted = replace(request, params=UpscaleParams(times), count=1, **own)
    (bigger,) = getattr(import_module(module), name)(wanted, planes, upscaler, progress)
    corner = (bigger.meta.box.x, bigger.meta.box.y)
    return Sheet(bigger.pixels, corner, times, bigger.meta.notes, len(request.seeds) == 1)


def _painted(
    hands: Hands,
    sheet: Sheet,
    places: Mapping[int, Place],
    troubles: Mapping[int, str],
    found: Sequence[Found],
    progress: Progress,
) -> Painted:
    """One finished picture. Raises what the engine raised when no face came through."""
    area = Box.of(sheet.size) if sheet.times > 1 else _around(places.values())
    layer = sheet.image if sheet.mine else copied(sheet.image[area.slices], progress.check)
    mask = np.zeros(layer.shape[:2], np.float32)
    if places and _params(hands.request).strength > 0:
        troubles = {**troubles, **_restored(hands, sheet, places, layer, mask, area, progress)}
    faces = tuple(replace(one.face, trouble=troubles.get(k, "")) for k, one in enumerate(found))
    notes = (*_notes(hands, len(places), len(troubles)), *hands.notes, *sheet.notes)
    box = area.moved(*sheet.corner)
    if sheet.times > 1:
        meta = ResultMeta(box, hands.seed, notes=notes, scale=sheet.times, faces=faces)
        return Painted(meta, layer, np.full(layer.shape[:2], 255, np.uint8))
    mask8 = rounded(mask, progress.check)
    seen = masks.bounds(mask8, progress.check) or Box.of(area.size)
    meta = ResultMeta(seen.moved(box.x, box.y), hands.seed, notes=notes, faces=faces)
    return Painted(meta, copied(layer[seen.slices], progress.check), copied(mask8[seen.slices], progress.check))


def _around(places: Iterable[Place]) -> Box:
    area = Box(0, 0, 0, 0)
    for place in places:
        area = area.joined(place.reach)
    return area


def _restored(
    hands: Hands,
    sheet: Sheet,
    places: Mapping[int, Place],
    layer: np.ndarray,
    mask: np.ndarray,
    area: Box,
    progress: Progress,
) -> dict[int, str]:
    """Lay the restored faces into `layer` and `mask`, which cover `area` of the sheet. Returns troubles by number.

    No more than BATCH faces are held at a time, and those of a group that reach into each other.
    """
    request, numbers, check = hands.request, list(places), progress.check
    groups = [[numbers[k] for k in group] for group in clusters(list(places.values()))]
    order, waiting = [number for group in groups for number in group], list(groups)
    patches: dict[int, Patch] = {}
    failed: dict[int, Exception] = {}
    for start in range(0, len(order), BATCH):
        batch = order[start : start + BATCH]
        begin, end = start / len(order), (start + len(batch)) / len(order)
        report = Unseen(progress.portion(begin, end))
        before = np.stack([aligned(sheet.image, request.format, places[k], check) for k in batch])
        frames = np.stack([align.shifted(places[k].matrix, *(-v for v in sheet.corner)) for k in batch])
        made = dict(zip(batch, hands.restored(before, frames, report), strict=True))
        good = {k: face for k, face in made.items() if isinstance(face, np.ndarray)}
        failed |= {k: error for k, error in made.items() if isinstance(error, Exception)}
        shapes = hands.masks(list(good.values()), Unseen(progress.portion(end, end)))
        for (k, face), shape in zip(good.items(), shapes, strict=True):
            check()
            patch = patch_of(places[k], before[batch.index(k)], face, shape)
            patches[k], hands.touched = patch, hands.touched or shows(patch)
        while waiting and all(k in patches or k in failed for k in waiting[0]):
            ready = [patches.pop(k) for k in waiting.pop(0) if k in patches]
            if ready:
                box = lay(layer, mask, (area.x, area.y), ready, _params(request).strength, request.format, check)
                _show(layer, box, area, sheet, request, progress)
    if len(failed) == len(places):
        raise next(iter(failed.values()))
    return {k: f"It could not be restored: {reason_of(error)}." for k, error in failed.items()}


def _show(layer: np.ndarray, box: Box, area: Box, sheet: Sheet, request: EditRequest, progress: Progress) -> None:
    """A preview of what was laid."""
    if not progress.wants_preview():
        return
    thin = max(1, -(-box.size.longer // PREVIEW_SIDE))
    seen = np.ascontiguousarray(layer[box.relative_to(area).slices][::thin, ::thin])
    work = pixels.premultiply(pixels.to_work(seen, request.format), request.format.layout)
    (x, y), times = sheet.corner, sheet.times
    there = Box((box.x + x) // times, (box.y + y) // times, -(-box.width // times), -(-box.height // times))
    progress.show(work, there)


def _notes(hands: Hands, able: int, troubled: int) -> list[str]:
    spec, notes = hands.engine.spec, []
    if not able:
        return ["No face was restored, there was none that could be where it was asked for: the picture was enlarged."]
    if _params(hands.request).strength == 0:
        return ["The strength is 0: the faces are as they were."]
    if not hands.touched:
        notes.append(f"{spec.title}: it found nothing to restore, the faces are as they were.")
    elif spec.trained:
        licence = f" Its licence: {spec.licence}." if spec.licence else ""
        notes.append(f"Faces were restored by {spec.title}.{licence}")
    else:
        notes.append(f"{spec.title}: noise, blocks and blur were taken back by classical methods, without a model.")
    if troubled:
        notes.append(f"Left as they were: {troubled} of the faces that were asked for.")
    return notes
