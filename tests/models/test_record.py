"""The lock file comes back as it was written, and a spoilt one is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from frisket.errors import ModelDamaged
from frisket.models.catalogue import Commercial, Licence
from frisket.models.choice import LOCK
from frisket.models.families import Family, Purpose
from frisket.models.record import Held, Record, read, write

FULL = Record(
    id="paint",
    title="Paint",
    family=Family.SD15_INPAINT,
    purposes=(Purpose.INPAINT, Purpose.OUTPAINT),
    licence=Licence("MIT", "https://example.org", Commercial.TERMS, gated=True),
    files=(Held("unet/a.safetensors", 12, "ab" * 32), Held("b.json", 2, "cd" * 32)),
    installed="2026-01-02T03:04:05Z",
    repository="acme/paint",
    revision="main",
    commit="0" * 40,
    endpoint="https://example.org",
    memory_needed=5,
    defaults={"steps": 20, "strength": 0.5},
)


def test_it_comes_back(tmp_path: Path) -> None:
    for record in (FULL, replace(FULL, repository="", memory_needed=None, source="/a/b")):
        write(tmp_path, record)
        assert read(tmp_path, "paint") == record
    assert FULL.size == 14


def test_the_folder_decides_the_id(tmp_path: Path) -> None:
    write(tmp_path, FULL)
    assert read(tmp_path, "copy").id == "copy"


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"family": "sd99"},
        {"files": [{"path": "../../x", "size": 1, "sha256": "a"}]},
        {"files": None},
        {"licence": {}},
        {"surprise": 1},
    ],
)
def test_a_spoilt_one_is_told(tmp_path: Path, change: dict[str, Any]) -> None:
    write(tmp_path, FULL)
    fields = json.loads((tmp_path / LOCK).read_text())
    (tmp_path / LOCK).write_text(json.dumps(fields | change))
    with pytest.raises(ModelDamaged) as caught:
        read(tmp_path, "paint")
    assert "frisket models remove paint" in caught.value.remedy


def test_none_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelDamaged):
        read(tmp_path, "paint")
