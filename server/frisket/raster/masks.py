"""Masks: where an edit may change the picture, and how softly. A mask is (h, w) float32, 0...1, 1 = change.

The masked-edit law, which every edit obeys, is one function: `spread`. For a selection S, a solid reach and a fade,
both in px,

    A(p) = max over q of S(q) * ramp(|p - q|),   ramp(d) = 1 for d <= solid, linear down to 0 at d = solid + fade

so A is never below S, opaque where S is, falls with the distance, grows with both dials and is exactly 0 beyond them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.errors import ParameterOutOfRange, RequestInvalid
from frisket.raster.geometry import Box, Size
from frisket.raster.pixels import check_finite
from frisket.raster.spans import Check, mapped, row_spans

Mask = NDArray[np.float32]

LEVELS = 16  # thresholds that stand for a soft selection in `spread`: its error is below 1/16 of the selection's peak
REACH_BASE, REACH_SHARE, REACH_CAP = 4.0, 1 / 16, 48.0  # px, px per px of the box's diagonal, px
REGIONS_SPAN = 1 << 20  # px whose regions are found in one go: about 10 ms
CONTEXT_MIN, CONTEXT_SHARE, CONTEXT_CAP = 64, 0.5, 512  # px, px per px of the box's longer side, px


@dataclass(frozen=True, slots=True)
class Dials:
    """How far an edit reaches beyond its selection, whole px >= 0.

    grow: repainted fully; feather: repainted less and less beyond that; blend: width of the rim over which the result
    fades into the canvas, measured inwards from grow + feather; context: how far beyond the box the engine looks.
    """

    grow: int = 0
    feather: int = 0
    blend: int = 0
    context: int = 0

    def __post_init__(self) -> None:
        for name in ("grow", "feather", "blend", "context"):
            value = getattr(self, name)
            if value < 0:
                raise ParameterOutOfRange(name=name, value=value, wanted="0 px or more")

    @property
    def reach(self) -> int:
        """Nothing changes farther than this from the selection, px."""
        return self.grow + self.feather


def exact_dials(box: Box, share: float, minimum: int) -> Dials:
    """For engines that meet the border without a seam: the selection itself, only the context grows with its box.

    context = max(minimum, ceil(share * longer side of `box`)), px.
    """
    return Dials(context=max(minimum, math.ceil(share * box.size.longer)))


def soft_dials(box: Box, strength: float) -> Dials:
    """For engines that repaint the transition. With d = diagonal of the selection's `box` in px and s = strength 0...1:

        reach   = floor(s * min(48, 4 + d / 16))
        grow    = reach // 4                 covers the anti-aliased rim and the halo of what was there
        feather = reach - grow
        blend   = (feather + 1) // 2         fades only where the engine kept more than half of the canvas anyway
        context = reach + min(512, max(64, ceil(longer side / 2)))

    All are monotone in d and in s; grow, feather and blend are 0 at s = 0, since nothing is repainted then. A seam is
    hidden by some cells of the latent grid (8 or 16 px) and no better by more, hence the cap; a small selection must
    not spill over several times its own size, hence no fixed minimum. Raises ParameterOutOfRange.
    """
    if not 0.0 <= strength <= 1.0:
        raise ParameterOutOfRange(name="strength", value=strength, wanted="a number from 0 to 1")
    diagonal = math.hypot(box.width, box.height)
    reach = math.floor(strength * min(REACH_CAP, REACH_BASE + REACH_SHARE * diagonal))
    grow = reach // 4
    feather = reach - grow
    seen = min(CONTEXT_CAP, max(CONTEXT_MIN, math.ceil(CONTEXT_SHARE * box.size.longer)))
    return Dials(grow, feather, (feather + 1) // 2, reach + seen)


def as_mask(array: np.ndarray, check: Check | None = None) -> Mask:
    """(h, w) or (h, w, 1) of bool, uint8, uint16 or float as a float32 mask; floats are clipped to 0...1.

    check: asked every some milliseconds, here and below; it may raise what it likes. Raises ImageNotFinite for NaN and
    infinities, RequestInvalid for another shape or type.
    """
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim != 2:
        raise RequestInvalid(detail=f"a mask has one channel, this array has the shape {array.shape}")
    if array.dtype == np.bool_:
        return mapped(lambda part: part, np.float32, check, array)
    if array.dtype in (np.uint8, np.uint16):
        full = np.iinfo(array.dtype).max
        return mapped(lambda part: np.divide(part, full, dtype=np.float32), np.float32, check, array)
    if array.dtype.kind != "f":
        raise RequestInvalid(detail=f"a mask holds uint8, uint16 or float samples, not {array.dtype}")
    check_finite(array, check)
    return mapped(lambda part: np.clip(part, 0, 1), np.float32, check, array)


def bounds(mask: np.ndarray, check: Check | None = None) -> Box | None:
    """The smallest box around all pixels above 0, or None. One pass over the mask; any numeric type."""
    if mask.size == 0:
        return None
    inside, across = np.zeros(len(mask), bool), np.zeros(mask.shape[1], bool)
    for rows in row_spans(mask.shape, check):
        inside[rows] = mask[rows].max(axis=1) > 0
        if inside[rows].any():
            across |= mask[rows].max(axis=0) > 0
    if not across.any():
        return None
    rows, columns = np.flatnonzero(inside), np.flatnonzero(across)
    return Box.spanning(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def blobs(mask: np.ndarray, gap: int, check: Check | None = None) -> list[Box]:
    """Boxes of the 8-connected regions above 0, joined as long as two of them, each grown by `gap` // 2 px, meet.

    Sorted by top, then left; empty when nothing is above 0. Cost follows the bounds of the mask, not its size.
    """
    outer = bounds(mask, check)
    if outer is None:
        return []
    reach = max(0, gap // 2)
    return _in_order(_joined(_regions(mask, outer, reach, check), reach, check))


def joined(boxes: Sequence[Box], gap: int, check: Check | None = None) -> list[Box]:
    """What `blobs` gives for a `gap` at least as wide, from the boxes that it gave for a narrower one."""
    corners = np.array([(b.x, b.y, b.right, b.bottom) for b in boxes], np.int64).reshape(-1, 4)
    return _in_order(_joined(corners, max(0, gap // 2), check))


def _in_order(corners: np.ndarray) -> list[Box]:
    boxes = [Box.spanning(*(int(v) for v in c)) for c in corners]
    return sorted(boxes, key=lambda b: (b.y, b.x, b.height, b.width))


def _regions(mask: np.ndarray, outer: Box, reach: int, check: Check | None) -> np.ndarray:
    """(n, 4) int64 as x0, y0, x1, y1: boxes that `_joined` makes blobs of."""
    # Squares of an even side 2r that touch (8-connected) stand for pixels at most 2r apart: those whose boxes, grown by
    # r, share a pixel. Joining these in the raster first leaves few boxes even of a million specks. That is done in
    # pieces: the squares' boxes of what is cut in two touch at the cut, so `_joined` puts them together again.
    before, after = max(0, reach - 1), reach
    h, w = outer.height + before + after, outer.width + before + after
    square = np.ones((2 * reach, 2 * reach), np.uint8)
    found = []
    for rows in row_spans((h, w), check, REGIONS_SPAN if reach else h * w):
        top, bottom = rows.start - before - reach, rows.stop - before + after  # of the pixels whose squares get there
        seen = mask[outer.y + max(0, top) : outer.y + min(outer.height, bottom), outer.x : outer.right]
        missing = (max(0, -top), max(0, bottom - outer.height), before, after)
        painted = cv2.copyMakeBorder((seen > 0).astype(np.uint8), *missing, cv2.BORDER_CONSTANT, value=0)
        if reach:
            painted = cv2.dilate(painted, square, anchor=(reach, reach))[reach : reach + rows.stop - rows.start]
        stats = cv2.connectedComponentsWithStats(painted, connectivity=8)[2][1:]
        found.append(stats[:, :4] + (outer.x, outer.y + rows.start, 0, 0))
    x0, y0, width, height = np.concatenate(found).astype(np.int64).T
    return np.stack([x0, y0, x0 + width - before - after, y0 + height - before - after], axis=1)


def _joined(corners: np.ndarray, reach: int, check: Check | None) -> np.ndarray:
    """Boxes (n, 4) as x0, y0, x1, y1, joined until no two, grown by `reach`, share a pixel. The answer is unique."""
    kept = np.empty_like(corners)
    count = 0
    for number, box in enumerate(corners[np.argsort(corners[:, 1], kind="stable")]):
        if check is not None and number % 256 == 0:
            check()
        while True:
            have = kept[:count]
            meets = (have[:, :2] - box[2:] < 2 * reach).all(axis=1) & (box[:2] - have[:, 2:] < 2 * reach).all(axis=1)
            if not meets.any():
                break
            met = have[meets]
            box = np.concatenate([np.minimum(box, met.min(axis=0))[:2], np.maximum(box, met.max(axis=0))[2:]])
            rest = have[~meets]
            count = len(rest)
            kept[:count] = rest
        kept[count] = box
        count += 1
    return kept[:count]


def spread(selection: Mask, solid: int, fade: int) -> Mask:
    """The masked-edit law (see the module): (h, w) float32 0...1 of the same size. Distances are Euclidean, in px.

    Exact for selections with at most 16 distinct values above 0, as every hard-edged one. A softer one is taken at 16
    thresholds: nowhere above the law, below it by less than 1/16 of its peak, never below the selection itself. With
    both dials 0 it is the very same array.
    """
    inner = bounds(selection)
    if solid + fade == 0 or inner is None:
        return selection
    box = inner.grown(solid + fade).clipped(Box.of(Size(selection.shape[1], selection.shape[0])))
    here = selection[box.slices]
    result = here.copy()
    for level in _levels(here):
        distance = cv2.distanceTransform((here < level).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        np.maximum(result, np.float32(level) * _ramp(distance, solid, fade), out=result)
    out = np.zeros(selection.shape, np.float32)
    out[box.slices] = result
    return out


def _levels(here: Mask) -> np.ndarray:
    """The thresholds that stand for a selection, ascending: its own values when few, else 16 even steps to its peak."""
    peak = here.max()
    steps = peak * np.arange(1, LEVELS + 1, dtype=np.float32) / np.float32(LEVELS)
    steps[-1] = peak  # the product may round away from it
    values = here[(here > 0) & (here < peak)]
    few: list[np.float32] = []
    while values.size and len(few) < LEVELS - 1:
        few.append(values.min())
        values = values[values > few[-1]]
    return steps if values.size else np.array([*few, peak], np.float32)


def _ramp(distance: Mask, solid: int, fade: int) -> Mask:
    """1 up to `solid`, linear down to 0 at `solid` + `fade`; a step when `fade` is 0."""
    if fade == 0:
        return (distance <= np.float32(solid)).astype(np.float32)
    return np.clip((np.float32(solid + fade) - distance) / np.float32(fade), 0, 1)


def work_mask(selection: Mask, dials: Dials) -> Mask:
    """The hole an engine gets: the selection, solid for `grow` px, then fading over `feather` px."""
    return spread(selection, dials.grow, dials.feather)


def paste_alpha(selection: Mask, dials: Dials) -> Mask:
    """How much of the engine's picture is shown: it ends where the hole ends and fades over its last `blend` px."""
    fade = min(dials.blend, dials.reach)
    shown = spread(selection, dials.reach - fade, fade)
    if fade or not dials.feather:
        return shown
    return np.where(work_mask(selection, dials) > 0, shown, np.float32(0))  # a step at the reach, where the hole is 0
