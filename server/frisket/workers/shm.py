"""Memory that a server shares with its worker: files in a memory-backed folder, mapped by both.

A segment is made in /dev/shm, or in the temp folder where that is missing or too small. Its owner holds a lock on the
file as long as it lives, however it ends; a file that nobody locks is litter, and the next server removes it. (Process
ids would not do: they are reused, and containers that share the folder count their own.)
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from frisket.errors import DiskFull

PREFIX = "frisket-"
SUFFIX = ".shm"
SMALLEST = 64 << 20  # address space only: pages are taken as they are needed
KEPT = 256 << 20  # up to this size a segment stays for the next job: fresh pages take 6 times as long to fill
CONTROL_SIZE = mmap.PAGESIZE
STOP, SHOW = 0, 1  # bytes of a control segment
ALIGNMENT = 64  # bytes: planes begin on a cache line
ZEROS = bytes(1 << 20)
UNSUPPORTED = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}
FULL = {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM} if sys.platform != "win32" else {errno.ENOSPC, errno.ENOMEM}


def default_folders() -> tuple[Path, ...]:
    """Where segments may be made, best first."""
    memory, temp = Path("/dev/shm"), Path(tempfile.gettempdir())
    return (memory, temp) if os.access(memory, os.W_OK | os.X_OK) else (temp,)


def size_class(needed: int) -> int:
    """SMALLEST doubled until `needed` bytes fit."""
    size = SMALLEST
    while size < needed:
        size *= 2
    return size


def aligned(offset: int) -> int:
    """The next place at which a plane may begin."""
    return -(-offset // ALIGNMENT) * ALIGNMENT


def attach(path: str, size: int, writable: bool) -> mmap.mmap:
    """Map another process's segment."""
    fd = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
    try:
        return mmap.mmap(fd, size, access=mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ)
    finally:
        os.close(fd)


class Segment:
    """One mapped file of this process. size: bytes of address space; only reserved ones may be touched."""

    def __init__(self, folder: Path, size: int) -> None:
        """Raises OSError."""
        self.size = size
        self._reserved = 0
        self._fd, self.path = _locked_file(folder)
        try:
            os.ftruncate(self._fd, size)
            self._map = mmap.mmap(self._fd, size)
        except BaseException:
            self._drop_file()
            raise

    def reserve(self, needed: int) -> None:
        """Make sure that the first `needed` bytes exist: touching a page that a full folder lacks kills a process.

        Raises OSError.
        """
        if needed <= self._reserved:
            return
        if not self._allocate(needed):
            for start in range(self._reserved, needed, len(ZEROS)):
                os.lseek(self._fd, start, os.SEEK_SET)
                os.write(self._fd, ZEROS[: needed - start])
        self._reserved = needed

    def _allocate(self, needed: int) -> bool:
        """Whether the system knows how to."""
        if not hasattr(os, "posix_fallocate"):
            return False
        try:
            os.posix_fallocate(self._fd, 0, needed)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
            return False
        return True

    def view(self, offset: int, size: int) -> memoryview:
        """Bytes to read and write in place. Release it before `close`."""
        return memoryview(self._map)[offset : offset + size]

    def close(self) -> None:
        """Give the memory back, once the other process has unmapped it too."""
        with contextlib.suppress(BufferError):  # a view is still in use: the map goes with it
            self._map.close()
        self._drop_file()

    def _drop_file(self) -> None:
        if sys.platform == "win32":  # an open file cannot be removed there, a closed one is not locked
            os.close(self._fd)
            self.path.unlink(missing_ok=True)
        else:
            self.path.unlink(missing_ok=True)
            os.close(self._fd)


class Tray:
    """A segment that grows: what lies in it belongs to one job at a time."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = folders
        self._segment: Segment | None = None

    def room(self, needed: int) -> Segment:
        """A segment with at least `needed` bytes to use; the same as before where that is enough.

        Raises DiskFull, OSError when the last folder cannot be used at all.
        """
        if self._segment is not None and self._segment.size >= needed and _reserved(self._segment, needed):
            return self._segment
        self.close()
        last = self._folders[-1]
        for folder in self._folders:
            try:
                segment = Segment(folder, size_class(needed))
            except OSError as error:
                if folder == last and error.errno not in FULL:
                    raise
                continue
            if _reserved(segment, needed):
                self._segment = segment
                return segment
            segment.close()
        raise DiskFull(folder=last, free=shutil.disk_usage(last).free, needed=needed)

    def trim(self) -> None:
        """Give back what is too large to keep for the next job."""
        if self._segment is not None and self._segment.size > KEPT:
            self.close()

    def close(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None


def remove_stale(folders: Sequence[Path]) -> int:
    """Remove segments whose owner is gone. Returns how many."""
    removed = 0
    for folder in folders:
        for path in folder.glob(f"{PREFIX}*{SUFFIX}"):
            with contextlib.suppress(OSError):  # another user's, or one in use
                removed += _removed_if_stale(path)
    return removed


def _reserved(segment: Segment, needed: int) -> bool:
    try:
        segment.reserve(needed)
    except OSError as error:
        if error.errno not in FULL:
            segment.close()
            raise
        return False
    return True


def _locked_file(folder: Path) -> tuple[int, Path]:
    """A new file, open and locked."""
    while True:
        path = folder / f"{PREFIX}{os.getpid()}-{secrets.token_hex(8)}{SUFFIX}"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
        if sys.platform == "win32":
            return fd, path
        import fcntl

        with contextlib.suppress(OSError):  # a starting server took it for litter before it was locked
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(fd).st_nlink:
                return fd, path
        os.close(fd)


def _removed_if_stale(path: Path) -> bool:
    """Raises OSError when it is in use."""
    if sys.platform == "win32":
        path.unlink()  # refused while anyone has it open
        return True
    import fcntl

    fd = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
        return True
    finally:
        os.close(fd)
