"""Starting a server for a user who has none running."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from frisket.client.places import Runtime, read_runtime
from frisket.errors import Cancelled, ServerDidNotStart, ServerNotRunning

START_SECONDS = 30.0


def start_server(
    command: Sequence[str],
    folder: Path,
    timeout: float = START_SECONDS,
    stop: Callable[[], bool] = lambda: False,
) -> Runtime:
    """Run `command` (a `frisket serve ...`) on its own, and wait for its note in `folder`.

    The server outlives the caller and writes to `folder/server.log`. `stop` is asked every 50 ms.
    Raises ServerDidNotStart, Cancelled.
    """
    log = folder / "server.log"
    stale = _noted(folder)  # after a power cut the note of a dead server may name a process that lives
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with open(log, "ab", opener=_private) as output:
            start = output.tell()
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "FRISKET_HOME": str(folder)},
                **_detached(),
            )
    except OSError as error:
        raise ServerDidNotStart(command=" ".join(command), seconds=0, detail=f"{error}.") from error
    began = time.monotonic()
    while time.monotonic() - began < timeout and process.poll() is None:
        if stop():
            _end(process)
            raise Cancelled()
        runtime = _noted(folder)
        if runtime not in (None, stale):
            return _adopt(process, runtime)
        time.sleep(0.05)
    runtime = _noted(folder)
    if runtime not in (None, stale):
        return runtime  # another one was quicker
    _end(process)
    seconds = round(time.monotonic() - began, 1)
    raise ServerDidNotStart(command=" ".join(command), seconds=seconds, detail=_last_words(log, start))


def _noted(folder: Path) -> Runtime | None:
    """The note of a server that may run."""
    with contextlib.suppress(ServerNotRunning):
        return read_runtime(folder)
    return None


def _private(path: str, flags: int) -> int:
    """Open for this user alone: names of pictures and folders may stand in a log."""
    return os.open(path, flags, 0o600)


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(5.0)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _adopt(process: subprocess.Popen[Any], runtime: Runtime) -> Runtime:
    process.returncode = 0  # it is on its own now: no warning when our handle goes
    return runtime


def _detached() -> dict[str, Any]:
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW  # type: ignore[attr-defined]
        return {"creationflags": flags}
    return {"start_new_session": True}


def _last_words(log: Path, start: int) -> str:
    with contextlib.suppress(OSError), open(log, "rb") as file:
        file.seek(start)
        lines = file.read().decode(errors="replace").strip().splitlines()
        if lines:
            return "It said: " + " / ".join(lines[-3:])
    return ""
