"""The real GIMP in its tree, the plug-in installed there, and a studio that answers in a way that can be computed."""

from __future__ import annotations

import os
import sys
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from frisket.client.places import Runtime, write_runtime
from frisket.rpc.stubs import studio_pb2_grpc

sys.path.insert(0, str(Path(__file__).parent))
from negative_studio import TOKEN, NegativeStudio
from real_gimp import Gimp, a_gimp, a_screen, why_no_gimp, why_no_screen


def step_aside(reason: str) -> None:
    """Skip, or fail where FRISKET_NEED_GIMP says that all must be there."""
    (pytest.fail if os.environ.get("FRISKET_NEED_GIMP") else pytest.skip)(reason)


@pytest.fixture
def gimp():
    reason = why_no_gimp()
    if reason:
        step_aside(reason)
    with a_gimp() as gimp:
        yield gimp


@pytest.fixture
def screen():
    reason = why_no_screen()
    if reason:
        step_aside(reason)
    with a_screen() as screen:
        yield screen


@pytest.fixture
def studio(gimp):
    """The negative studio, running, and noted where the plug-in looks."""
    servicer = NegativeStudio()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    studio_pb2_grpc.add_StudioServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    servicer.address = f"127.0.0.1:{port}"
    note(gimp, servicer.address)
    yield servicer
    server.stop(None).wait()


def note(gimp: Gimp, address: str, pid: int | None = None, name: str = "server.json") -> None:
    """Note a server as running."""
    written = write_runtime(gimp.folder / "frisket-home", Runtime(address, TOKEN, pid or os.getpid(), "0"))
    if name != "server.json":
        written.replace(gimp.folder / name)
