"""Fixtures of several rooms: a real server, and clients of it over both transports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from frisket.client.client import Client
from live import ServerProcess


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests that do not harm it."""
    process = ServerProcess(tmp_path_factory.mktemp("server")).start()
    yield process
    process.stop()


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server that the test may kill. Not started yet."""
    process = ServerProcess(tmp_path / "home")
    yield process
    if hasattr(process, "runtime"):
        process.kill()


@pytest.fixture(params=["grpc", "h2"])
def client(request: pytest.FixtureRequest, server: ServerProcess) -> Iterator[Client]:
    """A client of the shared server, once over each transport."""
    made = server.client(request.param)
    yield made
    made.close()
