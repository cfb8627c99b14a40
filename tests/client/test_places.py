"""Homes on every platform, and the note of a running server: private, whole, and only believed while it runs."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from frisket.client.places import RUNTIME_FILE, Runtime, alive, home, read_runtime, remove_runtime, write_runtime
from frisket.errors import ServerNotRunning

HOMES = [
    ("linux", {}, "/u/.local/share/frisket"),
    ("linux", {"XDG_DATA_HOME": "/data"}, "/data/frisket"),
    ("linux", {"XDG_DATA_HOME": ""}, "/u/.local/share/frisket"),
    ("linux", {"FLATPAK_ID": "org.gimp.GIMP", "XDG_DATA_HOME": "/u/.var/app/org.gimp.GIMP/data"},
     "/u/.local/share/frisket"),
    ("linux", {"FLATPAK_ID": "x", "XDG_DATA_HOME": "/app", "HOST_XDG_DATA_HOME": "/host"}, "/host/frisket"),
    ("darwin", {"XDG_DATA_HOME": "/data"}, "/u/Library/Application Support/Frisket"),
    ("win32", {"LOCALAPPDATA": "/local"}, "/local/Frisket"),
    ("win32", {"HOME": "", "USERPROFILE": "/users/me"}, "/users/me/AppData/Local/Frisket"),
    ("linux", {"FRISKET_HOME": "/mine", "XDG_DATA_HOME": "/data"}, "/mine"),
    ("win32", {"FRISKET_HOME": "/mine"}, "/mine"),
    ("linux", {"FRISKET_HOME": ""}, "/u/.local/share/frisket"),
]  # fmt: skip


@pytest.mark.parametrize(("platform", "env", "wanted"), HOMES)
def test_homes(platform: str, env: dict[str, str], wanted: str) -> None:
    assert home({"HOME": "/u"} | env, platform) == Path(wanted)


def test_a_home_without_any_environment_is_the_users() -> None:
    assert home({}, "linux") == Path.home() / ".local/share/frisket"


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def note(pid: int) -> Runtime:
    return Runtime("127.0.0.1:7", "kettle-9", pid, "0.1")


def test_the_note_is_private_and_comes_back(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "made"
    path = write_runtime(folder, note(os.getpid()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_runtime(folder) == note(os.getpid())
    write_runtime(folder, note(1))
    assert read_runtime(folder).pid == 1
    assert [p.name for p in folder.iterdir()] == [RUNTIME_FILE], "nothing half written is left"


def test_the_token_stays_out_of_messages() -> None:
    assert "kettle-9" not in repr(note(1)) + str(note(1))


def test_a_note_of_a_dead_process_is_not_believed(tmp_path: Path, gone: int) -> None:
    write_runtime(tmp_path, note(gone))
    with pytest.raises(ServerNotRunning) as caught:
        read_runtime(tmp_path)
    assert caught.value == ServerNotRunning(folder=tmp_path)


@pytest.mark.parametrize(
    "content",
    [None, "", "{", "[]", "7", "{}", json.dumps(asdict(note(1)) | {"more": 1}), json.dumps({"address": "a"})],
)
def test_what_is_no_note_is_no_server(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / RUNTIME_FILE).write_text(content)
    with pytest.raises(ServerNotRunning):
        read_runtime(tmp_path)


@pytest.mark.parametrize("pid", ["x", None, 10**12])
def test_a_note_without_a_process_id_is_no_server(tmp_path: Path, pid: object) -> None:
    (tmp_path / RUNTIME_FILE).write_text(json.dumps(asdict(note(1)) | {"pid": pid}))
    with pytest.raises(ServerNotRunning):
        read_runtime(tmp_path)


def test_what_is_no_note_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / RUNTIME_FILE).write_text("[]")
    remove_runtime(tmp_path, 1)


def test_only_its_own_note_is_taken_away(tmp_path: Path) -> None:
    remove_runtime(tmp_path, 1)  # none there
    write_runtime(tmp_path, note(os.getpid()))
    remove_runtime(tmp_path, os.getpid() + 1)
    assert read_runtime(tmp_path).pid == os.getpid()
    remove_runtime(tmp_path, os.getpid())
    assert not (tmp_path / RUNTIME_FILE).exists()


def test_which_processes_live(gone: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert alive(os.getpid())
    assert not alive(gone)

    def of_another_user(pid: int, number: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", of_another_user)
    assert alive(gone), "it is there, but not ours"


@pytest.mark.parametrize("sandbox", ["FLATPAK_ID", "SNAP"])
def test_a_sandbox_cannot_see_and_believes(tmp_path: Path, gone: int, monkeypatch, sandbox: str) -> None:
    monkeypatch.setenv(sandbox, "gimp")
    write_runtime(tmp_path, note(gone))
    assert read_runtime(tmp_path).pid == gone
