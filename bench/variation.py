"""Variations of photographs: how far from the input, how different from one another, and made of the same stuff?

    python -m bench.variation [--photos DIR] [--side 384] [--layout free keep] [--seeds 5] [--only NAME ...]

For each photograph, layout and strength some seeds. Prints a line for each and medians; writes contact sheets to
bench/out/. Figures, all in grey levels of 255:
  to input       mean absolute difference to the photograph: rises with strength
  between        the same between pairs of seeds: above 0, or seeds do not matter
  SWD, texture   distance of the 7x7 patches of result and photograph (`bench.metrics`): near 0, nothing is invented;
                 `itself` is that between the photograph's left and right halves, what chance alone makes of it
  sharpness      mean gradient over the photograph's
With --tiles: opposite borders of tiles, the mean step across them over the mean step between neighbours.
There is no peer: no weight-free tool of an editor makes variations.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from bench.cases import read_rgb
from bench.fill import OUT, PHOTOS, machine
from bench.metrics import sharpness_ratio, sliced_wasserstein
from bench.sheets import write_sheet

from frisket.engines.patch.engine import PatchEngine
from frisket.engines.spec import Silent, Task, Work

TEN = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "eagle.png",
    "gravel.png",
    "brick.png",
    "places_object/images/1.png",
    "places_object/images/5.png",
    "fill/r_bertrandg/image.png",
    "fill/r_overturec/image.png",
)
TILES = ("gravel.png", "brick.png", "grass.png")
STRENGTHS = (0.2, 0.5, 0.8)
FIGURES = ("to input", "between", "SWD", "texture", "SWD itself", "texture itself", "sharpness", "s")


def photograph(path: Path, side: int) -> np.ndarray:
    """(h, w, 3) uint8, its longer side at most `side` px."""
    full = read_rgb(path)
    scale = min(1.0, side / max(full.shape[:2]))
    return cv2.resize(full, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else full


def varied(engine: PatchEngine, photo: np.ndarray, layout: str, strength: float, seeds: int, tileable: bool = False):
    """`seeds` pictures (h, w, 3) uint8, and seconds for one."""
    crop, hole = (photo / np.float32(255)).astype(np.float32), np.ones(photo.shape[:2], np.float32)
    params = engine.spec.check_params({"layout": layout})
    work = Work(Task.VARIATION, crop, hole, params, tuple(range(seeds)), strength=strength, tileable=tileable)
    began = time.perf_counter()
    made = engine.run(work, Silent())
    took = (time.perf_counter() - began) / seeds
    return [np.rint(np.clip(one, 0, 1) * 255).astype(np.uint8) for one in made], took


def figures(photo: np.ndarray, made: list[np.ndarray], took: float) -> tuple[float, ...]:
    everywhere = np.ones(photo.shape[:2], bool)
    swd = [sliced_wasserstein(one, everywhere, photo, everywhere) for one in made[:2]]
    left = everywhere.copy()
    left[:, photo.shape[1] // 2 :] = False
    itself = sliced_wasserstein(photo, left, photo, ~left)
    return (
        float(np.mean([apart(one, photo) for one in made])),
        float(np.mean([apart(a, b) for a, b in itertools.combinations(made, 2)])) if len(made) > 1 else float("nan"),
        *np.mean(swd, axis=0).tolist(),
        *itself,
        float(np.mean([sharpness_ratio(one, everywhere, photo, everywhere) for one in made])),
        took,
    )


def apart(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(np.int16) - b).mean())


def border_step(picture: np.ndarray) -> float:
    """Mean step from the last row and column to the first, over that between neighbours."""
    p = picture.astype(np.float32)
    across = np.abs(p[0] - p[-1]).mean() + np.abs(p[:, 0] - p[:, -1]).mean()
    return float(across / (np.abs(np.diff(p, axis=0)).mean() + np.abs(np.diff(p, axis=1)).mean()))


def run(options: argparse.Namespace) -> None:
    engine = PatchEngine()
    engine.load()
    print(f"\n{machine()}, photographs of {options.side} px, {options.seeds} seeds\n")
    for layout in options.layout:
        rows, table, rises = [], defaultdict(list), []
        print(f"**{layout}**\n\n| | " + " | ".join(FIGURES) + " |\n" + "|---" * (len(FIGURES) + 1) + "|")
        for name in options.only or TEN:
            photo = photograph(options.photos / name, options.side)
            row, distances = {Path(name).stem: photo}, []
            for strength in STRENGTHS:
                made, took = varied(engine, photo, layout, strength, options.seeds)
                table[strength].append(figures(photo, made, took))
                distances.append([apart(one, photo) for one in made])
                print(line(f"{name} {strength}", table[strength][-1]), flush=True)
                row |= {f"{strength} seed {seed}": one for seed, one in enumerate(made[:2])}
            rises.append(np.diff(distances, axis=0) > 0)
            rows.append(row)
        for strength, some in table.items():
            print(line(f"median {strength}", np.nanmedian(some, axis=0)))
        steps = np.array(rises)
        print(f"\nthe distance rises with the strength in {steps.sum()} of {steps.size} steps of single seeds\n")
        write_sheet(OUT / f"sheet-variation-{layout}.png", rows, options.tile)
    if options.tiles:
        tiles(engine, options)


def tiles(engine: PatchEngine, options: argparse.Namespace) -> None:
    print("**tiles**\n\n| | strength | step across borders, before | after |\n|---|---|---|---|")
    rows = []
    for name in TILES:
        photo, row = photograph(options.photos / name, options.side), {}
        for strength in STRENGTHS:
            ((made,), _) = varied(engine, photo, "free", strength, 1, tileable=True)
            print(f"| {name} | {strength} | {border_step(photo):.2f} | {border_step(made):.2f} |", flush=True)
            row |= {f"{Path(name).stem} {strength}, 2 x 2": np.tile(made, (2, 2, 1))}
        rows.append({f"{Path(name).stem}, 2 x 2": np.tile(photo, (2, 2, 1))} | row)
    write_sheet(OUT / "sheet-variation-tiles.png", rows, options.tile * 2)


def line(name: str, some) -> str:
    return f"| {name} | " + " | ".join(f"{figure:.2f}" for figure in some) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="folder of photographs")
    parser.add_argument("--side", type=int, default=384, help="px, longer side that photographs are reduced to")
    parser.add_argument("--layout", nargs="*", default=["free", "keep"], choices=["free", "keep"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=[], metavar="FILE", help="these of the folder (default: ten)")
    parser.add_argument("--tiles", action="store_true", help="also seamless tiles of three textures")
    parser.add_argument("--tile", type=int, default=240, help="px, of the contact sheets")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
