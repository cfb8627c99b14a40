"""One edit from an editor's point of view: find the server, plan, send, watch, fetch; Cancel leaves nothing behind.

For editors that cannot carry grpcio. Blocking: an editor runs it off its main thread and hands in a `Listener`.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
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


class Listener(Protocol):
    """Who watches an edit. Called from the thread that the edit runs on."""

    @property
    def stopped(self) -> bool:
        """Whether the user has asked to leave."""
        ...

    def tell(self, text: str, fraction: float | None = None) -> None:
        """What goes on, for people; `fraction` 0...1 of the job when it is known."""
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
        listener.tell("Sending the picture…")
        try:
            job = self.client.submit(request, pixels, mask, request_id).id
        except ConnectionLost:
            job = self.client.submit(request, pixels, mask, request_id).id  # harmless: the id makes it one job
        for event in self.client.watch(job):
            if listener.stopped:
                raise Cancelled()
            _report(event, job, listener)
        listener.tell("Fetching the result…", 1.0)
        return job, [self.client.result(job, index) for index in range(request.count)]

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


def _report(event: jobs_pb2.JobEvent, job: str, listener: Listener) -> None:
    """One event as a text and a fraction. Raises what the job ended with, unless it is a result."""
    what = event.WhichOneof("what")
    if what == "queued":
        listener.tell(f"Waiting for its turn (number {event.queued.position})")
    elif what == "started":
        listener.tell("Working…" if event.started.tries < 2 else "Working… (started again)")
    elif what == "progress":
        left = round(event.progress.seconds_left)
        listener.tell(f"Working… about {left} s left" if left > 0 else "Working…", event.progress.fraction)
    elif what == "failed":
        raise convert.error_from_proto(event.failed)
    elif what == "cancelled":
        raise JobNotFinished(job=job, state="cancelled")
