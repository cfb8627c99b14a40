"""What an edit costs as the canvas, the hole and the number of threads grow, and what the first one waits for.

    python -m bench.scaling [--repeat 3]

Every line is a process of its own on a synthetic canvas (bricks with grain). One edit is plan, crop and fill, without a
server. Peak memory is the process's, canvas and interpreter included; `edit` is the most that one more edit, not timed,
holds in arrays of its own at a time.
Fails when results differ that must not: by threads, or by a canvas that is larger where the edit does not look.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from bench.fill import ROOT, machine

PERIOD = 1024  # px: the canvas repeats, so that each size has the same surroundings of the hole
KIB_PER_MIB = 1024 if sys.platform != "darwin" else 1024 * 1024  # of ru_maxrss


@dataclass(frozen=True, slots=True)
class Setup:
    """side: of the square canvas, px. width, height: of the hole in its middle, px. threads: 0 = all."""

    side: int
    width: int
    height: int
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """load: seconds for imports and `Engine.load`. seconds: of each edit. peak, edit: MiB. digest: of the pixels."""

    load: float
    seconds: list[float]
    peak: float
    edit: float
    digest: str

    @property
    def median(self) -> float:
        """Of the edits after the first, where there are any."""
        return statistics.median(self.seconds[1:] or self.seconds)


def bricks(side: int) -> np.ndarray:
    """(side, side, 3) uint8: a wall with grain, the same in every PERIOD x PERIOD tile. side: a multiple of PERIOD."""
    y, x = np.mgrid[:PERIOD, :PERIOD]
    row = y // 32
    mortar = (y % 32 < 4) | ((x + 32 * (row % 2)) % 64 < 4)
    rng = np.random.default_rng(1)
    tone = rng.integers(-25, 25, (PERIOD // 32, PERIOD // 64 + 1))[row, (x + 32 * (row % 2)) // 64 % (PERIOD // 64)]
    grain = rng.normal(0, 7, (PERIOD, PERIOD))
    luma = np.where(mortar, 170, 115 + tone) + grain
    tile = np.clip(np.dstack([luma * 1.1, luma * 0.85, luma * 0.75]), 0, 255).astype(np.uint8)
    return np.tile(tile, (side // PERIOD, side // PERIOD, 1))


def hole_of(setup: Setup) -> np.ndarray:
    """(side, side) bool: a rectangle around the middle of a tile near the canvas's middle."""
    middle = (setup.side // 2 // PERIOD) * PERIOD + PERIOD // 2 if setup.side > 2 * PERIOD else setup.side // 2
    hole = np.zeros((setup.side, setup.side), bool)
    y, x = middle - setup.height // 2, middle - setup.width // 2
    hole[y : y + setup.height, x : x + setup.width] = True
    return hole


def probe(setup: Setup, repeat: int) -> Result:
    """Run in this process."""
    picture, hole = bricks(setup.side), hole_of(setup)
    began = time.perf_counter()
    from bench.fillers import asked, edited, loaded

    easel, spec = loaded(setup.threads)
    load = time.perf_counter() - began
    seconds, digests = [], set()
    for _ in range(repeat):
        began = time.perf_counter()
        _, pixels, mask = edited(easel, spec, asked(picture, hole, spec))
        seconds.append(time.perf_counter() - began)
        digests.add(hashlib.sha256(pixels.tobytes() + mask.tobytes()).hexdigest()[:16])
    (digest,) = digests  # the same request, the same picture
    most = peak()
    tracemalloc.start()
    edited(easel, spec, asked(picture, hole, spec))
    held = tracemalloc.get_traced_memory()[1] / (1 << 20)
    tracemalloc.stop()
    return Result(load, seconds, most, held, digest)


def peak() -> float:
    """The most memory that this process has held so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_MIB


def apart(setup: Setup, repeat: int, cache: Path | None = None) -> Result:
    """Run in a process of its own. cache: numba's, else the usual one. Raises CalledProcessError."""
    command = [sys.executable, "-m", "bench.scaling", "--repeat", str(repeat), "--probe", json.dumps(asdict(setup))]
    environment = {**os.environ, **({"NUMBA_CACHE_DIR": str(cache)} if cache else {})}
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return Result(**json.loads(done.stdout))


def canvases(repeat: int) -> None:
    print("| canvas, 300 x 300 px hole | s | peak MiB | edit MiB |\n|---|---|---|---|")
    results = []
    for side in (1024, 4096, 8192):
        results.append(apart(Setup(side, 300, 300), repeat))
        print(_line(f"{side * side >> 20} MP", results[-1]), flush=True)
    _same("canvas", results)
    print(f"\n64 MP over 1 MP: {results[-1].median / results[0].median:.2f} x the time\n")


def holes(repeat: int) -> None:
    print("| hole in 4 MP | s | peak MiB | edit MiB |\n|---|---|---|---|")
    print(_line("1 000 px stroke, 250 x 4", apart(Setup(2048, 250, 4), repeat)), flush=True)
    for side in (32, 100, 200, 400, 800):
        print(_line(f"{side * side} px, square", apart(Setup(2048, side, side), repeat)), flush=True)


def threads(repeat: int) -> None:
    print("\n| threads, 400 x 400 px hole in 4 MP | s | peak MiB | edit MiB |\n|---|---|---|---|")
    results = []
    for number in (1, 2):
        results.append(apart(Setup(2048, 400, 400, number), repeat))
        print(_line(str(number), results[-1]), flush=True)
    _same("number of threads", results)
    print(f"\nthe same bytes; 1 over 2 threads: {results[0].median / results[1].median:.2f} x the time\n")


def starts() -> None:
    print("| first use, 100 x 100 px hole in 1 MP | load s | first edit s | second edit s |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("empty numba cache", "full numba cache, new process"):
            one = apart(Setup(1024, 100, 100), 2, Path(folder))
            print(f"| {name} | {one.load:.2f} | {one.seconds[0]:.2f} | {one.seconds[1]:.2f} |", flush=True)


def _line(name: str, result: Result) -> str:
    return f"| {name} | {result.median:.2f} | {result.peak:.0f} | {result.edit:.0f} |"


def _same(what: str, results: Sequence[Result]) -> None:
    if len({result.digest for result in results}) != 1:
        raise RuntimeError(f"another {what} gave another picture")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, help="edits in each process; the first one is not counted")
    parser.add_argument("--probe", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.probe:
        print(json.dumps(asdict(probe(Setup(**json.loads(options.probe)), options.repeat))))
        return
    print(machine() + "\n")
    canvases(options.repeat)
    holes(options.repeat)
    threads(options.repeat)
    starts()


if __name__ == "__main__":
    main()
