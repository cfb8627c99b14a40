"""Enlarging along edges, as compiled kernels over rows: y = lanczos(x), then again and again smoothed along its edges,
corrected until it shrinks to x, and held within what x shows there.

Correcting by what is lost in shrinking is iterative back-projection (Irani & Peleg, CVGIP 1991). Directions come from
the structure tensor (Foerstner; Di Zenzo's sum over channels); smoothing along them is line integral convolution as in
Kyprianidis & Kang, "Image and Video Abstraction by Coherence-Enhancing Filtering" (2011).

Pictures are (h, w, c) float32. A pixel depends on those within REACH px of the small picture, and by the same sums
wherever it lies: a tile with that much around it comes out as the whole picture would, bit for bit.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from frisket.engines.patch.bands import Bands

ROUNDS = 3  # a fourth changes less than 0.02 dB
LOBES, CUBIC = 4, -0.75  # Lanczos4; OpenCV's bicubic
ALONG = 3  # samples to each side along an edge, together one px of the small picture
SPREAD = 0.6  # px of the small picture: the deviation over which directions agree
UNSURE, SURE = 0.3, 0.8  # coherence of directions: below it nothing is smoothed, above it all
FLAT = 1e-5  # squared gradient per px that counts as no edge
REACH = 24  # px: 4 by Lanczos, and in each round 2 by directions, 2 by correcting, 1 along edges, and fractions
BAND = 1 << 14  # px at a time: some milliseconds


def enlarged(x: np.ndarray, scale: int, bands: Bands) -> np.ndarray:
    """(h, w, c) float32 as a new (h * scale, w * scale, c), no value beyond those of the 3 x 3 px of `x` around it.

    scale: 2, 3 or 4. Edges of the array repeat. About 0.5 s for a million px of the result and processor.
    """
    y = _resized(x, lanczos(scale), scale, bands)
    run(bands, _limit, y, x, scale)
    weights = np.exp(-0.5 * (np.arange(ALONG + 1) * (1.8 / ALONG)) ** 2).astype(np.float32)
    smooth, left = np.empty_like(y), np.empty_like(x)
    for _ in range(ROUNDS):
        along = _directions(y, scale, bands)
        run(bands, _along, smooth, y, along, weights, np.float32(scale / ALONG))
        run(bands, _lost, left, smooth, x, scale)
        run(bands, _add, y, smooth, _resized(left, cubic(scale), scale, bands))
        run(bands, _limit, y, x, scale)
    return y


def run(bands: Bands, kernel, out: np.ndarray, *arrays: object) -> None:
    """`kernel` over the rows of `out`."""
    bands.run(kernel, out.shape[0], out, *arrays, band=max(1, BAND // out.shape[1]))


def lanczos(scale: int) -> np.ndarray:
    """(scale, 2 * LOBES) float32: row k holds the taps for pixel k of the `scale` that stand for one; sum 1."""

    def weight(t: float) -> float:
        return (
            1.0 if abs(t) < 1e-9 else LOBES * math.sin(math.pi * t) * math.sin(math.pi * t / LOBES) / (math.pi * t) ** 2
        )

    return _taps(weight, LOBES, scale)


def cubic(scale: int) -> np.ndarray:
    """(scale, 4) float32 likewise."""

    def weight(t: float) -> float:
        t, a = abs(t), CUBIC
        near = (a + 2) * t**3 - (a + 3) * t**2 + 1
        return near if t < 1 else a * (t**3 - 5 * t**2 + 8 * t - 4)

    return _taps(weight, 2, scale)


def _taps(weight, half: int, scale: int) -> np.ndarray:
    rows = []
    for k in range(scale):
        at = (k + 0.5) / scale - 0.5  # px of the small picture, from the middle of the one it lies in
        low = math.floor(at) - half + 1
        taps = [weight(at - (low + n)) for n in range(2 * half)]
        rows.append([tap / math.fsum(taps) for tap in taps])
    return np.array(rows, np.float32)


def _resized(x: np.ndarray, taps: np.ndarray, scale: int, bands: Bands) -> np.ndarray:
    h, w, c = x.shape
    tall = np.empty((h * scale, w, c), np.float32)
    run(bands, _taller, tall, x, taps, scale)
    wide = np.empty((h * scale, w * scale, c), np.float32)
    run(bands, _wider, wide, tall, taps, scale)
    return wide


def _directions(y: np.ndarray, scale: int, bands: Bands) -> np.ndarray:
    """(h, w, 3) float32: unit vector along the edge (x, y), and 0...1, how surely there is one."""
    tensor = np.empty((*y.shape[:2], 3), np.float32)
    run(bands, _tensor, tensor, y)
    reach = math.ceil(2.5 * SPREAD * scale)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (SPREAD * scale)) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    half, along = np.empty_like(tensor), np.empty_like(tensor)
    run(bands, _blur_down, half, tensor, weights)
    run(bands, _blur_across, tensor, half, weights)
    run(bands, _direct, along, tensor)
    return along


@njit(nogil=True, cache=True)
def _taller(low, high, out, x, taps, scale):
    h, w, c = x.shape
    n = taps.shape[1]
    for v in range(low, high):
        y, k = v // scale, v % scale
        first = y - n // 2 + (0 if 2 * k + 1 < scale else 1)
        out[v] = 0
        for t in range(n):
            tap = taps[k, t]
            row = min(max(first + t, 0), h - 1)
            for u in range(w):
                for ch in range(c):
                    out[v, u, ch] += tap * x[row, u, ch]


@njit(nogil=True, cache=True)
def _wider(low, high, out, x, taps, scale):
    _, w, c = x.shape
    n = taps.shape[1]
    for v in range(low, high):
        for u in range(w):
            for k in range(scale):
                first = u - n // 2 + (0 if 2 * k + 1 < scale else 1)
                for ch in range(c):
                    total = np.float32(0)
                    for t in range(n):
                        total += taps[k, t] * x[v, min(max(first + t, 0), w - 1), ch]
                    out[v, u * scale + k, ch] = total


@njit(nogil=True, cache=True)
def _limit(low, high, y, x, scale):
    h, w, c = x.shape
    for v in range(low, high):
        row = v // scale
        top, bottom = max(row - 1, 0), min(row + 1, h - 1)
        for u in range(w):
            left, right = max(u - 1, 0), min(u + 1, w - 1)
            for ch in range(c):
                least = most = x[row, u, ch]
                for r in range(top, bottom + 1):
                    for q in range(left, right + 1):
                        least, most = min(least, x[r, q, ch]), max(most, x[r, q, ch])
                for k in range(u * scale, (u + 1) * scale):
                    y[v, k, ch] = min(max(y[v, k, ch], least), most)


@njit(nogil=True, cache=True)
def _tensor(low, high, out, y):
    """Products of Scharr's gradients, summed over the channels."""
    h, w, c = y.shape
    a, b = np.float32(3 / 32), np.float32(10 / 32)
    for v in range(low, high):
        up, down = max(v - 1, 0), min(v + 1, h - 1)
        for u in range(w):
            left, right = max(u - 1, 0), min(u + 1, w - 1)
            xx = xy = yy = np.float32(0)
            for ch in range(c):
                gx = a * (y[up, right, ch] - y[up, left, ch] + y[down, right, ch] - y[down, left, ch]) + b * (
                    y[v, right, ch] - y[v, left, ch]
                )
                gy = a * (y[down, left, ch] - y[up, left, ch] + y[down, right, ch] - y[up, right, ch]) + b * (
                    y[down, u, ch] - y[up, u, ch]
                )
                xx += gx * gx
                xy += gx * gy
                yy += gy * gy
            out[v, u, 0], out[v, u, 1], out[v, u, 2] = xx, xy, yy


