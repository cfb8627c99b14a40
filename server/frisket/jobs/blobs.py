"""Pixels on disk, named by their sha256. A file under its final name is whole: written beside, synced, then renamed."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from frisket.errors import DiskFull, ResultLost, UploadCorrupt

TMP = "tmp"
YOUNG_S = 3600.0  # a blob is stored before the row that refers to it: so long it may wait for its row
FULL = {errno.ENOSPC, errno.EDQUOT} if sys.platform != "win32" else {errno.ENOSPC}
Buffer = bytes | bytearray | memoryview
PIECE = 1 << 20


class Blobs:
    """Files below `folder`: "ab/ab34..." by content. One process at a time; within it any thread may call."""

    def __init__(self, folder: Path) -> None:
        """Make the folder, and remove what an earlier process left half written."""
        self.folder = folder
        self._lock = threading.Lock()
        self._awaited: Counter[str] = Counter()  # stored, and not settled yet
        self._settled: list[str] = []  # since the last sweep began
        shutil.rmtree(folder / TMP, ignore_errors=True)
        (folder / TMP).mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """Where the blob of this name lies, or would lie."""
        return self.folder / name[:2] / name

    def size(self, name: str) -> int:
        """Bytes; 0 when there is no such blob."""
        try:
            return self.path(name).stat().st_size
        except FileNotFoundError:
            return 0

    def checked(self, name: str) -> Path:
        """Where the blob lies, after a look at every byte of it: blocks for about 1 ms a MiB. Raises ResultLost."""
        path = self.path(name)
        try:
            found = _sha256(path)
        except FileNotFoundError:
            raise ResultLost(file=name, what="gone") from None
        except OSError as error:
            raise ResultLost(file=name, what=f"unreadable ({error.strerror})") from error
        if found != name:
            raise ResultLost(file=name, what="damaged")
        return path

    def writer(self) -> Writer:
        """Write one blob piece by piece. Raises DiskFull."""
        return Writer(self)

    def put(self, data: Buffer) -> str:
        """Store bytes and return their name. Blocks for hash and fsync, 30 to 70 ms for 16 MiB. Raises DiskFull."""
        writer = self.writer()
        try:
            writer.write(data)
            return writer.finish()
        finally:
            writer.abort()

    def settle(self, names: Iterable[str]) -> None:
        """Each of these was stored once, and by now a row refers to it, or none ever will."""
        with self._lock:
            self._settled += names

    def sweep(self, keep: Callable[[], Collection[str]], young_s: float = YOUNG_S) -> int:
        """Remove blobs that no row refers to, unless they are younger than `young_s` and wait for theirs.

        keep: gives the names that rows refer to. Returns the bytes that became free.
        """
        with self._lock:  # before the rows are read: what is settled from here on may have a row that was not seen
            self._awaited -= Counter(self._settled)
            self._settled.clear()
        kept, freed, before = keep(), 0, time.time() - young_s
        for path in self.folder.glob("??/*"):
            if path.name in kept:
                continue
            with self._lock, contextlib.suppress(OSError):  # a file that a reader holds open on Windows: next time
                stat = path.stat()
                if path.name not in self._awaited or stat.st_mtime <= before:
                    path.unlink()
                    del self._awaited[path.name]
                    freed += stat.st_size
        return freed

    def _publish(self, written: Path, name: str) -> None:
        """Give a synced file its final name, for good. It takes the place of one of that name, which may be damaged."""
        path = self.path(name)
        with self._lock:
            self._awaited[name] += 1
            path.parent.mkdir(exist_ok=True)
            try:
                os.replace(written, path)
            except PermissionError:  # Windows, while somebody reads the former
                if _sha256(path) != name:
                    raise
                os.utime(path)  # young again: a sweep must not take it from under its new owner
                written.unlink()
                return
        _sync_folder(path.parent)
        _sync_folder(self.folder)


class Writer:
    """One blob on its way in, by one thread at a time."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._hash = hashlib.sha256()
        with disk_full(blobs.folder, 1):
            fd, name = tempfile.mkstemp(dir=blobs.folder / TMP)
        self._file, self._path = os.fdopen(fd, "wb"), Path(name)

    def write(self, data: Buffer) -> None:
        """Append. Raises DiskFull."""
        with disk_full(self._blobs.folder, len(data)):
            self._file.write(data)
        self._hash.update(data)

    def finish(self, expected_sha: str | None = None) -> str:
        """Sync, rename and return the name. expected_sha: hex; another one raises UploadCorrupt. Raises DiskFull."""
        name = self._hash.hexdigest()
        try:
            if expected_sha not in (None, name):
                raise UploadCorrupt(plane="file", codec="raw", reason=f"its sha256 is {name}, not {expected_sha}")
            with disk_full(self._blobs.folder, 1):
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                self._blobs._publish(self._path, name)
        finally:
            self.abort()
        return name

    def abort(self) -> None:
        """Forget what was written. Without effect after `finish`."""
        with contextlib.suppress(OSError):  # closing may flush into a full disk
            self._file.close()
        self._path.unlink(missing_ok=True)


@contextlib.contextmanager
def disk_full(folder: Path, needed: int) -> Iterator[None]:
    """Raises DiskFull in place of the operating system's error for it. needed: bytes that were to be written."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise DiskFull(folder=folder, free=shutil.disk_usage(folder).free, needed=needed) from error


def _sha256(path: Path) -> str:
    """Of the content, hex. Raises OSError."""
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """A rename is only durable once its folder is."""
    if sys.platform == "win32":
        return  # folders cannot be opened there, and NTFS journals renames
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
