"""Enlarging: photographs are shrunk by means over areas and enlarged again; PSNR, SSIM, seconds, seams; a sheet.

    python -m bench.upscale [--photos DIR] [--weights DIR] [--scales 2 3 4] [--side 256] [--sheet out.png]

Beside bicubic and Lanczos4 (OpenCV's) runs the built-in engine, and with realesr-general-x4v3.pth in --weights that
network. Crops of `side` px from the middle, borders of 8 px left out; figures of the luma (SSIM: Wang et al. 2004,
Gaussian of 1.5). seam: steps across the borders of tiles over those beside them, of a run in small tiles.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from bench.cases import read_rgb
from bench.fill import PHOTOS, ROOT, machine
from bench.metrics import seam_ratio

from frisket.engines.spec import Engine, Silent, Task, Work
from frisket.engines.upscale.edges import ENGINE
from frisket.engines.upscale.network import SHARP, NetworkUpscaler
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Held, Record
from frisket.raster.geometry import Size
from frisket.raster.tiles import tiles

NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "eagle.png", "rocket.jpg", "brick.png", "faces/10045.png")
BORDER = 8  # px of the truth
LUMA = np.array([0.299, 0.587, 0.114], np.float32)
Enlarge = Callable[[np.ndarray, int], np.ndarray]


def resized(how: int) -> Enlarge:
    return lambda x, scale: cv2.resize(x, None, fx=scale, fy=scale, interpolation=how)


def by(engine: Engine) -> Enlarge:
    def enlarge(x: np.ndarray, scale: int) -> np.ndarray:
        return engine.run(Work(Task.UPSCALE, x, x[..., 0], {}, (0,), scale=scale), Silent())[0]

    return enlarge


def network(weights: Path, folder: Path) -> NetworkUpscaler | None:
    """The real network out of `weights`, None when it is not there."""
    file = weights / f"{SHARP}.pth"
    if not file.exists():
        return None
    raw = file.read_bytes()
    (folder / file.name).write_bytes(raw)
    held = (Held(file.name, len(raw), hashlib.sha256(raw).hexdigest()),)
    licence, family = Licence("BSD-3-Clause", "", Commercial.YES), Family.UPSCALER
    engine = NetworkUpscaler(folder, Record(SHARP, SHARP, family, PURPOSES[family], licence, held, "2026"))
    engine.load()
    return engine


def shrunk(truth: np.ndarray, scale: int) -> np.ndarray:
    h, w = truth.shape[0] // scale, truth.shape[1] // scale
    return cv2.resize(truth[: h * scale, : w * scale], (w, h), interpolation=cv2.INTER_AREA)


def middle(picture: np.ndarray, side: int) -> np.ndarray:
    h, w = (min(n, side) // 12 * 12 for n in picture.shape[:2])
    y, x = (picture.shape[0] - h) // 2, (picture.shape[1] - w) // 2
    return picture[y : y + h, x : x + w].astype(np.float32) / 255


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(max(np.square(a - b).mean(), 1e-12)))


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    def mean(x: np.ndarray) -> np.ndarray:
        return np.asarray(cv2.GaussianBlur(x, (11, 11), 1.5))[5:-5, 5:-5]

    ma, mb = mean(a), mean(b)
    va, vb, both = mean(a * a) - ma * ma, mean(b * b) - mb * mb, mean(a * b) - ma * mb
    return float(np.mean((2 * ma * mb + 1e-4) * (2 * both + 9e-4) / ((ma**2 + mb**2 + 1e-4) * (va + vb + 9e-4))))


def seam(engine: Engine, x: np.ndarray, scale: int, side: int) -> float:
    """Of tiles as small as 64 px, laid side by side without blending."""
    enlarge, h, w = by(engine), x.shape[0], x.shape[1]
    out = np.empty((h * scale, w * scale, 3), np.float32)
    odd = np.zeros(out.shape[:2], bool)
    for kept, seen in tiles(Size(w, h), side, engine.spec.apron, engine.spec.size.multiple):
        made = enlarge(np.ascontiguousarray(x[seen.slices]), scale)
        there = slice(kept.y * scale, kept.bottom * scale), slice(kept.x * scale, kept.right * scale)
        y0, x0 = (kept.y - seen.y) * scale, (kept.x - seen.x) * scale
        out[there] = made[y0 : y0 + kept.height * scale, x0 : x0 + kept.width * scale]
        odd[there] = (kept.x + kept.y) // 64 % 2 == 1
    return seam_ratio((np.clip(out, 0, 1) * 255 + 0.5).astype(np.uint8), odd)


def table(found: dict[str, Enlarge], photos: Path, scales: Sequence[int], side: int) -> None:
    """One line for each way and scale: means over the photographs."""
    print("| scale | way | PSNR dB | SSIM | s per megapixel made |\n|---|---|---|---|---|")
    for scale in scales:
        for name, enlarge in found.items():
            scores, seconds, made_px = [], 0.0, 0
            for photo in NAMES:
                truth = middle(read_rgb(photos / photo), side)
                small = shrunk(truth, scale)
                start = time.perf_counter()
                made = enlarge(small, scale)
                seconds, made_px = seconds + time.perf_counter() - start, made_px + made.shape[0] * made.shape[1]
                if not np.array_equal(made, enlarge(small, scale)):
                    raise SystemExit(f"{name} gave other bytes the second time")
                a, b = ((np.clip(p, 0, 1) @ LUMA)[BORDER:-BORDER, BORDER:-BORDER] for p in (truth, made))
                scores.append((psnr(a, b), ssim(a, b)))
            decibels, like = np.mean(scores, axis=0)
            print(f"| {scale} | {name} | {decibels:.2f} | {like:.4f} | {seconds / made_px * 1e6:.2f} |", flush=True)


def sheet(found: dict[str, Enlarge], photos: Path, out: Path, side: int = 192) -> None:
    """Rows: photographs. Columns: shrunk by 4 and repeated, each way, the truth."""
    rows = []
    for photo in ("astronaut.png", "chelsea.png", "faces/10045.png", "coffee.png"):
        truth = middle(read_rgb(photos / photo), side)
        small = shrunk(truth, 4)
        cells = [resized(cv2.INTER_NEAREST)(small, 4), *(way(small, 4) for way in found.values()), truth]
        rows.append(np.hstack([np.clip(cell, 0, 1) for cell in cells]))
    picture = (np.vstack(rows) * 255 + 0.5).astype(np.uint8)
    out.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(out), picture[..., ::-1])
    print(f"{out}: pixels, {', '.join(found)}, truth")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=PHOTOS)
    parser.add_argument("--weights", type=Path, default=ROOT.parent / "shared" / "weights")
    parser.add_argument("--scales", type=int, nargs="+", default=[2, 3, 4])
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        net = network(given.weights, Path(folder))
        engines: Mapping[str, Engine] = {"edge-lanczos": ENGINE} | ({SHARP: net} if net else {})
        ENGINE.load()
        found = {"bicubic": resized(cv2.INTER_CUBIC), "Lanczos4": resized(cv2.INTER_LANCZOS4)}
        found |= {name: by(engine) for name, engine in engines.items()}
        table(found, given.photos, given.scales, given.side)
        small = middle(read_rgb(given.photos / "coffee.png"), 192)
        for name, engine in engines.items():
            print(f"seam of {name} in tiles of 64 px, 2x: {seam(engine, small, 2, 128):.3f}")
        if given.sheet:
            sheet(found, given.photos, given.sheet)


if __name__ == "__main__":
    main()
