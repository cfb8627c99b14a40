"""What a photograph suffered, measured, and as much of it taken back as can be without knowing what a face looks like.

Everything here works on the picture's own pixel grid, where noise is white, the blocks of a JPEG lie where they lie and
a blur has a width. Pictures are (h, w, 3) float32 RGB or (h, w) luma, 0...1; widths are px, noise is a standard
deviation in the same unit as the picture. Pure functions of numpy and OpenCV.

Sources: noise, Donoho & Johnstone, Biometrika 81 (1994); blur, Zhuo & Sim, Pattern Recognition 44 (2011); denoising in
shifted blocks of a cosine transform, Yu & Sapiro, IPOL 1 (2011), after Coifman & Donoho (1995); deconvolution,
Richardson (1972) and Lucy (1974). All numbers in capitals were chosen with bench/restore_faces.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Check = Callable[[], None]

SIDE = 8  # px of a block of the transform, and of a JPEG
HARD = 2.7  # standard deviations of noise below which a coefficient is taken for noise
QUARTILE = 0.91  # of the noise: what the lower quartile of such medians shows of it
GRAIN = 2.0 / 255  # of a clean photograph: sensors have it, and it belongs to the picture
STEPS = 0.3 / 255  # across the lattice of 8 px, in pictures that were never compressed
JPEG_NOISE = 1.3, 1.0  # of noise for one of such steps: on the picture's grid, on one of half its size
MOST = 25 / 255
TO_RGB = np.array([[1, 1.402, 0], [1, -0.714136, -0.344136], [1, 0, 1.772]], np.float32)  # from Y, Cr, Cb (BT.601)
LEAST = 0.3 / 255  # less noise is left alone
SHARP = 0.7  # px: the blur of a good photograph
SOFT = 1.0  # px: less blur is left alone
ROUNDS = 6  # of deconvolution; more finds what is not there
CALM = 4 / 255  # noise that halves their number
BUSY = 4 / 255  # local contrast from which on a place is sharpened in full


@dataclass(frozen=True, slots=True)
class Damage:
    """noise: on the picture's grid; coarse: what shows at half the size (a small picture that was enlarged brings its
    own noise and blocks along), 0 in a sharp picture; blur: px, of a Gaussian."""

    noise: float
    coarse: float
    blur: float


def measured(luma: Float32) -> Damage:
    """Of (h, w) whose first pixel lies on the corner of a JPEG's blocks at either size: at multiples of 16 px."""
    blur = blur_of(luma)
    coarse = 0.0
    if blur > SOFT and min(luma.shape) >= 4 * SIDE:
        coarse = _noise(_halved(luma), JPEG_NOISE[1])
    return Damage(_noise(luma, JPEG_NOISE[0]), coarse, blur)


def _noise(luma: Float32, share: float) -> float:
    grain = np.sqrt(max(0.0, noise_of(luma) ** 2 - GRAIN**2))
    steps = share * max(0.0, steps_of(luma) - STEPS)
    return float(min(np.hypot(grain, steps), MOST))


