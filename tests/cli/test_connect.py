"""Which server a command talks to, and that a private one leaves nothing behind."""

from __future__ import annotations

import contextlib
import itertools
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from frisket.cli import connect
from frisket.client import places
from frisket.client.places import Runtime
from frisket.errors import ServerNotRunning
from live import ServerProcess

OWN = Runtime("127.0.0.1:9", "t", 1, "0")


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without a server."""
    monkeypatch.setenv("FRISKET_HOME", str(tmp_path))
    monkeypatch.delenv("FRISKET_TOKEN", raising=False)
    return tmp_path


def test_the_command_is_this_pythons() -> None:
    assert connect.serve_command("--idle-exit", "9") == [
        sys.executable, "-m", "frisket.cli.main", "serve", "--idle-exit", "9"
    ]  # fmt: skip


def test_a_named_server_wins_and_its_token_comes_from_outside(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert connect.running("far:1").token == ""
    monkeypatch.setenv("FRISKET_TOKEN", "guarded")
    assert connect.running("far:1") == Runtime("far:1", "guarded", 0, "")
    with connect.a_server("far:1", quiet=True) as runtime:
        assert runtime.address == "far:1", "no private server is started for one that was named"


def test_the_server_noted_here_comes_next(server: ServerProcess, empty: Path) -> None:
    with pytest.raises(ServerNotRunning):
        connect.running(None)
    places.write_runtime(empty, server.runtime)
    assert connect.running(None) == server.runtime
    with connect.a_server(None, quiet=False) as runtime, connect.client_of(runtime) as client:
        assert client.server_info().local


@pytest.mark.parametrize("quiet", [True, False])
def test_a_private_one_is_told_of(empty: Path, monkeypatch, capsys: pytest.CaptureFixture[str], quiet: bool) -> None:
    monkeypatch.setattr(connect, "private_server", lambda: contextlib.nullcontext(OWN))
    with connect.a_server(None, quiet) as runtime:
        assert runtime is OWN
    said = capsys.readouterr()
    assert said.out == ""
    assert ("private" in said.err) is not quiet


def test_a_private_server_answers_and_is_swept_away(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rooms = empty / "rooms"
    rooms.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(rooms))
    with connect.private_server() as runtime:
        with connect.client_of(runtime) as client:
            assert client.server_info().local
        assert not (empty / places.RUNTIME_FILE).exists(), "nobody else finds it"
        assert len(list(rooms.glob("frisket-*/token"))) == 1
    assert not places.alive(runtime.pid)
    assert not list(rooms.glob("frisket-*"))


def process(script: str) -> subprocess.Popen[str]:
    """A Python that says when it is ready."""
    made = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert made.stdout is not None
    assert made.stdout.readline() == "ready\n"
    return made


def test_stop_waits_for_the_end() -> None:
    script = "import signal,time;signal.signal(15,lambda *_:(time.sleep(0.3),exit()));print('ready',flush=True);"
    with process(script + "time.sleep(60)") as one:
        connect.stop(Runtime("", "", one.pid, ""))
        assert not places.alive(one.pid)
        connect.stop(Runtime("", "", one.pid, ""))  # gone already


def test_stop_does_not_wait_for_ever() -> None:
    script = "import signal,time;signal.signal(15,signal.SIG_IGN);print('ready',flush=True);time.sleep(60)"
    with process(script) as one:
        began = time.monotonic()
        connect.stop(Runtime("", "", one.pid, ""), seconds=0.3)
        assert one.wait(5) == -signal.SIGKILL
        assert time.monotonic() - began < 3


def test_a_private_one_has_this_machines_models_and_compiled_code(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def start(command: list[str], folder: Path) -> Runtime:
        commands.append(command)
        return OWN

    monkeypatch.setattr(connect, "start_server", start)
    monkeypatch.setattr(connect, "stop", lambda runtime: None)
    with connect.private_server():
        pass
    words = dict(itertools.pairwise(commands[0]))
    assert words["--models"] == str(empty / "models")
    assert words["--cache"] == str(empty / "cache")
