"""The lock file of an installed model, `model.lock.json` beside its files: what was installed, from where, with which
bytes, under which licence, when. Loading and verifying go by it, not by what happens to lie in the folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from frisket.errors import ModelDamaged
from frisket.models.catalogue import Commercial, Licence, Value, is_plain
from frisket.models.choice import LOCK
from frisket.models.families import Family, Purpose

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Held:
    """One installed file: path within the model's folder, bytes, sha256."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Record:
    """One installed model.

    `repository`, `revision` (as asked for), `commit` (what it was, 40 hex digits) and `endpoint` are empty for an
    imported one, whose `source` is the path it came from; of one that lay at an address of its own, `source` is that,
    and only `endpoint` is given. `installed` is UTC in ISO 8601.
    """

    id: str
    title: str
    family: Family
    purposes: tuple[Purpose, ...]
    licence: Licence
    files: tuple[Held, ...]
    installed: str
    repository: str = ""
    revision: str = ""
    commit: str = ""
    endpoint: str = ""
    source: str = ""
    memory_needed: int | None = None
    defaults: Mapping[str, Value] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)


def write(folder: Path, record: Record) -> None:
    """Into a folder that nobody uses yet."""
    fields = {name: getattr(record, name) for name in Record.__dataclass_fields__}
    fields |= {
        "format": FORMAT,
        "family": record.family.value,
        "purposes": [p.value for p in record.purposes],
        "licence": asdict(record.licence) | {"commercial": record.licence.commercial.value},
        "files": [asdict(file) for file in record.files],
        "defaults": dict(record.defaults),
    }
    (folder / LOCK).write_text(json.dumps(fields, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read(folder: Path, model: str) -> Record:
    """Raises ModelDamaged when the lock file is missing, unreadable or of a later format."""
    try:
        fields: dict[str, Any] = json.loads((folder / LOCK).read_text(encoding="utf-8"))
        if fields.pop("format") != FORMAT:
            raise ValueError("format")
        licence = fields["licence"] | {"commercial": Commercial(fields["licence"]["commercial"])}
        files = tuple(Held(str(f["path"]), int(f["size"]), str(f["sha256"])) for f in fields["files"])
        if not all(is_plain(file.path) for file in files):
            raise ValueError("paths")
        return Record(
            **fields
            | {
                "id": model,
                "family": Family(fields["family"]),
                "purposes": tuple(Purpose(p) for p in fields["purposes"]),
                "licence": Licence(**licence),
                "files": files,
            }
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        suggestion = f"Run `frisket models remove {model}` and get it again."
        raise ModelDamaged(model=model, findings=f"its {LOCK} cannot be read", suggestion=suggestion) from None
