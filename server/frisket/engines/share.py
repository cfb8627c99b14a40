"""A part of a run as a report of its own: its share of the progress, its picture in its place on the sheet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from frisket.engines.spec import Degradation, Report, wants_preview
from frisket.raster.geometry import Box

STEPS = 1000  # of a whole run


@dataclass(frozen=True, slots=True)
class Share:
    """The Report of a part of a run that works on `box` of `sheet` (h, w, c) and takes `start`...`end` of the whole.

    sheet: the picture so far; it is read whenever a preview comes that is wanted. start, end: 0...1.
    """

    report: Report
    sheet: np.ndarray
    box: Box
    start: float
    end: float

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        done = self.start + (self.end - self.start) * min(step, total) / max(total, 1)
        shown = None if preview is None or not self.wants_preview() else self._placed(preview)
        self.report(round(done * STEPS), STEPS, shown)

    def wants_preview(self) -> bool:
        return wants_preview(self.report)

    def check(self) -> None:
        self.report.check()

    def told(self, degradation: Degradation) -> None:
        self.report.told(degradation)

    def _placed(self, preview: np.ndarray) -> np.ndarray:
        """The sheet, thinned as much as the preview is, with the preview in its place."""
        thin = max(1, -(-self.box.height // preview.shape[0]))
        shown = self.sheet[::thin, ::thin].copy()
        left, top = -(-self.box.x // thin), -(-self.box.y // thin)
        place = shown[top : -(-self.box.bottom // thin), left : -(-self.box.right // thin)]
        y, x = (np.arange(n) * m // n for n, m in zip(place.shape, preview.shape[:2], strict=False))
        place[...] = preview[y][:, x]
        return shown
