"""One edit from an editor's point of view: find the server, plan, send, watch, fetch; Cancel leaves nothing behind.

For editors that cannot carry grpcio. Blocking: an editor runs it off its main thread and hands in a `Listener`.
"""

from __future__ import annotations

import contextlib
import enum
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from frisket.client.client import Client, Picture
from frisket.client.h2_transport import H2Transport
from frisket.client.link import is_link, parse
from frisket.client.places import read_runtime
from frisket.edits.requests import EditRequest
from frisket.edits.results import Plan
from frisket.errors import (
    Cancelled,
    ConnectionLost,
    FrisketError,
    JobNotFinished,
    ServerNotRunning,
    ServerUnreachable,
)
from frisket.raster.geometry import Box
from frisket.rpc import convert
from frisket.rpc.stubs import jobs_pb2


class Stage(enum.Enum):
    """Where an edit is."""

    SENDING = "the picture is sent"
    WAITING = "another job has the worker"
    WORKING = "a worker has it"
    BROKEN = "the connection is gone, and is made anew for a minute; the job goes on"
    FETCHING = "the result is fetched"


@dataclass(frozen=True, slots=True)
class Moment:
    """How far an edit is. place: in the queue while WAITING, 1 = next. fraction: 0...1 of the job, None = as it was.
    seconds_left: an estimate, 0 = none yet. tries: above 1, the job was started again after a crash."""

    stage: Stage
    place: int = 0
    fraction: float | None = None
    seconds_left: float = 0.0
    tries: int = 1


class Listener(Protocol):
    """Who watches an edit. Called from the thread that the edit runs on."""

    @property
    def stopped(self) -> bool:
        """Whether the user has asked to leave."""
        ...

    @property
    def previews(self) -> bool:
        """Whether somebody would see previews: without, none is asked for."""
        ...

    def at(self, moment: Moment) -> None:
        """What goes on."""
        ...

    def show(self, jpeg: bytes) -> None:
        """The picture so far, at most 512 px a side."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """A connection to the server at `address`, under the name of an editor.

    Made without connecting. `interrupt` may come from another thread, again and again.
    """

    address: str
    token: str = field(repr=False)
    name: str
    pin: str = ""
    client: Client = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "client", self._another(10.0))

    def _another(self, connect_timeout: float) -> Client:
        return Client(H2Transport(self.address, self.token, connect_timeout, self.pin), self.name)

    def interrupt(self) -> None:
        self.client.interrupt()

    def close(self) -> None:
        self.client.close()

    def plan(self, request: EditRequest, selection: Sequence[Box]) -> Plan:
        """The server's plan, once it has said that it speaks our version. Raises VersionMismatch and the server's."""
        self.client.server_info()
        return self.client.plan(request, selection)

    def run(
        self, request: EditRequest, pixels: bytes | None, mask: bytes | None, listener: Listener
    ) -> tuple[str, list[Picture]]:
        """(job id, pictures). None for a plane that the task does not need.

        When `listener` has stopped, the job is cancelled on the server too: raises Cancelled.

        Raises what the job failed with; JobNotFinished when somebody else cancelled it.
        """
        request_id = str(uuid.uuid4())
        try:
            return self._run(request, pixels, mask, listener, request_id)
        except FrisketError:
            if not listener.stopped:
                raise
        self._cancel(request_id)
        raise Cancelled()

    def _run(self, request, pixels: bytes | None, mask: bytes | None, listener: Listener, request_id: str):
        listener.at(Moment(Stage.SENDING))
        try:
            job = self.client.submit(request, pixels, mask, request_id).id
        except ConnectionLost:
            job = self.client.submit(request, pixels, mask, request_id).id  # harmless: the id makes it one job
        watch = _Watch(job, listener)
        for event in self.client.watch(job, previews=listener.previews, broken=watch.broken):
            watch.take(event)
        listener.at(Moment(Stage.FETCHING, fraction=1.0))
        return job, [self.client.result(job, index, watch.broken) for index in range(request.count)]

    def _cancel(self, request_id: str) -> None:
        """Over a connection of its own, since this one may be interrupted again; also when the job's id never came."""
        client = self._another(2.0)
        # It ends by itself when it cannot be reached; the user wants to leave.
        with contextlib.closing(client), contextlib.suppress(FrisketError):
            for job in client.jobs(self.name, limit=50):
                if job.request_id == request_id:
                    client.cancel(job.id)


def at(text: str, token: str, name: str) -> Session:
    """A session with the server at "host:port" or "unix:/path", or with the one that a pasted line names.

    token: for an address; a line brings its own. Raises LinkInvalid.
    """
    if is_link(text):
        link = parse(text)
        return Session(link.address, link.token, name, link.pin)
    return Session(text, token, name)


def running(home: Path, name: str) -> Session:
    """A session with the server noted in `home`. Raises ServerNotRunning (also when that one died), TokenWrong."""
    runtime = read_runtime(home)
    session = Session(runtime.address, runtime.token, name, runtime.pin)
    try:
        session.client.server_info()
    except FrisketError as error:
        session.close()
        if isinstance(error, ServerUnreachable):
            raise ServerNotRunning(folder=home) from None
        raise
    return session


class _Watch:
    """What a listener is told of a job's events."""

    def __init__(self, job: str, listener: Listener) -> None:
        self._job, self._listener = job, listener
        self._moment, self._broken = Moment(Stage.SENDING), False

    def broken(self) -> None:
        """Raises Cancelled, since nothing else would end the attempts before their minute is over."""
        self._check()
        if not self._broken:
            self._broken = True
            self._listener.at(Moment(Stage.BROKEN))

    def take(self, event: jobs_pb2.JobEvent) -> None:
        """One event. Raises what the job ended with, unless it is a result; Cancelled."""
        self._check()
        what = event.WhichOneof("what")
        if what == "failed":
            raise convert.error_from_proto(event.failed)
        if what == "cancelled":
            raise JobNotFinished(job=self._job, state="cancelled")
        if what == "preview":
            self._listener.show(event.preview.jpeg)
        moment = self._after(event)
        if self._broken or moment != self._moment:
            self._listener.at(moment)
        self._moment, self._broken = moment, False

    def _after(self, event: jobs_pb2.JobEvent) -> Moment:
        """A preview changes nothing, a heartbeat at most the place in the queue."""
        what = event.WhichOneof("what")
        if what == "queued":
            return Moment(Stage.WAITING, place=event.queued.position)
        if what == "started":
            return Moment(Stage.WORKING, fraction=0.0, tries=event.started.tries)
        if what == "progress":
            left = event.progress.seconds_left
            return replace(self._moment, stage=Stage.WORKING, fraction=event.progress.fraction, seconds_left=left)
        if what == "heartbeat" and event.heartbeat.position:
            return replace(self._moment, stage=Stage.WAITING, place=event.heartbeat.position)
        return self._moment

    def _check(self) -> None:
        if self._listener.stopped:
            raise Cancelled()
