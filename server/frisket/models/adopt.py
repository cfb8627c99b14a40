"""A model that the user has already: a diffusers folder, a .safetensors file, a network; copied, checked, never run."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from frisket.errors import ModelAlreadyThere, ModelFamilyUnknown, ModelFileUnusable, ParameterOutOfRange
from frisket.models import networks
from frisket.models.catalogue import Commercial, Licence, is_id, is_plain
from frisket.models.choice import INDEX, choose, components
from frisket.models.families import FILES, PURPOSES, Family
from frisket.models.folder import PIECE, Folder, Report, silent
from frisket.models.recognise import family_of_component, family_of_pipeline, family_of_tensors
from frisket.models.record import Held, Record
from frisket.models.safetensors import read_header

ENCODER = "image_encoder"  # folder beside an IP-Adapter's weights: what reads pictures for it
UNKNOWN = Licence("unknown", "", Commercial.UNKNOWN)
OF_ALL = {  # terms that whatever is of a family comes under
    Family.CODEFORMER: Licence(
        "S-Lab License 1.0", "https://github.com/sczhou/CodeFormer/blob/master/LICENSE", Commercial.NO
    )
}
TAKEN = frozenset().union(*FILES.values())  # kinds of single files


def adopt(
    folder: Folder, source: Path, model: str = "", family: Family | None = None, report: Report = silent
) -> Record:
    """Copy the model at `source` in, under the id `model` (made of its name when empty); `source` stays as it is.

    `family` is found out when it is None. Raises ModelFileUnusable, ModelFamilyUnknown, ModelAlreadyThere,
    ParameterOutOfRange (the id), NoRoomForModel, ModelBusy, ModelsFolderUnusable, Cancelled.
    """
    model = model or _id_of(source)
    if not is_id(model):
        raise ParameterOutOfRange(name="id", value=model, wanted="lower case, digits, . _ -, at most 64 characters")
    with folder.guarded(model):
        base = source if source.is_dir() else source.parent
        files = _files(source, family)
        found = family or _family(source, files)
    if found is None:
        raise ModelFamilyUnknown(path=source, families=", ".join(f.value for f in Family))
    networks.check(base, files, found)
    with folder.claim(model):
        if folder.path(model).exists():
            raise ModelAlreadyThere(model=model, folder=folder.path(model))
        folder.make_room(model, sum((base / path).stat().st_size for path in files))
        held = _copy_all(base, files, folder.staging(model), report)
        networks.check(folder.staging(model), files, found)  # what was copied is what counts
        made = Record(
            id=model,
            title=source.name,
            family=found,
            purposes=PURPOSES.get(found, ()),
            licence=OF_ALL.get(found, UNKNOWN),
            files=held,
            installed=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            source=str(source.resolve()),
        )
        folder.install(made)
    return made


def _id_of(source: Path) -> str:
    stem = source.resolve().name if source.is_dir() else source.stem
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:64]


def _files(source: Path, family: Family | None) -> tuple[str, ...]:
    if not source.is_dir():
        return _one_file(source)
    if family and family in FILES:  # networks that work together, one beside the other
        names = sorted(path.name for path in source.iterdir() if path.suffix in FILES[family] and is_plain(path.name))
        for name in names:
            _contained(source, name)
        if names:
            return tuple(names)
    return _files_of_folder(source)


def _one_file(source: Path) -> tuple[str, ...]:
    if not source.is_file():
        raise ModelFileUnusable(path=source, reason="there is no such file")
    if source.suffix not in TAKEN:
        reason = f"only {', '.join(sorted(TAKEN))} files are taken: others could run code"
        raise ModelFileUnusable(path=source, reason=reason)
    if not is_plain(source.name):
        raise ModelFileUnusable(path=source, reason="rename it: letters, digits, spaces and . _ - only")
    return (source.name,)


def _files_of_folder(source: Path) -> tuple[str, ...]:
    paths = []
    for where, folders, names in os.walk(source):
        for name in folders:
            if (Path(where) / name).is_symlink():
                raise ModelFileUnusable(path=Path(where) / name, reason="it is a link to a folder")
        paths += [(Path(where) / name).relative_to(source).as_posix() for name in names]
    wanted = {""}
    if INDEX in paths:
        _contained(source, INDEX)
        wanted |= set(components((source / INDEX).read_bytes(), str(source)))
    elif f"{ENCODER}/config.json" in paths:
        wanted.add(ENCODER)  # of an IP-Adapter
    chosen = choose(paths, wanted, str(source))
    for path in chosen:
        _contained(source, path)
    return chosen


def _contained(source: Path, path: str) -> None:
    """A link may lead within the folder, or to the blobs beside the snapshots of a hub's cache, nowhere else."""
    real, root = (source / path).resolve(), source.resolve()
    blobs = root.parent.parent / "blobs"
    in_cache = root.parent.name == "snapshots" and real.parent == blobs
    if not real.is_file() or not (real.is_relative_to(root) or in_cache):
        raise ModelFileUnusable(path=source / path, reason="it is a link that leaves the folder, or no file")


def _family(source: Path, files: tuple[str, ...]) -> Family | None:
    if INDEX in files:
        return family_of_pipeline(components((source / INDEX).read_bytes(), str(source))[""], source)
    if source.is_dir() and (found := family_of_component(source)):
        return found
    weights = [path for path in files if PurePosixPath(path).suffix in TAKEN and not path.startswith(f"{ENCODER}/")]
    top = [path for path in weights if "/" not in path and path.endswith(".safetensors")]
    if len(top) > 1 and not any(".safetensors.index" in path for path in files):
        several = f"{', '.join(top[:3])}{' and more' if len(top) > 3 else ''}"
        raise ModelFileUnusable(path=source, reason=f"it holds several: {several}; import one, or a folder with one")
    if len(weights) != 1:
        return None
    path = (source if source.is_dir() else source.parent) / weights[0]
    if (found := networks.family_of(path)) or path.suffix != ".safetensors":
        return found
    return family_of_tensors(read_header(path))


def _copy_all(base: Path, files: tuple[str, ...], staging: Path, report: Report) -> tuple[Held, ...]:
    total, before, held = sum((base / path).stat().st_size for path in files), 0, []
    for path in files:

        def copied(count: int, path: str = path, before: int = before) -> None:
            report(before + count, total, path)

        held.append(_copy(base / path, staging, path, copied))
        before += held[-1].size
    return tuple(held)


def _copy(source: Path, staging: Path, path: str, copied: Callable[[int], None]) -> Held:
    target, digest, count = staging / path, hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    with source.open("rb") as read, target.open("xb") as write:
        while piece := read.read(PIECE):
            write.write(piece)
            digest.update(piece)
            count += len(piece)
            copied(count)
        write.flush()
        os.fsync(write.fileno())
    return Held(path, count, digest.hexdigest())
