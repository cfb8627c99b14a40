"""Meeting the old picture's tone: skies fade and lenses darken towards the border, copies from elsewhere do not know.

`poisson` closes the seam within about 10 px, which leaves a frame of another tone. Here the step along the rim,
averaged so that only its tone is left, is spread as a membrane that fades over a tenth of the picture (Perez, Gangnet &
Blake, SIGGRAPH 2003, spread the same boundary difference; push-pull stands in for the solver).
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.match import Field
from frisket.engines.patch.poisson import SCREEN
from frisket.engines.patch.smooth import pushpull
from frisket.engines.patch.vote import voted

REACH = 0.1  # of the longer side: where the membrane has faded to 1/e
AVERAGED = 0.06  # of the longer side: along the rim; less lets structure through as streaks
LIMIT = 40.0  # grey levels: a greater step is an edge of the picture, not its tone


GRID = 400  # cells along the longer side: a tone needs no more


def rise(I: np.ndarray, hole: np.ndarray, field: Field, weight: np.ndarray, bands: Bands) -> np.ndarray:
    """(m, 4) float32: what to add to the blended fill at the pixels of hole (h, w) bool, in raster order.

    It is 0 at the rim, where the blend is right already, and far away. I: (h, w, 4) float32, known outside the hole.
    weight: (n,) float32 of the field's targets. Raises errors.Cancelled from `bands`.
    """
    rim = (cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & ~hole
    y, x = (a.astype(np.int32) for a in np.nonzero(rim))
    step = np.clip(I[y, x] - voted(I, field, weight, y, x, bands), -LIMIT, LIMIT)
    h, w = hole.shape
    longer = max(h, w)
    cell = max(1.0, longer / GRID)
    E = _membrane((y / cell).astype(int), (x / cell).astype(int), step, (math.ceil(h / cell), math.ceil(w / cell)))
    bands.check()
    E = cv2.resize(E, (w, h), interpolation=cv2.INTER_LINEAR)[hole]
    bands.check()
    away = cv2.distanceTransform((~rim).astype(np.uint8), cv2.DIST_L2, 3)[hole]
    bands.check()
    blend = np.float32(math.sqrt(SCREEN))
    return E * (np.exp(-away * min(blend, np.float32(1 / (REACH * longer)))) - np.exp(-away * blend))[:, None]


def _membrane(y: np.ndarray, x: np.ndarray, step: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """(*shape, c) float32: step (m, c), given at the cells (y, x), averaged along the rim and spread over all cells."""
    at, cells = y * shape[1] + x, shape[0] * shape[1]
    side = round(AVERAGED * max(shape)) | 1
    sums = np.stack([np.bincount(at, v, cells) for v in (*step.T, np.ones(len(step)))], -1)
    mean = cv2.blur(sums.reshape(*shape, -1).astype(np.float32), (side, side), borderType=cv2.BORDER_CONSTANT)
    there = np.bincount(at, minlength=cells).reshape(shape) > 0
    E = np.where(there[..., None], mean[..., :-1] / np.maximum(mean[..., -1:], np.float32(1e-9)), 0)
    return pushpull(E.astype(np.float32), there)
