"""What the built-in engine does with pictures and holes at the edge of sense: seconds, memory, silence, or which error.

    python -m bench.limits [--only NAME ...] [--seconds 120]

Every case is an edit of its whole canvas in a process of its own, stopped after --seconds. Peak is what the edit added
to the process, in MiB, canvas not included. Silence is the longest time between two looks at cancel, in ms: from the
first look to the end of the edit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from bench.fill import ROOT, machine
from bench.scaling import peak

from frisket.edits.requests import EditRequest, InpaintParams, to_json
from frisket.errors import FrisketError
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size

Case = tuple[np.ndarray, np.ndarray]  # (h, w, 3) uint8 or float32, (h, w) bool


@dataclass(frozen=True, slots=True)
class Met:
    """outcome: "filled", "filled, SMALLER_SIZE" and the like, or an error's class. seconds; added: MiB; silence: ms."""

    outcome: str
    seconds: float
    added: float
    silence: float


class Watch:
    """A Teller that measures how long nobody looked."""

    def __init__(self) -> None:
        self._last, self.silence = 0.0, 0.0

    def check(self) -> None:
        now = time.perf_counter()
        if self._last:
            self.silence = max(self.silence, now - self._last)
        self._last = now

    def progress(self, fraction: float) -> None:
        self.check()

    def preview(self, jpeg: bytes, box: tuple[int, int, int, int]) -> None:
        self.check()


def grain(h: int, w: int) -> np.ndarray:
    """(h, w, 3) uint8: slow waves with noise on them."""
    x = np.arange(w, dtype=np.float32)
    rng = np.random.default_rng(1)
    out = np.empty((h, w, 3), np.uint8)
    for y in range(h):  # row by row: the picture must not be what needs the most memory
        waves = np.stack([np.sin(x / 37) * np.sin(y / 23), np.sin((x + y) / 53), np.cos(x / 91) * np.sin(y / 17)], 1)
        out[y] = np.clip(127 + 64 * waves + rng.normal(0, 8, (w, 3)), 0, 255)
    return out


def middle(h: int, w: int, share: float) -> np.ndarray:
    """(h, w) bool: a box of that share of the picture in its middle."""
    hole = np.zeros((h, w), bool)
    dy, dx = round(h * (1 - share**0.5) / 2), round(w * (1 - share**0.5) / 2)
    hole[dy : h - dy, dx : w - dx] = True
    return hole


def square(side: int, share: float) -> Case:
    return grain(side, side), middle(side, side, share)


def one_pixel() -> Case:
    return np.full((1, 1, 3), 100, np.uint8), np.ones((1, 1), bool)


def all_but_one() -> Case:
    hole = np.ones((1000, 1000), bool)
    hole[500, 500] = False
    return grain(1000, 1000), hole


def constant() -> Case:
    return np.full((1000, 1000, 3), 90, np.uint8), middle(1000, 1000, 0.1)


def noise() -> Case:
    return np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8), middle(1000, 1000, 0.1)


def line() -> Case:
    hole = np.zeros((1, 10_000), bool)
    hole[:, 3000:4000] = True
    return grain(1, 10_000), hole


def not_finite() -> Case:
    picture = grain(300, 300).astype(np.float32) / 255
    picture[5, 5] = np.nan
    return picture, middle(300, 300, 0.1)


def little_known() -> Case:
    hole = np.ones((1500, 2000), bool)
    hole[700:740, 900:940] = False
    return grain(1500, 2000), hole


def checkers() -> Case:
    return grain(1000, 1000), np.indices((1000, 1000)).sum(0) % 2 > 0


def specks() -> Case:
    hole = np.zeros((2000, 2000), bool)
    hole.reshape(-1)[np.random.default_rng(2).permutation(hole.size)[:5000]] = True
    return grain(2000, 2000), hole


