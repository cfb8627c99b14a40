"""Face detectors: faces found of those that are there, hits where there is none, seconds; and a sheet to look at.

    python -m bench.faces [--photos DIR] [--weights DIR] [--sheet out.jpg] [--giant]

Beside the built-in detector YuNet and RetinaFace run when their weights are in the folder. The truth below was drawn by
eye: forehead to chin, ear to ear. A face is found when a hit and its box share SHARED of what both cover. A crowd is
the faces of the photographs, shrunk to so many px of width and pasted on bricks. --giant: 8000 x 8000 px through the
edit, in a process of its own for each: seconds, MiB added, longest time between two looks at cancel.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from bench.cases import read_rgb
from bench.fill import PHOTOS, ROOT, machine
from bench.limits import Watch
from bench.scaling import peak

from frisket.edits import detect_faces
from frisket.edits.progress import Progress
from frisket.edits.repaint import Planes
from frisket.edits.requests import DetectFacesParams, EditRequest
from frisket.engines.faces.cascade import CascadeDetector
from frisket.engines.faces.retinaface import RetinaFaceDetector
from frisket.engines.faces.yunet import YuNetDetector
from frisket.engines.spec import Engine, Silent, Task, Work
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Held, Record
from frisket.raster.geometry import Box, Size

SHARED = 0.35  # of the area that a hit and the truth cover together
Faces = Sequence[tuple[int, int, int, int]]  # x, y, width, height, px
TRUTH: dict[str, Faces] = {
    "faces/00.jpg": [(767, 375, 160, 192), (500, 785, 150, 175)],
    "faces/10045.png": [(172, 100, 83, 113), (378, 125, 80, 100), (366, 425, 73, 92)],
    "faces/Blake_Lively.jpg": [(98, 120, 155, 188), (418, 75, 178, 245)],
    "astronaut.png": [(178, 60, 94, 118)],
}
MORE: dict[str, Faces] = {
    "fill/r_alexibyG/image.png": [(196, 97, 43, 60), (302, 124, 38, 48)],
    "fill/r_6458524847/image.png": [(327, 69, 54, 78)],
}
PROFILES: dict[str, Faces] = {  # small ones: 20 and 15 px
    "places_object/images/2.png": [(205, 121, 20, 27)],
    "places_object/images/7.png": [(74, 99, 15, 18)],
}
FACELESS = ("chelsea.png", "coffee.png", "eagle.png", "rocket.jpg", "brick.png", "gravel.png", "grass.png")
TOYS = ("g_china_obj", "g_dog_stroke", "g_horses_rect", "g_moto_stroke", "r_overturec", "b_truck_obj", "g_samdogs_obj")
GROUND = "brick.png"
CROWD = 60
WIDTHS = (48, 24, 16, 12)  # px of a face in a crowd
YUNET, RETINAFACE = "yunet_n_dynamic.onnx", "retinaface_mobile0.25.pth"


@dataclass(frozen=True, slots=True)
class Scene:
    """A picture (h, w, 3) uint8 and where its faces are."""

    picture: np.ndarray
    faces: Faces


@lru_cache(maxsize=64)
def photo(folder: Path, name: str) -> np.ndarray:
    return read_rgb(folder / name)


def scenes(folder: Path, truth: dict[str, Faces]) -> list[Scene]:
    return [Scene(photo(folder, name), faces) for name, faces in truth.items() if (folder / name).exists()]


def turned(scene: Scene, degrees: float) -> Scene:
    h, w = scene.picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((w / 2, h / 2), degrees, 1)
    size = np.abs(matrix[:, :2]) @ (w, h)
    matrix[:, 2] += (size - (w, h)) / 2
    picture = cv2.warpAffine(scene.picture, matrix, (int(size[0]), int(size[1])), borderMode=cv2.BORDER_REPLICATE)
    middles = [matrix @ (x + fw / 2, y + fh / 2, 1) for x, y, fw, fh in scene.faces]
    faces = [
        (int(mx - fw / 2), int(my - fh / 2), fw, fh)
        for (mx, my), (_, _, fw, fh) in zip(middles, scene.faces, strict=True)
    ]
    return Scene(np.asarray(picture, np.uint8), faces)


def cut(scene: Scene) -> Iterator[Scene]:
    """Each face at the border of a picture of its own, a quarter of it missing at the right, then at the top."""
    height, width = scene.picture.shape[:2]
    for x, y, w, h in scene.faces:
        right, top = x + w * 3 // 4, y + h // 4
        left, low = max(0, x - w // 2), max(0, y - h // 2)  # near enough that no other face is in it
        part = scene.picture[low : min(height, y + h * 3 // 2), left:right]
        yield Scene(part, [(x - left, y - low, right - x, h)])
        part = scene.picture[top : min(height, y + h * 3 // 2), left : min(width, x + w * 3 // 2)]
        yield Scene(part, [(x - left, 0, w, y + h - top)])


def worn(scene: Scene) -> Iterator[Scene]:
    """Blurred by a 40th of the face's width, and as a JPEG of quality 10."""
    sigma = max(w for _, _, w, _ in scene.faces) / 40
    yield Scene(cv2.GaussianBlur(scene.picture, (0, 0), sigma), scene.faces)
    _, raw = cv2.imencode(".jpg", scene.picture, [cv2.IMWRITE_JPEG_QUALITY, 10])
    yield Scene(np.asarray(cv2.imdecode(raw, cv2.IMREAD_COLOR), np.uint8), scene.faces)


