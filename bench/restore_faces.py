"""Faces damaged on purpose and restored without any model: PSNR and SSIM of the face, before and after.

    python -m bench.restore_faces [--photos DIR] [--weights DIR] [--detector N] [--sheet out.png] [--cases]

The whole picture is damaged (blur of 2 px; JPEG 20; down four times and up again; noise; a small, blurred, noisy JPEG
enlarged twice), its faces are found in what is left, and restored by the built-in enhancer at full and at the usual
strength. Measured in the box of each true face (`bench.faces`), of those that were found. --cases: what a user gets
without a face, of a crowd, of faces of 12 px, cut by the border, from the side, and of 8000 x 8000 px; each in a
process of its own: seconds, MiB added, longest processor time between two looks at cancel. --detector: 0 the built-in
one, 1 YuNet, 2 RetinaFace, where their weights are.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from bench.faces import PROFILES, TRUTH, Scene, crowd, cut, detectors, photo, scenes, score
from bench.fill import PHOTOS, ROOT, machine
from bench.limits import Watch
from bench.metrics import psnr, ssim
from bench.sheets import write_sheet

from frisket.edits import restore_faces
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import EditRequest, RestoreFacesParams
from frisket.engines.faces.enhance import ENGINE
from frisket.engines.spec import Engine, Report, Task, Work
from frisket.errors import NoFaceFound
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box, Size
from frisket.raster.masks import as_mask
from frisket.raster.paste import paste

PRINTED = (98, 120, 155, 188)  # a face of TRUTH in halftone: its dots count as its truth, and as noise for us
STRENGTHS = (1.0, RestoreFacesParams().strength)
Damage = Callable[[np.ndarray], np.ndarray]


def as_jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    _, raw = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(raw, cv2.IMREAD_COLOR))


def resized(picture: np.ndarray, width: int, height: int, how: int) -> np.ndarray:
    return np.asarray(cv2.resize(picture, (width, height), interpolation=how))


def shrunk(picture: np.ndarray, times: int) -> np.ndarray:
    return resized(picture, picture.shape[1] // times, picture.shape[0] // times, cv2.INTER_AREA)


def enlarged(small: np.ndarray, like: np.ndarray) -> np.ndarray:
    return resized(small, like.shape[1], like.shape[0], cv2.INTER_CUBIC)


def grained(picture: np.ndarray, sigma: float) -> np.ndarray:
    noise = np.random.default_rng(7).normal(0, sigma, picture.shape)
    return np.clip(np.rint(picture + noise), 0, 255).astype(np.uint8)


def blurred(picture: np.ndarray, width: float) -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), width))


DAMAGES: dict[str, Damage] = {
    "none": lambda p: p,
    "blur": lambda p: blurred(p, 2.0),
    "JPEG 20": lambda p: as_jpeg(p, 20),
    "down 4x": lambda p: enlarged(shrunk(p, 4), p),
    "noise": lambda p: grained(p, 8),
    "mixed": lambda p: as_jpeg(grained(blurred(p, 1.5), 6), 35),
    "mixed, small": lambda p: enlarged(as_jpeg(grained(shrunk(blurred(p, 1.2), 2), 5), 40), p),
}


def restored(picture: np.ndarray, detector: Engine, strength: float, watch: Watch | None = None) -> Painted:
    """The whole edit, with the built-in enhancer. picture: (h, w, 3) uint8. Raises NoFaceFound."""
    size = Size(picture.shape[1], picture.shape[0])
    request = EditRequest(size, Box.of(size), RestoreFacesParams(strength), engine_params=ENGINE.spec.check_params({}))
    planes = Planes(picture, np.full(picture.shape[:2], 255, np.uint8))
    (done,) = restore_faces.run(request, planes, ENGINE, Progress(watch or Watch()), {Task.DETECT_FACES: detector})
    return done


def merged(picture: np.ndarray, done: Painted) -> np.ndarray:
    out = picture.copy()
    here = done.meta.box.slices
    work = np.divide(done.pixels, 255, dtype=np.float32)
    out[here] = paste(picture[here], work, as_mask(done.mask), PixelFormat())
    outside = np.ones(out.shape[:2], bool)
    outside[here] = done.mask == 0
    assert np.array_equal(out[outside], picture[outside]), "a pixel outside the faces changed"
    return out


class Once:
    """A detector that looks at the same picture once."""

    def __init__(self, detector: Engine) -> None:
        self.spec, self._detector = detector.spec, detector
        self._known: dict[bytes, list[np.ndarray]] = {}

    def load(self, model: str) -> None:
        self._detector.load(model)

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        name = hashlib.sha256(work.crop.tobytes()).digest()
        if name not in self._known:
            self._known[name] = self._detector.run(work, report)
        return self._known[name]


def gains(
    some: Sequence[Scene], damage: Damage, detector: Engine, strength: float, printed: bool = False
) -> list[tuple[float, ...]]:
    """For each true face that was found: PSNR and SSIM before and after. printed: of the one in halftone instead."""
    met = []
    for scene in some:
        bad = damage(scene.picture)
        try:
            done = restored(bad, detector, strength)
        except NoFaceFound:
            continue
        out = merged(bad, done)
        found = [(f.box.x, f.box.y, f.box.width, f.box.height) for f in done.meta.faces if not f.trouble]
        for face in scene.faces:
            if (face == PRINTED) is printed and score(np.array(found, np.float32).reshape(-1, 4), [face])[0]:
                where = np.zeros(bad.shape[:2], bool)
                x, y, w, h = face
                where[y : y + h, x : x + w] = True
                here = Box(x, y, w, h).slices
                pair = [(psnr(p, scene.picture, where), ssim(p[here], scene.picture[here])) for p in (bad, out)]
                met.append((*pair[0], *pair[1]))
    return met


def table(folder: Path, detector: Engine) -> None:
    some = scenes(folder, TRUTH)
    there = sum(face != PRINTED for scene in some for face in scene.faces)
    detector = Once(detector)
    print(f"Detector: {detector.spec.title}\n")
    print("| damage | strength | faces | PSNR | after | gain, mean (least) | SSIM | after | gain, mean (least) |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, damage in DAMAGES.items():
        for strength in STRENGTHS:
            met = np.array(gains(some, damage, detector, strength)).reshape(-1, 4)
            if not len(met):
                print(f"| {name} | {strength:g} | 0 of {there} |")
                continue
            before, s_before, after, s_after = met.mean(axis=0)
            gain, s_gain = met[:, 2] - met[:, 0], met[:, 3] - met[:, 1]
            if name == "none":  # there is no gain over the truth
                words = f"| | {after:.1f} | ({met[:, 2].min():.1f}) | | {s_after:.4f} | ({met[:, 3].min():.4f}) |"
            else:
                words = f"| {before:.2f} | {after:.2f} | {gain.mean():+.2f} ({gain.min():+.2f}) | "
                words += f"{s_before:.4f} | {s_after:.4f} | {s_gain.mean():+.4f} ({s_gain.min():+.4f}) |"
            print(f"| {name} | {strength:g} | {len(met)} of {there} {words}", flush=True)
        print_of = [f"{a - b:+.2f} dB, {c - d:+.4f}" for b, d, a, c in gains(some, damage, detector, 1.0, printed=True)]
        print(f"| {name} | 1 | the print | {', '.join(print_of)} |", flush=True)


def sheet(folder: Path, detector: Engine, path: Path) -> None:
    """A row for each damage of two faces: the truth, the damaged one, and restored at either strength."""
    rows = []
    for name, number in (("astronaut.png", 0), ("faces/Blake_Lively.jpg", 1)):
        picture, (x, y, w, h) = photo(folder, name), TRUTH[name][number]
        here = Box(x, y, w, h).grown(w // 4).clipped(Box(0, 0, picture.shape[1], picture.shape[0])).slices
        for label, damage in DAMAGES.items():
            bad = damage(picture)
            row = {"truth": picture[here], label: bad[here]}
            for strength in STRENGTHS:
                try:
                    row[f"strength {strength:g}"] = merged(bad, restored(bad, detector, strength))[here]
                except NoFaceFound:
                    row["no face was found"] = bad[here]
            rows.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sheet(path, rows, 300)
    print(f"\nSheet: {path}")


def giant(folder: Path) -> np.ndarray:
    """8000 x 8000 px: a crowd of 48 px, and a face of 1500 px."""
    picture = np.tile(photo(folder, "brick.png"), (16, 16, 1))[:8000, :8000].copy()
    picture[:800, :1280] = crowd(folder, 48).picture
    source, (_, _, w, _) = photo(folder, "faces/Blake_Lively.jpg"), TRUTH["faces/Blake_Lively.jpg"][1]
    large = np.asarray(cv2.resize(source, None, fx=1500 / w, fy=1500 / w, interpolation=cv2.INTER_CUBIC))
    picture[3000 : 3000 + large.shape[0], 500 : 500 + large.shape[1]] = large
    return picture


CASES: dict[str, Callable[[Path], Sequence[np.ndarray]]] = {
    "no face": lambda folder: [photo(folder, "rocket.jpg")],
    "one face, 512 x 512": lambda folder: [photo(folder, "astronaut.png")],
    "60 faces, 48 px wide": lambda folder: [crowd(folder, 48).picture],
    "60 faces, 12 px wide": lambda folder: [crowd(folder, 12).picture],
    "a quarter beyond the border, 16 pictures": lambda folder: [
        part.picture for scene in scenes(folder, TRUTH) for part in cut(scene)
    ],
    "from the side, 15 and 20 px": lambda folder: [photo(folder, name) for name in PROFILES],
    "8000 x 8000, 60 faces of 48 px, one of 1500": lambda folder: [giant(folder)],
}


class Look(Watch):
    """Measures how much processor time passes between two looks: what others do on the machine does not count."""

    def check(self) -> None:
        now = time.thread_time()
        if self._last:
            self.silence = max(self.silence, now - self._last)
        self._last = time.thread_time()


def held(reset: bool = False) -> float:
    """The most memory that this process has held since the last reset, MiB. Linux alone knows how to reset it."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def case(folder: Path, name: str, detector: Engine) -> dict[str, object]:
    pictures = CASES[name](folder)
    with contextlib.suppress(NoFaceFound):
        restored(photo(folder, "astronaut.png"), detector, 0.7)  # whatever is made ready at first use
    watch = Look()
    before, began, worked = held(reset=True), time.perf_counter(), time.process_time()
    faces, said = [], set()
    for picture in pictures:
        try:
            faces += restored(picture, detector, 0.7, watch).meta.faces
        except NoFaceFound as error:
            said.add(error.cause)
    seconds, worked = time.perf_counter() - began, time.process_time() - worked
    troubles = [face.trouble for face in faces if face.trouble]
    counted = [f"{len(faces)} found, {len(faces) - len(troubles)} restored."] if faces else []
    gets = " ".join((*counted, *sorted(said), *sorted(set(troubles))[:1]))
    return {"gets": gets, "s": seconds, "cpu": worked, "MiB": held() - before, "ms": 1000 * watch.silence}


