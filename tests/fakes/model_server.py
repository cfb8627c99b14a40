"""The Studio's calls about models alone, on a real socket of this process, in an event loop of its own."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from frisket.client.models import Models
from frisket.engines.registry import Registry
from frisket.models.folder import Folder
from frisket.rpc.limits import Limits
from frisket.rpc.model_calls import ModelCalls
from frisket.rpc.shelf import Shelf
from frisket.rpc.status import Gate
from frisket.rpc.stubs import studio_pb2_grpc
from live import make_transport

TOKEN = "kettle-9"
LICENCE = {"name": "Open RAIL-M", "link": "https://example.org/licence", "commercial": "no"}
PAINT: dict[str, Any] = {
    "title": "Paint",
    "repository": "acme/paint",
    "revision": "main",
    "family": "sd15-inpaint",
    "licence": LICENCE,
    "memory_needed": 5,
}


def furnish(home: Path, endpoint: str, **models: dict[str, Any]) -> Path:
    """A home whose catalogue has `paint`, and `models` as changes of it, and whose hub is at `endpoint`."""
    (home / "catalogue").mkdir(parents=True)
    listed = {"paint": PAINT} | {name: PAINT | changes for name, changes in models.items()}
    (home / "catalogue" / "mine.json").write_text(json.dumps({"models": listed}))
    (home / "hub.json").write_text(json.dumps({"endpoint": endpoint}))
    return home


class ModelServer:
    """Serves the models of `home`. `calls` is the servicer; `do` runs something in its loop."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._transports: list[Any] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.do(self._start)

    def do(self, action: Callable[[], Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(action(), self._loop).result(10)

    async def _start(self) -> None:
        shelf = Shelf(Folder(self.home / "models"), lambda: Registry([]))
        self.calls = ModelCalls(shelf, self.home, Limits())
        self._server = grpc.aio.server(interceptors=(Gate(TOKEN),))
        studio_pb2_grpc.add_StudioServicer_to_server(self.calls, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        await self._server.start()

    def stop(self) -> None:
        """As a server that is told to stop does it."""

        async def stop() -> None:
            await self.calls.drain()
            await self._server.stop(None)
            await self._loop.shutdown_default_executor()

        for transport in self._transports:
            transport.close()
        self.do(stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def models(self, transport: str = "grpc", token: str = TOKEN) -> Models:
        """A client, until the server stops."""
        self._transports.append(make_transport(transport, self.address, token))
        return Models(self._transports[-1])
