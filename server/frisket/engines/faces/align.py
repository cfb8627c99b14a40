"""Faces to the place where restorers want them, and back: pure geometry, no network.

Coordinates are OpenCV's: (0, 0) is the middle of the first pixel. A matrix is (2, 3) float64, a similarity (turn, one
scale, move) from px of the picture to px of the aligned face. For a piece of the picture, `shifted` makes it the
piece's own.

The template is that of FFHQ at 512 px (Karras et al., 2019) with the five points that GFPGAN's and CodeFormer's helpers
use, so that restorers see what they were trained on.
"""

from __future__ import annotations

import enum
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.raster.geometry import Box, Size

SIDE = 512  # px of an aligned face
# Right eye, left eye, tip of the nose, right and left corner of the mouth; the person's own right is left here.
TEMPLATE = np.array(
    [
        (192.98138, 239.94708),
        (318.90277, 240.1936),
        (256.63416, 314.01935),
        (201.26117, 371.41043),
        (313.08905, 371.15118),
    ]
)
# Where detectors draw the box of a face that lies in the template: forehead to chin, ear to ear.
FACE = (124.0, 115.0, 388.0, 470.0)  # left, top, right, bottom
GROUND = (132 / 255, 133 / 255, 135 / 255)  # red, green, blue: what those helpers show beyond the picture's edge
REACH = 5  # px of the smaller picture that interpolation and low-pass look at beyond a point
CLOSE = 4  # times smaller: what the low-pass does by itself
OVAL = (256.0, 296.0, 172.0, 202.0)  # middle and half axes, where the fallback mask has come down to 0
SOFT = 0.3  # of those half axes: over how much it comes down

Float32 = NDArray[np.float32]


class Beyond(enum.Enum):
    """What is seen where a picture has ended."""

    GROUND = "ground"  # the gray of GROUND
    REFLECTED = "reflected"  # the picture in a mirror
    NOTHING = "nothing"  # 0: for masks


def points_of(row: np.ndarray) -> np.ndarray:
    """The five points (5, 2) float64 of a row (15,) of Task.DETECT_FACES.

    Where the detector knew none or not all, those of the template laid into the row's box: good enough to cut a face
    out, too coarse to restore a turned one.
    """
    points = np.asarray(row[4:14], np.float64).reshape(5, 2)
    return points if np.isfinite(points).all() else points_in(row[:4])


def points_in(box: np.ndarray) -> np.ndarray:
    """The template's points (5, 2) float64, laid into a box: x, y, width, height."""
    left, top, right, bottom = FACE
    x, y, width, height = (float(v) for v in box)
    return (TEMPLATE - (left, top)) * (width / (right - left), height / (bottom - top)) + (x, y)


def box_of(points: np.ndarray) -> np.ndarray | None:
    """The other way round: the upright box, x, y, width, height, that detectors draw around a face with these points.

    None: they lie in no such way.
    """
    matrix = matrix_of(points)
    if matrix is None:
        return None
    left, top, right, bottom = FACE
    back = inverse(matrix)
    size = np.array([right - left, bottom - top]) * scale_of(back)
    middle = applied(back, np.array([((left + right) / 2, (top + bottom) / 2)]))[0]
    return np.concatenate([middle - size / 2, size])


def matrix_of(points: np.ndarray, side: int = SIDE) -> np.ndarray | None:
    """The similarity that lays points (5, 2) on the template of a `side` x `side` face. None: they lie in no such way.

    Least median of squares, as those helpers do it: a point that is off does not pull the others along. Where that
    finds nothing, least squares (Umeyama, 1991, without reflection).
    """
    points, template = np.asarray(points, np.float64), TEMPLATE * (side / SIDE)
    if points.shape != (5, 2) or not np.isfinite(points).all():
        return None
    matrix, _ = cv2.estimateAffinePartial2D(points, template, method=cv2.LMEDS)
    if matrix is None or not np.isfinite(matrix).all() or not 1e-4 < scale_of(matrix) < 1e4:
        matrix = _least_squares(points, template)
    return matrix


def _least_squares(points: np.ndarray, template: np.ndarray) -> np.ndarray | None:
    """As complex numbers: template = a * points + b, a turns and scales."""
    p, t = (xy[:, 0] + 1j * xy[:, 1] for xy in (points, template))
    centred = p - p.mean()
    spread = (np.abs(centred) ** 2).sum()
    if not spread > 1e-6:
        return None
    a = (np.conj(centred) * (t - t.mean())).sum() / spread
    if not 1e-4 < abs(a) < 1e4:
        return None
    b = t.mean() - a * p.mean()
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def scale_of(matrix: np.ndarray) -> float:
    """px of the aligned face per px of the picture."""
    return float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))


def inverse(matrix: np.ndarray) -> np.ndarray:
    """From the aligned face to the picture."""
    return cv2.invertAffineTransform(matrix)