def cases(options: argparse.Namespace) -> None:
    print("\n| picture | what the user gets | s | s of processor | MiB added | longest silence, ms |")
    print("|---|---|---|---|---|---|")
    for name in CASES:
        where = [
            "--photos",
            str(options.photos),
            "--weights",
            str(options.weights),
            "--detector",
            str(options.detector),
        ]
        command = [sys.executable, "-m", "bench.restore_faces", *where, "--probe", name]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        m = json.loads(done.stdout)
        print(f"| {name} | {m['gets']} | {m['s']:.1f} | {m['cpu']:.1f} | {m['MiB']:.0f} | {m['ms']:.0f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=PHOTOS, help="default: ../shared/photos beside this checkout")
    parser.add_argument("--weights", type=Path, default=PHOTOS.parent / "weights", help="default: ../shared/weights")
    parser.add_argument("--detector", type=int, default=0)
    parser.add_argument("--sheet", type=Path, help="a picture of before and after")
    parser.add_argument("--cases", action="store_true", help="what the user gets, in hard cases")
    parser.add_argument("--probe", help=argparse.SUPPRESS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as models:
        detector = detectors(options.weights, Path(models))[options.detector]
        if options.probe:
            print(json.dumps(case(options.photos, options.probe, detector)))
            return
        print(machine() + "\n")
        if options.cases:
            cases(options)
            return
        table(options.photos, detector)
        if options.sheet:
            sheet(options.photos, detector, options.sheet)


if __name__ == "__main__":
    main()
