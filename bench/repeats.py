"""Does a grown picture repeat itself? Pictures are (h, w, 3) uint8 RGB, holes (h, w) bool, True = new.

All three figures are made from the result alone, so any filler can be measured. Patches are compared by normalised
cross-correlation (NCC) of luma, at a size of 256 px for the longer side; flat ones (deviation below 6 levels) are left
out, for clear sky always resembles clear sky.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

SIDE = 256  # px, longer side at which repetition is looked for: what shows at a glance
PATCH = 13  # px there
STRIDE = 2  # px between the patches of the area that is searched
QUERIES = 800
FLAT = 6.0  # grey levels
SAME = 0.9  # NCC: a copy, though voted, blended and resampled
ONE_OF_A_KIND = 0.7  # NCC: a patch whose best double is less alike has none
APART = 1 / 6  # of the longer side of the old picture: nearer patches show the same thing
STRIP = 0.1  # of the old picture: depth of the strips that are compared with their mirror image


@dataclass(frozen=True, slots=True)
class Repeats:
    """ghosts: share of textured new patches that copy a one-of-a-kind patch of the old picture: second cups.

    periodic: share of textured new patches with a copy elsewhere in the new area, less the same share of the old
    picture with itself: wallpaper. mirrored: NCC of the strip outside a border with the mirrored strip inside, high
    frequencies only, the mean over the grown sides; 1 = a mirror. nan where nothing is textured.
    """

    ghosts: float
    periodic: float
    mirrored: float


def repeats(filled: np.ndarray, hole: np.ndarray) -> Repeats:
    """About a second. Raises ValueError when nothing is known."""
    if hole.all():
        raise ValueError("nothing is known")
    luma = cv2.cvtColor(filled, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return Repeats(*_copied(luma, hole), _mirrored(luma, hole))


def _copied(luma: np.ndarray, hole: np.ndarray) -> tuple[float, float]:
    scale = min(1.0, SIDE / max(luma.shape))
    size = (round(luma.shape[1] * scale), round(luma.shape[0] * scale))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    share = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    new, old = _patches(small, share > 0.999), _patches(small, share < 0.001)
    if not len(new[0]) or not len(old[0]):
        return float("nan"), float("nan")
    apart = APART * max(np.ptp(old[1]), np.ptp(old[2]), 1)
    best, where = _best(new, old, 0)
    picked = old[0][where], old[1][where], old[2][where]
    lonely = _best(picked, old, apart)[0] < ONE_OF_A_KIND
    queries = best[: len(where)]
    ghosts = float(((queries > SAME) & lonely).mean())
    within = float((_best(new, new, PATCH)[0] > SAME).mean() - (_best(old, old, PATCH)[0] > SAME).mean())
    return ghosts, within


def _patches(small: np.ndarray, area: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, PATCH^2) float32 of zero mean and length 1, and their corners y, x; only whole and textured ones."""
    views = np.lib.stride_tricks.sliding_window_view(small, (PATCH, PATCH))[::STRIDE, ::STRIDE]
    whole = np.lib.stride_tricks.sliding_window_view(area, (PATCH, PATCH))[::STRIDE, ::STRIDE].all((2, 3))
    y, x = np.nonzero(whole)
    patches = views[y, x].reshape(len(y), -1)
    patches = patches - patches.mean(1, keepdims=True)
    length = np.linalg.norm(patches, axis=1)
    textured = length > FLAT * PATCH
    return patches[textured] / length[textured, None], y[textured] * STRIDE, x[textured] * STRIDE


def _best(
    queries: tuple[np.ndarray, np.ndarray, np.ndarray], keys: tuple[np.ndarray, np.ndarray, np.ndarray], apart: float
) -> tuple[np.ndarray, np.ndarray]:
    """NCC and index of the best key for up to QUERIES evenly spread queries, among those at least `apart` px away."""
    some = np.linspace(0, len(queries[0]) - 1, min(QUERIES, len(queries[0]))).astype(int)
    found, where = [], []
    for part in np.array_split(some, max(1, len(some) // 100)):
        ncc = queries[0][part] @ keys[0].T
        if apart:
            away = np.hypot(queries[1][part][:, None] - keys[1], queries[2][part][:, None] - keys[2])
            ncc[away < apart] = -1
        where.append(ncc.argmax(1))
        found.append(ncc.max(1))
    return np.concatenate(found), np.concatenate(where)


def _mirrored(luma: np.ndarray, hole: np.ndarray) -> float:
    fine = luma - cv2.GaussianBlur(luma, (0, 0), 8)
    rows, columns = np.nonzero(~hole.all(1))[0], np.nonzero(~hole.all(0))[0]
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    upright, sideways = fine[:, left:right], fine[top:bottom].T  # the border in question runs along the first axis
    found = []
    for area, edge, end in ((upright, top, bottom), (sideways, left, right)):
        depth = round(STRIP * (end - edge))
        if edge >= depth:
            found.append(_alike(area[edge - depth : edge], area[edge : edge + depth][::-1]))
        if len(area) - end >= depth:
            found.append(_alike(area[end : end + depth], area[end - depth : end][::-1]))
    return float(np.nanmean(found)) if found else float("nan")


def _alike(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / lengths if lengths else float("nan")