def noise_of(luma: Float32) -> float:
    """White noise, from the median of the finest diagonal details in the calmer pieces: a beard is no noise."""
    h, w = (n // 2 * 2 for n in luma.shape)
    if h < 2 or w < 2:
        return 0.0
    details = np.abs(luma[:h:2, :w:2] - luma[1:h:2, :w:2] - luma[:h:2, 1:w:2] + luma[1:h:2, 1:w:2]) / 2
    rows, columns = (max(1, n // SIDE) for n in details.shape)
    medians = [np.median(piece) for row in np.array_split(details, rows) for piece in np.array_split(row, columns, 1)]
    return float(np.quantile(medians, 0.25) / 0.6745 / QUARTILE)


def steps_of(luma: Float32) -> float:
    """How much higher steps are between the blocks of 8 px than within them; 0 in pictures that have none."""
    found = []
    for across in (luma, luma.T):
        if across.shape[1] < 3 * SIDE:
            return 0.0
        step = np.diff(across, axis=1)
        # Against the mean of the steps on both sides: a slope goes on across the border, a block ends there.
        alone = np.minimum(np.abs(step[:, 1:-1] - (step[:, :-2] + step[:, 2:]) / 2), 0.1)
        where = (np.arange(alone.shape[1]) + 1) % SIDE
        found.append(float(alone[:, where == 7].mean() - alone[:, (where >= 2) & (where <= 4)].mean()))
    return max(0.0, float(np.mean(found)))


def blur_of(luma: Float32) -> float:
    """Width of the sharper edges, as a Gaussian's: how much one more blur, of a known width, weakens their slopes."""
    first = _blurred(luma, SHARP)
    again = _blurred(first, 1.0)
    slope, weaker = _slope(first), _slope(again)
    crest = (slope >= cv2.dilate(slope, np.ones((5, 5), np.uint8)) * 0.999) & (
        slope > max(0.005, float(np.quantile(slope, 0.9)))
    )
    if np.count_nonzero(crest) < 8:
        return 0.0
    ratio = np.maximum(slope[crest] / np.maximum(weaker[crest], 1e-6), 1.0001)
    width = float(np.quantile(1 / np.sqrt(ratio**2 - 1), 0.25))
    return float(np.sqrt(max(0.0, width**2 - SHARP**2)))


def repaired(rgb: Float32, damage: Damage, denoise: float, sharpen: float, check: Check) -> Float32:
    """Noise and blocks taken out, then the blur taken back where there is something to sharpen. A new array.

    denoise, sharpen: 0 = leave that alone, 1 = as measured. About 0.1 s for 512 x 512 px; check: asked between pieces.
    """
    seen = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2YCrCb), np.float32)
    work = denoised(seen, denoise * damage.noise, check)
    if denoise * damage.coarse > LEAST and min(rgb.shape[:2]) > 1:
        half = _halved(work)
        change = denoised(half, denoise * damage.coarse, check) - half
        h, w = half.shape[:2]
        work[: 2 * h, : 2 * w] += cv2.resize(change, (2 * w, 2 * h), interpolation=cv2.INTER_CUBIC)
    if damage.blur > SOFT and sharpen > 0:
        rounds = max(1, round(ROUNDS / (1 + (damage.noise + damage.coarse) / CALM)))
        luma = np.ascontiguousarray(work[..., 0])
        change = deconvolved(luma, float(np.sqrt(damage.blur**2 - SHARP**2)), rounds, check) - luma
        work[..., 0] += sharpen * change * _busy(luma)
    return rgb + np.asarray(cv2.transform(work - seen, TO_RGB), np.float32)


def denoised(image: Float32, sigma: float, check: Check) -> Float32:
    """(h, w, c) without noise of that width, a new array: 16 shifts of a cosine transform in blocks, each with its
    small coefficients set to 0, and their mean; blocks that need few coefficients count for more."""
    if sigma <= LEAST:
        return image.copy()
    h, w, channels = image.shape
    rows, columns = -(-h // SIDE) + 1, -(-w // SIDE) + 1
    sides = (SIDE, (rows - 1) * SIDE - h + SIDE, SIDE, (columns - 1) * SIDE - w + SIDE)
    out = np.empty_like(image)
    for channel in range(channels):
        own = np.ascontiguousarray(image[..., channel])
        plane = np.asarray(cv2.copyMakeBorder(own, *sides, cv2.BORDER_REFLECT), np.float32)
        total, weights = np.zeros_like(plane), np.zeros_like(plane)
        for dy in range(0, SIDE, 2):
            for dx in range(0, SIDE, 2):
                here = slice(dy, dy + rows * SIDE), slice(dx, dx + columns * SIDE)
                made, weight = _thresholded(plane[here], HARD * sigma)
                total[here] += made
                weights[here] += weight
            check()
        inner = slice(SIDE, SIDE + h), slice(SIDE, SIDE + w)
        out[..., channel] = total[inner] / weights[inner]
    return out


def _cosines() -> Float32:
    k, i = np.mgrid[:SIDE, :SIDE]
    norm = np.sqrt(np.where(k == 0, 1, 2) / SIDE)
    return (norm * np.cos(np.pi * (2 * i + 1) * k / (2 * SIDE))).astype(np.float32)


DCT = _cosines()


def _thresholded(plane: Float32, least: float) -> tuple[Float32, Float32]:
    """(h, w), whole blocks, without coefficients below `least`, times the blocks' weights; and those weights."""
    rows, columns = (n // SIDE for n in plane.shape)
    found = np.matmul(DCT, np.ascontiguousarray(plane).reshape(rows, SIDE, columns * SIDE))
    found = (found.reshape(-1, SIDE) @ DCT.T).reshape(rows, SIDE, columns, SIDE)
    kept = np.abs(found) > least
    kept[:, 0, :, 0] = True
    weight = 1 / kept.sum(axis=(1, 3), dtype=np.float32)[:, None, :, None]
    found *= kept * weight
    made = np.matmul(DCT.T, (found.reshape(-1, SIDE) @ DCT).reshape(rows, SIDE, columns * SIDE))
    return made.reshape(plane.shape), np.broadcast_to(weight, found.shape).reshape(plane.shape)


def deconvolved(luma: Float32, width: float, rounds: int, check: Check) -> Float32:
    """(h, w) as it may have been before a Gaussian blur of that width, by `rounds` of Richardson and Lucy."""
    seen = np.maximum(luma, 0) + np.float32(0.02)  # far enough from 0, where the quotients below would jump
    guess = seen.copy()
    for _ in range(rounds):
        quotient = np.divide(seen, np.maximum(_blurred(guess, width), 1e-3), dtype=np.float32)
        guess *= _blurred(quotient, width)
        check()
    return guess - seen + luma


def livelier(rgb: Float32, share: float) -> Float32:
    """Local contrast raised: what a guided filter of 24 px (He, Sun & Tang 2013) leaves of the luma, once more."""
    luma = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32)
    mean = _mean(luma)
    variance = np.maximum(_mean(luma * luma) - mean * mean, 0)
    slope = np.divide(variance, variance + 0.01, dtype=np.float32)
    base = _mean(slope) * luma + _mean(mean * (1 - slope))
    return rgb + np.float32(share) * (luma - base)[..., None]


def _mean(plane: Float32) -> Float32:
    return np.asarray(cv2.blur(plane, (49, 49), borderType=cv2.BORDER_REFLECT), np.float32)


def _busy(luma: Float32) -> Float32:
    """0...1: how much there is to sharpen around each pixel."""
    mean = _blurred(luma, 2.0)
    variance = np.maximum(0, _blurred(luma * luma, 2.0) - mean * mean)
    return (variance / (variance + np.float32(BUSY**2))).astype(np.float32)


def _halved(image: Float32) -> Float32:
    h, w = (n // 2 * 2 for n in image.shape[:2])
    return np.asarray(cv2.resize(image[:h, :w], (w // 2, h // 2), interpolation=cv2.INTER_AREA), np.float32)


def _blurred(luma: Float32, width: float) -> Float32:
    return np.asarray(cv2.GaussianBlur(luma, (0, 0), width, borderType=cv2.BORDER_REFLECT), np.float32)


def _slope(luma: Float32) -> Float32:
    dx, dy = (cv2.Sobel(luma, cv2.CV_32F, *axes, ksize=3, scale=1 / 8) for axes in ((1, 0), (0, 1)))
    return np.asarray(cv2.magnitude(dx, dy), np.float32)
