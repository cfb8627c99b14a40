"""What stands out from what is around: a guess at a picture's subject, and GrabCut to make a mask of it. No weights.

Pictures are (h, w, 3) uint8 in CIE L*a*b*, maps and masks (h, w).
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from frisket.raster.spans import Check

Map = NDArray[np.float32]
Where = NDArray[np.bool_]
Picture = NDArray[np.uint8]

PASSES = 4  # over the picture, to and fro in turn
BORDER = 0.06  # of the shorter side: the strips whose colours are taken for the background's
FAINT = 12.0  # levels of 255: a picture in which nothing stands out more than this has no subject
ROUNDS = 4  # of GrabCut
CERTAIN = 0.85  # of the guess, 0...1: nothing takes this from the subject
ROUGHLY = 0.3  # of Otsu's limit: what is roughly selected is likely the subject, so less must stand out (bench.subject)
BODY, AROUND = np.float32(0.7), np.float32(0.6)  # of the guess where people are: at least; what is left of others
WIDE = 0.45  # of the longer side: how fast the guess fades away from the middle


@njit(nogil=True, cache=True)
def _barriers(plane: np.ndarray, known: np.ndarray, passes: int) -> np.ndarray:
    """For each px the least range of values on a way to a px of `known` (Zhang et al., see `distances`)."""
    height, width = plane.shape
    far = np.where(known, np.float32(0), np.float32(1e6))
    top, bottom = plane.copy(), plane.copy()
    for turn in range(passes):
        step = 1 if turn % 2 == 0 else -1
        for i in range(height):
            y = i if step > 0 else height - 1 - i
            for j in range(width):
                x = j if step > 0 else width - 1 - j
                for axis in range(2):
                    v, u = (y - step, x) if axis == 0 else (y, x - step)
                    if v < 0 or u < 0 or v >= height or u >= width:
                        continue
                    high, low = max(top[v, u], plane[y, x]), min(bottom[v, u], plane[y, x])
                    if high - low < far[y, x]:
                        far[y, x], top[y, x], bottom[y, x] = high - low, high, low
    return far


def distances(lab: Picture, known: Where, check: Check) -> Map:
    """How much stands between each px and `known`, what is no subject: 0 there; levels of 255, summed over channels.

    Zhang, Sclaroff, Lin, Shen, Price and Mech, "Minimum Barrier Salient Object Detection at 80 FPS" (ICCV 2015), with
    that paper's distance to the colours of `known` added to it, which is not fooled by a subject that touches them.
    """
    total = np.zeros(known.shape, np.float32)
    for channel in range(3):
        check()
        total += _barriers(lab[..., channel].astype(np.float32), known, PASSES)
    check()
    return total + _strangeness(lab.astype(np.float64), known)


def _strangeness(lab: np.ndarray, known: Where) -> Map:
    """Distance to the colours of the px of `known` on each of four sides, the most alike side left out of the mean."""
    height, width = known.shape
    y, x = np.mgrid[0:height, 0:width]
    side = np.argmin(np.stack([y / height, (height - 1 - y) / height, x / width, (width - 1 - x) / width]), axis=0)
    parts = []
    for number in range(4):
        colours = lab[known & (side == number)]
        if len(colours) < 8:
            continue
        spread = np.cov(colours.T) + 9.0 * np.eye(3)
        off = lab - colours.mean(axis=0)
        parts.append(np.sqrt((off @ np.linalg.inv(spread) * off).sum(axis=-1)))
    if not parts:
        return np.zeros(known.shape, np.float32)
    whole = np.stack([part / max(part.max(), 1.0) for part in parts])
    if len(parts) > 1:
        whole = np.sort(whole, axis=0)[:-1]
    return (85.0 * whole.mean(axis=0)).astype(np.float32)


def guess(lab: Picture, hole: Where, check: Check) -> Map | None:
    """How much each px stands out, 0...1, None where nothing does. hole: where the subject may be; where that is
    everything, the middle of the picture is likelier than its border."""
    height, width = hole.shape
    known = ~hole
    middle = np.ones(hole.shape, np.float32)
    if hole.all():
        strip = max(1, round(BORDER * min(height, width)))
        known = np.ones(hole.shape, bool)
        known[strip : height - strip, strip : width - strip] = False
        y, x = np.mgrid[0:height, 0:width]
        off = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2) / max(height, width)
        middle = np.exp(-((off / WIDE) ** 2)).astype(np.float32)
    found = distances(lab, known, check) * hole
    if found.max() < FAINT:
        return None
    found = np.asarray(cv2.GaussianBlur(found * middle, (0, 0), 1.5), np.float32)
    return found / max(float(np.percentile(found, 99.5)), 1e-6)


def people(faces: Map, shape: tuple[int, int]) -> tuple[Where, Where]:
    """What certainly and what likely belongs to whom these faces are of: the face, and head and trunk around it.

    faces: rows that begin with x, y, width, height of a box. Proportions of a person seen from the front, roughly.
    """
    sure, likely = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    for x, y, w, h in faces[:, :4]:
        middle = (float(x + w / 2), float(y + h / 2))
        for mask, place, size in (
            (sure, middle, (0.7 * w, 0.8 * h)),
            (likely, middle, (1.5 * w, 1.6 * h)),
            (likely, (middle[0], middle[1] + 2.6 * h), (2.8 * w, 3.6 * h)),
        ):
            cv2.ellipse(mask, (place, size, 0.0), 1, -1)
    return sure > 0, likely > 0


def cut(lab: Picture, hole: Where, seed: int, check: Check, faces: Map | None = None) -> Where:
    """The subject: GrabCut (Rother, Kolmogorov and Blake, SIGGRAPH 2004) begun from the guess, and from `people` with
    these faces. None of it beyond the hole; nothing at all where nothing stands out."""
    found = guess(lab, hole, check)
    if found is not None and faces is not None and len(faces):
        sure, body = people(faces, hole.shape)
        found = np.where(sure, np.float32(1), np.where(body, np.maximum(found, BODY), found * AROUND))
    if found is None:
        return np.zeros(hole.shape, bool)
    levels = np.clip(found * 255, 0, 255).astype(np.uint8)
    limit, _ = cv2.threshold(levels[hole].reshape(-1, 1), 0, 255, cv2.THRESH_OTSU)
    likely = (levels > (limit if hole.all() else limit * ROUGHLY)) & hole
    state = np.where(likely, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    state[(found >= CERTAIN) & likely] = cv2.GC_FGD
    state[~hole] = cv2.GC_BGD
    if not likely.any() or (state == cv2.GC_FGD).all():
        return likely
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(seed)
    for turn in range(ROUNDS):
        check()
        mode = cv2.GC_INIT_WITH_MASK if turn == 0 else cv2.GC_EVAL
        cv2.grabCut(lab, state, None, *models, 1, mode)  # type: ignore[call-overload]
    chosen = (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)
    return chosen if chosen.any() else likely
