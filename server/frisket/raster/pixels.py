"""Document samples to the values that edits work with, and back.

Work values are (h, w, c) float32, perceptual (gamma-encoded), 0...1 for integer documents and unclamped for float ones,
alpha straight and last. Alpha is never gamma-encoded. The curve is that of sRGB (IEC 61966-2-1), continued to values
above 1 and mirrored through zero for negative ones, so that every finite float survives the trip.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.errors import ImageNotFinite, RequestInvalid
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Size
from frisket.raster.spans import Check, mapped, row_spans

Float32 = NDArray[np.float32]

DTYPES = {
    Samples.U8: np.dtype("<u1"),
    Samples.U16: np.dtype("<u2"),
    Samples.F16: np.dtype("<f2"),
    Samples.F32: np.dtype("<f4"),
}
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709
PREVIEW_GROUND = 0.5  # mid gray shows dark and light edges of a transparent picture alike


def check_pixels(array: np.ndarray, fmt: PixelFormat) -> None:
    """Raises RequestInvalid unless `array` is (h, w, c) with the channels and the type of `fmt`."""
    wanted = DTYPES[fmt.samples]
    if array.ndim != 3 or array.shape[2] != fmt.layout.channels or array.dtype != wanted:
        detail = f"{fmt} is an array (h, w, {fmt.layout.channels}) of {wanted}, not {array.shape} of {array.dtype}"
        raise RequestInvalid(detail=detail)


def from_bytes(data: bytes | memoryview, size: Size, fmt: PixelFormat) -> np.ndarray:
    """Raw samples, row by row, as a read-only (h, w, c) view. Raises RequestInvalid when the length is wrong."""
    if len(data) != size.area * fmt.pixel_bytes:
        raise RequestInvalid(detail=f"{size} in {fmt} has {size.area * fmt.pixel_bytes} bytes, not {len(data)}")
    array = np.frombuffer(data, DTYPES[fmt.samples]).reshape(size.height, size.width, fmt.layout.channels)
    array.flags.writeable = False
    return array


def check_finite(array: np.ndarray, check: Check | None = None) -> None:
    """Raises ImageNotFinite with the number of samples that are NaN or infinite; integers always pass.

    check: asked every some milliseconds, here and below; it may raise what it likes.
    """
    if array.dtype.kind == "f":
        good = sum(int(np.count_nonzero(np.isfinite(array[rows]))) for rows in row_spans(array.shape, check))
        if good < array.size:
            raise ImageNotFinite(count=array.size - good)


def extremes(image: Float32, check: Check | None = None) -> tuple[Float32, Float32]:
    """The least and the greatest value of each channel of (h, w, c), (c,) each."""
    ends = [(image[rows].min(axis=0), image[rows].max(axis=0)) for rows in row_spans(image.shape, check)]
    low, high = zip(*ends, strict=True)
    return np.min(low, axis=(0, 1)), np.max(high, axis=(0, 1))


def to_work(array: np.ndarray, fmt: PixelFormat, check: Check | None = None) -> Float32:
    """Document pixels (h, w, c) of `fmt` as a new array of work values. Raises RequestInvalid."""
    check_pixels(array, fmt)
    return mapped(lambda part: _to_work(part, fmt), np.float32, check, array)


def _to_work(array: np.ndarray, fmt: PixelFormat) -> Float32:
    if fmt.samples.is_float:
        work = array.astype(np.float32)
    else:
        work = np.divide(array, np.iinfo(array.dtype).max, dtype=np.float32)
    if fmt.transfer is Transfer.LINEAR:
        colors = work[..., : fmt.layout.colors]
        colors[...] = encoded(colors)
    return work


def from_work(work: Float32, fmt: PixelFormat, check: Check | None = None) -> np.ndarray:
    """Work values as document pixels of `fmt`, a new array; the inverse of `to_work`.

    Integers and perceptual floats come back bit for bit, linear float32 within 1e-6 of the value. Integers are rounded
    half up and clipped; half floats are clipped to their finite range; float32 is not clipped.
    """
    return mapped(lambda part: _from_work(part, fmt), DTYPES[fmt.samples], check, work)


def _from_work(work: Float32, fmt: PixelFormat) -> np.ndarray:
    if fmt.transfer is Transfer.LINEAR:
        work = work.copy()
        colors = work[..., : fmt.layout.colors]
        colors[...] = decoded(colors)
    dtype = DTYPES[fmt.samples]
    if fmt.samples is Samples.F32:
        return work.astype(dtype)
    if fmt.samples is Samples.F16:
        limit = np.finfo(np.float16).max
        return np.clip(work, -limit, limit).astype(dtype)
    full = np.float32(np.iinfo(dtype).max)
    return (np.clip(work, 0, 1) * full + np.float32(0.5)).astype(dtype)


def encoded(linear: Float32) -> Float32:
    """Linear light to perceptual values, element by element, odd and unclamped."""
    size = np.abs(linear)
    curve = np.float32(1.055) * np.power(np.maximum(size, np.float32(0.0031308)), np.float32(1 / 2.4))
    return np.copysign(np.where(size <= 0.0031308, np.float32(12.92) * size, curve - np.float32(0.055)), linear)


def decoded(perceptual: Float32) -> Float32:
    """Perceptual values to linear light: the inverse of `encoded`."""
    size = np.abs(perceptual)
    curve = np.power((np.maximum(size, np.float32(0.04045)) + np.float32(0.055)) / np.float32(1.055), np.float32(2.4))
    return np.copysign(np.where(size <= 0.04045, size / np.float32(12.92), curve), perceptual)


def premultiply(work: Float32, layout: Layout, check: Check | None = None) -> Float32:
    """Colour multiplied by alpha, a new array; the very same one when the layout has no alpha."""
    return mapped(_premultiply, work.dtype, check, work) if layout.has_alpha else work


def _premultiply(work: Float32) -> Float32:
    out = work.copy()
    out[..., :-1] *= work[..., -1:]
    return out


def unpremultiply(work: Float32, layout: Layout, check: Check | None = None) -> Float32:
    """Colour divided by alpha, 0 where alpha is 0; the very same array when the layout has no alpha."""
    return mapped(_unpremultiply, work.dtype, check, work) if layout.has_alpha else work


def _unpremultiply(work: Float32) -> Float32:
    out = work.copy()
    alpha = work[..., -1:]
    np.divide(work[..., :-1], alpha, out=out[..., :-1], where=alpha > 0)
    out[..., :-1][alpha[..., 0] <= 0] = 0
    return out


def as_rgb(work: Float32, layout: Layout) -> Float32:
    """The colour alone as (h, w, 3), gray three times; alpha is left out. A new array."""
    colors = work[..., : layout.colors]
    return np.repeat(colors, 3, axis=2) if layout.colors == 1 else colors.copy()


def from_rgb(rgb: Float32, alpha_of: Float32, layout: Layout) -> Float32:
    """(h, w, 3) in `layout`: gray is the luma (BT.709), alpha is taken from `alpha_of` (h, w, c). A new array."""
    colors = rgb if layout.colors == 3 else (rgb @ LUMA)[..., None]
    return np.concatenate([colors, alpha_of[..., layout.colors :]], axis=2)


def preview_rgb8(work: Float32, layout: Layout, max_side: int = 512) -> NDArray[np.uint8]:
    """A small opaque picture to look at: (h, w, 3) uint8, longer side at most `max_side` px, over mid gray."""
    height, width = work.shape[:2]
    scale = min(1.0, max_side / max(height, width))
    small = premultiply(work, layout)
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA), np.float32)
        small = small.reshape(size[1], size[0], layout.channels)
    rgb = as_rgb(small, layout)
    if layout.has_alpha:
        rgb += PREVIEW_GROUND * (1 - small[..., -1:])
    return (np.clip(rgb, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
