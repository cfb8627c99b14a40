"""A crop at the engine's working size and back, as `sizes.Fit` says. Arrays are float32, (h, w, c) or masks (h, w).

Colour must be premultiplied when the last channel is alpha: resizing mixes neighbours, hidden colour would bleed.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.errors import RequestInvalid
from frisket.raster.geometry import Size
from frisket.raster.sizes import Fit

Float32 = NDArray[np.float32]


def apply(image: Float32, fit: Fit) -> Float32:
    """`image` of `fit.source` at `fit.padded`: resized, then mirrored right and below, then replicated.

    Reduced by area means, enlarged by Lanczos limited to the image's own range per channel, so nothing rings beyond it.
    The mirror leaves no edge at the border; it cannot be longer than the picture, so its own end goes on from
    there. An unchanged fit returns the very same array. Raises RequestInvalid for another size.
    """
    _check(image, fit.source)
    if fit.unchanged:
        return image
    return _pad(_resize(image, fit.scaled), fit.padded)


def undo(image: Float32, fit: Fit) -> Float32:
    """`image` of `fit.padded` back at `fit.source`: cropped, then resized. Raises RequestInvalid for another size."""
    _check(image, fit.padded)
    if fit.unchanged:
        return image
    return _resize(image[: fit.scaled.height, : fit.scaled.width], fit.source)


def apply_mask(mask: Float32, fit: Fit) -> Float32:
    """A mask (h, w) of `fit.source` at `fit.padded`; the padding is 0.

    Reduced by area means, so a single selected pixel stays above 0; enlarged linearly, so nothing leaves 0...1. An
    unchanged fit returns the very same array. Raises RequestInvalid for another size.
    """
    _check(mask, fit.source)
    if fit.unchanged:
        return mask
    grown = _shaped(mask, fit.scaled, cv2.INTER_AREA if fit.reduced else cv2.INTER_LINEAR)
    out = np.zeros((fit.padded.height, fit.padded.width), np.float32)
    out[: fit.scaled.height, : fit.scaled.width] = grown
    return out


def _check(image: np.ndarray, size: Size) -> None:
    have = Size(image.shape[1], image.shape[0])
    if have != size:
        raise RequestInvalid(detail=f"the fit is for {size}, the array holds {have}")


def _resize(image: Float32, size: Size) -> Float32:
    if image.shape[:2] == (size.height, size.width):
        return image
    if size.width <= image.shape[1] and size.height <= image.shape[0]:
        return _shaped(image, size, cv2.INTER_AREA)
    low, high = image.min(axis=(0, 1)), image.max(axis=(0, 1))
    return np.clip(_shaped(image, size, cv2.INTER_LANCZOS4), low, high)


def _shaped(image: Float32, size: Size, method: int) -> Float32:
    """cv2.resize, which drops a last axis of length 1, with the axis kept."""
    out = cv2.resize(image, (size.width, size.height), interpolation=method)
    return out.reshape(size.height, size.width, *image.shape[2:]).astype(np.float32, copy=False)


def _pad(image: Float32, size: Size) -> Float32:
    for axis, wanted in ((0, size.height), (1, size.width)):
        have = image.shape[axis]
        index = np.arange(wanted)
        mirrored = np.where(index < have, index, np.maximum(0, 2 * (have - 1) - index))
        if wanted > have:
            image = np.take(image, mirrored, axis=axis)
    return image
