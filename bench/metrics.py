"""What a filled hole is worth in numbers. Pictures are (h, w, 3) uint8 RGB, holes (h, w) bool, True = filled.

PSNR is here because everybody knows it; it rewards blur, so it alone says little. Texture and seam say more.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

PATCH = 7  # px, side of the patches that are compared
PATCHES = 6000  # drawn with replacement from each picture and scale
PROJECTIONS = 96
SEED = 7  # of patches and projections: the same picture always scores the same
FEWEST = 64  # patches; with fewer places a scale is left out

Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scores:
    """One fill, measured.

    swd, texture: `sliced_wasserstein`, lower is better. sharpness: `sharpness_ratio`, 1 is right. seam: `seam_ratio`,
    1 is right. outside: the greatest change of a sample outside the hole, 0...255, must be 0. psnr: dB in the hole,
    nan without a truth.
    """

    swd: float
    texture: float
    sharpness: float
    seam: float
    outside: int
    psnr: float


def measure(filled: np.ndarray, picture: np.ndarray, hole: np.ndarray, truth: np.ndarray | None = None) -> Scores:
    """Score `filled` against the truth where there is one, else against a ring of `picture` around the hole.

    Raises ValueError when the sizes differ.
    """
    if not filled.shape == picture.shape == (*hole.shape, 3):
        raise ValueError(f"the fill is {filled.shape}, the picture {picture.shape}, the hole {hole.shape}")
    inner = _eroded(hole, 5)
    if truth is None:
        ring = ring_of(hole)
        swd, texture = sliced_wasserstein(filled, inner, picture, _eroded(ring, PATCH))
        sharpness = sharpness_ratio(filled, inner, picture, ring)
    else:
        swd, texture = sliced_wasserstein(filled, hole, truth, hole)
        sharpness = sharpness_ratio(filled, inner, truth, inner)
    decibels = float("nan") if truth is None else psnr(filled, truth, hole)
    return Scores(swd, texture, sharpness, seam_ratio(filled, hole), outside_change(filled, picture, hole), decibels)


def sliced_wasserstein(a: np.ndarray, where_a: np.ndarray, b: np.ndarray, where_b: np.ndarray) -> Pair:
    """Distance of the 7x7 patches centred in a[where_a] and in b[where_b], as they are and with their mean removed.

    Sliced Wasserstein-1 (Rabin, Peyre, Delon & Bernot, SSVM 2011) in units of samples (0...255), the mean over full and
    half resolution; a patch has one mean per channel. (nan, nan) when there are too few patches. About 0.3 s.
    """
    found = []
    for scale in range(2):
        if scale:
            a, b, where_a, where_b = _half(a), _half(b), _half_of_mask(where_a), _half_of_mask(where_b)
        p, q = _patches(a, where_a), _patches(b, where_b)
        if p is None or q is None:
            continue
        directions = np.random.default_rng(SEED + scale).standard_normal((p.shape[1], PROJECTIONS)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        found.append([_projected_distance(*pair, directions) for pair in ((p, q), (_centred(p), _centred(q)))])
    if not found:
        return float("nan"), float("nan")
    raw, texture = np.mean(found, axis=0)
    return float(raw), float(texture)


def sharpness_ratio(a: np.ndarray, where_a: np.ndarray, b: np.ndarray, where_b: np.ndarray) -> float:
    """Mean gradient of luma in a[where_a] over that in b[where_b]: below 1 is blurred, above 1 is noisy."""
    return float(_gradient(a)[where_a].mean() / max(_gradient(b)[where_b].mean(), 1e-3))


def seam_ratio(filled: np.ndarray, hole: np.ndarray) -> float:
    """Mean step of luma between neighbours on both sides of the hole's edge, over that of pairs 2 to 6 px beside it.

    Above 1 the edge shows; well below 1 it is smoother than what lies around. nan for a hole without an edge.
    """
    luma = _luma(filled)
    at_edge, beside = [], []
    for axis in (1, 0):
        step, edge = np.abs(np.diff(luma, axis=axis)), np.diff(hole, axis=axis)
        at_edge.append(step[edge])
        beside.append(step[_dilated(edge, 13) & ~_dilated(edge, 3)])
    crossing, near = np.concatenate(at_edge), np.concatenate(beside)
    if not len(crossing) or not len(near):
        return float("nan")
    return float(crossing.mean() / max(near.mean(), 0.5))


def outside_change(filled: np.ndarray, picture: np.ndarray, hole: np.ndarray) -> int:
    """Greatest difference of a sample outside the hole, 0...255."""
    if hole.all():
        return 0
    return int(np.abs(filled[~hole].astype(np.int16) - picture[~hole]).max())


def psnr(filled: np.ndarray, truth: np.ndarray, hole: np.ndarray) -> float:
    """dB over the hole alone."""
    error = np.square(filled[hole].astype(np.float64) - truth[hole]).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-6)))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity (Wang et al., IEEE TIP 13, 2004) of two pictures, the mean of their channels: 11 x 11 px
    windows, a Gaussian of 1.5 px; those that reach beyond the border are left out. At least 11 x 11 px."""

    def mean(v: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(v, (11, 11), 1.5))[5:-5, 5:-5]

    x, y = a.astype(np.float64), b.astype(np.float64)
    mx, my = mean(x), mean(y)
    vx, vy, both = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(np.mean((2 * mx * my + c1) * (2 * both + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))))


