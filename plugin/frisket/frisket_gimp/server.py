"""The server's side of an edit: find or start it, plan, send, watch, fetch. Never on the main thread: no libgimp."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from frisket.client import places
from frisket.client.client import Client, Picture
from frisket.client.h2_transport import H2Transport
from frisket.client.launch import start_server
from frisket.edits.requests import EditRequest
from frisket.edits.results import Plan
from frisket.errors import Cancelled, ConnectionLost, FrisketError, ServerNotRunning, ServerUnreachable
from frisket.raster.geometry import Box
from frisket.rpc import convert

CLIENT_NAME = "gimp"
NOTE = Path(__file__).parents[1] / "launch.json"  # left by `frisket plugin install`
# A sandbox cannot run a program of the host, and GIMP's own Python settings would break another interpreter.
SANDBOXES = ("FLATPAK_ID", "SNAP")
NOT_FOR_OTHERS = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "GI_TYPELIB_PATH")


@dataclass(frozen=True)
class Server:
    """A client, and what it takes to make another one."""

    client: Client
    address: str
    token: str

    def again(self) -> Client:
        return Client(H2Transport(self.address, self.token, connect_timeout=2.0), CLIENT_NAME)


def open_and_plan(progress, address: str, request, selected: Box) -> tuple[Server, Plan]:
    """A server that speaks our version, started when there is none, and its plan. Raises FrisketError."""
    server = _given(address) if address else _running() or _started(progress)
    progress.target = server.client
    progress.tell("Asking the server what it needs…")
    server.client.server_info()
    return server, server.client.plan(request, [selected])


def estimate(address: str, request: EditRequest, selected: Box) -> str:
    """A line for the dialog; empty when no server runs, which is then started when it is needed."""
    server = _given(address) if address else _running()
    if server is None:
        return ""
    try:
        plan = server.client.plan(request, [selected])
    except FrisketError as error:
        return f"{error.title}: {error.cause}"
    finally:
        server.client.close()
    sizes = " and ".join(str(piece.working) for piece in plan.pieces) or str(plan.region.size)
    return "\n".join([f"The engine '{plan.engine}' will work on {sizes} px.", *(d.detail for d in plan.degraded)])


def _given(address: str, token: str | None = None) -> Server:
    token = os.environ.get("FRISKET_TOKEN", "") if token is None else token
    return Server(Client(H2Transport(address, token), CLIENT_NAME), address, token)


def _running() -> Server | None:
    home, _ = _noted()
    try:
        runtime = places.read_runtime(home)
        server = _given(runtime.address, runtime.token)
        server.client.server_info()
    except (ServerNotRunning, ServerUnreachable):  # or the note of one that died
        return None
    return server


def _started(progress) -> Server:
    home, command = _noted()
    if not command or any(name in os.environ for name in SANDBOXES):
        raise ServerNotRunning(folder=home)
    progress.tell("Starting the Frisket server…")
    for name in NOT_FOR_OTHERS:
        os.environ.pop(name, None)
    runtime = start_server(command, home, stop=lambda: progress.stopped)
    return _given(runtime.address, runtime.token)


def _noted() -> tuple[Path, list[str]]:
    """Frisket's folder and the command that starts a server, as the installer noted them."""
    try:
        note = json.loads(NOTE.read_text())
        home, command = Path(note["home"]), [str(word) for word in note["command"]]
    except (OSError, ValueError, KeyError, TypeError):
        home, command = places.home(), []
    return (places.home() if "FRISKET_HOME" in os.environ else home), command


def run_job(progress, server: Server, request: EditRequest, pixels: bytes, mask: bytes) -> tuple[str, list[Picture]]:
    """(job id, pictures). Raises FrisketError; when Cancelled the job is cancelled on the server as well."""
    client, request_id = server.client, str(uuid.uuid4())
    progress.tell("Sending the selection…")
    try:
        try:
            job = client.submit(request, pixels, mask, request_id).id
        except ConnectionLost:
            job = client.submit(request, pixels, mask, request_id).id  # harmless: the id makes it one job
        for event in client.watch(job):
            _report(progress, event)
            if progress.stopped:
                raise Cancelled()
        progress.tell("Fetching the result…", 1.0)
        return job, [client.result(job, index) for index in range(request.count)]
    except Cancelled:
        progress.target = None
        _cancel(server, request_id)
        raise
    finally:
        client.close()


def _report(progress, event) -> None:
    """One event of a job as a text and a fraction. Raises what the job failed with."""
    what = event.WhichOneof("what")
    if what == "queued":
        progress.tell(f"Waiting for its turn (number {event.queued.position})")
    elif what == "started":
        progress.tell("Working…" if event.started.tries < 2 else "Working… (started again)")
    elif what == "progress":
        left = round(event.progress.seconds_left)
        progress.tell(f"Working… about {left} s left" if left > 0 else "Working…", event.progress.fraction)
    elif what == "failed":
        raise convert.error_from_proto(event.failed)
    elif what == "cancelled":
        raise Cancelled()


def _cancel(server: Server, request_id: str) -> None:
    """Over a connection of its own; also right when the job's id never reached us."""
    client = server.again()
    try:
        for job in client.jobs(CLIENT_NAME, limit=50):
            if job.request_id == request_id:
                client.cancel(job.id)
    except FrisketError:
        pass  # it ends by itself; the user wanted to leave
    finally:
        client.close()
