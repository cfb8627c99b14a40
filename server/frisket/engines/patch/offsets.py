"""Candidate shifts for a hole: how far apart do this picture's patches repeat?

Statistics of patch offsets (He & Sun, ECCV 2012): the vectors from patches to their nearest look-alikes pile up at a
few values, the picture's rhythm. Here look-alikes are found exactly, among samples, in a space of low frequencies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import cv2
import numpy as np
from numba import njit

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import FAR, SIDE
from frisket.engines.patch.pyramid import Level
from frisket.raster.spans import Check, row_spans

QUERIES, KEYS = 4000, 9000  # patches sampled near the hole, and anywhere
STROKE = 2500  # hole px: a smaller one is healed; it gets 1000 queries and 4500 keys, an eighth of the work
FEWEST = 50  # of them near the hole, else they are taken from everywhere
STRUCTURED = 0.35  # of the patches, those with the highest contrast, look for turned ones
TURNED = 16  # offsets to turned sources
LEVEL, LEVEL_ONES = 2, 12  # px off, and how many more of those that stay level, over all panels
NEAREST_SHARE = 1 / 15  # of the longer side: look-alikes nearer than this only say that pictures are smooth
LENGTH_PRICE = 0.3  # of an offset as long as the diagonal, against serving all pixels
COEFFICIENTS = 30  # of a patch, see `descriptors`
TILE = 512  # keys compared at a time; their distances stay in the first cache


def candidates(level: Level, I: np.ndarray, count: int, seed: int, bands: Bands) -> np.ndarray:
    """(K, 2) int32 offsets (dy, dx): up to `count` dominant ones, 4 along the axes, 10 for pixels that none can serve;
    with turned sources, TURNED to them.

    I: (H, w, 4) float32, the level's picture without gaps (smooth where unknown). seed: picks the samples.
    May be empty when nothing fits.
    """
    h = len(level.known)
    hole, valid = ~level.known, level.valid[:h]
    near = _around(hole) & valid
    samples = (QUERIES, KEYS) if level.hole_pixels >= STROKE else (QUERIES // 4, KEYS // 2)
    offsets = _dominant(I[:h], valid, near, samples, count, seed, bands)
    sound = soundly(level.sources[:h])
    y, x = np.nonzero(hole)
    bands.check()
    unserved = ~serves(offsets, sound, y, x, bands.check).any(1)
    sources = sound & valid if (sound & valid).any() else sound
    new = [*_along_axes(sources, y, x, bands.check), *_covering(sources, y[unserved], x[unserved], bands.check)]
    fresh = [o for o in sorted(set(new)) if not len(offsets) or (np.abs(offsets - o).max(1) > 1).all()]
    offsets = np.concatenate([offsets, np.array(fresh, np.int32).reshape(-1, 2)])
    if level.panels:
        offsets = np.concatenate([offsets, _turned(I, level, near, seed, bands)])
    return offsets[serves(offsets, soundly(level.sources), y, x, bands.check).any(0)]


def soundly(sources: np.ndarray) -> np.ndarray:
    """(h, w) bool: pixels whose eight neighbours are sources like themselves (what lies beyond the border counts)."""
    return cv2.erode(sources.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1) > 0


def serves(
    offsets: np.ndarray, sources: np.ndarray, y: np.ndarray, x: np.ndarray, check: Check | None = None
) -> np.ndarray:
    """(m, K) bool: whether the pixel (y, x)[m] shifted by offsets[K] lands on one of `sources` (h, w) bool.

    check: called now and then, may raise errors.Cancelled.
    """
    h, w = sources.shape
    out = np.empty((len(y), len(offsets)), bool)
    for rows in row_spans(out.shape, check):
        yy, xx = y[rows, None] + offsets[None, :, 0], x[rows, None] + offsets[None, :, 1]
        inside = (yy >= 0) & (yy < h) & (xx >= 0) & (xx < w)
        out[rows] = inside & sources[yy.clip(0, h - 1), xx.clip(0, w - 1)]
    return out


def descriptors(I: np.ndarray) -> Iterator[np.ndarray]:
    """COEFFICIENTS pictures (h, w) float32, one by one: the lowest DCT coefficients of the 7x7 patch around each pixel.

    21 of luminance, 3 of each of two colour differences and of alpha. An orthonormal basis: distances between
    descriptors never exceed those between patches.
    """
    k = np.arange(SIDE)
    basis = np.cos(math.pi * (k[None] + 0.5) * k[:, None] / SIDE) * np.where(k[:, None], 2 / SIDE, 1 / SIDE) ** 0.5
    r, g, b, a = cv2.split(I)
    planes = [((r + g + b) / 3**0.5, 5), ((r - b) / 2**0.5, 1), ((r - 2 * g + b) / 6**0.5, 1), (a, 1)]
    for plane, highest in planes:
        for i in range(highest + 1):
            for j in range(highest + 1 - i):
                yield cv2.sepFilter2D(plane, cv2.CV_32F, basis[i], basis[j], borderType=cv2.BORDER_REFLECT)


def _around(hole: np.ndarray) -> np.ndarray:
    """(h, w) bool: the hole's box, grown by half of its longer side."""
    y, x = np.nonzero(hole)
    grow = max(np.ptp(y), np.ptp(x)) // 2
    near = np.zeros_like(hole)
    near[max(0, y.min() - grow) : y.max() + grow + 1, max(0, x.min() - grow) : x.max() + grow + 1] = True
    return near


