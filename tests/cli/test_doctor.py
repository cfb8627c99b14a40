"""`frisket doctor`: what is there, what is not, and the command that mends it."""

from __future__ import annotations

import json
from collections import namedtuple
from pathlib import Path

import pytest
from click.testing import CliRunner

from frisket.cli import doctor as module
from frisket.cli.main import main
from live import ServerProcess


def test_finds_the_server_and_its_engines(frisket, server: ServerProcess) -> None:
    found = {f["what"]: f for f in json.loads(frisket("doctor", "--json").stdout)["findings"]}
    assert found["server"]["well"]
    assert server.runtime.address in found["server"]["found"]
    assert found["engines"]["found"].startswith("patch")
    assert found["log"]["found"].startswith(str(server.home / "server.log"))
    assert all(found[package]["well"] for package in module.LIGHT)
    assert all(f["well"] or f["mend"] or not f["needed"] for f in found.values())


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No server, no GIMP."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FRISKET_HOME", str(tmp_path / "not" / "made"))
    for name in ("GIMP3_DIRECTORY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_a_server_and_extras_are_not_needed(alone: pytest.MonkeyPatch) -> None:
    alone.setattr(module, "EXTRAS", {"moon": ("no_such_module_on_earth", "json")})
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    server = next(n for n, line in enumerate(lines) if line.split()[1:2] == ["server"])
    assert lines[server].startswith("  --  ")
    assert "mend: Start one with `frisket serve`." in lines[server + 1]
    extra = next(n for n, line in enumerate(lines) if "extra: moon" in line)
    assert "without no_such_module_on_earth" in lines[extra]
    assert not any("server.log" in line for line in lines), "there is none yet"
    assert not any(line.startswith("  MISS") for line in lines)


def test_what_is_needed_and_missing_is_1(alone: pytest.MonkeyPatch) -> None:
    alone.setattr(module, "LIGHT", ("click", "no-such-package-on-earth"))
    done = CliRunner().invoke(main, ["doctor", "--json"])
    assert done.exit_code == 1
    found = {f["what"]: f for f in json.loads(done.stdout)["findings"]}
    assert not found["no-such-package-on-earth"]["well"]
    assert found["no-such-package-on-earth"]["mend"] == "pip install --upgrade frisket"


def test_a_full_disk_and_a_locked_folder_are_1(alone: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    alone.setattr(module.shutil, "disk_usage", lambda path: usage(10, 9, module.LOW_DISK - 1))
    full = CliRunner().invoke(main, ["doctor"])
    assert full.exit_code == 1
    assert "(1 GiB free)" in full.stdout
    alone.undo()


def test_a_folder_that_cannot_be_written_is_named(alone: pytest.MonkeyPatch, tmp_path: Path) -> None:
    alone.setattr(module, "_writable", lambda folder: False)  # root may write anywhere
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert f"{tmp_path} cannot be written" in done.stdout


def test_a_server_of_another_version_is_told(frisket, server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.frisket, "__version__", "99.0")
    done = CliRunner().invoke(main, ["doctor"])
    assert done.exit_code == 1
    assert "another version" in done.stdout
