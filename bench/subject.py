"""Selectors of subjects: how much of the truth they find, seconds; and a sheet to look at.

    python -m bench.subject [--photos DIR] [--weights DIR] [--sheet out.jpg]

Beside the built-in selector TRACER runs when tracer-efficient-0.pth is in the folder of weights. Two kinds of truth:
masks of objects to remove, drawn wide around them, so that a perfect selection reaches some 0.6; and outlines drawn
by eye, a few px off. Each once without a hint, and once with the box around the truth as a rough selection.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from bench.cases import read_rgb
from bench.fill import PHOTOS, ROOT, machine

from frisket.engines.spec import Engine, Silent, Task, Work
from frisket.engines.subject.grabcut import GrabCutSelector
from frisket.engines.subject.tracer import TracerSelector
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Held, Record

WIDE = tuple(f"places_object/{{}}/{number}.png" for number in (1, 2, 3, 4, 7, 8))
DRAWN = {  # px of the picture
    "rocket.jpg": [(310, 405), (310, 150), (318, 127), (328, 127), (336, 150), (336, 405)],
    "eagle.png": [
        (819, 515), (875, 489), (930, 530), (1000, 640), (1092, 850), (1050, 1236), (960, 1250), (900, 1500),
        (870, 1607), (790, 1600), (767, 1450), (720, 1250), (654, 1236), (664, 850), (740, 680),
    ],
    "astronaut.png": [
        (225, 20), (275, 24), (300, 60), (295, 115), (265, 140), (263, 185), (305, 215), (310, 240), (355, 300),
        (362, 365), (400, 348), (450, 355), (490, 395), (508, 470), (510, 511), (20, 511), (28, 357), (40, 305),
        (110, 225), (120, 185), (145, 155), (180, 160), (183, 130), (158, 100), (153, 65), (172, 35),
    ],
}  # fmt: skip
Case = tuple[str, np.ndarray, np.ndarray]  # name, picture (h, w, 3) uint8, truth (h, w) bool


def cases(photos: Path) -> Iterator[Case]:
    for pattern in WIDE:
        if (photos / pattern.format("images")).exists():
            truth = read_rgb(photos / pattern.format("masks"))[..., 0] > 127
            yield pattern.format("images"), read_rgb(photos / pattern.format("images")), truth
    for name, outline in DRAWN.items():
        if (photos / name).exists():
            picture = read_rgb(photos / name)
            truth = np.zeros(picture.shape[:2], np.uint8)
            cv2.fillPoly(truth, [np.array(outline, np.int32)], 1)
            yield name, picture, truth > 0


def engines(weights: Path, folder: Path) -> Iterator[Engine]:
    yield GrabCutSelector()
    file = weights / "tracer-efficient-0.pth"
    if not file.exists():
        print(f"{file} is not there: TRACER is left out")
        return
    shutil.copy(file, folder)
    raw = file.read_bytes()
    held = (Held(file.name, len(raw), hashlib.sha256(raw).hexdigest()),)
    licence = Licence("Apache-2.0", "", Commercial.YES)
    purposes = PURPOSES[Family.TRACER]
    record = Record("tracer", "TRACER", Family.TRACER, purposes, licence, held, "2026-01-01T00:00:00Z", source="bench")
    yield TracerSelector(folder, record)


def selected(engine: Engine, picture: np.ndarray, hole: np.ndarray) -> tuple[np.ndarray, float]:
    """The mask (h, w) float32, and the seconds it took."""
    crop = picture.astype(np.float32) / 255
    work = Work(Task.SELECT_SUBJECT, crop, hole, engine.spec.check_params({}), (0,))
    began = time.perf_counter()
    (mask,) = engine.run(work, Silent())
    return mask, time.perf_counter() - began


def around(truth: np.ndarray) -> np.ndarray:
    """The box around it, as a hole."""
    y, x = np.nonzero(truth)
    hole = np.zeros(truth.shape, np.float32)
    hole[y.min() : y.max() + 1, x.min() : x.max() + 1] = 1
    return hole


def iou(mask: np.ndarray, truth: np.ndarray) -> float:
    """Of what mask (above a half) and truth cover, the share that both do."""
    chosen = mask > 0.5
    return float((chosen & truth).sum() / (chosen | truth).sum())


def shown(picture: np.ndarray, mask: np.ndarray, side: int = 300) -> np.ndarray:
    """The picture through the mask on green, as a tile of the sheet."""
    through = picture * mask[..., None] + np.array((0, 200, 0)) * (1 - mask[..., None])
    scale = side / max(mask.shape)
    small = cv2.resize(through, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.full((side, side, 3), 255.0)
    tile[: small.shape[0], : small.shape[1]] = small[:side, :side]
    return np.rint(tile).astype(np.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=PHOTOS)
    parser.add_argument("--weights", type=Path, default=ROOT.parent / "shared" / "weights")
    parser.add_argument("--sheet", type=Path, help="Write every selection as one picture.")
    given = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory() as folder:
        able = list(engines(given.weights, Path(folder)))
        for engine in able:
            engine.load("")
            selected(engine, np.zeros((64, 64, 3), np.uint8), np.ones((64, 64), np.float32))  # compiled
        print("| picture |" + "".join(f" {e.spec.id} | {e.spec.id}, rough | s |" for e in able))
        print("|---|" + "---|---|---|" * len(able))
        rows = []
        for name, picture, truth in cases(given.photos):
            cells, tiles = [], []
            for engine in able:
                mask, seconds = selected(engine, picture, np.ones(truth.shape, np.float32))
                rough, _ = selected(engine, picture, around(truth))
                cells += [f"{iou(mask, truth):.2f}", f"{iou(rough, truth):.2f}", f"{seconds:.2f}"]
                tiles += [shown(picture, mask), shown(picture, rough)]
            rows.append(np.hstack(tiles))
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    if given.sheet and rows:
        cv2.imwrite(str(given.sheet), np.vstack(rows)[..., ::-1])


if __name__ == "__main__":
    main()
