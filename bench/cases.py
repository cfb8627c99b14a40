"""Pictures with holes for the fill benchmark, read from a folder that the user names.

A set is a folder with `set.json`, a list of objects {"id", "kind": "inpaint" | "removal" | "outpaint"}, and for each a
folder `<id>/` with image.png, mask.png (white = fill) and, where it is known, gt.png (what was there).
"""

from __future__ import annotations

import enum
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np


class Kind(enum.Enum):
    """Why there is a hole."""

    INPAINT = "inpaint"  # a piece was taken out: its truth is known
    REMOVAL = "removal"  # an object is to go: nobody knows what is behind
    OUTPAINT = "outpaint"  # the picture is to grow past its border


@dataclass(frozen=True, slots=True)
class Case:
    """picture, truth: (h, w, 3) uint8 RGB. hole: (h, w) bool, True = fill."""

    name: str
    kind: Kind
    picture: np.ndarray
    hole: np.ndarray
    truth: np.ndarray | None


@dataclass(frozen=True, slots=True)
class Place:
    """A photograph with an object to remove, and what a learned network made of it. Shapes as in Case."""

    name: str
    picture: np.ndarray
    hole: np.ndarray
    learned: np.ndarray


def read_set(folder: Path, only: Sequence[str] = ()) -> list[Case]:
    """The cases of a set, or those whose name is in `only`. Raises FileNotFoundError, ValueError for unknown names."""
    rows = json.loads((folder / "set.json").read_text())
    unknown = set(only) - {row["id"] for row in rows}
    if unknown:
        raise ValueError(f"no case in {folder} is called {', '.join(sorted(unknown))}")
    return [_case(folder / row["id"], Kind(row["kind"])) for row in rows if not only or row["id"] in only]


def read_places(folder: Path) -> list[Place]:
    """Every images/N.png of the folder with its masks/N.png and migan/N.png. Raises FileNotFoundError."""
    found = sorted((folder / "images").glob("*.png"), key=lambda path: (len(path.stem), path.stem))
    if not found:
        raise FileNotFoundError(f"no photographs in {folder / 'images'}")
    return [
        Place(
            path.stem,
            read_rgb(path),
            read_hole(folder / "masks" / path.name),
            read_rgb(folder / "migan" / path.name),
        )
        for path in found
    ]


def read_rgb(path: Path) -> np.ndarray:
    """(h, w, 3) uint8. Raises FileNotFoundError for what is missing or no picture."""
    return np.ascontiguousarray(_read(path, cv2.IMREAD_COLOR)[..., ::-1])


def read_hole(path: Path) -> np.ndarray:
    """(h, w) bool: where the mask is above 0."""
    return _read(path, cv2.IMREAD_GRAYSCALE) > 0


def write_rgb(path: Path, picture: np.ndarray) -> None:
    """PNG; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture[..., ::-1])


def _case(folder: Path, kind: Kind) -> Case:
    truth = folder / "gt.png"
    return Case(
        folder.name,
        kind,
        read_rgb(folder / "image.png"),
        read_hole(folder / "mask.png"),
        read_rgb(truth) if truth.exists() else None,
    )


def _read(path: Path, how: int) -> np.ndarray:
    picture = cv2.imread(str(path), how)
    if picture is None:
        raise FileNotFoundError(f"no picture at {path}")
    return picture