def ring_of(hole: np.ndarray) -> np.ndarray:
    """(h, w) bool: the surroundings, up to 8 % of the picture's longer side away and at least 24 px."""
    reach = max(24, int(0.08 * max(hole.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    return cv2.dilate(hole.astype(np.uint8), disc).astype(bool) & ~hole


def _patches(picture: np.ndarray, where: np.ndarray) -> np.ndarray | None:
    """(PATCHES, 7 * 7 * 3) float32 around places drawn from `where`, whole patches only."""
    reach = PATCH // 2
    whole = np.zeros_like(where)
    whole[reach:-reach, reach:-reach] = where[reach:-reach, reach:-reach]
    ys, xs = np.nonzero(whole)
    if len(ys) < FEWEST:
        return None
    drawn = np.random.default_rng(SEED).integers(0, len(ys), PATCHES)
    offset = np.arange(-reach, reach + 1)
    rows = ys[drawn][:, None, None] + offset[:, None]
    columns = xs[drawn][:, None, None] + offset[None]
    return picture[rows, columns].reshape(PATCHES, -1).astype(np.float32)


def _centred(patches: np.ndarray) -> np.ndarray:
    by_channel = patches.reshape(len(patches), -1, 3)
    return (by_channel - by_channel.mean(axis=1, keepdims=True)).reshape(len(patches), -1)


def _projected_distance(p: np.ndarray, q: np.ndarray, directions: np.ndarray) -> float:
    return float(np.abs(np.sort(p @ directions, axis=0) - np.sort(q @ directions, axis=0)).mean())


def _half(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _half_of_mask(mask: np.ndarray) -> np.ndarray:
    return _half(mask.astype(np.uint8) * 255) > 127


def _luma(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)


def _gradient(picture: np.ndarray) -> np.ndarray:
    """(h, w) float32: length of the forward difference of luma, 0 past the last row and column."""
    luma = _luma(picture)
    gx, gy = np.zeros_like(luma), np.zeros_like(luma)
    gx[:, :-1], gy[:-1] = np.diff(luma, axis=1), np.diff(luma, axis=0)
    return np.hypot(gx, gy)


def _eroded(mask: np.ndarray, side: int) -> np.ndarray:
    """What lies past the picture's border counts as part of the mask."""
    kernel = np.ones((side, side), np.uint8)
    return cv2.erode(mask.astype(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=1).astype(bool)


def _dilated(mask: np.ndarray, side: int) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)).astype(bool)
