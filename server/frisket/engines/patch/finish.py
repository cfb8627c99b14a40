"""The last step of a variation: full size, no seam along what stays, everything else untouched."""

from __future__ import annotations

import math

import cv2
import numpy as np

from frisket.engines.patch.bands import Bands
from frisket.engines.patch.between import voted
from frisket.engines.patch.climb import Answer
from frisket.engines.patch.detail import copied
from frisket.engines.patch.ladder import Rung
from frisket.engines.patch.poisson import SCREEN
from frisket.engines.patch.smooth import pushpull
from frisket.engines.patch.subject import Subject
from frisket.raster import spans
from frisket.raster.spans import mapped, places, row_spans

LIMIT = 0.6  # of the standard deviation: a greater step along the rim is an edge of the picture, not a seam
MARGIN = 136  # px: farther from the rim the membrane is 1e-6 of what it is there, or less
RIM_SPAN = 1 << 20  # px that the distance to the rim is sought in: about 10 ms
STRIP = 250_000  # px that are worked on at a time


def finished(
    crop: np.ndarray, subject: Subject, full: Rung, answer: Answer, deviation: float, wraps: bool, bands: Bands
) -> np.ndarray:
    """(h, w, c) float32 like crop, and equal to it outside full.hole; alpha is the crop's everywhere.

    deviation: standard deviation of the picture, working values.
    """
    out = spans.copied(crop, bands.check)
    hole = full.hole
    rise = _rise(subject, full, answer, deviation, wraps, bands)
    rows = max(1, STRIP // hole.shape[1])
    for top in range(0, hole.shape[0], rows):
        y, x = (a.astype(np.int32) for a in np.nonzero(hole[top : top + rows]))
        y += np.int32(top)
        values = _votes(full, answer, y, x, wraps, bands)
        if rise is not None:
            values += rise[y, x]
        values = np.where(np.isnan(values), full.V[y, x], values)
        alpha = None if subject.alpha is None else subject.alpha[y, x]
        out[y, x] = subject.leave(values, alpha)
    return out


def _votes(full: Rung, answer: Answer, y: np.ndarray, x: np.ndarray, wraps: bool, bands: Bands) -> np.ndarray:
    """(m, 4) float32: colours for pixels of the full picture, also for those just beside the hole."""
    if answer.field.index.shape == full.hole.shape:
        return voted(full.V, answer.field, answer.weight, y, x, bands, wraps)
    return copied(full.V, answer.field, y, x, bands, wraps)


def _rise(
    subject: Subject, full: Rung, answer: Answer, deviation: float, wraps: bool, bands: Bands
) -> np.ndarray | None:
    """(h, w, 4) float32: what to add so that the votes meet the known pixels; None when there are none.

    Wanted is the picture with the votes' gradients, screened by the votes, that equals the known pixels along the rim.
    Its difference to the votes, e, solves laplacian(e) = SCREEN e with e known on the rim: a membrane that fades as
    exp(-sqrt(SCREEN) distance). The membrane is taken from push-pull.
    """
    rim = cv2.dilate(full.hole.view(np.uint8), np.ones((3, 3), np.uint8))
    bands.check()
    rim = mapped(lambda r, h, s: (r > 0) & ~h & s, bool, bands.check, rim, full.hole, subject.solid)
    y, x = places(rim, bands.check)
    if not len(y):
        return None
    e = full.V[y, x] - _votes(full, answer, y, x, wraps, bands)
    voted_for = ~np.isnan(e[:, 0])
    y, x, e = y[voted_for], x[voted_for], e[voted_for]
    rim[:] = False
    rim[y, x] = True
    rise = spans.filled(full.V.shape, 0, np.float32, bands.check)
    rise[y, x] = np.clip(e, -LIMIT * deviation, LIMIT * deviation)
    away = _away(rim, bands)
    fading = np.float32(-math.sqrt(SCREEN))
    rise = pushpull(rise, rim, bands.check)
    return mapped(lambda r, a: r * np.exp(fading * a)[..., None], np.float32, bands.check, rise, away)


def _away(rim: np.ndarray, bands: Bands) -> np.ndarray:
    """(h, w) float32 px: how far the nearest pixel of `rim` (h, w) bool is; up to MARGIN, beyond it at least that."""
    out = np.empty(rim.shape, np.float32)
    for rows in row_spans(rim.shape, bands.check, RIM_SPAN):
        above = min(MARGIN, rows.start)
        near = rim[rows.start - above : rows.stop + MARGIN]
        if near.any():
            away = cv2.distanceTransform((~near).view(np.uint8), cv2.DIST_L2, 3)
            out[rows] = away[above : above + rows.stop - rows.start]
        else:
            out[rows] = max(rim.shape)
    return out
