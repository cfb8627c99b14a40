"""Add-ons in a models folder, written by hand. No torch."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Held, Record, write


def write_tensors(path: Path, tensors: Mapping[str, tuple[int, ...]]) -> Path:
    """A .safetensors file of zeros."""
    header, at = {}, 0
    for name, shape in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + 4 * math.prod(shape)]}
        at += 4 * math.prod(shape)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(at))
    return path


def record_of(id_: str, family: Family, files: tuple[Held, ...]) -> Record:
    licence = Licence("none", "", Commercial.UNKNOWN)
    return Record(id_, id_, family, PURPOSES.get(family, ()), licence, files, "2026-01-01T00:00:00Z")


def install(
    root: Path,
    id_: str,
    family: Family,
    tensors: Mapping[str, tuple[int, ...]] | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Path:
    """Its folder. tensors: of ID.safetensors; files: others, by their paths."""
    place = root / id_
    place.mkdir(parents=True)
    if tensors:
        write_tensors(place / f"{id_}.safetensors", tensors)
    for path, content in (files or {}).items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_bytes(content)
    recorded(place, id_, family)
    return place


def recorded(place: Path, id_: str, family: Family) -> Record:
    """The record of what lies there now, written."""
    paths = sorted(path for path in place.rglob("*") if path.is_file() and path.name != "model.lock.json")
    held = tuple(
        Held(path.relative_to(place).as_posix(), path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in paths
    )
    record = record_of(id_, family, held)
    write(place, record)
    return record
