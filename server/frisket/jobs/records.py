"""What is known of a job, as frozen values. Requests and results are opaque text here; pixels are names of blobs."""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from frisket.errors import FrisketError, rebuild
from frisket.jobs.states import JobState

JsonObject = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be taken. request: JSON. inputs: blob name by plane. input_bytes: what counts against the queue."""

    request_id: str
    client: str
    task: str
    engine: str
    request: str
    inputs: Mapping[str, str]
    input_bytes: int

    @property
    def digest(self) -> str:
        """sha256 (hex) of everything that affects the picture: the same digest asks for the same thing."""
        whole = [self.task, self.engine, self.request, sorted(self.inputs.items())]
        return hashlib.sha256(json.dumps(whole).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Job:
    """A job as stored. Times are seconds since the epoch; `started` is that of the last try. `error` when FAILED."""

    id: str
    state: JobState
    request_id: str
    digest: str
    client: str
    task: str
    engine: str
    request: str
    inputs: Mapping[str, str]
    input_bytes: int
    created: float
    started: float | None
    ended: float | None
    tries: int
    last_sequence: int
    result_count: int
    error: FrisketError | None


class EventKind(enum.Enum):
    """What happened. PREVIEW and HEARTBEAT are never stored and repeat the last sequence."""

    QUEUED = "queued"
    STARTED = "started"
    PROGRESS = "progress"
    PREVIEW = "preview"
    FINISHED = "finished"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job; stored ones are numbered from 1 without gaps. `state` is that after it.

    data by kind: QUEUED position (1 = next); STARTED tries; PROGRESS fraction 0...1, seconds_left or None; PREVIEW box
    (x, y, width, height, canvas space), with the JPEG in `blob`; FINISHED result_count, seconds; FAILED error (fields);
    HEARTBEAT position by now, 0 = does not wait.
    """

    sequence: int
    time: float
    state: JobState
    kind: EventKind
    data: JsonObject = field(default_factory=dict)
    blob: bytes = b""


@dataclass(frozen=True, slots=True)
class StoredResult:
    """One finished picture. meta: JSON. planes: blob names, in the order in which the worker gave them."""

    meta: str
    planes: tuple[str, ...]


def error_fields(error: FrisketError) -> dict[str, Any]:
    """An error as JSON values; the names are those of the wire's Error message."""
    return {
        "slug": error.slug,
        "kind": error.kind.value,
        "title": error.title,
        "cause": error.cause,
        "remedy": error.remedy,
        "data": dict(error.data),
    }


def error_from_fields(fields: JsonObject) -> FrisketError:
    """The inverse of `error_fields`; an error of a newer version keeps its words."""
    return rebuild(**fields)