@njit(nogil=True, cache=True)
def _blur_down(low, high, out, x, weights):
    h, w, _ = x.shape
    reach = len(weights) // 2
    for v in range(low, high):
        out[v] = 0
        for t in range(len(weights)):
            row, weight = min(max(v + t - reach, 0), h - 1), weights[t]
            for u in range(w):
                for k in range(3):
                    out[v, u, k] += weight * x[row, u, k]


@njit(nogil=True, cache=True)
def _blur_across(low, high, out, x, weights):
    w = x.shape[1]
    reach = len(weights) // 2
    for v in range(low, high):
        out[v] = 0
        for t in range(len(weights)):
            weight = weights[t]
            for u in range(w):
                at = min(max(u + t - reach, 0), w - 1)
                for k in range(3):
                    out[v, u, k] += weight * x[v, at, k]


@njit(nogil=True, cache=True)
def _direct(low, high, out, tensor):
    half, one, none = np.float32(0.5), np.float32(1), np.float32(0)
    for v in range(low, high):
        for u in range(tensor.shape[1]):
            xx, xy, yy = tensor[v, u, 0], tensor[v, u, 1], tensor[v, u, 2]
            apart = math.sqrt((xx - yy) * (xx - yy) + np.float32(4) * xy * xy)
            sure = (apart / (xx + yy + np.float32(FLAT)) - np.float32(UNSURE)) * np.float32(1 / (SURE - UNSURE))
            twice = (xx - yy) / apart if apart > none else one  # cosine of twice the gradient's angle
            across = math.sqrt(max(none, half * (one + twice)))
            along = math.sqrt(max(none, half * (one - twice)))
            out[v, u, 0] = -along if xy >= none else along
            out[v, u, 1] = across
            out[v, u, 2] = min(max(sure, none), one)


