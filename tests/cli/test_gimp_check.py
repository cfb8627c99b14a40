"""A GIMP is asked whether it takes the plug-in. Here scripts answer in its place; tests/gimp asks the real one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from frisket.cli.gimp_check import Answer, Registered, ask, candidates
from frisket.cli.gimp_folders import Packaging, PluginFolder

FOLDER = PluginFolder(Path("/nowhere/plug-ins"), Packaging.NATIVE, "3.0")


def gimp(tmp_path: Path, version: str, body: str) -> list[str]:
    """A program that knows its version and otherwise does `body`."""
    script = tmp_path / f"gimp-{version}.py"
    told = f"print('GNU Image Manipulation Program version {version}')"
    script.write_text(f"import sys, time\nif '--version' in sys.argv: {told}; sys.exit()\n{body}\n")
    return [sys.executable, str(script)]


@pytest.mark.parametrize(
    ("body", "registered"),
    [
        ("print('noise'); print('frisket-registered:yes')", Registered.YES),
        ("print('frisket-registered:no'); sys.stderr.write('a traceback')", Registered.NO),
        ("print('no interpreter called python-fu-eval')", Registered.UNKNOWN),
        ("time.sleep(60)", Registered.UNKNOWN),
    ],
)
def test_what_it_says_is_what_is_told(tmp_path: Path, body: str, registered: Registered) -> None:
    told = ask(FOLDER, [gimp(tmp_path, "3.0.4", body)], seconds=1)
    assert told.registered is registered
    assert "3.0.4" in told.words
    assert (told.told == "a traceback") == (registered is Registered.NO)


def test_only_the_version_that_reads_the_folder_is_asked(tmp_path: Path) -> None:
    other = gimp(tmp_path, "3.2.6", "print('frisket-registered:no')")
    right = gimp(tmp_path, "3.0.4", "print('frisket-registered:yes')")
    assert ask(FOLDER, [["/nowhere/gimp"], other, right]).registered is Registered.YES
    assert ask(FOLDER, [other]) == Answer(Registered.UNKNOWN, "no GIMP 3.0 was found to ask")
    anyone = PluginFolder(FOLDER.path, Packaging.CHOSEN, "")
    assert ask(anyone, [other]).registered is Registered.NO


def test_programs_are_those_of_the_packaging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("gimp-console-3.0", "flatpak"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    flatpak = ("flatpak", "run", "org.gimp.GIMP")
    assert candidates(Packaging.NATIVE, "linux") == [(str(tmp_path / "gimp-console-3.0"),), flatpak]
    assert candidates(Packaging.FLATPAK, "linux") == [flatpak]
    assert candidates(Packaging.SNAP, "linux") == []
