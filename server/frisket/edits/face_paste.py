"""Restored faces put back where they came from: only what the restorer changed travels, so nothing else can.

An aligned face x (512 x 512) was made of the picture by a matrix; a restorer made r of it. What is laid back is the
change r - x, warped, blended by a mask, and added to the picture's own samples:

    colour kept     the change's slow part is taken out: tone and colour of the face stay those of the picture
    detail kept     what 512 px cannot hold of a large face stays the picture's own
    strength        scales the change: at 0 nothing happens, and the way from there is straight
    overlaps        faces over faces, small ones first: the change and how much of it shows follow the `over` rule
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.edits.faces import shown
from frisket.engines.faces import align
from frisket.raster import pixels
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box, Size
from frisket.raster.spans import SPAN, Check, row_spans

Float32 = NDArray[np.float32]

SLOW = 48.0  # px of the aligned face: what changes over more than this is tone, not detail
SOFT = 15.6  # px of the aligned face: as soft as two Gaussians of 11 px, one after the other
FRAME, RAMP = 10, 24  # px of the aligned face along its edge that are never shown; over how many more it comes in
FAINT = 0.5 / 255  # less of a mask is none; all but so little of it is all


@dataclass(frozen=True, slots=True)
class Place:
    """Where one face lies. matrix: (2, 3) from px of the picture to px of the aligned face; box: the face's, reach: all
    that the aligned face is made of; both in px of that picture."""

    matrix: NDArray[np.float64]
    box: Box
    reach: Box


@dataclass(frozen=True, slots=True)
class Patch:
    """What is laid on a place. change: (512, 512, 3) float32, to be added; mask: (512, 512) float32 0...1."""

    place: Place
    change: Float32
    mask: Float32


def place_of(matrix: np.ndarray, box: Box, picture: Size) -> Place:
    return Place(matrix, box, align.reach_of(matrix, picture))


def aligned(image: np.ndarray, fmt: PixelFormat, place: Place, check: Check) -> Float32:
    """The face (512, 512, 3) float32 0...1, over gray where it is transparent. image: the picture, (h, w, c) of `fmt`.

    A large face is reduced while it is read: no more of it than what 512 px need is ever held as floats.
    """
    piece = image[place.reach.slices]
    whole = max(1, min(int(1 / align.scale_of(place.matrix)), *piece.shape[:2]))
    matrix = align.shifted(place.matrix, place.reach.x, place.reach.y)
    matrix = align.shifted(matrix, (whole - 1) / 2, (whole - 1) / 2)
    matrix[:, :2] *= whole
    seen = shown(piece, fmt, whole, check)
    return np.clip(align.aligned(seen, matrix, beyond=align.Beyond.REFLECTED), 0, 1)


def patch_of(place: Place, before: Float32, after: Float32, mask: Float32) -> Patch:
    """before, after: the aligned face as it was and as restored; mask: (512, 512) 0...1, where it is to be seen."""
    shape = framed(mask)
    return Patch(place, colour_kept(after - before, shape), shape)


def shows(patch: Patch) -> bool:
    """Whether an eye could see any of it: as much as half a step of 8 bit somewhere."""
    return bool((np.abs(patch.change).max(axis=2) * patch.mask).max() >= FAINT)


def softened(mask: Float32) -> Float32:
    """What a parser says, (512, 512), with an edge as GFPGAN and CodeFormer give it: two Gaussians of 11 px."""
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), SOFT, borderType=cv2.BORDER_REPLICATE), np.float32)


def framed(mask: Float32) -> Float32:
    """Down to 0 along the edge, where the aligned face ends."""
    height, width = mask.shape
    y, x = (np.minimum(np.arange(n), np.arange(n)[::-1]).astype(np.float32) for n in (height, width))
    ramp = np.clip((np.minimum(y[:, None], x[None]) - FRAME) / RAMP, 0, 1)
    return np.clip(mask, 0, 1) * ramp


def colour_kept(change: Float32, mask: Float32) -> Float32:
    """The change (s, s, 3) without its slow part, the mean around each px as far as the mask (s, s) shows it."""
    side = change.shape[0]
    small = (max(1, side // 8),) * 2
    weight = cv2.resize(mask, small, interpolation=cv2.INTER_AREA)
    means = cv2.resize(change * mask[..., None], small, interpolation=cv2.INTER_AREA)
    width = SLOW / 8
    weight, means = (cv2.GaussianBlur(v, (0, 0), width, borderType=cv2.BORDER_CONSTANT) for v in (weight, means))
    slow = np.asarray(means / np.maximum(weight, 1e-6)[..., None], np.float32)
    return change - np.asarray(cv2.resize(slow, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)


def clusters(places: Sequence[Place]) -> list[list[int]]:
    """Places, by number, that reach into each other; in each the smallest face first."""
    groups: list[list[int]] = []
    for number, place in enumerate(places):
        near = [g for g in groups if any(places[k].reach.meets(place.reach) for k in g)]
        groups = [g for g in groups if g not in near]
        groups.append([number, *(k for g in near for k in g)])
    return [sorted(g, key=lambda k: (places[k].box.area, k)) for g in sorted(groups, key=min)]


def lay(
    layer: np.ndarray, mask: np.ndarray, corner: tuple[int, int], patches: Sequence[Patch], strength: float,
    fmt: PixelFormat, check: Check,
) -> Box:  # fmt: skip
    """Change `layer` (h, w, c) of `fmt` and `mask` (h, w) float32 in place by patches that reach into each other, the
    first one below. corner: (x, y) of both in the picture. Returns the box that was looked at, in the picture.

    Where several patches show, one change and one mask come out that together look like all of them over each other.
    """
    whole = Box(*corner, layer.shape[1], layer.shape[0])
    area = patches[0].place.reach
    for patch in patches:
        area = area.joined(patch.place.reach)
    area = area.clipped(whole)
    for rows in row_spans((area.height, area.width), check, SPAN // 4):
        band = Box(area.x, area.y + rows.start, area.width, rows.stop - rows.start)
        change, alpha = _composed(patches, band, check)
        here = band.relative_to(whole).slices
        mask[here] = np.where(alpha > 0, alpha, mask[here])
        _add(layer[here], np.float32(strength) * change, fmt)
    return area


def _composed(patches: Sequence[Patch], band: Box, check: Check) -> tuple[Float32, Float32]:
    """The change (h, w, 3) that is to be shown by alpha (h, w), both 0 where no patch shows."""
    change = np.zeros((band.height, band.width, 3), np.float32)
    bare = np.ones(change.shape[:2], np.float32)
    for patch in patches:
        box = patch.place.reach.clipped(band)
        if box.empty:
            continue
        check()
        share = align.laid_back(patch.mask, patch.place.matrix, box)
        share = np.where(share > FAINT, np.where(share < 1 - FAINT, share, np.float32(1)), np.float32(0))
        if not share.any():
            continue
        new = align.laid_back(patch.change, patch.place.matrix, box)
        here = box.relative_to(band).slices
        change[here] += share[..., None] * (new - change[here])
        bare[here] *= 1 - share
    alpha = 1 - bare
    seen = alpha > 0
    change[seen] /= alpha[seen][:, None]
    return change, alpha


def _add(samples: np.ndarray, change: Float32, fmt: PixelFormat) -> None:
    """Where `change` (h, w, 3) is not 0 and something shows, new samples; all others keep their bits."""
    where = change.any(axis=2)
    if fmt.layout.has_alpha:
        where &= samples[..., -1] > 0
    if not where.any():
        return
    work = pixels.to_work(samples[where][None], fmt)[0]
    more = change[where]
    if fmt.layout.colors == 1:
        more = (more @ pixels.LUMA)[:, None]
    colors = work[:, : fmt.layout.colors]
    colors[...] = np.maximum(colors + more, np.minimum(colors, 0))  # no darker than black, where it was not before
    samples[where] = pixels.from_work(work[None], fmt)[0]
