"""Whether a GIMP on this machine takes the plug-in: it is started once without a window and asked."""

from __future__ import annotations

import contextlib
import enum
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from frisket.cli.gimp_folders import Packaging, PluginFolder

PROCEDURE = "plug-in-frisket-fill-selection"
SECONDS = 90.0  # a first start builds font and plug-in caches
CONSOLES = ("gimp-console-3.2", "gimp-console-3.0", "gimp-console-3", "gimp-console", "gimp-3", "gimp")
MAC = "/Applications/GIMP.app/Contents/MacOS/gimp-console"
WINDOWS = r"C:\Program Files\GIMP 3\bin\gimp-console.exe"
_FLATPAK = ("flatpak", "run", "org.gimp.GIMP")
_SNAP = ("snap", "run", "gimp")
_ASKED = re.compile(r"frisket-registered:(yes|no)")
_SCRIPT = (
    "from gi.repository import Gimp; "
    f"there = Gimp.get_pdb().lookup_procedure('{PROCEDURE}') is not None; "
    "print('frisket-registered:' + ('yes' if there else 'no'), flush=True)"
)


class Registered(enum.Enum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"  # no GIMP of that version could be asked


@dataclass(frozen=True, slots=True)
class Answer:
    """What a GIMP said. words: its version, or why nobody could be asked; told: the end of what it printed."""

    registered: Registered
    words: str
    told: str = ""


def ask(folder: PluginFolder, programs: Sequence[Sequence[str]] | None = None, seconds: float = SECONDS) -> Answer:
    """Start the GIMP that reads `folder` and see whether it knows the plug-in. programs: commands to try, None = those
    of this system."""
    tried = programs if programs is not None else candidates(folder.packaging, sys.platform)
    for command in tried:
        version = _version(command)
        if version and (not folder.version or version.startswith(folder.version + ".")):
            return _asked(command, version, seconds)
    return Answer(Registered.UNKNOWN, f"no GIMP {folder.version or '3'} was found to ask")


def wake(known: Sequence[PluginFolder], seconds: float = SECONDS) -> list[str]:
    """Start each GIMP 3 that has no folder among `known` once, without a window: it makes its own, and takes over the
    settings of an older GIMP, which it would not do if the folder were there already. Returns their versions."""
    woken: dict[str, str] = {}
    have = {(folder.packaging is Packaging.SNAP, folder.version) for folder in known}
    for packaging in (Packaging.NATIVE, Packaging.SNAP):
        for command in candidates(packaging, sys.platform):
            version = _version(command)
            minor = version.rpartition(".")[0]
            if not version or minor in woken or (packaging is Packaging.SNAP, minor) in have:
                continue
            woken[minor] = version
            with contextlib.suppress(OSError, subprocess.SubprocessError):
                options = ("-n", "-i", "-d", "-f", "--quit")
                subprocess.run([*command, *options], capture_output=True, timeout=seconds, check=False)
    return list(woken.values())


def candidates(packaging: Packaging, platform: str) -> list[Sequence[str]]:
    """Commands that may start a GIMP without windows, those that are there."""
    flatpak = [_FLATPAK] if shutil.which(_FLATPAK[0]) else []
    if packaging is Packaging.FLATPAK:
        return list(flatpak)
    if packaging is Packaging.SNAP:
        return [_SNAP] if shutil.which(_SNAP[0]) else []
    found: list[Sequence[str]] = [(path,) for name in CONSOLES if (path := shutil.which(name))]
    fixed = {"darwin": MAC, "win32": WINDOWS}.get(platform)
    if fixed and Path(fixed).exists():
        found.append((fixed,))
    return [*found, *flatpak]  # a Flatpak reads the user's native folder too


def _version(command: Sequence[str]) -> str:
    """ "3.0.4", "" when it cannot be had."""
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    found = re.search(r"\b(3\.\d+\.\d+)\b", done.stdout)
    return found[1] if found else ""


def _asked(command: Sequence[str], version: str, seconds: float) -> Answer:
    options = ("-n", "-i", "-d", "-f", "--quit", "--batch-interpreter", "python-fu-eval", "-b", _SCRIPT)
    try:
        done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        return Answer(Registered.UNKNOWN, f"GIMP {version} did not answer ({type(error).__name__})")
    found = _ASKED.search(done.stdout)
    if found is None:
        return Answer(Registered.UNKNOWN, f"GIMP {version} has no Python to ask", done.stderr[-2000:])
    return Answer(Registered(found[1]), f"GIMP {version}", done.stderr[-2000:])
