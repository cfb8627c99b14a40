"""Starting a server: one that comes up, one that dies with words, one that never answers, and a user who leaves."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from frisket.client import launch, places
from frisket.client.launch import start_server
from frisket.client.places import Runtime
from frisket.errors import Cancelled, ServerDidNotStart

# What leaves a server's note without being one.
NOTE = """
import json, os, pathlib
home = pathlib.Path(os.environ["FRISKET_HOME"])
fields = {"address": "127.0.0.1:7", "token": "t", "pid": PID, "version": "0.1"}
(home / "part").write_text(json.dumps(fields))
(home / "part").rename(home / "server.json")
"""


def python(script: str) -> list[str]:
    return [sys.executable, "-c", script]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen[bytes]]:
    """The processes that were started, to be waited for: an impatient launch does not."""
    found: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            found.append(self)

    monkeypatch.setattr(launch.subprocess, "Popen", Noted)
    return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Runtime]:
    script = NOTE.replace("PID", "os.getpid()") + "import time; print('hello', flush=True); time.sleep(60)"
    runtime = start_server(python(script), tmp_path / "home")
    yield runtime
    os.kill(runtime.pid, signal.SIGKILL)
    os.waitpid(runtime.pid, 0)


def test_it_comes_up_on_its_own(up: Runtime, tmp_path: Path) -> None:
    """In a session of its own (Ctrl+C and the end of the caller's terminal do not reach it); its log is private."""
    assert places.read_runtime(tmp_path / "home") == up
    assert os.getsid(up.pid) == up.pid
    log = tmp_path / "home" / "server.log"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_one_that_dies_at_once_is_quoted(tmp_path: Path) -> None:
    """Its last words, and not those of an earlier start."""
    (tmp_path / "server.log").write_text("old story\n")
    command = python("print('one'); print('two'); print('three'); print('four'); raise SystemExit(3)")
    began = time.monotonic()
    with pytest.raises(ServerDidNotStart) as caught:
        start_server(command, tmp_path)
    assert time.monotonic() - began < 10, "it was waited for although it had died"
    assert caught.value.data["detail"] == "It said: two / three / four"
    assert caught.value.data["command"] == " ".join(command)
    assert (tmp_path / "server.log").read_text().startswith("old story\none\n")


def test_one_that_dies_without_a_word(tmp_path: Path) -> None:
    (tmp_path / "server.log").write_text("old story\n")
    with pytest.raises(ServerDidNotStart) as caught:
        start_server(python(""), tmp_path)
    assert caught.value.data["detail"] == ""


def test_a_command_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ServerDidNotStart, match="No such file"):
        start_server([str(tmp_path / "nothing")], tmp_path)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ServerDidNotStart, match="Not a directory"):
        start_server(python(""), tmp_path / "file" / "home")


def test_one_that_never_answers_is_ended(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    command = ["sh", "-c", "echo thinking; exec sleep 60"]  # speaks sooner than a Python could
    with pytest.raises(ServerDidNotStart) as caught:
        start_server(command, tmp_path, timeout=0.5)
    assert 0.5 <= float(caught.value.data["seconds"]) < 3
    assert caught.value.data["detail"] == "It said: thinking"
    assert started[0].wait(5) == -signal.SIGTERM


def test_a_user_who_leaves_ends_it(tmp_path: Path, started: list[subprocess.Popen[bytes]]) -> None:
    answers = iter([False, False, True])
    with pytest.raises(Cancelled):
        start_server(python("import time; time.sleep(60)"), tmp_path, stop=lambda: next(answers))
    assert started[0].wait(5) == -signal.SIGTERM


def test_another_ones_server_is_as_good(tmp_path: Path) -> None:
    """Two editors start one at once: the second command ends, the first one's note is there."""
    script = NOTE.replace("PID", str(os.getpid())) + "raise SystemExit(6)"
    assert start_server(python(script), tmp_path).pid == os.getpid()


def test_the_note_of_a_server_that_died_with_the_machine_is_not_taken(tmp_path: Path) -> None:
    """Its process's number is another one's by now."""
    stale = Runtime("127.0.0.1:1", "old", os.getpid(), "0.1")
    places.write_runtime(tmp_path, stale)
    script = "import time; time.sleep(0.3)" + NOTE.replace("PID", "os.getpid()") + "time.sleep(60)"
    runtime = start_server(python(script), tmp_path)
    try:
        assert runtime.address == "127.0.0.1:7"
    finally:
        os.kill(runtime.pid, signal.SIGKILL)
        os.waitpid(runtime.pid, 0)
