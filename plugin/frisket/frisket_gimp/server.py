"""Which server to use, and starting one. Never on the main thread: see `progress`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from frisket.client import places, session
from frisket.client.launch import start_server
from frisket.client.session import Session
from frisket.edits.requests import EditRequest
from frisket.engines.spec import Task
from frisket.errors import FrisketError, ServerNotRunning
from frisket.raster.geometry import Box
from frisket.rpc.stubs import jobs_pb2
from frisket.rpc.stubs.models_pb2 import Engine
from frisket_gimp import kept, serving
from frisket_gimp.languages import _, words_of
from frisket_gimp.progress import about

STOPPING = 45.0  # s until a server that was told to end is given up: it lets a job run for 30
NAME = "gimp"  # among the server's clients
NOTE = Path(__file__).parents[1] / "launch.json"  # left by `frisket plugin install`
# A sandbox cannot run a program of the host, and GIMP's own Python settings would break another interpreter.
SANDBOXES = ("FLATPAK_ID", "SNAP")
NOT_FOR_OTHERS = ("PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH", "LD_PRELOAD", "GI_TYPELIB_PATH")


def opened(progress, address: str) -> Session:
    """A server, started when there is none. Raises FrisketError."""
    try:
        found = reached(address)
    except ServerNotRunning:
        found = _started(progress)
    progress.target = found
    progress.tell(_("Asking the server what it needs…"))
    return found


def estimate(address: str, request: EditRequest, selected: list[Box]) -> str:
    """A line for the dialog. Raises ServerNotRunning: one is started when it is needed."""
    found = reached(address)
    try:
        plan = found.plan(request, selected)
    except FrisketError as error:
        return "{1} {2}".format(*words_of(error))
    finally:
        found.close()
    sizes = _(" and ").join(str(piece.working) for piece in plan.pieces) or str(plan.region.size)
    if plan.seconds is None:
        line = _("The engine '{engine}' will work on {sizes} px.")
    else:
        line = _("The engine '{engine}' will work on {sizes} px, {time}.")
    line = line.format(engine=plan.engine, sizes=sizes, time=about(max(1.0, plan.seconds or 0.0)))
    return "\n".join([line, *(d.detail for d in plan.degraded)])


def engines(address: str, task: str) -> list[Engine]:
    """Those that do it, the server's own choice first. Raises FrisketError."""
    found = reached(address)
    try:
        return found.client.engines(Task(task))
    finally:
        found.close()


def is_trained(session_: Session, engine: str) -> bool:
    """Whether it paints with a model that was trained on pictures, that is, in sRGB. Raises FrisketError."""
    return any(one.trained for one in session_.client.engines() if one.id == engine)


def reached(address: str) -> Session:
    """A session with that server, or the one of this computer; made without connecting where an address is given.

    Raises ServerNotRunning, TokenWrong, LinkInvalid.
    """
    if address:
        return session.at(address, os.environ.get("FRISKET_TOKEN", ""), NAME)
    return session.running(_noted()[0], NAME)


@dataclass(frozen=True)
class Report:
    """How a server is. running, waiting: jobs, of all its clients. broken: engines that cannot be used, and why."""

    address: str
    version: str
    ready: bool
    engines: tuple[str, ...]
    broken: dict[str, str]
    running: int
    waiting: int


def report(address: str) -> Report:
    """Raises FrisketError."""
    session_ = reached(address)
    try:
        info, listed = session_.client.server_info(), session_.client.listing()
        states = [job.state for job in session_.client.jobs()]
    finally:
        session_.close()
    return Report(
        session_.address,
        info.version,
        info.ready,
        tuple(engine.id for engine in listed.engines),
        dict(listed.broken),
        states.count(jobs_pb2.JOB_STATE_RUNNING),
        states.count(jobs_pb2.JOB_STATE_QUEUED),
    )


def at_hand(address: str) -> Session:
    """That server, or the one of this computer, started when there is none. Raises FrisketError."""
    try:
        return reached(address)
    except ServerNotRunning:
        if not can_start():
            raise
    return start()


def can_start() -> bool:
    """Whether this plug-in can start and stop the server of this computer: it is told how, and in no sandbox."""
    return bool(_noted()[1]) and not any(name in os.environ for name in SANDBOXES)


def start() -> Session:
    """The server of this computer, which does not run. Raises FrisketError."""
    return _start(lambda: False)


def stop() -> None:
    """End the server of this computer as its own signal does: what waits is kept for its next start. Raises
    ServerNotRunning."""
    home = _noted()[0]
    runtime = places.read_runtime(home)
    os.kill(runtime.pid, signal.SIGTERM)
    until = time.monotonic() + STOPPING
    while time.monotonic() < until:
        try:
            places.read_runtime(home)
        except ServerNotRunning:
            return
        time.sleep(0.1)


def restart() -> Session:
    """The server of this computer, ended if it runs, and started. Raises FrisketError."""
    with contextlib.suppress(ServerNotRunning):
        stop()
    return start()


def home() -> Path:
    """Frisket's folder on this computer."""
    return _noted()[0]


def _started(progress) -> Session:
    if not can_start():
        raise ServerNotRunning(folder=_noted()[0])
    progress.tell(_("Starting the Frisket server…"))
    return _start(lambda: progress.stopped)


def _start(stopped: Callable[[], bool]) -> Session:
    home, command = _noted()
    command += serving.options(serving.of(kept.read(serving.FILE, {})))
    for name in NOT_FOR_OTHERS:
        os.environ.pop(name, None)
    runtime = start_server(command, home, stop=stopped)
    return Session(runtime.address, runtime.token, NAME)


def _noted() -> tuple[Path, list[str]]:
    """Frisket's folder and the command that starts a server, as the installer noted them."""
    try:
        note = json.loads(NOTE.read_text())
        home, command = Path(note["home"]), [str(word) for word in note["command"]]
    except (OSError, ValueError, KeyError, TypeError):
        home, command = places.home(), []
    return (places.home() if "FRISKET_HOME" in os.environ else home), command
