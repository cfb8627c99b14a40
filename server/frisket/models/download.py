"""One file from a hub: resumed where it stopped, hashed as it comes, under its name only when every byte is right.

What has arrived lies in `NAME.HASH.part` beside the file. It is hashed again when a later run goes on with it, so that
a part that was damaged is found out.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from frisket.errors import HubBytesWrong, HubUnreachable
from frisket.models.folder import PIECE
from frisket.models.hub import Hash, Hub, Listing, hasher
from frisket.models.patience import Interrupted, Patience
from frisket.models.record import Held
from frisket.models.wire import Answer, Refused

NOTHING_THERE = 416
Arrived = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to fetch: its path, its size in bytes, and the hash that it must have."""

    path: str
    size: int
    hash: Hash
    digest: str

    def part(self, folder: Path) -> Path:
        target = folder / self.path
        return target.with_name(f"{target.name}.{self.digest[:12]}.part")

    def arrived(self, folder: Path) -> int:
        """Bytes that are there already, unchecked."""
        for path in (folder / self.path, self.part(folder)):
            if path.is_file():
                return min(self.size, path.stat().st_size)
        return 0


class _Digests:
    """The hash that is demanded and the sha256 that is noted, over the same bytes."""

    def __init__(self, want: Wanted) -> None:
        self.done = 0
        self._want = want
        self._sha256 = hashlib.sha256()
        self._git = hasher(Hash.GIT, want.size) if want.hash is Hash.GIT else None

    def update(self, piece: bytes) -> None:
        self.done += len(piece)
        self._sha256.update(piece)
        if self._git:
            self._git.update(piece)

    def right(self) -> bool:
        return self.done == self._want.size and (self._git or self._sha256).hexdigest() == self._want.digest

    def held(self) -> Held:
        return Held(self._want.path, self.done, self._sha256.hexdigest())


def fetch(hub: Hub, listing: Listing, want: Wanted, folder: Path, patience: Patience, arrived: Arrived) -> Held:
    """Bring `want` into `folder`. `arrived(bytes so far)` is called about once a MiB and may raise Cancelled.

    Raises HubBytesWrong (nothing is kept), HubUnreachable, HubGated ... (what has arrived is kept), OSError (the disk).
    """
    target, part = folder / want.path, want.part(folder)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.is_file():  # of an earlier run, or a second name of an installed file: never written to
        with target.open("rb") as file:
            digests = _hashed(file, want, arrived)
        if digests.right():
            return digests.held()
        target.unlink()
    with part.open("r+b" if part.is_file() else "w+b") as file:
        if os.fstat(file.fileno()).st_size > want.size:
            file.truncate(0)
        digests = _hashed(file, want, arrived)
        resumed = digests.done > 0
        if digests.done < want.size:
            digests = _stream(hub, listing, want, file, digests, patience, arrived)
        if not digests.right() and resumed:  # the part may be at fault: once more, from nothing
            digests = _stream(hub, listing, want, file, _emptied(file, want), patience, arrived)
        file.flush()
        os.fsync(file.fileno())
    if not digests.right():
        part.unlink()
        raise HubBytesWrong(path=want.path, endpoint=hub.endpoint, reason=f"its {want.hash.value} hash differs")
    os.replace(part, target)
    return digests.held()


def _hashed(file: IO[bytes], want: Wanted, arrived: Arrived) -> _Digests:
    digests = _Digests(want)
    while piece := file.read(PIECE):
        digests.update(piece)
        arrived(digests.done)
    return digests


def _emptied(file: IO[bytes], want: Wanted) -> _Digests:
    file.seek(0)
    file.truncate()
    return _Digests(want)


def _stream(
    hub: Hub, listing: Listing, want: Wanted, file: IO[bytes], digests: _Digests, patience: Patience, arrived: Arrived
) -> _Digests:
    """Read on until `want.size` bytes are there, through cuts and pauses."""
    failures = 0
    while digests.done < want.size:
        before = digests.done
        try:
            with hub.open(listing, want.path, digests.done) as answer:
                if _at(answer, before, hub, want):
                    _copy(answer, want, file, digests, arrived)
                elif before:
                    digests = _emptied(file, want)
                else:
                    raise HubBytesWrong(path=want.path, endpoint=hub.endpoint, reason="it is another part of the file")
        except Interrupted as trouble:
            failures = 1 if digests.done > before else failures + 1
            if failures >= patience.tries:
                reason = f"{trouble.reason} at {digests.done} of {want.size} bytes of {want.path}"
                raise HubUnreachable(endpoint=hub.endpoint, reason=reason, tries=failures) from None
            patience.pause(failures, trouble.after, lambda: arrived(digests.done))  # noqa: B023
        except Refused as refused:
            if refused.status != NOTHING_THERE or before == 0:
                raise HubBytesWrong(path=want.path, endpoint=hub.endpoint, reason="it has no bytes") from None
            digests = _emptied(file, want)
    return digests


def _at(answer: Answer, start: int, hub: Hub, want: Wanted) -> bool:
    """Bring the answer to byte `start`; False when it cannot be. Raises HubBytesWrong when the size differs."""
    total = answer.headers.get("content-length", "")
    begin = 0
    if answer.status == 206:
        unit, _, span = answer.headers.get("content-range", "").partition(" ")
        first, _, total = span.replace("-", "/").partition("/")
        total = total.rpartition("/")[2]
        begin = int(first) if unit == "bytes" and first.isdigit() else -1
    if total.isdigit() and int(total) != want.size:
        raise HubBytesWrong(path=want.path, endpoint=hub.endpoint, reason=f"it has {total} bytes, not {want.size}")
    if begin == start:
        return True
    if begin != 0:
        return False
    return _skipped(answer, start)  # a server without ranges: what is there already comes once more


def _skipped(answer: Answer, count: int) -> bool:
    while count and (piece := answer.read(min(count, PIECE))):
        count -= len(piece)
    if count:
        raise Interrupted("the connection was cut")
    return True


def _copy(answer: Answer, want: Wanted, file: IO[bytes], digests: _Digests, arrived: Arrived) -> None:
    while digests.done < want.size:
        piece = answer.read(min(PIECE, want.size - digests.done))
        if not piece:
            raise Interrupted("the connection was cut")
        file.write(piece)
        digests.update(piece)
        arrived(digests.done)
