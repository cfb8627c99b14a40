"""From an engine's steps to a job's progress: one number for the whole edit, and previews that do not flood."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import numpy as np

from frisket.edits.easel import Teller
from frisket.engines.spec import Degradation, Report, wants_preview
from frisket.raster import codecs, pixels
from frisket.raster.formats import Layout
from frisket.raster.geometry import Box

PREVIEW_SECONDS = 0.25  # at most one preview in this time: encoding one costs about a millisecond
PREVIEW_SIDE = 512
LAYOUTS = {1: Layout.GRAY, 2: Layout.GRAY_ALPHA, 3: Layout.RGB, 4: Layout.RGBA}


class Progress:
    """An engine's Report. Steps of each part add up to 0...1 over the whole edit."""

    def __init__(self, tell: Teller) -> None:
        self._tell = tell
        self._number, self._parts, self._crop = 0, 1, Box(0, 0, 0, 0)
        self._last_preview = 0.0
        self.degraded: list[Degradation] = []  # what engines told of, each once

    @contextlib.contextmanager
    def part(self, number: int, parts: int, crop: Box) -> Iterator[None]:
        """Reports inside are of part `number` (from 0) of `parts`, which works on `crop` (canvas space)."""
        self._number, self._parts, self._crop = number, parts, crop
        self._tell.progress(number / parts)
        yield
        self._tell.progress((number + 1) / parts)

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        self._tell.progress((self._number + min(step, total) / max(total, 1)) / self._parts)
        if preview is not None:
            self.show(preview, self._crop)

    def show(self, preview: np.ndarray, box: Box) -> None:
        """A preview, premultiplied, of `box` (canvas space), if one is due."""
        if self.wants_preview():
            self._last_preview = time.monotonic()
            self._tell.preview(_jpeg(preview), (box.x, box.y, box.width, box.height))

    def wants_preview(self) -> bool:
        return time.monotonic() - self._last_preview >= PREVIEW_SECONDS and wants_preview(self._tell)

    def check(self) -> None:
        self._tell.check()

    def told(self, degradation: Degradation) -> None:
        if degradation not in self.degraded:
            self.degraded.append(degradation)

    def portion(self, start: float, end: float) -> Progress:
        """For an edit within this one, which takes `start`...`end` (0...1) of it and has parts of its own."""
        within = Progress(_Portion(self._tell, start, end))
        within.degraded = self.degraded
        return within


class _Portion:
    """A Teller whose whole is a part of another's."""

    def __init__(self, tell: Teller, start: float, end: float) -> None:
        self._tell, self._start, self._end = tell, start, end

    def progress(self, fraction: float) -> None:
        self._tell.progress(self._start + fraction * (self._end - self._start))

    def preview(self, jpeg: bytes, box: tuple[int, int, int, int]) -> None:
        self._tell.preview(jpeg, box)

    def wants_preview(self) -> bool:
        return wants_preview(self._tell)

    def check(self) -> None:
        self._tell.check()


class Unseen:
    """A Report that passes on all but the pictures."""

    def __init__(self, report: Report) -> None:
        self._report = report

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        self._report(step, total)

    def wants_preview(self) -> bool:
        return False

    def check(self) -> None:
        self._report.check()

    def told(self, degradation: Degradation) -> None:
        self._report.told(degradation)


def _jpeg(preview: np.ndarray) -> bytes:
    layout = LAYOUTS[preview.shape[2]]
    straight = pixels.unpremultiply(preview, layout) if layout.has_alpha else preview
    return codecs.jpeg_preview(pixels.preview_rgb8(straight, layout, PREVIEW_SIDE))