def crowd(folder: Path, width: int, size: tuple[int, int] = (1280, 800)) -> Scene:
    """CROWD faces, each so many px wide, in rows of ten."""
    ground = photo(folder, GROUND)
    times = [-(-n // m) for n, m in zip(size[::-1], ground.shape, strict=False)]
    picture = np.tile(ground, (*times, 1))[: size[1], : size[0]].copy()
    cutouts = [(s.picture, face) for s in scenes(folder, TRUTH) for face in s.faces]
    faces = []
    for number in range(CROWD):
        source, (x, y, w, h) = cutouts[number % len(cutouts)]
        grow = int(w * 0.4)
        left, top = max(0, x - grow), max(0, y - grow)
        part, scale = source[top : y + h + grow, left : x + w + grow], width / w
        small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        across, down = number % 10 * (size[0] // 10) + 20, number // 10 * (size[1] // 6) + 20
        ph, pw = small.shape[:2]
        picture[down : down + ph, across : across + pw] = small[: size[1] - down, : size[0] - across]
        faces.append((int(across + (x - left) * scale), int(down + (y - top) * scale), width, int(h * scale)))
    return Scene(picture, faces)


def hits(engine: Engine, picture: np.ndarray, **params) -> tuple[np.ndarray, float]:
    """Rows (n, 15) and seconds."""
    crop = picture.astype(np.float32) / 255
    hole = np.ones(crop.shape[:2], np.float32)
    work = Work(Task.DETECT_FACES, crop, hole, engine.spec.check_params(params), (0,))
    began = time.perf_counter()
    (rows,) = engine.run(work, Silent())
    return rows, time.perf_counter() - began


def score(rows: np.ndarray, faces: Faces) -> tuple[int, int]:
    """Faces that were found, and hits that are none."""
    left = list(faces)
    false = 0
    for row in rows:
        near = max(left, key=lambda face: shared(row, face), default=None)
        if near is not None and shared(row, near) >= SHARED:
            left.remove(near)
        else:
            false += 1
    return len(faces) - len(left), false


def shared(row: np.ndarray, face: tuple[int, int, int, int]) -> float:
    low = np.maximum(row[:2], face[:2])
    high = np.minimum(row[:2] + row[2:4], np.add(face[:2], face[2:]))
    both = float(np.prod(np.maximum(high - low, 0)))
    return both / (float(row[2] * row[3]) + face[2] * face[3] - both)


def seen(rows: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The part of each box that the picture shows."""
    high = np.minimum(rows[:, :2] + rows[:, 2:4], picture.shape[1::-1])
    low = np.maximum(rows[:, :2], 0)
    return np.concatenate([low, high - low], axis=1)


def line(engine: Engine, name: str, some: Sequence[Scene], **params) -> str:
    found = there = false = 0
    seconds = []
    for scene in some:
        rows, took = hits(engine, scene.picture, **params)
        if not seconds:
            again, _ = hits(engine, scene.picture, **params)
            assert np.array_equal(rows, again, equal_nan=True), "the same picture must give the same faces"
        right, wrong = score(seen(rows, scene.picture), scene.faces)
        found, there, false = found + right, there + len(scene.faces), false + wrong
        seconds.append(took)
    return f"| {engine.spec.title} | {name} | {found} of {there} | {false} | {np.median(seconds):.2f} |"


def detectors(weights: Path, models: Path) -> list[Engine]:
    """The built-in one, and those whose weights are there."""
    engines: list[Engine] = [CascadeDetector()]
    if (weights / YUNET).exists():
        engines.append(YuNetDetector(*installed(weights / YUNET, Family.YUNET, "YuNet", models)))
    if (weights / RETINAFACE).exists():
        folder, record = installed(weights / RETINAFACE, Family.RETINAFACE, "RetinaFace (mobile)", models)
        engines.append(RetinaFaceDetector(folder, record))
    for engine in engines:
        engine.load("")
    return engines


def installed(file: Path, family: Family, title: str, models: Path) -> tuple[Path, Record]:
    """The file as an imported model, in a folder of its own."""
    folder = models / family.value
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file.name).write_bytes(file.read_bytes())
    held = (Held(file.name, file.stat().st_size, ""),)
    licence = Licence("", "", Commercial.UNKNOWN)
    return folder, Record(family.value, title, family, PURPOSES[family], licence, held, "", source=str(file))


def table(folder: Path, engines: Sequence[Engine]) -> None:
    main = scenes(folder, TRUTH)
    faceless = [folder / name for name in FACELESS] + [folder / "fill" / name / "image.png" for name in TOYS]
    groups = {
        "photographs": main,
        "three smaller faces": scenes(folder, MORE),
        "from the side, 15 to 20 px": scenes(folder, PROFILES),
        "turned by 15°": [turned(s, d) for s in main for d in (15, -15)],
        "turned by 30°": [turned(s, d) for s in main for d in (30, -30)],
        "turned by 45°": [turned(s, d) for s in main for d in (45, -45)],
        "a quarter beyond the border": [part for s in main for part in cut(s)],
        "blurred; JPEG 10": [part for s in main for part in worn(s)],
        "without a face": [Scene(read_rgb(path), []) for path in faceless if path.exists()],
    }
    print("| detector | pictures | faces found | hits that are none | s each |\n|---|---|---|---|---|")
    for engine in engines:
        for name, some in groups.items():
            print(line(engine, name, some), flush=True)
        for width in WIDTHS:
            scene = crowd(folder, width)
            print(line(engine, f"{CROWD} faces, {width} px wide", [scene]), flush=True)
            print(line(engine, f"{CROWD} faces, {width} px wide, closer", [scene], closer=True), flush=True)


def sheet(folder: Path, engines: Sequence[Engine], path: Path, side: int = 560) -> None:
    """A row for each picture, a column for each detector: boxes, points and scores, as found."""
    pictures = [s.picture for s in (*scenes(folder, TRUTH), *scenes(folder, MORE), *scenes(folder, PROFILES))]
    pictures += [crowd(folder, 24).picture, *(photo(folder, name) for name in ("chelsea.png", "eagle.png"))]
    rows = []
    for picture in pictures:
        rows.append(
            np.hstack([_drawn(picture, hits(engine, picture)[0], engine.spec.title, side) for engine in engines])
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])
    print(f"\nSheet: {path}")


def _drawn(picture: np.ndarray, rows: np.ndarray, title: str, side: int) -> np.ndarray:
    scale = side / max(picture.shape[:2])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    tile = np.full((side, side, 3), 40, np.uint8)
    tile[: small.shape[0], : small.shape[1]] = small
    for row in rows:
        x, y, w, h = (int(v * scale) for v in row[:4])
        cv2.rectangle(tile, (x, y), (x + w, y + h), (0, 255, 0), 1)
        cv2.putText(tile, f"{row[14]:.2f}", (x, max(9, y - 2)), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (255, 255, 0), 1)
        for px, py in row[4:14].reshape(5, 2):
            if np.isfinite(px):
                cv2.circle(tile, (int(px * scale), int(py * scale)), 2, (255, 0, 255), -1)
    cv2.putText(tile, title, (4, side - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 255), 1)
    return tile


def giant(folder: Path, engine: Engine, closer: bool) -> dict[str, float]:
    """8000 x 8000 px: a crowd of 24 px and two faces of more than 1000 px."""
    side = 8000
    scene = crowd(folder, 24)
    picture = np.tile(photo(folder, GROUND), (8, 8, 1))[:side, :side].copy()
    picture[:800, :1280] = scene.picture
    source, (_, _, w, _) = photo(folder, "faces/Blake_Lively.jpg"), TRUTH["faces/Blake_Lively.jpg"][1]
    large = cv2.resize(source, None, fx=1500 / w, fy=1500 / w, interpolation=cv2.INTER_CUBIC)
    top, left = 3000, 500
    picture[top : top + large.shape[0], left : left + large.shape[1]] = large[: side - top, : side - left]
    both = (np.array(TRUTH["faces/Blake_Lively.jpg"]) * (1500 / w) + (left, top, 0, 0)).astype(int)
    faces = [*scene.faces, *((int(fx), int(fy), int(fw), int(fh)) for fx, fy, fw, fh in both)]
    request = EditRequest(
        Size(side, side), Box(0, 0, side, side), DetectFacesParams(), engine_params={"closer": closer}
    )
    mask = np.full((side, side), 255, np.uint8)
    hits(engine, picture[:256, :256])  # whatever is made ready at first use
    watch = Watch()
    before, began = peak(), time.perf_counter()
    (done,) = detect_faces.run(request, Planes(picture, mask), engine, Progress(watch))
    seconds = time.perf_counter() - began
    rows = [(f.box.x, f.box.y, f.box.width, f.box.height) for f in done.meta.faces]
    right, wrong = score(np.array(rows, np.float32).reshape(-1, 4), faces)
    return {"s": seconds, "MiB": peak() - before, "ms": 1000 * watch.silence, "found": right, "false": wrong}


def giants(options: argparse.Namespace) -> None:
    print("\n| detector | 8000 x 8000 px | found of 62 | none | s | MiB added | longest silence, ms |")
    print("|---|---|---|---|---|---|---|")
    for number in range(3):
        for closer in (0, 1):
            where = ["--photos", str(options.photos), "--weights", str(options.weights)]
            command = [sys.executable, "-m", "bench.faces", *where, "--probe", str(number), str(closer)]
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
            m = json.loads(done.stdout) if done.stdout.strip() else None
            if m:
                words = f"{m['found']:.0f} | {m['false']:.0f} | {m['s']:.1f} | {m['MiB']:.0f} | {m['ms']:.0f}"
                print(f"| {m['title']} | {'closer' if closer else 'as usual'} | {words} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="default: ../shared/photos beside this checkout")
    parser.add_argument("--weights", type=Path, default=PHOTOS.parent / "weights", help="default: ../shared/weights")
    parser.add_argument("--sheet", type=Path, help="a picture of what was found")
    parser.add_argument("--only", nargs="*", type=int, help="detectors by number: 0 built in, 1 YuNet, 2 RetinaFace")
    parser.add_argument("--giant", action="store_true", help="only the picture of 8000 x 8000 px")
    parser.add_argument("--probe", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as models:
        if options.giant:
            giants(options)
            return
        engines = detectors(options.weights, Path(models))
        if options.probe:
            number, closer = options.probe
            if number < len(engines):
                met = giant(options.photos, engines[number], bool(closer))
                print(json.dumps(met | {"title": engines[number].spec.title}))
            return
        print(f"{machine()}\n")
        engines = [engine for number, engine in enumerate(engines) if options.only is None or number in options.only]
        table(options.photos, engines)
        if options.sheet:
            sheet(options.photos, engines, options.sheet)


if __name__ == "__main__":
    main()