@njit(nogil=True, cache=True)
def _along(low, high, out, y, along, weights, step):
    """Means along the edge. Places are counted from the pixel itself, so that it matters not where the array begins."""
    h, w, c = y.shape
    for v in range(low, high):
        for u in range(w):
            sure = along[v, u, 2]
            for ch in range(c):
                out[v, u, ch] = y[v, u, ch]
            if sure <= np.float32(0):
                continue
            whole = weights[0]
            for k in range(1, len(weights)):
                whole += weights[k] + weights[k]
            for ch in range(c):
                out[v, u, ch] = weights[0] * y[v, u, ch]
            for k in range(1, len(weights)):
                for side in (-1, 1):
                    dx = np.float32(side * k) * step * along[v, u, 0]
                    dy = np.float32(side * k) * step * along[v, u, 1]
                    fx, fy = math.floor(dx), math.floor(dy)
                    ax, ay = dx - np.float32(fx), dy - np.float32(fy)
                    x0, y0 = min(max(u + int(fx), 0), w - 1), min(max(v + int(fy), 0), h - 1)
                    x1, y1 = min(max(u + int(fx) + 1, 0), w - 1), min(max(v + int(fy) + 1, 0), h - 1)
                    for ch in range(c):
                        top = y[y0, x0, ch] + ax * (y[y0, x1, ch] - y[y0, x0, ch])
                        bottom = y[y1, x0, ch] + ax * (y[y1, x1, ch] - y[y1, x0, ch])
                        out[v, u, ch] += weights[k] * (top + ay * (bottom - top))
            for ch in range(c):
                out[v, u, ch] = y[v, u, ch] + sure * (out[v, u, ch] / whole - y[v, u, ch])


@njit(nogil=True, cache=True)
def _lost(low, high, out, y, x, scale):
    """x minus what y shrinks to by means of scale x scale px."""
    share = np.float32(1 / (scale * scale))
    for v in range(low, high):
        for u in range(x.shape[1]):
            for ch in range(x.shape[2]):
                total = np.float32(0)
                for r in range(v * scale, (v + 1) * scale):
                    for q in range(u * scale, (u + 1) * scale):
                        total += y[r, q, ch]
                out[v, u, ch] = x[v, u, ch] - share * total


@njit(nogil=True, cache=True)
def _add(low, high, out, a, b):
    for v in range(low, high):
        out[v] = a[v] + b[v]
