"""Outpaint on photographs: the built-in engine's two ways of growing, other fillers and a mirror.

    python -m bench.outpaint [--photos DIR] [--side 512] [--grow one two four] [--only NAME ...] [--peers NAME ...]

From each photograph a frame is taken away, so that growing by 25 % of what is left gives its full size back: there is a
truth. `one` grows to the right, `two` to the left and the bottom, `four` to all sides. Prints medians and a line for
each case; writes contact sheets to bench/out/. Rows:
  frisket             the built-in engine as it is asked by default: growth=continue
  frisket background  growth=background
  mirror              the border reflected: shows what the figure `mirrored` is like when it is bad
  and the peers of bench.peers that are installed (telea and gmic matchpatch, unless --peers names others)
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from bench.cases import read_rgb
from bench.fill import OUT, PHOTOS, machine
from bench.metrics import Scores, measure
from bench.peers import installed
from bench.repeats import Repeats, repeats
from bench.sheets import marked, write_sheet

from frisket.engines.patch.engine import PatchEngine
from frisket.engines.spec import Silent, Task, Work

GROWTH = 0.25  # of what is left of the photograph, on each grown side
SIDES = {"one": (0, 0, 1, 0), "two": (1, 0, 0, 1), "four": (1, 1, 1, 1)}  # left, top, right, bottom
EIGHT = (
    "rocket.jpg",
    "coffee.png",
    "gravel.png",
    "astronaut.png",
    "fill/r_forest/image.png",
    "places_object/images/1.png",
    "places_object/images/3.png",
    "places_object/images/6.png",
)
FIGURES = ("SWD", "texture", "sharpness", "seam", "ghosts %", "periodic %", "mirrored", "s")


@dataclass(frozen=True, slots=True)
class Grown:
    """What one filler made of one case."""

    picture: np.ndarray
    scores: Scores
    repeats: Repeats
    seconds: float

    def figures(self) -> tuple[float, ...]:
        s, r = self.scores, self.repeats
        return s.swd, s.texture, s.sharpness, s.seam, 100 * r.ghosts, 100 * r.periodic, r.mirrored, self.seconds


def ours(growth: str):
    """picture (h, w, 3) uint8, hole (h, w) bool -> the same, grown by the built-in engine."""
    engine = PatchEngine()
    engine.load("")
    params = engine.spec.check_params({"growth": growth})

    def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        crop = (picture / np.float32(255)).astype(np.float32)
        (made,) = engine.run(Work(Task.OUTPAINT, crop, hole.astype(np.float32), params, (0,)), Silent())
        return np.rint(made * 255).astype(np.uint8)

    return fill


def mirror(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    known = ~hole
    rows, columns = np.nonzero(known.any(1))[0], np.nonzero(known.any(0))[0]
    old = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    h, w = hole.shape
    edges = int(rows[0]), h - 1 - int(rows[-1]), int(columns[0]), w - 1 - int(columns[-1])
    return cv2.copyMakeBorder(old, *edges, cv2.BORDER_REFLECT)


def case_of(photo: np.ndarray, side: int, grow: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """truth (h, w, 3) uint8 of at most `side` px, hole (h, w) bool, and the picture with the hole black."""
    scale = min(1.0, side / max(photo.shape[:2]))
    truth = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else photo
    h, w = truth.shape[:2]
    left, top, right, bottom = SIDES[grow]
    x, y = (round(n * GROWTH / (1 + GROWTH * (a + b))) for n, a, b in ((w, left, right), (h, top, bottom)))
    hole = np.ones((h, w), bool)
    hole[y * top : h - y * bottom, x * left : w - x * right] = False
    return truth, hole, np.where(hole[..., None], np.uint8(0), truth)


def run(options: argparse.Namespace) -> None:
    peers, missing = installed()
    for words in missing:
        print(f"left out: {words}")
    fillers = {"frisket": ours("continue"), "frisket background": ours("background"), "mirror": mirror}
    fillers |= {peer.name: peer.fill for peer in peers if peer.name in options.peers}
    print(f"\n{machine()}, photographs of {options.side} px\n")
    everything: dict[str, list[tuple[float, ...]]] = defaultdict(list)
    for grow in options.grow:
        rows, table = [], defaultdict(list)
        for name in options.only or EIGHT:
            truth, hole, picture = case_of(read_rgb(options.photos / name), options.side, grow)
            row = {f"{Path(name).stem} {grow}": marked(picture, hole, 1)}
            for filler, fill in fillers.items():
                done = outcome(fill, picture, hole, truth)
                row[filler] = done.picture
                table[filler].append(done.figures())
                print(line(f"{name} {grow} {filler}", done.figures()), flush=True)
            rows.append(row | {"truth": truth})
        write_sheet(OUT / f"sheet-outpaint-{grow}.png", rows, options.tile)
        print_medians(f"{grow}, medians of {len(rows)}", table)
        for filler, figures in table.items():
            everything[filler] += figures
    print_medians("all, medians", everything)


def outcome(fill, picture: np.ndarray, hole: np.ndarray, truth: np.ndarray) -> Grown:
    began = time.perf_counter()
    made = fill(picture, hole)
    took = time.perf_counter() - began
    return Grown(made, measure(made, picture, hole, truth), repeats(made, hole), took)


def print_medians(title: str, table: dict[str, list[tuple[float, ...]]]) -> None:
    print(f"\n**{title}**\n\n| | " + " | ".join(FIGURES) + " |\n" + "|---" * (len(FIGURES) + 1) + "|")
    for filler, figures in table.items():
        print(line(filler, np.nanmedian(np.array(figures), axis=0).tolist()))
    print(flush=True)


def line(name: str, figures: Sequence[float]) -> str:
    return f"| {name} | " + " | ".join(f"{figure:.2f}" for figure in figures) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="folder of photographs")
    parser.add_argument("--side", type=int, default=512, help="px, longer side that photographs are reduced to")
    parser.add_argument("--grow", nargs="*", default=list(SIDES), choices=list(SIDES))
    parser.add_argument("--only", nargs="*", default=[], metavar="FILE", help="these of the folder (default: eight)")
    parser.add_argument("--peers", nargs="*", default=["telea", "gmic matchpatch"], metavar="NAME")
    parser.add_argument("--tile", type=int, default=300, help="px, of the contact sheets")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
