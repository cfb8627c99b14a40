"""Upscale: the region 2, 3 or 4 times as wide and high, tile by tile, so that memory hardly grows with the picture.

A mask that comes with it is not looked at: all of the region is enlarged, and the result's mask is full. Tiles overlap
by the engine's apron and are cut, not faded: what an apron cannot reach comes out as in one piece.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from frisket.edits.progress import PREVIEW_SIDE, Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import EditRequest, UpscaleParams
from frisket.edits.results import ResultMeta
from frisket.engines.spec import Channels, Engine, EngineSpec, Report, Task, Work
from frisket.engines.upscale import edges
from frisket.errors import EngineFailed
from frisket.raster import pixels
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box, Size
from frisket.raster.spans import Check, copied, every, filled, mapped
from frisket.raster.tiles import Tile, tiles

BLEED = 4  # px that colour reaches into what is transparent, for engines that see no alpha
THREE = np.ones((3, 3), np.uint8)


def run(request: EditRequest, planes: Planes, engine: Engine, progress: Progress) -> list[Painted]:
    """One picture for each of request.seeds, all the same one: engines of this task draw nothing by chance.

    Raises ImageNotFinite, EngineFailed, Cancelled, and what the engine raises.
    """
    params, region, fmt = request.params, request.region, request.format
    assert isinstance(params, UpscaleParams)
    scale, spec = params.scale, engine.spec
    pixels.check_finite(planes.image, progress.check)
    parts = tiles_of(region.size, spec, fmt.layout.has_alpha)
    large = np.empty((region.height * scale, region.width * scale, fmt.layout.channels), planes.image.dtype)
    for number, (kept, seen) in enumerate(parts):
        with progress.part(number, len(parts), kept.moved(region.x, region.y)):
            made = enlarged(planes.image[seen.slices], fmt, scale, engine, request, progress)
            inner = times(kept.relative_to(seen), scale)
            out = large[times(kept, scale).slices]
            for rows in range(0, inner.height, 256):
                part = made[inner.slices][rows : rows + 256]
                out[rows : rows + 256] = pixels.from_work(np.ascontiguousarray(part), fmt)
                progress.check()
            _show(made[inner.slices], fmt, kept.moved(region.x, region.y), progress)
    mask = filled(large.shape[:2], 255, np.uint8, progress.check)
    box = times(region, scale)
    return [Painted(ResultMeta(box, seed, notes=_notes(spec), scale=scale), large, mask) for seed in request.seeds]


def times(box: Box, scale: int) -> Box:
    """The box in a canvas `scale` times as large."""
    return Box(box.x * scale, box.y * scale, box.width * scale, box.height * scale)


def tiles_of(size: Size, spec: EngineSpec, alpha: bool = False) -> list[Tile]:
    """As large as spec.size says, with the engine's apron. alpha: the picture has some, so that the built-in engine may
    have a part in it."""
    apron = max(spec.apron, edges.APRON + BLEED if alpha and spec.channels is Channels.RGB else 0)
    return list(tiles(size, math.isqrt(spec.size.max_pixels), apron, spec.size.multiple))


def enlarged(
    part: np.ndarray, fmt: PixelFormat, scale: int, engine: Engine, request: EditRequest, report: Report
) -> np.ndarray:
    """(h, w, c) in the document's samples as (h * scale, w * scale, c) work values, alpha straight.

    Raises EngineFailed for an engine that breaks its contract, and what the engine raises.
    """
    check = report.check
    work = pixels.to_work(part, fmt, check)
    alpha = work[..., -1:] if fmt.layout.has_alpha else None
    colors = work[..., : fmt.layout.colors]
    if alpha is not None and every(lambda a: a >= 1, check, alpha):
        large = _colors(copied(colors, check), fmt, scale, engine, request, report)
        return np.concatenate([large, np.ones_like(large[..., :1])], axis=2)
    if alpha is None:
        return _colors(work, fmt, scale, engine, request, report)
    if engine.spec.channels is Channels.ANY:
        both = _asked(pixels.premultiply(work, fmt.layout, check), scale, engine, request, report)
        made = pixels.unpremultiply(both, fmt.layout, check)
    else:
        large = _colors(_bled(colors, alpha, check), fmt, scale, engine, request, report)
        return np.concatenate([large, _asked(copied(alpha, check), scale, edges.ENGINE, request, report)], axis=2)
    return _held(made, colors, alpha, scale, check)


def _colors(
    colors: np.ndarray, fmt: PixelFormat, scale: int, engine: Engine, request: EditRequest, report: Report
) -> np.ndarray:
    """Opaque colours, enlarged."""
    if engine.spec.channels is Channels.ANY or fmt.layout.colors == 3:
        return _asked(colors, scale, engine, request, report)
    large = _asked(np.repeat(colors, 3, axis=2), scale, engine, request, report)
    return mapped(lambda _, rgb: rgb @ pixels.LUMA, np.float32, report.check, large[..., 0], large)[..., None]


def _asked(crop: np.ndarray, scale: int, engine: Engine, request: EditRequest, report: Report) -> np.ndarray:
    hole = np.broadcast_to(np.float32(1), crop.shape[:2])
    work = Work(Task.UPSCALE, crop, hole, request.engine_params, request.seeds[:1], scale=scale)
    made = engine.run(work, report)
    if len(made) != 1:
        raise EngineFailed(engine=engine.spec.id, reason="it gave back another number of pictures")
    wanted = (crop.shape[0] * scale, crop.shape[1] * scale, crop.shape[2])
    if np.shape(made[0]) != wanted:
        raise EngineFailed(engine=engine.spec.id, reason="it gave back a picture of another size")
    if not every(np.isfinite, report.check, made[0]):
        raise EngineFailed(engine=engine.spec.id, reason="it gave back values that are no numbers")
    return made[0]


def _bled(colors: np.ndarray, alpha: np.ndarray, check: Check) -> np.ndarray:
    """The colours with those of what is seen carried BLEED px into what is not: engines that see no alpha would take
    what is hidden there for an edge."""
    known = (alpha > 0).astype(np.float32)
    out = np.ascontiguousarray(colors * known)
    for _ in range(BLEED):
        check()
        around = cv2.blur(known, (3, 3)).reshape(known.shape)
        mean = cv2.blur(out, (3, 3)).reshape(out.shape)
        new = (known <= 0) & (around > 1e-6)
        np.divide(mean, around, out=out, where=new)
        known[new] = 1
    return np.where(known > 0, out, colors)


def _held(made: np.ndarray, colors: np.ndarray, alpha: np.ndarray, scale: int, check: Check) -> np.ndarray:
    """Colours divided by alpha, held within what is seen of the 3 x 3 px around them; where nothing is to be seen the
    hidden ones, repeated. `made` is changed."""
    n = colors.shape[2]
    seen = alpha > 0
    low = cv2.erode(np.where(seen, colors, np.inf).astype(np.float32), THREE).reshape(colors.shape)
    high = cv2.dilate(np.where(seen, colors, -np.inf).astype(np.float32), THREE).reshape(colors.shape)
    for v in range(colors.shape[0]):
        rows = made[v * scale : (v + 1) * scale]
        least, most, own = (np.repeat(plane[v], scale, axis=0) for plane in (low, high, colors))
        shown = rows[..., n:] > 0
        rows[..., :n] = np.where(shown, np.clip(rows[..., :n], least, most), own)
        if v % 64 == 0:
            check()
    return made


def _show(made: np.ndarray, fmt: PixelFormat, box: Box, progress: Progress) -> None:
    """A preview of a finished tile."""
    if progress.wants_preview():
        thin = max(1, -(-max(made.shape[:2]) // PREVIEW_SIDE))
        progress.show(pixels.premultiply(np.ascontiguousarray(made[::thin, ::thin]), fmt.layout), box)


def _notes(spec: EngineSpec) -> tuple[str, ...]:
    if spec.trained:
        return (f"Enlarged by {spec.title}." + (f" Its licence: {spec.licence}." if spec.licence else ""),)
    return (f"{spec.title}: enlarged by a classical method, without a model; no detail was added.",)
