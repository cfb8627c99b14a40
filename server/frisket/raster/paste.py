"""An engine's picture put into the canvas: tone first, then the blend. Nothing outside the mask changes by one bit.

Two ways to repair the tone of a fill whose content is right. `match_ring` corrects gain and offset of the whole fill
and suits engines that shift all colours alike. `membrane` bends the fill to the canvas along the hole's border and
suits any slow drift; it needs the fill to go on one px outside the hole with the engine's own output.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.errors import RequestInvalid
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box, Size
from frisket.raster.masks import Mask, bounds, spread
from frisket.raster.pixels import check_finite, check_pixels, from_work, premultiply, to_work, unpremultiply

Float32 = NDArray[np.float32]

GAIN = (0.8, 1.25)  # beyond this a ring differs in content, not in tone
RING_LEAST = 16  # px; fewer say nothing about a tone
MEMBRANE_LIMIT = 40 / 255  # larger differences along the border are structure, not tone
RADIUS = 0.99  # of the sweeps' slowest error that has to go: a wave of about 36 px
SWEEPS, SWEEPS_MOST = 12, 400  # smoothing at the finest level; doubled for each coarser one up to the most


def paste(canvas_crop: np.ndarray, fill: Float32, alpha: Mask, fmt: PixelFormat) -> np.ndarray:
    """`fill` over `canvas_crop` as far as `alpha` says, as a new array of the document's format.

    canvas_crop: (h, w, c) document pixels of `fmt`; fill: (h, w, c) work values (see `pixels`, alpha straight);
    alpha: (h, w) 0...1, 1 = fill. Where alpha is 0 the result is `canvas_crop` bit for bit, hidden colour included;
    where it is 1 it is exactly `from_work(fill)`. Between, colours are mixed premultiplied in perceptual values, also
    in linear documents: the rim's even steps are even to the eye, and the engine made its transition there. Pixels
    that stay fully transparent keep the canvas's hidden colour. Cost follows the pixels above 0.
    Raises RequestInvalid when sizes differ, ImageNotFinite when `fill` is not finite where it is seen.
    """
    check_pixels(canvas_crop, fmt)
    if fill.shape != canvas_crop.shape or alpha.shape != canvas_crop.shape[:2]:
        detail = f"canvas {canvas_crop.shape}, fill {fill.shape} and alpha {alpha.shape} do not belong together"
        raise RequestInvalid(detail=detail)
    out = canvas_crop.copy()
    full = alpha >= 1
    partial = (alpha > 0) & ~full
    check_finite(fill[full])
    check_finite(fill[partial])
    out[full] = from_work(fill[full], fmt)
    share = alpha[partial][:, None].astype(np.float32)
    below = to_work(canvas_crop[partial][None], fmt)[0]
    mixed = share * premultiply(fill[partial], fmt.layout) + (np.float32(1) - share) * premultiply(below, fmt.layout)
    seen = mixed[:, -1] > 0 if fmt.layout.has_alpha else np.ones(len(mixed), bool)
    partial[partial] = seen
    out[partial] = from_work(unpremultiply(mixed[seen], fmt.layout), fmt)
    return out


def match_ring(fill: Float32, crop: Float32, hole: Mask, ring_px: int) -> Float32:
    """`fill` with gain and offset per channel such that it agrees with `crop` just outside the hole.

    fill, crop: (h, w, c) float32 work values; the fill's values outside the hole are the engine's own. Statistics are
    taken over the pixels with hole == 0 at most `ring_px` px from the hole, and over no others. An engine that loses
    grain, or invents some, has not changed the gain: of those that this may be mistaken for, the one nearest to 1 is
    taken; gains are limited to 0.8...1.25. The whole fill is changed, so that what is left of the difference can still
    be seen around the hole (`membrane`). With fewer than 16 pixels in the ring it comes back unchanged.
    """
    box = _around(hole, ring_px)
    if box is None:
        return fill
    inside = hole[box.slices] > 0
    ring = (spread(inside.astype(np.float32), ring_px, 0) > 0) & ~inside
    if np.count_nonzero(ring) < RING_LEAST:
        return fill
    theirs, ours = fill[box.slices][ring].astype(np.float64), crop[box.slices][ring].astype(np.float64)
    gain = np.clip(_gain(theirs - theirs.mean(axis=0), ours - ours.mean(axis=0)), *GAIN)
    offset = ours.mean(axis=0) - gain * theirs.mean(axis=0)
    return fill * gain.astype(np.float32) + offset.astype(np.float32)


def _gain(theirs: NDArray[np.float64], ours: NDArray[np.float64]) -> NDArray[np.float64]:
    """Per channel, what `theirs` is to be multiplied with to look like `ours`; both (n, c), of mean 0.

    Either may hold detail that the other lacks. The gain then lies between the slopes of the two regressions, of ours
    on theirs and of theirs on ours (Frisch 1934); what both have in common alone gives one value. The nearest to 1 of
    them. 1 where they have nothing in common.
    """
    own, other, both = (theirs**2).sum(axis=0), (ours**2).sum(axis=0), (theirs * ours).sum(axis=0)
    alike = both > 1e-12 * len(theirs)
    low = np.where(alike, both / np.where(alike, own, 1.0), 1.0)
    high = np.where(alike, other / np.where(alike, both, 1.0), 1.0)
    return np.clip(1.0, low, high)


def membrane(fill: Float32, crop: Float32, hole: Mask, limit: float = MEMBRANE_LIMIT) -> Float32:
    """`fill` bent to meet `crop` at the hole's border: fill + u inside, with u harmonic and u = crop - fill around it.

    fill, crop: (h, w, c) float32 work values; the fill's values one px outside the hole are the engine's own. The
    difference is limited to +-`limit`. Where the hole reaches the border of the crop, u has no slope across it. This is
    gradient-domain cloning with the fill's own gradients (Perez, Gangnet, Blake: Poisson Image Editing, 2003), solved
    as a membrane from coarse to fine. Pixels outside the hole are returned as they are.
    """
    box = _around(hole, 1)
    if box is None:
        return fill
    inside = hole[box.slices] > 0
    ring = (cv2.dilate(inside.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~inside
    if not ring.any():
        return fill
    difference: Float32 = np.where(ring[..., None], crop[box.slices] - fill[box.slices], np.float32(0))
    out = fill.copy()
    here = out[box.slices]
    here[inside] += _harmonic(np.clip(difference, np.float32(-limit), np.float32(limit)), ring, inside, SWEEPS)[inside]
    return out


def _around(hole: Mask, px: int) -> Box | None:
    """The hole's bounds grown by `px`, within the picture."""
    inner = bounds(hole)
    return inner and inner.grown(px).clipped(Box.of(Size(hole.shape[1], hole.shape[0])))


