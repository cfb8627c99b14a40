"""Where Frisket keeps things on this machine, and the note a running server leaves for its clients.

Everything lives in one folder, its *home*: `FRISKET_HOME`, else `~/.local/share/frisket` (XDG_DATA_HOME is honoured),
`~/Library/Application Support/Frisket`, or `%LOCALAPPDATA%\\Frisket`. A Flatpak sees the host's folder, not its own.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from frisket.errors import ServerNotRunning

RUNTIME_FILE = "server.json"


@dataclass(frozen=True, slots=True)
class Runtime:
    """A running server: where it listens ("127.0.0.1:PORT" or "unix:/path"), its token, process and version.

    pin: sha256 of its certificate; empty = it speaks in the clear.
    """

    address: str
    token: str
    pid: int
    version: str
    pin: str = ""

    def __repr__(self) -> str:
        return f"Runtime(address={self.address!r}, token='***', pid={self.pid}, version={self.version!r})"


def home(env: Mapping[str, str] | None = None, platform: str = sys.platform) -> Path:
    """Frisket's folder on this machine; may not exist yet."""
    env = os.environ if env is None else env
    if env.get("FRISKET_HOME"):
        return Path(env["FRISKET_HOME"])
    user = Path(env.get("HOME") or env.get("USERPROFILE") or Path.home())
    if platform == "win32":
        return Path(env.get("LOCALAPPDATA") or user / "AppData" / "Local") / "Frisket"
    if platform == "darwin":
        return user / "Library" / "Application Support" / "Frisket"
    inside_flatpak = "FLATPAK_ID" in env
    data = env.get("HOST_XDG_DATA_HOME") if inside_flatpak else env.get("XDG_DATA_HOME")
    return Path(data or user / ".local" / "share") / "frisket"


def write_runtime(folder: Path, runtime: Runtime) -> Path:
    """Leave the note, readable by this user alone (mode 0600), in one step."""
    folder.mkdir(parents=True, exist_ok=True)
    fd, temporary = tempfile.mkstemp(dir=folder, prefix=".server-")  # mkstemp makes it 0600
    with os.fdopen(fd, "w") as file:
        json.dump(asdict(runtime), file)
    os.replace(temporary, folder / RUNTIME_FILE)
    return folder / RUNTIME_FILE


def read_runtime(folder: Path) -> Runtime:
    """The note of a server that runs. Raises ServerNotRunning when there is none or its process is gone."""
    try:
        fields = json.loads((folder / RUNTIME_FILE).read_text())
        runtime = Runtime(**fields)
        runtime = replace(runtime, pid=int(runtime.pid))
    except (OSError, ValueError, TypeError):
        raise ServerNotRunning(folder=folder) from None
    if not alive(runtime.pid):
        raise ServerNotRunning(folder=folder)
    return runtime


def remove_runtime(folder: Path, pid: int) -> None:
    """Take the note away, if it is still that process's own."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if json.loads((folder / RUNTIME_FILE).read_text()).get("pid") == pid:
            (folder / RUNTIME_FILE).unlink()


def alive(pid: int) -> bool:
    """Whether a process with this id may be running. Where that cannot be seen (a sandbox), yes."""
    if sys.platform == "win32" or "FLATPAK_ID" in os.environ or "SNAP" in os.environ:
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True