def applied(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (n, 2) moved by the matrix."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def shifted(matrix: np.ndarray, x: float, y: float) -> np.ndarray:
    """The same from the px of a piece of the picture whose corner lies at (x, y)."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ (x, y)
    return moved


def enlarged(matrix: np.ndarray, times: int) -> np.ndarray:
    """The same from the px of the picture made so many times larger."""
    half = (times - 1) / 2
    return shifted(matrix * (np.array([1, 1, times]) / times), -half, -half)


def reach_of(matrix: np.ndarray, picture: Size, side: int = SIDE) -> Box:
    """The piece of the picture that the aligned face is made of, interpolation's reach included; may be empty."""
    corners = applied(inverse(matrix), np.array([(0, 0), (side, 0), (0, side), (side, side)], np.float64) - 0.5)
    margin = REACH * max(1.0, 1 / scale_of(matrix)) + 1
    left, top = np.floor(corners.min(axis=0) - margin).astype(int)
    right, bottom = np.ceil(corners.max(axis=0) + margin).astype(int) + 1
    return Box.spanning(int(left), int(top), int(right), int(bottom)).clipped(Box.of(picture))


def aligned(piece: Float32, matrix: np.ndarray, side: int = SIDE, beyond: Beyond = Beyond.GROUND) -> Float32:
    """The face, (side, side, c), cut out of `piece` (h, w, c), 3 or 1 channels; the matrix is from the piece's px."""
    return warped(piece, matrix, Size(side, side), beyond)


def laid_back(face: Float32, matrix: np.ndarray, box: Box) -> Float32:
    """An aligned face (side, side, c) or its mask (side, side) back in the picture: what there is in `box`, 0 beyond.

    The matrix is the one that `aligned` had, from the px of the space of `box`. A mask may come a little below 0 and
    above 1.
    """
    return warped(face, inverse(shifted(matrix, box.x, box.y)), box.size, Beyond.NOTHING)


def warped(image: Float32, matrix: np.ndarray, size: Size, beyond: Beyond) -> Float32:
    """`image` (h, w) or (h, w, c) float32 moved by the matrix into a picture of `size`, of as many channels.

    Enlarged by cubic interpolation. Shrunk without aliasing: a low-pass (Lanczos, 3 lobes) leaves what the new grid can
    hold; much smaller ones start from means of whole numbers of px, which costs less. Both may overshoot a little.
    """
    whole = int(1 / scale_of(matrix) / CLOSE)
    if whole > 1:
        image, matrix = _means(image, whole), _of_means(matrix, whole)
    rest = 1 / scale_of(matrix)
    if rest > 1 and image.size:
        kernel = _low_pass(rest)
        filtered = cv2.sepFilter2D(image, cv2.CV_32F, kernel, kernel, borderType=cv2.BORDER_REPLICATE)
        image = np.asarray(filtered, np.float32)
    border = cv2.BORDER_REFLECT_101 if beyond is Beyond.REFLECTED else cv2.BORDER_CONSTANT
    value = (*GROUND, 1.0) if beyond is Beyond.GROUND else (0, 0, 0, 0)
    if image.ndim == 2 or image.shape[2] == 1:
        value = (sum(GROUND) / 3 if beyond is Beyond.GROUND else 0.0,)
    shape = (size.height, size.width, *image.shape[2:])
    if image.size == 0 or size.area == 0:
        return np.broadcast_to(np.asarray(value[: shape[-1] if len(shape) > 2 else 1], np.float32), shape).copy()
    out = cv2.warpAffine(
        image, matrix, (size.width, size.height), flags=cv2.INTER_CUBIC, borderMode=border, borderValue=value
    )
    return np.asarray(out, np.float32).reshape(shape)


def _low_pass(rest: float) -> Float32:
    """Lanczos' kernel with 3 lobes, `rest` times as wide as on the px that it runs over; its sum is 1."""
    x = np.arange(-int(3 * rest), int(3 * rest) + 1) / rest
    kernel = np.sinc(x) * np.sinc(x / 3)
    return (kernel / kernel.sum()).astype(np.float32)


def _means(image: Float32, whole: int) -> Float32:
    """Each px the mean of whole x whole; what is missing at the end is what stands at the edge."""
    h, w = image.shape[:2]
    down, right = -h % whole, -w % whole
    if down or right:
        image = np.pad(image, [(0, down), (0, right), *[(0, 0)] * (image.ndim - 2)], mode="edge")
    size = (image.shape[1] // whole, image.shape[0] // whole)
    means = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32)
    return means.reshape(*size[::-1], *image.shape[2:])


def _of_means(matrix: np.ndarray, whole: int) -> np.ndarray:
    """The same from the px of `_means`: its px k has its middle at whole * k + (whole - 1) / 2."""
    half = (whole - 1) / 2
    moved = shifted(matrix, half, half)
    moved[:, :2] *= whole
    return moved


@lru_cache(maxsize=4)
def fallback_mask(side: int = SIDE) -> Float32:
    """(side, side) float32, read-only: an oval over the template's face, 1 from the brow to the lower lip and over both
    eyes, smoothly down to 0 well inside the border. For faces that nothing has parsed."""
    x, y, half_width, half_height = (v * side / SIDE for v in OVAL)
    rows, columns = np.mgrid[0:side, 0:side].astype(np.float32)
    inside = (1 - np.hypot((columns - x) / half_width, (rows - y) / half_height)) / SOFT
    t = np.clip(inside, 0, 1).astype(np.float32)
    mask = t * t * (3 - 2 * t)
    mask.flags.writeable = False
    return mask
