"""Sources that are turned: the picture again, mirrored, rotated or scaled, to copy from.

Generalised PatchMatch (Barnes, Shechtman, Goldman & Finkelstein, ECCV 2010) gives every source an angle and a scale of
its own. Here there are a few fixed turns, and each is a further picture below the real one, in panels of equal height:

    row 0       the picture: targets and sources
    row R       the first turned picture: sources only
    row 2 R     the second ...

A source is then still a place (y, x), a neighbour still proposes the place beside its own, and a shape that needs
another angle is followed as a shift within one panel. R is a multiple of 2^levels, so that offsets may be doubled from
level to level across panels.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from frisket.engines.patch.match import SIDE, valid_sources
from frisket.engines.patch.pyramid import Level, halved
from frisket.engines.patch.smooth import pushpull
from frisket.raster.pixels import extremes
from frisket.raster.spans import copy_into, row_spans

MOST_PIXELS = 24_000_000  # of all panels: 16 bytes each. Beyond that panels show a band around the hole only
MARGIN = 8  # px: more than what the blur before scaling down reaches, 4 sigma of 0.7 px
BLUR = 3  # px next to unknown ones that interpolation may have touched


@dataclass(frozen=True, slots=True)
class Turn:
    """mirrored: left and right change places, before the rest. angle: degrees, anticlockwise. scale: 2 = twice as
    large."""

    mirrored: bool = False
    angle: float = 0.0
    scale: float = 1.0


MIRRORED = (Turn(mirrored=True),)
ROTATED = tuple(Turn(angle=a) for a in (-90.0, -45.0, -22.5, 22.5, 45.0, 90.0, 180.0))
SCALED = tuple(Turn(scale=s) for s in (0.6, 0.8, 1.25, 1.6))
TURNS: dict[str, tuple[Turn, ...]] = {
    "none": (),
    "mirrored": MIRRORED,
    "rotated": ROTATED,
    "scaled": SCALED,
    "any": MIRRORED + ROTATED + SCALED,
}


def with_turns(levels: list[Level], turns: tuple[Turn, ...], check: Callable[[], None]) -> list[Level]:
    """The same levels with turned pictures below: I, sources and valid get more rows, known does not.

    The upper rows are what they were. check: called between panels, may raise errors.Cancelled.
    """
    if not turns:
        return levels
    first = levels[0]
    h, w = first.known.shape
    step = 1 << (len(levels) - 1)
    gap = SIDE + 2  # of a level's px: no source patch may reach across
    height = _panel_height(first, len(turns), step)
    start = _rounded_up(h + gap * step, step)
    pitch = _rounded_up(height + gap * step, step)
    I = np.zeros((start + len(turns) * pitch, w, first.I.shape[2]), np.float32)
    shown = np.zeros(I.shape[:2], bool)
    copy_into(I[:h], first.I, check)
    shown[:h] = first.sources
    whole, centre = pushpull(first.I, first.known, check), _centre(~first.known)
    for n, turn in enumerate(turns):
        check()
        rows = slice(start + n * pitch, start + n * pitch + height)
        panel, shown[rows] = turned(whole, first.sources, turn, centre, height, check)
        copy_into(I[rows], panel, check)
    tall = []
    for level in levels:
        if tall:
            check()
            I, shown = halved(I, shown, check)
        rows = slice(0, len(level.known))
        copy_into(I[rows], level.I, check)
        shown[rows] = level.sources
        valid = valid_sources(shown, check)
        valid[rows] = level.valid
        starts = tuple((start + n * pitch) >> len(tall) for n in range(len(turns)))
        tall.append(Level(I, level.known, shown, valid, starts))
    return tall


def turned(
    I: np.ndarray,
    sources: np.ndarray,
    turn: Turn,
    centre: tuple[float, float],
    height: int,
    check: Callable[[], None] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """A window (height, w, c) float32 of the turned I (h, w, c), and which of it may be copied, (height, w) bool.

    The window lies around `centre` (y, x) of I, or nearer to the middle of I, so that it shows as much as it can.
    Mirrors and quarter turns are exact, others are cubic.
    """
    h, w = sources.shape
    angle = math.radians(turn.angle)
    cos, sin = turn.scale * round(math.cos(angle), 12), turn.scale * round(math.sin(angle), 12)
    sign = -1.0 if turn.mirrored else 1.0
    # From the window's (x, y) back to the picture's: the inverse of mirror, then rotate and scale.
    back = np.array([[cos, -sin], [sin, cos]]) / turn.scale**2
    back[0] *= sign
    exact = turn.scale == 1 and turn.angle % 90 == 0
    reach = np.abs(back) @ [w / 2, height / 2]
    cy, cx = (_within(c, r, n) for c, r, n in zip(centre, reach[::-1], (h, w), strict=True))
    offset = np.array([cx, cy]) - back @ [(w - 1) / 2, (height - 1) / 2]
    if exact:
        offset, back = np.rint(offset + 1e-6), np.rint(back)
    matrix = np.concatenate([back, offset[:, None]], 1)
    if turn.scale < 1:  # what is drawn smaller must not alias
        I = _blurred(I, 0.5 * math.sqrt(turn.scale**-2 - 1), check)
    how = (cv2.INTER_NEAREST if exact else cv2.INTER_CUBIC) | cv2.WARP_INVERSE_MAP
    sound = sources.view(np.uint8)
    if not exact:
        sound = cv2.erode(sound, np.ones((2 * BLUR + 1,) * 2, np.uint8))
    # Cubic interpolation overshoots: nothing may leave the range of the picture.
    low, high = extremes(I, check)
    out, shown = np.empty((height, w, I.shape[2]), np.float32), np.empty((height, w), bool)
    for rows in row_spans(shown.shape, check):
        here, size = matrix.copy(), (w, rows.stop - rows.start)
        here[:, 2] += back[:, 1] * rows.start
        out[rows] = np.clip(cv2.warpAffine(I, here, size, flags=how, borderMode=cv2.BORDER_REFLECT), low, high)
        shown[rows] = cv2.warpAffine(sound, here, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP, borderValue=0)
    return out, shown


def _blurred(I: np.ndarray, sigma: float, check: Callable[[], None] | None) -> np.ndarray:
    out = np.empty_like(I)
    for rows in row_spans(I.shape, check):
        above = min(MARGIN, rows.start)
        part = cv2.GaussianBlur(I[rows.start - above : rows.stop + MARGIN], (0, 0), sigma)
        out[rows] = part[above : above + rows.stop - rows.start]
    return out


def _within(centre: float, reach: float, length: int) -> float:
    """The place nearest to `centre` from which nothing within `reach` px lies beyond 0...length; else the middle."""
    if 2 * reach >= length:
        return (length - 1) / 2
    return min(max(centre, reach - 0.5), length - 0.5 - reach)


def _panel_height(level: Level, count: int, step: int) -> int:
    h, w = level.known.shape
    return min(h, max(step, MOST_PIXELS // (count * w)))


def _rounded_up(n: int, step: int) -> int:
    return -(-n // step) * step


def _centre(hole: np.ndarray) -> tuple[float, float]:
    """(y, x) of the middle of the hole's box."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    return (rows[0] + rows[-1]) / 2, (columns[0] + columns[-1]) / 2
