"""Toys for edits of faces: detectors that know where the faces are, restorers whose work is seen at once."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from frisket.engines.faces.align import SIDE
from frisket.engines.spec import Channels, EngineSpec, Param, ParamKind, Report, Task, Work
from frisket.errors import OutOfMemory

# Checks of 32 px: detail, no tone.
PATTERN = np.kron(np.indices((SIDE // 32, SIDE // 32)).sum(axis=0) % 2, np.ones((32, 32)))[..., None] * 2.0 - 1
TEMPLATE = np.array([(193.0, 240.0), (319.0, 240.2), (256.6, 314.0), (201.3, 371.4), (313.1, 371.2)])


def row_at(
    x: float, y: float, eyes: float, degrees: float = 0.0, score: float = 0.9, points: bool = True
) -> list[float]:
    """A row of Task.DETECT_FACES: a face whose eyes' middle lies at (x, y), so far apart, turned."""
    angle, scale = np.deg2rad(degrees), eyes / (TEMPLATE[1, 0] - TEMPLATE[0, 0])
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    landmarks = (TEMPLATE - TEMPLATE[:2].mean(axis=0)) @ turn.T + (x, y)
    side = 2 * eyes
    five = landmarks.ravel() if points else np.full(10, np.nan)
    return [x - side / 2, y - side / 3, side, side, *five, score]


class ToyDetector:
    """Finds the faces that it was told of (rows of the whole canvas's px); notes what it was shown."""

    def __init__(self, rows: Sequence[Sequence[float]]) -> None:
        tasks = frozenset({Task.DETECT_FACES})
        self.spec = EngineSpec("toy-detector", "Toy detector", "Knows.", tasks, channels=Channels.RGB, rank=200)
        self.rows = np.array(rows, np.float32).reshape(-1, 15)
        self.works: list[Work] = []

    def load(self, model: str) -> None:
        pass

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        self.works.append(work)
        report(1, 1, work.crop)
        return [self.rows]


class CheckRestorer:
    """Lays checks over every face: +-`height`. Fails as `fails` says: "never", "together" (more than one at a time),
    "second" (any batch in which the second face is), "always", "nan"."""

    def __init__(self, height: float = 0.2, fails: str = "never", trained: bool = False, **changes) -> None:
        licence = "CC-BY-NC-4.0" if trained else ""
        waiting = Param("wait_ms", ParamKind.INT, 0, "How long each face takes.", 0, 10_000)
        fields = {"params": (waiting,), "channels": Channels.RGB, "trained": trained, "licence": licence, "rank": 200}
        tasks = frozenset({Task.RESTORE_FACES})
        self.spec = EngineSpec("checks", "Toy restorer", "Lays checks.", tasks, **(fields | changes))
        self.height, self.fails = height, fails
        self.works: list[Work] = []
        self.second: np.ndarray | None = None

    def load(self, model: str) -> None:
        pass

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        self.works.append(work)
        if self.second is None and len(work.crop) > 1:
            self.second = work.crop[1].copy()
        if self.fails == "always":
            raise OutOfMemory(engine="checks", width=SIDE, height=SIDE)
        if self.fails == "together" and len(work.crop) > 1:
            raise MemoryError
        if self.fails == "second" and self.second is not None and any((f == self.second).all() for f in work.crop):
            raise RuntimeError("CUDA error: out of luck")
        out = []
        for number, face in enumerate(work.crop):
            time.sleep(int(work.params.get("wait_ms", 0)) / 1000)
            report(number + 1, len(work.crop), work.crop)
            out.append((face + self.height * PATTERN).astype(np.float32))
        if self.fails == "nan":
            out[0][0, 0, 0] = np.nan
        return out


class HalfParser:
    """Says that the left half of every aligned face is face; nothing at all where `blind`; fails where `broken`."""

    def __init__(self, blind: bool = False, broken: bool = False) -> None:
        self.spec = EngineSpec("halves", "Toy parser", "Halves.", frozenset({Task.PARSE_FACES}), channels=Channels.RGB)
        self.blind, self.broken = blind, broken
        self.shapes: list[tuple[int, ...]] = []

    def load(self, model: str) -> None:
        pass

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        self.shapes.append(work.crop.shape)
        if self.broken:
            raise RuntimeError("no luck")
        mask = np.zeros((SIDE, SIDE), np.float32)
        mask[:, : 0 if self.blind else SIDE // 2] = 1
        return [mask] * len(work.crop)


FINDER = ToyDetector([row_at(50, 40, 16), row_at(85, 30, 8, score=0.5), row_at(10, 70, 3, score=0.4)])  # of 100 x 80 px
CHECKS = CheckRestorer(trained=True)
