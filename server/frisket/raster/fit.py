"""A crop at the engine's working size and back, as `sizes.Fit` says. Arrays are float32, (h, w, c) or masks (h, w).

Colour must be premultiplied when the last channel is alpha: resizing mixes neighbours, hidden colour would bleed.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.errors import RequestInvalid
from frisket.raster.geometry import Size
from frisket.raster.pixels import extremes
from frisket.raster.sizes import Fit
from frisket.raster.spans import Check, filled, row_spans, spans

Float32 = NDArray[np.float32]

PIECE = 1 << 19  # px that are resized in one call, at most: about 5 ms


def apply(image: Float32, fit: Fit, check: Check | None = None) -> Float32:
    """`image` of `fit.source` at `fit.padded`: resized, then mirrored right and below, then replicated.

    Reduced by area means, enlarged by Lanczos limited to the image's own range per channel, so nothing rings beyond it.
    The mirror leaves no edge at the border; it cannot be longer than the picture, so its own end goes on from
    there. An unchanged fit returns the very same array. check: asked every some milliseconds, here and below; it may
    raise what it likes. Raises RequestInvalid for another size.
    """
    _check(image, fit.source)
    if fit.unchanged:
        return image
    return _pad(_resize(image, fit.scaled, check), fit.padded)


def undo(image: Float32, fit: Fit, check: Check | None = None) -> Float32:
    """`image` of `fit.padded` back at `fit.source`: cropped, then resized. Raises RequestInvalid for another size."""
    _check(image, fit.padded)
    if fit.unchanged:
        return image
    return _resize(image[: fit.scaled.height, : fit.scaled.width], fit.source, check)


def apply_mask(mask: Float32, fit: Fit, check: Check | None = None) -> Float32:
    """A mask (h, w) of `fit.source` at `fit.padded`; the padding is 0.

    Reduced by area means, so a single selected pixel stays above 0; enlarged linearly, so nothing leaves 0...1. An
    unchanged fit returns the very same array. Raises RequestInvalid for another size.
    """
    _check(mask, fit.source)
    if fit.unchanged:
        return mask
    grown = _shaped(mask, fit.scaled, cv2.INTER_AREA if fit.reduced else cv2.INTER_LINEAR, check)
    if fit.padded == fit.scaled:
        return grown
    out = np.zeros((fit.padded.height, fit.padded.width), np.float32)
    for rows in row_spans(grown.shape, check):
        out[rows, : fit.scaled.width] = grown[rows]
    return out


def shrunk(image: Float32, size: Size, check: Check | None = None) -> Float32:
    """(h, w, c) or (h, w) at `size`, no larger, by area means."""
    return _shaped(image, size, cv2.INTER_AREA, check)


def _check(image: np.ndarray, size: Size) -> None:
    have = Size(image.shape[1], image.shape[0])
    if have != size:
        raise RequestInvalid(detail=f"the fit is for {size}, the array holds {have}")


def _resize(image: Float32, size: Size, check: Check | None) -> Float32:
    if image.shape[:2] == (size.height, size.width):
        return image
    if size.width <= image.shape[1] and size.height <= image.shape[0]:
        return _shaped(image, size, cv2.INTER_AREA, check)
    out = _shaped(image, size, cv2.INTER_LANCZOS4, check)
    low, high = (np.tile(end, size.width) for end in extremes(image, check))  # a whole row: numpy's fast way
    for rows in row_spans(out.shape, check):
        flat = out[rows].reshape(-1, low.size)
        np.clip(flat, low, high, out=flat)
    return out


def _shaped(image: Float32, size: Size, method: int, check: Check | None) -> Float32:
    """cv2.resize with the last axis kept, which it drops when its length is 1; large pictures in pieces.

    A piece of a resized picture would begin between two source pixels, which cv2.resize has no word for. But it is
    separable, widths first: so rows of the picture get their width, then columns of that their height. That gives the
    values of one call for the whole, up to rounding (3e-6 at most). Where both sides divide, pieces of rows do begin at
    whole pixels, and one call for each is the same to the bit.
    """
    (h, w), rest = image.shape[:2], image.shape[2:]
    if max(h * w, size.area) <= PIECE:
        return _resized(image, size.width, size.height, method)
    # Filled first, by rows: memory is had when it is first written to, which columns would do for all of it at once.
    out = filled((size.height, size.width, *rest), 0, np.float32, check)
    if method == cv2.INTER_AREA and h % size.height == 0 and w % size.width == 0:
        for rows in spans(size.height, check, max(1, PIECE * size.height // (h * w))):
            source = slice(rows.start * h // size.height, rows.stop * h // size.height)
            out[rows] = _resized(image[source], size.width, rows.stop - rows.start, method)
        return out
    wide = np.empty((h, size.width, *rest), np.float32)
    for rows in spans(h, check, max(1, PIECE // max(w, size.width))):
        wide[rows] = _resized(image[rows], size.width, rows.stop - rows.start, method)
    for columns in spans(size.width, check, max(1, PIECE // max(h, size.height))):
        part = wide[:, columns]
        out[:, columns] = _resized(part, part.shape[1], size.height, method)
    return out


def _resized(image: Float32, width: int, height: int, method: int) -> Float32:
    out = cv2.resize(image, (width, height), interpolation=method)
    return out.reshape(height, width, *image.shape[2:]).astype(np.float32, copy=False)


def _pad(image: Float32, size: Size) -> Float32:
    for axis, wanted in ((0, size.height), (1, size.width)):
        have = image.shape[axis]
        index = np.arange(wanted)
        mirrored = np.where(index < have, index, np.maximum(0, 2 * (have - 1) - index))
        if wanted > have:
            image = np.take(image, mirrored, axis=axis)
    return image
