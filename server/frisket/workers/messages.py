"""What server and worker say to each other over their pipe. Pixels never go this way, they lie in shared memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from frisket.errors import FrisketError


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message. factory: "module:attribute", called with kwargs, gives the easel.

    python_path: folders to import from besides the installed ones. control: a segment whose byte shm.STOP is 1 when
    the job that runs shall stop, and shm.SHOW when somebody sees its previews. beat_s: how often the process says that
    it is Alive.
    """

    factory: str
    kwargs: Mapping[str, Any]
    python_path: tuple[str, ...]
    control: str
    beat_s: float


@dataclass(frozen=True, slots=True)
class Room:
    """A segment: its file, its size for mapping, and how many bytes of it may be touched."""

    path: str
    size: int
    usable: int


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes in a segment."""

    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class Run:
    """To the worker: do this. inputs: where each plane lies in `source`. Results go to `sink`."""

    job: str
    request: str
    inputs: Mapping[str, Span]
    source: Room
    sink: Room


@dataclass(frozen=True, slots=True)
class MoreRoom:
    """To the worker: the answer to NeedRoom."""

    sink: Room


@dataclass(frozen=True, slots=True)
class NoRoom:
    """To the worker: the other answer to NeedRoom."""

    error: FrisketError


@dataclass(frozen=True, slots=True)
class Alive:
    """From the worker: it is not stopped, and its threads still take turns."""


@dataclass(frozen=True, slots=True)
class Ready:
    """From the worker: warm. trace: what went wrong on the way, empty = nothing; it takes runs all the same."""

    trace: str


@dataclass(frozen=True, slots=True)
class Progressed:
    """From the worker: fraction 0...1 of the whole job."""

    fraction: float


@dataclass(frozen=True, slots=True)
class Previewed:
    """From the worker: box is x, y, width, height, canvas space."""

    jpeg: bytes
    box: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class NeedRoom:
    """From the worker: the results take this many bytes, more than the sink has."""

    needed: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """One finished picture: where its planes lie in the sink."""

    meta: str
    planes: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """From the worker: all pictures."""

    results: tuple[Delivered, ...]


@dataclass(frozen=True, slots=True)
class Failed:
    """From the worker: there is no picture. trace: for the log, may be empty."""

    error: FrisketError
    trace: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The worker process is gone. ending: "signal 9", "exit code 1". Made by whoever listens to it."""

    ending: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The job was cancelled before the worker saw it. Made by the slot."""


ToWorker = Setup | Run | MoreRoom | NoRoom
Heard = Alive | Ready | Progressed | Previewed | NeedRoom | Done | Failed | Ended | Stop
