"""Write the pictures of docs/patch-engine.md: `python docs/patch_pictures.py [NAME ...]`, about a minute.

One strip for each parameter, made by the engine from the photograph that the demo ships (NASA, public domain) and from
drawn pictures.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import cv2
import numpy as np

from frisket.engines.patch.engine import PatchEngine
from frisket.engines.spec import Silent, Task, Value, Work

IMAGES = Path(__file__).resolve().parent / "images"
PHOTO = Path(__file__).resolve().parent.parent / "server" / "frisket" / "cli" / "assets" / "rocket.jpg"
GAP, LABEL, TALL = 6, 20, 220  # px
MARK = np.array((1.0, 0.0, 1.0), np.float32)
ENGINE = PatchEngine()

Strip = dict[str, np.ndarray]


def run(
    task: Task, crop: np.ndarray, hole: np.ndarray, seed: int = 0, given: Mapping[str, Value] | None = None, **more
):
    """(h, w, 3) float32: one picture. more: further fields of Work."""
    params = ENGINE.spec.check_params(dict(given or {}))
    return ENGINE.run(Work(task, crop, hole.astype(np.float32), params, (seed,), **more), Silent())[0]


def photograph() -> np.ndarray:
    image = cv2.imread(str(PHOTO), cv2.IMREAD_COLOR)
    assert image is not None
    return (image[..., ::-1] / np.float32(255)).astype(np.float32)


def marked(crop: np.ndarray, hole: np.ndarray) -> np.ndarray:
    return np.where(hole[..., None], 0.35 * crop + 0.65 * MARK, crop).astype(np.float32)


def box(crop: np.ndarray, x: int, y: int, w: int, h: int) -> np.ndarray:
    hole = np.zeros(crop.shape[:2], bool)
    hole[y : y + h, x : x + w] = True
    return hole


def wall() -> np.ndarray:
    """Drawn bricks, each of its own colour, with grain."""
    rng = np.random.default_rng(2)
    h, w = 240, 320
    out = np.full((h, w, 3), (0.78, 0.76, 0.72), np.float32)
    for row in range(h // 20):
        for x in range(-40, w, 40):
            colour = np.array((0.62, 0.33, 0.25)) + rng.normal(0, 0.05) + rng.normal(0, 0.015, 3)
            left = x + 20 * (row % 2)
            cv2.rectangle(out, (left + 2, row * 20 + 2), (left + 37, row * 20 + 17), colour.tolist(), -1)
    out += cv2.GaussianBlur(rng.normal(0, 0.12, (h, w, 1)).astype(np.float32), (0, 0), 1.0)[..., None]
    return cv2.GaussianBlur(out, (0, 0), 0.6).clip(0, 1)


def plate() -> np.ndarray:
    """A drawn ring on cloth."""
    y, x = np.mgrid[:240, :320].astype(np.float32)
    r = np.hypot(y - 120, x - 160)
    ring = 1 / (1 + np.exp(-(r - 66) / 1.2)) - 1 / (1 + np.exp(-(r - 84) / 1.2))
    cloth = 0.25 + 0.04 * np.sin(x * 1.1) * np.sin(y * 1.1)
    grain = np.random.default_rng(3).normal(0, 0.01, ring.shape)
    return (cloth + grain + 0.55 * ring)[..., None].repeat(3, 2).astype(np.float32) * np.array(
        (1, 0.95, 0.85), np.float32
    )


def pebbles() -> np.ndarray:
    """Drawn round stones."""
    rng = np.random.default_rng(4)
    out = np.full((192, 192, 3), 0.16, np.float32)
    for _ in range(420):
        centre, axes = rng.integers(0, 192, 2).tolist(), rng.integers(5, 12, 2).tolist()
        colour = rng.uniform(0.3, 0.8) * np.array((1.0, 0.96, 0.9))
        cv2.ellipse(out, centre, axes, float(rng.uniform(0, 180)), 0, 360, (0.08, 0.08, 0.08), -1)
        cv2.ellipse(out, centre, [a - 1 for a in axes], float(rng.uniform(0, 180)), 0, 360, colour.tolist(), -1)
    return cv2.GaussianBlur(out, (0, 0), 0.7)


def structure() -> Strip:
    crop = wall()
    hole = box(crop, 90, 60, 140, 120)
    strip = {"selection": marked(crop, hole)}
    return strip | {f"structure={v}": run(Task.INPAINT, crop, hole, given={"structure": v}) for v in ("off", "auto")}


def quality() -> Strip:
    crop = photograph()[:, 60:380]
    hole = box(crop, 112, 100, 52, 262)
    strip = {"selection": marked(crop, hole)}
    return strip | {f"quality={v}": run(Task.INPAINT, crop, hole, given={"quality": v}) for v in (1, 2, 4)}


def turns() -> Strip:
    crop = plate()
    hole = box(crop, 180, 30, 70, 80)
    strip = {"selection": marked(crop, hole)}
    some = ("none", "mirrored", "rotated")
    return strip | {f"turns={v}": run(Task.INPAINT, crop, hole, given={"turns": v}) for v in some}


def sources() -> Strip:
    crop = photograph()[:, 60:380]
    hole = box(crop, 112, 100, 52, 200)
    allowed = box(crop, 172, 60, 60, 280)
    shown = np.where(allowed[..., None], 0.6 * crop + 0.4 * np.array((0, 1, 0), np.float32), marked(crop, hole))
    return {
        "selection; green: sources": shown.astype(np.float32),
        "from everywhere": run(Task.INPAINT, crop, hole),
        "only from the sources": run(Task.INPAINT, crop, hole, sources=allowed),
    }


def layout() -> Strip:
    crop = photograph()
    strip = {"layer": crop}
    for name in ("free", "keep"):
        made = run(Task.VARIATION, crop, np.ones(crop.shape[:2]), given={"layout": name}, strength=0.6)
        strip[f"layout={name}, strength 0.6"] = made
    return strip


def strength() -> Strip:
    crop = pebbles()
    strip = {"layer": crop}
    for value in (0.2, 0.5, 0.8):
        strip[f"strength {value}"] = run(Task.VARIATION, crop, np.ones(crop.shape[:2]), strength=value)
    return strip


def tileable() -> Strip:
    crop = pebbles()
    made = run(Task.VARIATION, crop, np.ones(crop.shape[:2]), strength=0.4, tileable=True)
    return {"layer, 2 x 2": np.tile(crop, (2, 2, 1)), "variation as a tile, 2 x 2": np.tile(made, (2, 2, 1))}


def seed() -> Strip:
    crop = pebbles()
    hole = box(crop, 50, 50, 90, 90)
    return {"selection": marked(crop, hole)} | {f"seed {n}": run(Task.INPAINT, crop, hole, seed=n) for n in (0, 1, 2)}


def outpaint() -> Strip:
    crop = photograph()
    h, w = crop.shape[:2]
    top, right = h // 4, w // 4
    wide = np.zeros((h + top, w + right, 3), np.float32)
    wide[top:, :w] = crop
    hole = np.ones(wide.shape[:2], bool)
    hole[top:, :w] = False
    strip = {"25 % at the top and right": marked(wide, hole)}
    both = ("continue", "background")
    return strip | {f"growth={v}": run(Task.OUTPAINT, wide, hole, given={"growth": v}) for v in both}


STRIPS: tuple[Callable[[], Strip], ...] = (
    structure, quality, turns, sources, layout, strength, tileable, seed, outpaint,
)  # fmt: skip


def written(name: str, strip: Strip) -> Path:
    """A JPEG of all pictures of `strip` side by side, at one height."""
    tiles = []
    for words, picture in strip.items():
        scale = TALL / picture.shape[0]
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = cv2.resize(picture, (round(picture.shape[1] * scale), TALL), interpolation=how)
        tile = np.full((LABEL + TALL, small.shape[1], 3), 255, np.uint8)
        tile[LABEL:] = np.rint(small.clip(0, 1) * 255)
        cv2.putText(tile, words, (2, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (0, 0, 0), 1, cv2.LINE_AA)
        tiles += [tile, np.full((LABEL + TALL, GAP, 3), 255, np.uint8)]
    path = IMAGES / f"patch-{name}.jpg"
    cv2.imwrite(str(path), np.hstack(tiles[:-1])[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 82])
    return path


if __name__ == "__main__":
    wanted = set(sys.argv[1:])
    for make in STRIPS:
        if not wanted or make.__name__ in wanted:
            print(written(make.__name__, make()))
