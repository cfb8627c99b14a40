"""A real server in a process of its own, and the command line in another: what several rooms' tests use."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from frisket.client.client import Client
from frisket.client.launch import start_server
from frisket.client.places import Runtime

ROOT = Path(__file__).resolve().parent.parent
FAKES = Path(__file__).resolve().parent / "fakes" / "engines.py"
FACES = FAKES.with_name("faces.py")
SUBJECTS = FAKES.with_name("subjects.py")
ENGINES = (
    *(f"{FAKES}:{name}" for name in ("TOY", "NULL", "SLOW", "BROKEN", "SOFT", "EVERY", "PAINTER")),
    *(f"{FACES}:{name}" for name in ("FINDER", "CHECKS")),
    f"{SUBJECTS}:BRIGHT",
)


@dataclass
class ServerProcess:
    """`frisket serve` in a folder of its own, with the fake engines beside the built-in one."""

    home: Path
    options: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()  # a program that becomes the server, as `env` does
    runtime: Runtime = field(init=False)
    started_in: float = field(init=False)

    def start(self) -> ServerProcess:
        engines = [word for path in ENGINES for word in ("--engine", path)]
        cache = ("--cache", str(ROOT / ".pytest_cache" / "frisket"))
        command = [sys.executable, "-m", "frisket.cli.main", "serve", "--listen", "127.0.0.1:0", *engines, *cache]
        began = time.monotonic()
        self.runtime = start_server([*self.prefix, *command, *self.options], self.home)
        self.started_in = time.monotonic() - began
        return self

    def kill(self) -> None:
        """SIGKILL, as a crash or the OOM killer does it."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.runtime.pid, signal.SIGKILL)
        self.wait_gone()

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.runtime.pid, signal.SIGTERM)
        self.wait_gone()

    def wait_gone(self, seconds: float = 20) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.runtime.pid, os.WNOHANG)
            try:
                os.kill(self.runtime.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.02)
        raise AssertionError(f"server {self.runtime.pid} does not end:\n{self.log()}")

    def log(self) -> str:
        return (self.home / "server.log").read_text()

    def client(self, transport: str = "grpc", token: str | None = None, name: str = "test") -> Client:
        return Client(make_transport(transport, self.runtime.address, token or self.runtime.token), name)


def make_transport(kind: str, address: str, token: str):
    if kind == "grpc":
        from frisket.client.grpc_transport import GrpcTransport

        return GrpcTransport(address, token)
    from frisket.client.h2_transport import H2Transport

    return H2Transport(address, token)


def run_cli(*words: str, home: Path, check: bool = True, **env: str) -> subprocess.CompletedProcess[str]:
    """`frisket WORDS` in a process of its own."""
    command = [sys.executable, "-m", "frisket.cli.main", *words]
    environment = {**os.environ, "FRISKET_HOME": str(home), **env}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if check and done.returncode:
        raise AssertionError(f"{words} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done