def spots(side: int) -> Case:
    """200 round specks of 4 to 14 px."""
    hole, rng = np.zeros((side, side), np.uint8), np.random.default_rng(3)
    for x, y in rng.integers(side, size=(200, 2)).tolist():
        cv2.circle(hole, (x, y), int(rng.integers(2, 8)), 1, -1)
    return grain(side, side), hole > 0


def scratch() -> Case:
    hole = np.zeros((3000, 4000), bool)
    hole[1500:1503] = True
    return grain(3000, 4000), hole


CASES: dict[str, Callable[[], Case]] = {
    "1 px, masked": one_pixel,
    "nothing masked": lambda: (grain(500, 500), np.zeros((500, 500), bool)),
    "all masked": lambda: (grain(500, 500), np.ones((500, 500), bool)),
    "1 MP, all but 1 px masked": all_but_one,
    "1 MP, constant": constant,
    "1 MP, noise": noise,
    "1 x 10 000 px": line,
    "NaN": not_finite,
    "3 MP, 40 x 40 px known": little_known,
    "1 MP, checkerboard": checkers,
    "4 MP, 5 000 holes of 1 px": specks,
    "12 MP, 200 specks": lambda: spots(3464),
    "50 MP, 200 specks": lambda: spots(7071),
    "12 MP, scratch 4 000 x 3 px": scratch,
    "1 MP, 10 %": lambda: square(1000, 0.1),
    "4 MP, 10 %": lambda: square(2000, 0.1),
    "12 MP, 10 %": lambda: square(3464, 0.1),
    "12 MP, 2 %": lambda: square(3464, 0.02),
    "12 MP, 30 %": lambda: square(3464, 0.3),
    "12 MP, 90 %": lambda: square(3464, 0.9),
    "16 MP, 30 %": lambda: square(4000, 0.3),
    "50 MP, 10 %": lambda: square(7071, 0.1),
    "50 MP, 30 %": lambda: square(7071, 0.3),
}


def probe(name: str) -> Met:
    """The case in this process, which must be new: its peak is what is measured."""
    from bench.fillers import loaded

    picture, hole = CASES[name]()
    easel, spec = loaded()
    size = Size(hole.shape[1], hole.shape[0])
    samples = Samples.F32 if picture.dtype == np.float32 else Samples.U8
    form = PixelFormat(samples, Layout.RGB)
    request = to_json(EditRequest(size, Box.of(size), InpaintParams(), form, engine=spec.id, seed=1))
    planes = {"pixels": memoryview(picture.tobytes()), "mask": memoryview((hole * np.uint8(255)).tobytes())}
    watch, before, began = Watch(), peak(), time.perf_counter()
    try:
        (done,) = easel.run(request, planes, watch)
        outcome = ", ".join(["filled", *(kind for kind, _ in json.loads(done.meta)["degraded"])])
    except FrisketError as error:
        outcome = type(error).__name__
    watch.check()
    return Met(outcome, time.perf_counter() - began, peak() - before, 1000 * watch.silence)


def apart(name: str, seconds: float) -> Met | None:
    """In a process of its own; None when it took longer than that. Raises CalledProcessError."""
    command = [sys.executable, "-m", "bench.limits", "--probe", name]
    try:
        done = subprocess.run(
            command, cwd=ROOT, env=dict(os.environ), stdout=subprocess.PIPE, text=True, check=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return None
    return Met(**json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(CASES), metavar="NAME", help="cases; all when left out")
    parser.add_argument("--seconds", type=float, default=120, help="for each case, start included")
    parser.add_argument("--probe", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(asdict(probe(options.probe))))
        return
    print(machine() + "\n\n| case | outcome | s | peak MiB | silence ms |\n|---|---|---|---|---|")
    for name in options.only or CASES:
        met = apart(name, options.seconds)
        told = (
            "stopped | | |"
            if met is None
            else f"{met.outcome} | {met.seconds:.2f} | {met.added:.0f} | {met.silence:.0f} |"
        )
        print(f"| {name} | {told}", flush=True)


if __name__ == "__main__":
    main()