def _harmonic(values: Float32, known: NDArray[np.bool_], free: NDArray[np.bool_], sweeps: int) -> Float32:
    """u (h, w, c): `values` where `known`, harmonic where `free`, meaningless elsewhere.

    Every free pixel's 8 neighbours are free or known, and stay so when four pixels become one, known if any of them is.

    A cascade: the answer at half size starts the sweeps at this size, each of which replaces free pixels by the mean of
    their 3 x 3 neighbourhood, with Chebyshev's acceleration (Golub and Varga 1961). Sweeps remove only errors some px
    wide; wider ones were removed where they were small.
    """
    height, width, channels = values.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    weight = known.astype(np.float32)
    counts = _quartered(weight[..., None], rows, columns)
    means = _quartered(values * weight[..., None], rows, columns)
    means /= np.maximum(counts, 1)
    half_known = counts[..., 0] > 0
    half_free = (_quartered(free.astype(np.float32)[..., None], rows, columns)[..., 0] > 0) & ~half_known
    if half_free.any() and (rows, columns) != (height, width):
        means = _harmonic(means, half_known, half_free, min(2 * sweeps, SWEEPS_MOST))
    domain = (half_known | half_free).astype(np.float32)[..., None]
    start = _doubled(means * domain, height, width) / np.maximum(_doubled(domain, height, width), np.float32(1e-6))
    u = np.where(free[..., None], start, values)
    where = np.repeat(free[..., None], channels, axis=2)
    before, omega = u, 1.0
    for sweep in range(sweeps):
        mean = np.asarray(cv2.blur(u, (3, 3), borderType=cv2.BORDER_REPLICATE), np.float32).reshape(u.shape)
        if sweep:
            omega = 1 / (1 - RADIUS**2 * omega / (2 if sweep == 1 else 4))
            mean -= before
            mean *= np.float32(omega)
            mean += before
        before, u = u, np.where(where, mean, values)
    return u


def _quartered(array: Float32, rows: int, columns: int) -> Float32:
    """Sums of 2 x 2 pixels; a missing last row or column counts as 0."""
    height, width, channels = array.shape
    even = np.pad(array, ((0, 2 * rows - height), (0, 2 * columns - width), (0, 0)))
    return even.reshape(rows, 2, columns, 2, channels).sum(axis=(1, 3), dtype=np.float32)


def _doubled(array: Float32, height: int, width: int) -> Float32:
    """Linear interpolation to twice the size, cut to (height, width)."""
    size = (2 * array.shape[1], 2 * array.shape[0])
    twice = np.asarray(cv2.resize(array, size, interpolation=cv2.INTER_LINEAR), np.float32)
    return twice.reshape(size[1], size[0], array.shape[2])[:height, :width]
