"""One process at a time for one model: a lock that the system takes back when its holder dies."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from frisket.errors import ModelBusy


@contextlib.contextmanager
def claimed(path: Path, model: str) -> Iterator[None]:
    """Hold the lock file `path` for this block; the file stays. Raises ModelBusy at once when another holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock(fd, model)
        yield
    finally:
        os.close(fd)


def _lock(fd: int, model: str) -> None:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise ModelBusy(model=model) from None
