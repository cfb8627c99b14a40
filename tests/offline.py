"""A real server that has no network at all, and notes every attempt of its processes to use one."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psutil

from live import ServerProcess

# Read by every Python that starts with this file's folder on PYTHONPATH: the server and its workers.
GUARD = '''
"""Notes who is guarded, and what is asked of a network; that is refused."""

import os
import sys

ASKS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.sendto"}
HERE = os.path.dirname(os.path.abspath(__file__))


def note(name, text):
    with open(os.path.join(HERE, name), "a") as file:
        file.write(f"{os.getpid()} {text}\\n")


def hook(event, args):
    if event not in ASKS:
        return
    where = args[0] if event.startswith("socket.get") else args[1]
    if isinstance(where, (str, bytes)) and event == "socket.connect":
        return  # a unix socket
    note("asked", f"{event} {where!r}")
    raise PermissionError(f"no network here: {event} {where!r}")


sys.addaudithook(hook)
note("guarded", " ".join(sys.argv[:1]))
'''


# Qwen-Image-Edit paints 1 MP whatever is asked for, which takes half a minute here: with this, some 64 x 64 px.
QUICK = """

import importlib.abc
import importlib.machinery


class Quick(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name not in {f"diffusers.pipelines.qwenimage.pipeline_qwenimage_edit{more}" for more in ("", "_inpaint")}:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            real = module.calculate_dimensions
            module.calculate_dimensions = lambda _, ratio: real(64 * 64, ratio)

        spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Quick())
"""


@cache
def can_unplug() -> bool:
    """Whether a process without any network can be started here: Linux, as root."""
    try:
        return subprocess.run(["unshare", "-n", "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@dataclass
class OfflineServer(ServerProcess):
    """`frisket serve` on a unix socket, in a network namespace of its own with nothing in it where that is allowed.

    models: the folder of installed models. quick: see QUICK. Put `home` where paths are short: that of a socket has at
    most 107 characters.
    """

    models: Path = field(kw_only=True)
    quick: bool = True

    def start(self) -> OfflineServer:
        guard = self.home / "guard"
        guard.mkdir(parents=True, exist_ok=True)
        (guard / "sitecustomize.py").write_text(GUARD + QUICK * self.quick)
        self.prefix = ("env", f"PYTHONPATH={guard}", "OMP_NUM_THREADS=1", *(("unshare", "-n") if can_unplug() else ()))
        self.options = ("--listen", f"unix:{self.home}/s", "--models", str(self.models))
        super().start()
        return self

    def workers(self) -> list[psutil.Process]:
        return psutil.Process(self.runtime.pid).children()

    def guarded(self) -> set[int]:
        """Process ids that the guard has been with."""
        return {int(line.split()[0]) for line in (self.home / "guard" / "guarded").read_text().splitlines()}

    def asked(self) -> str:
        """What was asked of a network, a line each."""
        noted = self.home / "guard" / "asked"
        return noted.read_text() if noted.exists() else ""

    def interfaces(self) -> list[str]:
        """The network interfaces that the server has and that are more than the loopback."""
        lines = Path(f"/proc/{self.runtime.pid}/net/dev").read_text().splitlines()[2:]
        return [name for name in (line.split(":")[0].strip() for line in lines) if name != "lo"]


def short_home(name: str) -> Path:
    """A new folder with a short path, for a server with a socket in it."""
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix=f"frisket-{name}-", dir=os.environ.get("TMPDIR", "/tmp")))
    folder.chmod(0o700)
    return folder
