"""The catalogue: which models can be had, from where, under which licence, and what they are for.

It is data: `catalogue.json` beside this module, and the user's own files of the same shape in a folder of theirs,
merged over it field by field. What is not known is left out (a size, a hash, the memory needed): nothing is a guess.
"""

from __future__ import annotations

import enum
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from frisket.errors import CatalogueInvalid, ModelNotListed, did_you_mean
from frisket.models.families import FILES, PURPOSES, Family, Purpose

BUILT_IN = Path(__file__).with_name("catalogue.json")
SUFFIXES = frozenset({".safetensors", ".json", ".txt", ".model", ".jinja"})  # data: nothing of it runs or is unpickled
Value = float | int | bool | str

_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_REVISION = re.compile(r"[A-Za-z0-9][\w.-]{0,127}")
_PART = re.compile(r"\w[\w .,+()@=-]*", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_URL = re.compile(r"https://[a-z0-9.-]+(:\d+)?/[\w./%+~-]+", re.ASCII)  # nobody's name, no question behind it


class Commercial(enum.Enum):
    """Whether the licence lets the model be used in business."""

    YES = "yes"
    NO = "no"
    TERMS = "under terms"  # for some: up to a revenue, with a registration ...
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Licence:
    """Under which terms a model comes. `gated`: the hub hands it out only to who has accepted them there."""

    name: str
    link: str
    commercial: Commercial
    gated: bool = False

    @property
    def needs_accepting(self) -> bool:
        """Whether somebody has to say yes to it before a server fetches the model."""
        return self.gated or self.commercial is not Commercial.YES


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model: its path within the repository, its size in bytes and its sha256 (64 hex digits).

    None means: what the hub states is taken. `url`: where it lies when not in a hub's repository; then both are given.
    """

    path: str
    size: int | None = None
    sha256: str | None = None
    url: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model of the catalogue: in a repository of the hub, or, without one, in files that each say where they lie.

    Without `files` those of a diffusers folder are chosen from what the hub lists (`models.choice`). `memory_needed`
    is the weights at half precision in bytes, None when nobody measured it. `defaults` are values of parameters.
    `purposes` are those of the family (PURPOSES) unless the entry says otherwise.
    """

    id: str
    title: str
    repository: str
    revision: str
    family: Family
    purposes: tuple[Purpose, ...]
    licence: Licence
    files: tuple[File, ...] = ()
    memory_needed: int | None = None
    defaults: Mapping[str, Value] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """Where it comes from, for people: the hub's repository, or the address of its first file."""
        return self.repository or self.files[0].url

    @property
    def size(self) -> int | None:
        """Bytes of all files, None when one is not known."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if sizes and len(sizes) == len(self.files) else None


def in_words(count: int | None) -> str:
    """Bytes for people: "512 B", "1.5 MB", "24.2 GB" (powers of ten, as hubs and disks count).

    >>> in_words(24_200_000_000), in_words(None)
    ('24.2 GB', 'unknown')
    """
    if count is None:
        return "unknown"
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB"):
        amount /= 1000
        if amount < 999.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1000:.1f} TB"


def is_id(text: str) -> bool:
    """Whether it can name a model, and with it a folder: lower case, digits, ". _ -", at most 64 characters."""
    return bool(_ID.fullmatch(text)) and ".." not in text


def is_plain(path: str) -> bool:
    """Whether a file's path stays below its model's folder on every system: relative, "/" between, no dot-names."""
    return len(path) <= 240 and all(_PART.fullmatch(part) and part[-1] not in " ." for part in path.split("/"))


def load(folder: Path | None = None) -> dict[str, Entry]:
    """Every model by its id: those built in, and those of the *.json files in `folder` merged over them, by name.

    Raises CatalogueInvalid, with the file and what is wrong in it.
    """
    raw: dict[str, dict[str, Any]] = {}
    origin: dict[str, Path] = {}
    for path in (BUILT_IN, *(sorted(folder.glob("*.json")) if folder else ())):
        for name, fields in _read(path).items():
            raw[name] = {**raw.get(name, {}), **fields}
            origin[name] = path
    return {name: _entry(name, fields, origin[name]) for name, fields in raw.items()}


def find(catalogue: Mapping[str, Entry], name: str) -> Entry:
    """Raises ModelNotListed, with the near misses."""
    if name not in catalogue:
        raise ModelNotListed(model=name, suggestion=did_you_mean(name, list(catalogue)))
    return catalogue[name]


def _read(path: Path) -> dict[str, dict[str, Any]]:
    try:
        models = json.loads(path.read_text(encoding="utf-8"))["models"]
        if isinstance(models, dict) and all(isinstance(fields, dict) for fields in models.values()):
            return models
        reason = '"models" must hold one object for each model'
    except OSError as error:
        reason = error.strerror or "cannot be read"
    except (ValueError, RecursionError) as error:
        reason = f"no JSON ({error})"
    except (KeyError, TypeError):
        reason = 'an object with "models" is wanted'
    raise CatalogueInvalid(path=path, reason=reason)


def _entry(name: str, fields: dict[str, Any], path: Path) -> Entry:
    try:
        if not is_id(name):
            raise ValueError("its name must be lower case, digits and . _ -")
        known = set(Entry.__dataclass_fields__) - {"id"}
        for given in fields:
            if given not in known:
                raise ValueError(f"there is no field {given}, there are {', '.join(sorted(known))}")
        family = Family(_text(fields, "family"))
        files = tuple(_file(f, SUFFIXES | FILES.get(family, frozenset())) for f in fields.get("files", ()))
        direct = _direct(fields, files)
        return Entry(
            id=name,
            title=_text(fields, "title"),
            repository="" if direct else _matching(_REPOSITORY, _text(fields, "repository"), "repository"),
            revision="" if direct else _matching(_REVISION, _text(fields, "revision"), "revision"),
            family=family,
            purposes=_purposes(fields, family),
            licence=_licence(fields["licence"]),
            files=files,
            memory_needed=_count(fields, "memory_needed"),
            defaults=_defaults(fields.get("defaults", {})),
        )
    except KeyError as error:
        raise CatalogueInvalid(path=path, reason=f"{name} lacks {error.args[0]}") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise CatalogueInvalid(path=path, reason=f"{name}: {error}") from None


def _purposes(fields: dict[str, Any], family: Family) -> tuple[Purpose, ...]:
    if "purposes" in fields:
        return tuple(Purpose(p) for p in fields["purposes"])
    return PURPOSES.get(family, ())


def _licence(fields: dict[str, Any]) -> Licence:
    gated = fields.get("gated", False)
    if not isinstance(gated, bool):
        raise ValueError("gated must be true or false")
    return Licence(_text(fields, "name"), _text(fields, "link"), Commercial(_text(fields, "commercial")), gated)


def _direct(fields: dict[str, Any], files: tuple[File, ...]) -> bool:
    """Whether the files say where they lie. Raises ValueError when only some do, or in more than one place."""
    if not any(file.url for file in files):
        return False
    if fields.keys() & {"repository", "revision"} or not all(file.url for file in files):
        raise ValueError("either a repository and a revision, or a url for each file")
    if len({urlsplit(file.url).netloc for file in files}) > 1:
        raise ValueError("its files must lie on one server")
    return True


def _file(fields: dict[str, Any], suffixes: frozenset[str]) -> File:
    path = _text(fields, "path")
    if not is_plain(path):
        raise ValueError(f"{path!r} is no path within a model")
    if PurePosixPath(path).suffix not in suffixes:
        raise ValueError(f"{path} is none of {', '.join(sorted(suffixes))}")
    size, sha256 = _count(fields, "size"), fields.get("sha256")
    digest = None if sha256 is None else _matching(_SHA256, sha256, "sha256")
    if "url" not in fields:
        return File(path, size, digest)
    if size is None or digest is None:
        raise ValueError(f"{path} has a url: its size and sha256 are needed, too")
    return File(path, size, digest, _matching(_URL, _text(fields, "url"), "url"))


def _defaults(fields: dict[str, Any]) -> Mapping[str, Value]:
    for name, value in fields.items():
        if not isinstance(value, float | int | str):
            raise ValueError(f"the default of {name} must be a number, a text or true/false")
    return MappingProxyType(dict(fields))


def _text(fields: dict[str, Any], name: str) -> str:
    if not isinstance(fields[name], str) or not fields[name]:
        raise ValueError(f"{name} must be a text")
    return fields[name]


def _count(fields: dict[str, Any], name: str) -> int | None:
    value = fields.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
        raise ValueError(f"{name} must be a whole number of bytes")
    return value


def _matching(pattern: re.Pattern[str], text: str, name: str) -> str:
    if not pattern.fullmatch(text) or ".." in text:
        raise ValueError(f"{name} cannot be {text!r}")
    return text
