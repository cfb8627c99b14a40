"""What the plug-in keeps between runs: small JSON files in a folder of its own beside GIMP's settings.

One file, one subject. A file that cannot be read is as good as none; one that cannot be written is told.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from pathlib import Path

from gi.repository import Gimp

from frisket.errors import SettingsUnwritable

SERVER = "server"  # name of the file that says which server is used


def server_address(given: str) -> str:
    """The server that an action was told to use, else the one chosen for all of them; empty = this computer's."""
    return given.strip() or str(read(SERVER, {}).get("address", ""))


def folder() -> Path:
    """Of this GIMP version and user; made when something is first written."""
    return Path(Gimp.directory()) / "frisket"


def read(name: str, otherwise):
    """The value kept under this name, when it has the type of `otherwise`; else `otherwise`."""
    try:
        value = json.loads((folder() / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return otherwise
    return value if isinstance(value, type(otherwise)) else otherwise


def write(name: str, value) -> None:
    """Whole or not at all, readable by its owner alone: a server's token may be in it. Raises SettingsUnwritable."""
    target = folder() / f"{name}.json"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, fresh = tempfile.mkstemp(prefix=f".{name}-", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(value, file, indent=1, sort_keys=True)
            os.replace(fresh, target)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise
    except OSError as error:
        raise SettingsUnwritable(path=target, reason=error.strerror or error) from error
