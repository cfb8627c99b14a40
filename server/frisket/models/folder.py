"""The folder of installed models, and what may be done to it.

    ROOT/ID/...               a model: its files as in its repository, and model.lock.json; whole and verified
    ROOT/.pulling/ID/...      what has arrived of a pull; a later one goes on there
    ROOT/.pulling/ID.lock     held by the process that works on ID
    ROOT/.pulling/ID.old      the version before, for the moment of a swap

A model comes into its place by one rename, so that nothing half done is ever found under its name.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from frisket.errors import (
    ModelDamaged,
    ModelNotInstalled,
    ModelsFolderUnusable,
    NoRoomForModel,
    did_you_mean,
)
from frisket.models import record as records
from frisket.models.catalogue import in_words, is_id
from frisket.models.choice import LOCK
from frisket.models.claim import claimed
from frisket.models.record import Record

PULLING = ".pulling"
PIECE = 1 << 20  # bytes read or written at once
SPARE = 64 << 20  # bytes that stay free on the disk
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})  # file managers leave these
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


class Report(Protocol):
    """How far something is: `done` of `total` bytes, now at `what`. May raise errors.Cancelled."""

    def __call__(self, done: int, total: int, what: str, /) -> None: ...


def silent(done: int, total: int, what: str) -> None:
    """A Report that nobody reads."""


class State(enum.Enum):
    """What verifying finds wrong with a file."""

    MISSING = "missing"
    CHANGED = "changed"
    EXTRA = "not part of it"


@dataclass(frozen=True, slots=True)
class Finding:
    """One file that is not as the lock file says."""

    path: str
    state: State


class Folder:
    """The models below `root`, which need not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, model: str) -> Path:
        """Where a model of this id lies or would lie. Raises ModelNotInstalled when it can be no model's id."""
        if not is_id(model):
            raise ModelNotInstalled(model=model, suggestion=did_you_mean(model, self.ids()))
        return self.root / model

    def staging(self, model: str) -> Path:
        return self.root / PULLING / self.path(model).name

    def ids(self) -> list[str]:
        """Of all that lie there, damaged ones too."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return sorted(p.name for p in self.root.iterdir() if is_id(p.name) and p.is_dir() and not p.is_symlink())
        return []

    def stamp(self) -> tuple[tuple[str, int, int], ...]:
        """Another value once a model has come, gone or been replaced, by whichever process. Reads no file."""
        seen = []
        for name in self.ids():
            with contextlib.suppress(OSError):
                lock = (self.root / name / LOCK).stat()
                seen.append((name, lock.st_mtime_ns, lock.st_ino))
        return tuple(seen)

    def record(self, model: str) -> Record:
        """Raises ModelNotInstalled, ModelDamaged."""
        path = self.path(model)
        if path.is_symlink() or not path.is_dir():
            suggestion = did_you_mean(model, self.ids()) if self.ids() else f"Run `frisket models pull {model}`."
            raise ModelNotInstalled(model=model, suggestion=suggestion)
        return records.read(path, model)

    @contextlib.contextmanager
    def claim(self, model: str) -> Iterator[None]:
        """Work on a model, alone. A killed swap is put right first. Raises ModelBusy, ModelsFolderUnusable."""
        path, old = self.path(model), self.root / PULLING / f"{model}.old"
        with self.guarded(model), claimed(self.root / PULLING / f"{model}.lock", model):
            if old.exists():
                shutil.rmtree(old) if path.exists() else os.rename(old, path)
            yield

    def install(self, record: Record) -> None:
        """Put what lies in staging, with this record, in the model's place; needs the claim. Files that the record does
        not name go."""
        staging, path, old = self.staging(record.id), self.path(record.id), self.root / PULLING / f"{record.id}.old"
        _sweep(staging, {file.path for file in record.files})
        records.write(staging, record)
        _synced(staging)
        if path.exists():
            os.rename(path, old)
        os.rename(staging, path)
        _synced(self.root)
        shutil.rmtree(old, ignore_errors=True)

    def remove(self, model: str) -> int:
        """Take a model away, and what has arrived of a pull; the bytes freed. Raises ModelNotInstalled, ModelBusy."""
        path, staging = self.path(model), self.staging(model)
        if not (path.is_dir() or staging.is_dir()):
            raise ModelNotInstalled(model=model, suggestion=did_you_mean(model, self.ids()))
        with self.claim(model):
            freed = sum(p.lstat().st_size for folder in (path, staging) for p in folder.rglob("*") if p.is_file())
            doomed = self.root / PULLING / f"{model}.gone"
            shutil.rmtree(doomed, ignore_errors=True)
            if path.is_symlink():
                path.unlink()  # not ours, and what it points to even less
            elif path.is_dir():
                os.rename(path, doomed)  # at once: a half removed model is none
                shutil.rmtree(doomed)
            shutil.rmtree(staging, ignore_errors=True)
        return freed

    def verify(self, model: str, report: Report = silent) -> tuple[Finding, ...]:
        """Read every byte of a model again and compare: about 1 s a GB. Empty when all is as it was installed.

        Links are never what was installed. Raises ModelNotInstalled, ModelDamaged (no readable lock file).
        """
        folder, record = self.path(model), self.record(model)
        found: list[Finding] = []
        done = 0
        for file in record.files:
            path = folder / file.path

            def read(count: int, path: str = file.path, before: int = done) -> None:
                report(before + count, record.size, path)

            if not path.is_file():
                found.append(Finding(file.path, State.MISSING))
            elif _linked(path, folder) or path.stat().st_size != file.size or _sha256(path, read) != file.sha256:
                found.append(Finding(file.path, State.CHANGED))
            done += file.size
        known = {file.path for file in record.files} | {LOCK}
        here = sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())
        extra = [p for p in here if p not in known and p.rpartition("/")[2] not in LITTER]
        return (*found, *(Finding(p, State.EXTRA) for p in extra))

    def check(self, model: str, report: Report = silent) -> Record:
        """`verify`, as an error. Raises ModelDamaged with what was found, ModelNotInstalled."""
        record, found = self.record(model), self.verify(model, report)
        if found:
            words = ", ".join(f"{f.path} is {f.state.value}" for f in found[:5]) + (" ..." if len(found) > 5 else "")
            again = (
                f"`frisket models pull {model}`"
                if record.repository or record.endpoint
                else f"import it again from {record.source}"
            )
            suggestion = f"Run `frisket models remove {model}`, then {again}."
            raise ModelDamaged(model=model, findings=words, suggestion=suggestion)
        return record

    def make_room(self, model: str, needed: int) -> None:
        """Raises NoRoomForModel when `needed` bytes more would not fit beside the spare ones."""
        self.root.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.root).free
        if needed + SPARE > free:
            raise NoRoomForModel(model=model, needed=in_words(needed), folder=self.root, free=in_words(free))

    @contextlib.contextmanager
    def guarded(self, model: str) -> Iterator[None]:
        """Errors of the disk, in our words. Raises NoRoomForModel, ModelsFolderUnusable."""
        try:
            yield
        except OSError as error:
            if error.errno in FULL:
                free = in_words(shutil.disk_usage(self.root).free)
                raise NoRoomForModel(model=model, needed="space", folder=self.root, free=free) from error
            reason = error.strerror or str(error) or type(error).__name__
            raise ModelsFolderUnusable(folder=error.filename or self.root, reason=reason) from error


def _sha256(path: Path, read: Callable[[int], None]) -> str:
    digest, count = hashlib.sha256(), 0
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            digest.update(piece)
            count += len(piece)
            read(count)
    return digest.hexdigest()


def _linked(path: Path, folder: Path) -> bool:
    return path.resolve() != folder.resolve() / path.relative_to(folder)


def _sweep(folder: Path, keep: set[str]) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):  # what is inside a folder comes before it
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.relative_to(folder).as_posix() not in keep:
            path.unlink()


def _synced(folder: Path) -> None:
    if os.name != "nt":
        fd = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
