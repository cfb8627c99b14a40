"""The negative studio as a server that a GIMP finds."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from concurrent import futures

import grpc
from negative_studio import TOKEN, NegativeStudio
from real_gimp import Gimp

from frisket.client.places import Runtime, write_runtime
from frisket.rpc.stubs import studio_pb2_grpc


@contextlib.contextmanager
def a_studio(gimp: Gimp) -> Iterator[NegativeStudio]:
    """Running, and noted where the plug-in looks."""
    servicer = NegativeStudio()
    server = grpc.server(futures.ThreadPoolExecutor(8))
    studio_pb2_grpc.add_StudioServicer_to_server(servicer, server)
    servicer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    note(gimp, servicer.address)
    server.start()
    try:
        yield servicer
    finally:
        server.stop(None).wait()


def note(gimp: Gimp, address: str, pid: int | None = None, name: str = "server.json") -> None:
    """Note a server as running."""
    written = write_runtime(gimp.folder / "frisket-home", Runtime(address, TOKEN, pid or os.getpid(), "0"))
    if name != "server.json":
        written.replace(gimp.folder / name)
