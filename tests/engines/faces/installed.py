"""Networks as an import leaves them in the folder of models."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Held, Record, write


def install(file: Path, family: Family, root: Path, model: str = "tiny") -> tuple[Path, Record]:
    """A copy of `file` as the model `model` below `root`: its folder and its record."""
    folder = root / model
    folder.mkdir(parents=True)
    shutil.copy(file, folder / file.name)
    raw = file.read_bytes()
    held = (Held(file.name, len(raw), hashlib.sha256(raw).hexdigest()),)
    licence = Licence("test", "", Commercial.UNKNOWN)
    record = Record(model, model, family, PURPOSES[family], licence, held, "2026-01-01T00:00:00Z", source="test")
    write(folder, record)
    return folder, record
