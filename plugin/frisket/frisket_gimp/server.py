"""Which server to use, and starting one. Never on the main thread, no libgimp: see `progress`."""

from __future__ import annotations

import json
import os
from pathlib import Path

from frisket.client import places, session
from frisket.client.launch import start_server
from frisket.client.session import Session
from frisket.edits.requests import EditRequest
from frisket.engines.spec import Task
from frisket.errors import FrisketError, ServerNotRunning
from frisket.raster.geometry import Box
from frisket.rpc.stubs.models_pb2 import Engine

NAME = "gimp"  # among the server's clients
NOTE = Path(__file__).parents[1] / "launch.json"  # left by `frisket plugin install`
# A sandbox cannot run a program of the host, and GIMP's own Python settings would break another interpreter.
SANDBOXES = ("FLATPAK_ID", "SNAP")
NOT_FOR_OTHERS = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "GI_TYPELIB_PATH")


def opened(progress, address: str) -> Session:
    """A server, started when there is none. Raises FrisketError."""
    try:
        found = _found(address)
    except ServerNotRunning:
        found = _started(progress)
    progress.target = found
    progress.tell("Asking the server what it needs…")
    return found


def estimate(address: str, request: EditRequest, selected: list[Box]) -> str:
    """A line for the dialog. Raises ServerNotRunning: one is started when it is needed."""
    found = _found(address)
    try:
        plan = found.plan(request, selected)
    except FrisketError as error:
        return f"{error.title}: {error.cause}"
    finally:
        found.close()
    sizes = " and ".join(str(piece.working) for piece in plan.pieces) or str(plan.region.size)
    return "\n".join([f"The engine '{plan.engine}' will work on {sizes} px.", *(d.detail for d in plan.degraded)])


def engines(address: str, task: str) -> list[Engine]:
    """Those that do it, the server's own choice first. Raises FrisketError."""
    found = _found(address)
    try:
        return found.client.engines(Task(task))
    finally:
        found.close()


def _found(address: str) -> Session:
    if address:
        return session.at(address, os.environ.get("FRISKET_TOKEN", ""), NAME)
    return session.running(_noted()[0], NAME)


def _started(progress) -> Session:
    home, command = _noted()
    if not command or any(name in os.environ for name in SANDBOXES):
        raise ServerNotRunning(folder=home)
    progress.tell("Starting the Frisket server…")
    for name in NOT_FOR_OTHERS:
        os.environ.pop(name, None)
    runtime = start_server(command, home, stop=lambda: progress.stopped)
    return Session(runtime.address, runtime.token, NAME)


def _noted() -> tuple[Path, list[str]]:
    """Frisket's folder and the command that starts a server, as the installer noted them."""
    try:
        note = json.loads(NOTE.read_text())
        home, command = Path(note["home"]), [str(word) for word in note["command"]]
    except (OSError, ValueError, KeyError, TypeError):
        home, command = places.home(), []
    return (places.home() if "FRISKET_HOME" in os.environ else home), command
