"""OpenCV's Haar cascades at work.

A cascade by itself takes many things for faces. Here one proposes and two others, trained apart, have to agree: at a
true face each of them fires at many places and scales around it, at a false one hardly. The sum of their hits is what
the score is made of. Heads that are tilted are found in the picture turned to both sides, profiles (from the side) by
a cascade of their own on the picture and its mirror. The method: Viola and Jones, 2001; Lienhart and Maydt, 2002.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from frisket.engines.faces import rows as faces
from frisket.engines.faces.align import TEMPLATE, applied, box_of, inverse
from frisket.engines.faces.looking import Picture
from frisket.engines.faces.rows import Rows
from frisket.raster.geometry import Size
from frisket.raster.spans import Check

FILES = {
    "first": "haarcascade_frontalface_alt2.xml",
    "second": "haarcascade_frontalface_default.xml",
    "third": "haarcascade_frontalface_alt.xml",
    "profile": "haarcascade_profileface.xml",
    "eye": "haarcascade_eye.xml",
}
STEP = 1.1  # from one window's size to the next
SMALLEST = 24  # px: the window of the cascades
TURNED = (0.0, 22.0, -22.0)  # degrees: a head may be tilted by some 15 to either side of each
GROUP = (3, 0.2)  # OpenCV's: hits it takes to be one thing, and by how much of their size they may differ
EDGE, GRAY = 48, 127  # px of gray around the picture, in which the missing part of a face at its border may lie
BAND = 320  # px of rows in which small windows are looked for at once: some 30 ms, of 1280 px each
# Hits of the three together that make a face as likely as not: fewer for small ones, around which windows are coarse.
NEEDED = ((24.0, 12.0), (36.0, 18.0), (48.0, 30.0))
SURE = 0.75  # a score above which nobody looks for a better one in the turned picture
PROFILE_NEEDED = 8.0  # of the one that knows profiles
# A cascade's square in the template, by the median of the five points in the faces of `bench.faces`.
SQUARE = (92.0, 119.0, 325.0)  # left, top, side
EYES = 192  # px: the square's size in which eyes are looked for
EYE_HITS = 12  # on each side
Gray = NDArray[np.uint8]


class Haar:
    """The cascades, and how they look for faces together. Raises FileNotFoundError where OpenCV came without them."""

    def __init__(self) -> None:
        folder = Path(cv2.__file__).parent / "data"
        self._cascades = {name: cv2.CascadeClassifier(str(folder / file)) for name, file in FILES.items()}
        missing = [FILES[name] for name, cascade in self._cascades.items() if cascade.empty()]
        if missing:
            raise FileNotFoundError(f"OpenCV came without {', '.join(missing)} in {folder}")

    def find(self, picture: Picture, check: Check) -> Rows:
        """Faces in an RGB picture (h, w, 3), in its px."""
        gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
        if min(gray.shape) < SMALLEST:
            return faces.none()
        edge = min(min(gray.shape) // 6, EDGE)
        gray = np.pad(gray, edge, constant_values=GRAY)
        check()
        known = faces.none()
        for degrees in TURNED:
            known = faces.best(faces.stacked([known, *self._frontal(gray, degrees, known, check)]))
        sides = [row for mirrored in (False, True) for row in self._profiles(gray, mirrored, check)]
        found = [*known, *(row for row in sides if _apart(row[:2] + row[2:4] / 2, known))]
        return faces.moved(faces.best(faces.stacked(found)), -edge, -edge)

    def _frontal(self, gray: Gray, degrees: float, known: Rows, check: Check) -> list[Rows]:
        """Faces tilted by that much, but those that are surely `known` already."""
        turned, back = _turned(gray, degrees)
        check()
        found = []
        sure = known[known[:, faces.SCORE] >= SURE]
        for square, hits in _everywhere(self._cascades["first"], turned, check):
            middle = applied(back, np.array([(square[0] + square[2] / 2, square[1] + square[2] / 2)]))[0]
            if not _apart(middle, sure):
                continue
            votes = [hits, *(self._agrees(name, turned, square) for name in ("second", "third"))]
            check()
            size = square[2]
            needed = np.interp(size, *np.transpose(NEEDED))
            if min(votes) == 0 and size >= NEEDED[-1][0]:
                continue
            points = applied(back, self._points(turned, square))
            box = box_of(points)
            check()
            if box is not None:
                found.append(faces.row(box, points, sum(votes) / (sum(votes) + needed)))
        return found

    def _agrees(self, name: str, gray: Gray, square: Sequence[int]) -> int:
        """How often another cascade fires at the same place and size."""
        x, y, size, _ = square
        left, top = max(0, x - size // 2), max(0, y - size // 2)
        piece = np.ascontiguousarray(gray[top : y + size + size // 2, left : x + size + size // 2])
        low, high = max(SMALLEST, int(size / 1.5)), int(size * 1.5)
        raw = self._cascades[name].detectMultiScale(piece, STEP, 0, 0, (low, low), (high, high))
        own = np.array([x - left, y - top, size, size])
        return sum(_same(own, other) for other in np.reshape(raw, (-1, 4)))

    def _points(self, gray: Gray, square: Sequence[int]) -> np.ndarray:
        """The five points (5, 2): from both eyes where they are seen, else where they are in most faces."""
        left, top, side = SQUARE
        x, y, size, _ = square
        usual = (TEMPLATE - (left, top)) * (size / side) + (x, y)
        eyes = self._eyes(gray[max(0, y) : y + size * 5 // 8, max(0, x) : x + size])
        if eyes is None:
            return usual
        p, t = eyes @ (1, 1j) * (size / EYES) + complex(max(0, x), max(0, y)), TEMPLATE @ (1, 1j)
        turn = (p[1] - p[0]) / (t[1] - t[0])
        points = p[0] + turn * (t - t[0])
        return np.stack([points.real, points.imag], axis=1)

    def _eyes(self, brow: Gray) -> np.ndarray | None:
        """Right and left eye (2, 2) in px of a square of EYES px, in its upper part."""
        how = cv2.INTER_AREA if brow.shape[1] > EYES else cv2.INTER_CUBIC
        seen = np.asarray(cv2.resize(brow, (EYES, EYES * 5 // 8), interpolation=how), np.uint8)
        boxes, hits = self._cascades["eye"].detectMultiScale2(seen, 1.05, GROUP[0], 0, (30, 30), (80, 80))
        sides: list[tuple[int, float, float] | None] = [None, None]
        for (x, y, w, h), count in zip(np.reshape(boxes, (-1, 4)), np.ravel(hits), strict=True):
            eye = (int(count), float(x + w / 2), float(y + h / 2))
            number = int(eye[1] > EYES / 2)
            if eye[0] >= EYE_HITS and (sides[number] is None or sides[number] < eye):  # type: ignore[operator]
                sides[number] = eye
        right, left = sides
        if right is None or left is None:
            return None
        apart, off = left[1] - right[1], abs(left[2] - right[2])
        return np.array([right[1:], left[1:]]) if 0.28 < apart / EYES < 0.56 and off < apart * 0.35 else None

    def _profiles(self, gray: Gray, mirrored: bool, check: Check) -> list[Rows]:
        """Faces from the side: a box, and nothing known of the points."""
        seen = np.ascontiguousarray(gray[:, ::-1]) if mirrored else gray
        found = []
        for (x, y, size, _), hits in _everywhere(self._cascades["profile"], seen, check):
            left = gray.shape[1] - x - size if mirrored else x
            found.append(faces.row((left, y, size, size), None, hits / (hits + PROFILE_NEEDED)))
        return found


def _turned(gray: Gray, degrees: float) -> tuple[Gray, np.ndarray]:
    """The picture turned, all of it, and the matrix from there back."""
    if degrees == 0:
        return gray, np.eye(2, 3)
    h, w = gray.shape
    matrix = cv2.getRotationMatrix2D(((w - 1) / 2, (h - 1) / 2), degrees, 1)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = Size(round(w * cos + h * sin), round(w * sin + h * cos))
    matrix[:, 2] += ((size.width - w) / 2, (size.height - h) / 2)
    border = cv2.BORDER_REPLICATE
    turned = cv2.warpAffine(gray, matrix, (size.width, size.height), flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(turned, np.uint8), inverse(matrix)


def _everywhere(cascade: cv2.CascadeClassifier, gray: Gray, check: Check) -> list[tuple[list[int], int]]:
    """Squares that the cascade fires at, with the number of its hits. In pieces: small windows take the longest."""
    raw: list[list[int]] = []
    low = SMALLEST
    while low <= min(gray.shape):
        high = low * 2 if low >= 48 else int(low * 1.5)
        band = max(BAND, 4 * high)
        tops = range(0, max(1, gray.shape[0] - high), band)
        for top in tops:
            part = np.ascontiguousarray(gray[top : top + band + high])
            hits = np.reshape(cascade.detectMultiScale(part, STEP, 0, 0, (low, low), (high - 1, high - 1)), (-1, 4))
            own = [hit for hit in hits if hit[1] < band or top == tops[-1]]  # the others are the next band's, too
            raw += [[int(x), int(y) + top, int(w), int(h)] for x, y, w, h in own]
            check()
        low = high
    boxes, counts = cv2.groupRectangles(raw, *GROUP)
    return [([int(v) for v in box], int(count)) for box, count in zip(boxes, np.ravel(counts), strict=True)]


def _same(one: np.ndarray, other: np.ndarray) -> bool:
    """Whether two squares differ by no more than those that OpenCV groups."""
    size = min(one[2], other[2])
    ends = np.abs([*(one[:2] - other[:2]), *(one[:2] + one[2:] - other[:2] - other[2:])])
    return bool((ends <= size * 0.3).all())


def _apart(middle: np.ndarray, known: Rows) -> bool:
    """Whether it is none of those: its middle (x, y) lies in no box of them."""
    low, high = known[:, :2], known[:, :2] + known[:, 2:4]
    return not ((low <= middle) & (middle <= high)).all(axis=1).any()