def _dominant(
    I: np.ndarray, valid: np.ndarray, near: np.ndarray, samples: tuple[int, int], count: int, seed: int, bands: Bands
) -> np.ndarray:
    h, w = valid.shape
    nearest = max(h, w) * NEAREST_SHARE
    dy, dx = _rhythm(I, valid, near if np.count_nonzero(near) >= FEWEST else valid, samples, nearest, seed, bands)
    H, W = 2 * h + 1, 2 * w + 1
    histogram = np.bincount((dy + h) * W + dx + w, minlength=H * W).reshape(H, W).astype(np.float32)
    bands.check()
    histogram += histogram[::-1, ::-1] * np.float32(0.5)  # what repeats one way repeats the other way
    bands.check()
    return _peaks(histogram, count) - (h, w)


def _turned(I: np.ndarray, level: Level, near: np.ndarray, seed: int, bands: Bands) -> np.ndarray:
    """The same to the panels below the picture; also some for each panel that stay level: axes of mirrors are upright.

    Only patches with structure are asked: there are few, and where the rest lies in a mirror is chance.
    """
    (h, w), valid, below = near.shape, level.valid, level.valid.copy()
    below[:h] = False
    seen = np.zeros_like(valid)
    seen[:h] = near if np.count_nonzero(near) >= FEWEST else valid[:h]
    if not below.any() or not seen.any():
        return np.empty((0, 2), np.int32)
    structure = cv2.boxFilter(
        cv2.morphologyEx(I, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)).sum(2), -1, (SIDE, SIDE)
    )
    seen, below = _structured(seen, structure), _structured(below, structure)
    dy, dx = _rhythm(I, below, seen, (QUERIES, KEYS), 0, seed, bands)
    H, W = len(valid) + 1, 2 * w + 1
    histogram = np.bincount(dy * W + dx + w, minlength=H * W).reshape(H, W).astype(np.float32)
    count = max(1, LEVEL_ONES // len(level.panels))
    rows = [histogram[r - LEVEL : r + LEVEL + 1].sum(0)[None] for r in level.panels]
    level_ones = [np.add(_peaks(row, count), (r, 0)) for r, row in zip(level.panels, rows, strict=True)]
    return np.concatenate([_peaks(histogram, TURNED), *level_ones]) - (0, w)


def _structured(where: np.ndarray, structure: np.ndarray) -> np.ndarray:
    """Those of `where` (h, w) bool with the highest values, but none of the lowest where any is higher."""
    values = structure[where]
    low, high = values.min(), np.quantile(values, 1 - STRUCTURED)
    return where & ((structure >= high) if high > low or values.max() == low else (structure > low))


def _rhythm(
    I: np.ndarray,
    valid: np.ndarray,
    near: np.ndarray,
    samples: tuple[int, int],
    nearest: float,
    seed: int,
    bands: Bands,
) -> tuple[np.ndarray, np.ndarray]:
    """dy, dx from sampled patches of `near` to their look-alikes among `valid` at least `nearest` px away."""
    rng = np.random.default_rng(seed)
    qy, qx = _sampled(near, samples[0], rng)
    ky, kx = _sampled(valid, samples[1], rng)
    Q, keys = np.empty((len(qy), COEFFICIENTS), np.float32), np.empty((COEFFICIENTS, len(ky)), np.float32)
    for c, picture in enumerate(descriptors(I)):
        bands.check()
        Q[:, c], keys[c] = picture[qy, qx], picture[ky, kx]
    match = np.full(len(qy), -1, np.int32)
    bands.run(_alike, len(qy), Q, keys, qy, qx, ky, kx, np.float32(nearest**2), match, band=250)
    found = match >= 0
    return (ky[match] - qy)[found], (kx[match] - qx)[found]


def _peaks(histogram: np.ndarray, count: int) -> np.ndarray:
    """(K, 2) int32: places of the highest local maxima, at most `count`."""
    histogram = cv2.GaussianBlur(histogram, (9, 9), 1.4)
    y, x = np.nonzero((histogram == cv2.dilate(histogram, np.ones((5, 5), np.uint8))) & (histogram > 0))
    best = np.argsort(-histogram[y, x], kind="stable")[:count]
    return np.stack([y[best], x[best]], 1).astype(np.int32)


def _sampled(where: np.ndarray, count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates of at most `count` true pixels, int32."""
    y, x = np.nonzero(where)
    if len(y) > count:
        pick = rng.permutation(len(y))[:count]
        y, x = y[pick], x[pick]
    return y.astype(np.int32), x.astype(np.int32)


def _along_axes(sources: np.ndarray, y: np.ndarray, x: np.ndarray, check: Check) -> list[tuple[int, int]]:
    """Two horizontal and two vertical offsets, each the one that serves most of what the former left."""
    dy, dx = _steps(sources.shape)
    some = slice(None, None, max(1, len(y) // 500))
    across, down = np.stack([0 * dx, dx], 1), np.stack([dy, 0 * dy], 1)
    return [o for line in (across, down) for o in _greedy(line, sources, y[some], x[some], 2, check)]


def _covering(sources: np.ndarray, y: np.ndarray, x: np.ndarray, check: Check) -> list[tuple[int, int]]:
    """Up to 10 offsets from a coarse grid for the pixels (y, x)."""
    dy, dx = _steps(sources.shape)
    grid = np.stack(np.meshgrid(dy, dx, indexing="ij"), -1).reshape(-1, 2)
    some = slice(None, None, max(1, len(y) // 400))
    return _greedy(grid, sources, y[some], x[some], 10, check)


def _steps(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    h, w = shape
    step = max(1, min(h, w) // 24)
    return np.arange(-(h // step), h // step + 1) * step, np.arange(-(w // step), w // step + 1) * step


def _greedy(
    grid: np.ndarray, sources: np.ndarray, y: np.ndarray, x: np.ndarray, most: int, check: Check
) -> list[tuple[int, int]]:
    covers = serves(grid, sources, y, x, check)
    price = LENGTH_PRICE * np.hypot(grid[:, 0], grid[:, 1]) / math.hypot(*sources.shape)
    chosen: list[tuple[int, int]] = []
    while len(chosen) < most and len(covers):
        check()
        share = covers.mean(0)
        if not share.any():
            break
        best = int(np.where(share > 0, share - price, -np.inf).argmax())
        chosen.append((int(grid[best, 0]), int(grid[best, 1])))
        covers = covers[~covers[:, best]]
    return chosen


@njit(nogil=True, fastmath=True, cache=True)
def _alike(low, high, Q, keys, qy, qx, ky, kx, nearest, match):
    """match[i] = the key most like query i among those at least sqrt(nearest) px away, -1 if there is none."""
    dims, n = keys.shape
    d = np.empty(TILE, np.float32)
    for i in range(low, high):
        least = FAR
        for start in range(0, n, TILE):
            m = min(TILE, n - start)
            d[:m] = 0
            for c in range(dims):
                q = Q[i, c]
                row = keys[c, start : start + m]
                for j in range(m):
                    t = row[j] - q
                    d[j] += t * t
            for j in range(m):
                if d[j] < least:
                    dy, dx = ky[start + j] - qy[i], kx[start + j] - qx[i]
                    if dy * dy + dx * dx >= nearest:
                        least = d[j]
                        match[i] = start + j
