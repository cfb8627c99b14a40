"""From the command line to a server: the one that runs, or a private one for the length of a command."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from frisket.client import places
from frisket.client.client import Client
from frisket.client.launch import start_server
from frisket.client.link import is_link, parse
from frisket.errors import ServerNotRunning

server_option = click.option(
    "--server",
    metavar="LINE",
    envvar="FRISKET_SERVER",
    help="Another server: the line that it printed, or HOST:PORT of a tunnel (token in FRISKET_TOKEN).",
)

NAME = "frisket-cli"


def serve_command(*more: str) -> list[str]:
    """The command that starts a server with this Python."""
    return [sys.executable, "-m", "frisket.cli.main", "serve", *more]


def running(server: str | None) -> places.Runtime:
    """The server given, or the one noted on this machine. Raises ServerNotRunning, LinkInvalid."""
    if server and is_link(server):
        link = parse(server)
        return places.Runtime(link.address, link.token, 0, "", link.pin)
    if server:
        return places.Runtime(server, os.environ.get("FRISKET_TOKEN", ""), 0, "")
    return places.read_runtime(places.home())


@contextlib.contextmanager
def client_of(runtime: places.Runtime) -> Iterator[Client]:
    if runtime.pin:  # grpcio cannot hold a server to one certificate
        from frisket.client.h2_transport import H2Transport

        transport = H2Transport(runtime.address, runtime.token, pin=runtime.pin)
    else:
        from frisket.client.grpc_transport import GrpcTransport

        transport = GrpcTransport(runtime.address, runtime.token)
    client = Client(transport, NAME)
    try:
        yield client
    finally:
        client.close()


@contextlib.contextmanager
def a_server(server: str | None, quiet: bool) -> Iterator[places.Runtime]:
    """A running server; when there is none, a private one that ends with this block. Raises ServerDidNotStart."""
    try:
        yield running(server)
        return
    except ServerNotRunning:
        if server:
            raise
    if not quiet:
        words = "No server runs: starting a private one (the very first compiles the engine, some seconds)."
        click.echo(words, err=True)
    with private_server() as runtime:
        yield runtime


@contextlib.contextmanager
def private_server() -> Iterator[places.Runtime]:
    """A server of our own with this machine's models, in a folder of its own: both go with us, even killed."""
    folder = Path(tempfile.mkdtemp(prefix="frisket-"))
    shared = ("--cache", str(places.home() / "cache"), "--models", str(places.home() / "models"))
    ours = ("--owner", str(os.getpid()), "--sweep-home", *shared)
    try:
        runtime = start_server(serve_command("--listen", "127.0.0.1:0", *ours), folder)
        try:
            yield runtime
        finally:
            stop(runtime)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def stop(runtime: places.Runtime, seconds: float = 10.0) -> None:
    """End a server of ours and wait until it is gone."""
    import time

    with contextlib.suppress(ProcessLookupError):
        os.kill(runtime.pid, signal.SIGTERM)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(runtime.pid, os.WNOHANG)
            os.kill(runtime.pid, 0)
            time.sleep(0.02)
        os.kill(runtime.pid, signal.SIGKILL)
