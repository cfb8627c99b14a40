"""Other weight-free ways to fill a hole, each run as its own documentation or its users run it.

A peer that is not installed is left out, with a line that says so. Commands (G'MIC, and what the user names) are timed
with their start and the exchange of files: some 0.05 to 0.1 s that a library call does not have.
"""

from __future__ import annotations

import importlib
import importlib.util
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from bench.cases import read_rgb, write_rgb
from bench.fillers import Fill

COMMAND_SECONDS = 600
GMIC_PATCH = "[1],7,16,0.1,1,9,0,0.05,10,1"  # the defaults of the filter "Inpaint [Patch-Based]" in G'MIC-Qt


@dataclass(frozen=True, slots=True)
class Peer:
    """once: slow, one round is enough. most_hole, most_pixels: larger cases are left out."""

    name: str
    fill: Fill
    once: bool = False
    most_hole: int = 1 << 40
    most_pixels: int = 1 << 40

    def takes(self, hole: np.ndarray) -> bool:
        """Whether this peer is run on a case with this hole (h, w) bool."""
        return hole.size <= self.most_pixels and int(np.count_nonzero(hole)) <= self.most_hole


def installed(commands: Sequence[str] = ()) -> tuple[list[Peer], list[str]]:
    """The peers that can run here, and a line for each that cannot.

    commands: "NAME=COMMAND" each, with {image}, {mask} (white = fill) and {output} for PNG paths. Raises ValueError.
    """
    peers = [Peer("telea", _opencv(cv2.INPAINT_TELEA)), Peer("ns", _opencv(cv2.INPAINT_NS))]
    missing = []
    if hasattr(cv2, "xphoto"):
        peers.append(Peer("shiftmap", _shiftmap, once=True))
        peers.append(Peer("fsr fast", _fsr_fast, once=True, most_pixels=300_000))
    else:
        missing.append("shiftmap, fsr fast: this OpenCV has no xphoto (opencv-contrib-python-headless has)")
    if importlib.util.find_spec("skimage"):
        peers.append(Peer("biharmonic", _biharmonic, once=True, most_hole=32_000, most_pixels=300_000))
    else:
        missing.append("biharmonic: scikit-image is not installed")
    if shutil.which("gmic"):
        peers.append(Peer("gmic patch", _gmic("-inpaint[0]", GMIC_PATCH)))
        peers.append(Peer("gmic matchpatch", _gmic("-inpaint_matchpatch[0]", "[1]")))
    else:
        missing.append("gmic patch, gmic matchpatch: the command gmic is not installed")
    return peers + [_named(text) for text in commands], missing


def _opencv(method: int) -> Fill:
    return lambda picture, hole: cv2.inpaint(picture, _bytes(hole), 3, method)


def _shiftmap(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """He & Sun, ECCV 2012. Works in CIE Lab, as OpenCV's own sample calls it."""
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB)
    return cv2.cvtColor(_xphoto(lab, hole, 0), cv2.COLOR_LAB2RGB)


def _fsr_fast(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Frequency selective reconstruction, Genser et al., PCS 2018, at its quick setting."""
    return _xphoto(picture, hole, 2)


def _xphoto(picture: np.ndarray, hole: np.ndarray, method: int) -> np.ndarray:
    """method: 0 SHIFTMAP, 1 FSR_BEST, 2 FSR_FAST. This module's masks are black where it is to fill."""
    filled = np.zeros_like(picture)
    cv2.xphoto.inpaint(picture, _bytes(~hole), filled, method)  # type: ignore[attr-defined]
    return filled


def _biharmonic(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    restoration = importlib.import_module("skimage.restoration")
    filled = restoration.inpaint_biharmonic(picture / 255.0, hole, channel_axis=-1)
    return np.rint(np.clip(filled, 0, 1) * 255).astype(np.uint8)


def _gmic(filter_: str, arguments: str) -> Fill:
    words = ["gmic", "-v", "-1", "{image}", "{mask}", filter_, arguments]
    return _by_command([*words, "-round[0]", "-cut[0]", "0,255", "-output[0]", "{output}"])


def _named(text: str) -> Peer:
    name, sign, command = text.partition("=")
    if not sign or not all(word in command for word in ("{image}", "{mask}", "{output}")):
        raise ValueError(f"{text!r} is not NAME=COMMAND with {{image}}, {{mask}} and {{output}}")
    return Peer(name, _by_command(shlex.split(command)))


def _by_command(words: Sequence[str]) -> Fill:
    """Raises RuntimeError with the command's last words when it fails, TimeoutExpired after ten minutes."""

    def fill(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            files = {name: str(Path(folder) / f"{name}.png") for name in ("image", "mask", "output")}
            write_rgb(Path(files["image"]), picture)
            cv2.imwrite(files["mask"], _bytes(hole))
            command = [_with_files(word, files) for word in words]
            done = subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS)
            if done.returncode:
                raise RuntimeError(f"{command[0]}: {(done.stderr or done.stdout)[-300:]}")
            return read_rgb(Path(files["output"]))

    return fill


def _with_files(word: str, files: dict[str, str]) -> str:
    for name, path in files.items():
        word = word.replace(f"{{{name}}}", path)
    return word


def _bytes(hole: np.ndarray) -> np.ndarray:
    return hole.astype(np.uint8) * 255
