"""Start, run and stop the server."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

import frisket
from frisket.client.places import Runtime, alive, remove_runtime, write_runtime
from frisket.engines.registry import Registry
from frisket.errors import AddressInUse, ServerAlreadyRunning
from frisket.jobs.blobs import Blobs
from frisket.jobs.desk import Desk
from frisket.jobs.store import Store
from frisket.models.folder import Folder
from frisket.rpc.certificate import fingerprint, reached_here
from frisket.rpc.config import ServerConfig, prepare_home, server_token, usable
from frisket.rpc.shelf import Shelf
from frisket.rpc.status import Gate
from frisket.rpc.stubs import studio_pb2_grpc
from frisket.rpc.studio import Studio
from frisket.workers.pool import LocalWorkers

log = logging.getLogger("frisket.rpc")

MAX_MESSAGE = 8 << 20
# A silent peer is noticed after keepalive_time + ping_timeout (its default is 60 s); clients may ping an idle stream.
OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.so_reuseport", 0),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.server_handshake_timeout_ms", 10_000),
]
STUDIO = "frisket.v1.Studio"


@contextlib.contextmanager
def _sole(home: Path) -> Iterator[None]:
    """Hold the home's lock file. Raises ServerAlreadyRunning, HomeUnusable."""
    with usable(home):
        file = open(home / "lock", "a+")  # noqa: SIM115 (closed below; an error inside the block is not the home's)
    with file:
        try:
            if sys.platform == "win32":
                import msvcrt

                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                import fcntl

                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise ServerAlreadyRunning(pid=file.read().strip() or "unknown", folder=home) from None
        with usable(home):
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
        yield


def _more_files() -> None:
    """As many open files as the system lets us have: silent strangers should not use them up."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
        if soft < wanted:
            with contextlib.suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Server:
    """The whole server in one asyncio loop. `run` returns when it was told to stop."""

    def __init__(self, config: ServerConfig) -> None:
        self.config = config
        self._stop, self._now = asyncio.Event(), asyncio.Event()
        self._last_call = time.monotonic()

    def stop(self) -> None:
        """Drain and end; the second time, end at once."""
        (self._now if self._stop.is_set() else self._stop).set()

    async def run(self, on_ready: Callable[[Runtime], None] = lambda runtime: None) -> None:
        """Raises ServerAlreadyRunning, AddressInUse, AddressInvalid, AddressNotAllowed, CertificateUnusable,
        HomeUnusable, JobsUnreadable."""
        self.config.check_address()
        prepare_home(self.config.home)
        self.config = self.config.with_own_pair()
        _more_files()
        with _sole(self.config.home):
            await self._run(on_ready)

    async def _run(self, on_ready: Callable[[Runtime], None]) -> None:
        config, token = self.config, server_token(self.config.home)
        workers = LocalWorkers(
            factory="frisket.edits.run:make_easel",
            kwargs={
                "extra_engines": config.engines,
                "models": str(config.models),
                "safety_checker": config.safety_checker,
                "gpu_memory": config.gpu_memory,
                "pinned": config.pinned,
                "speed": config.speed,
            },
            cache=config.cache,
        )
        with usable(config.home):
            desk = Desk(Store(config.home / "jobs.db"), Blobs(config.home / "blobs"), workers)
        shelf = Shelf(Folder(config.models), self._registry, workers.renew)
        studio = Studio(desk, shelf, config.home, config.limits)
        server = grpc.aio.server(interceptors=(Gate(token, self._called),), options=OPTIONS)
        healthy = health.aio.HealthServicer()  # pyright: ignore[reportAttributeAccessIssue]
        health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
        studio_pb2_grpc.add_StudioServicer_to_server(studio, server)
        try:
            address = self._bind(server)
            self._listen_to_signals()
            await server.start()
            await desk.start()
            await healthy.set(STUDIO, health_pb2.HealthCheckResponse.SERVING)
            pin = fingerprint(config.tls_cert) if config.tls_cert else ""
            runtime = Runtime(reached_here(address), token, os.getpid(), frisket.__version__, pin)
            with usable(config.home):
                write_runtime(config.home, runtime)
            log.debug("listening on %s", address)
            on_ready(runtime)
            await self._until_stopped(lambda: desk.busy or studio.pulling)
            log.info("stopping")
            studio.draining = True
            remove_runtime(config.home, os.getpid())
            await healthy.enter_graceful_shutdown()
            await asyncio.gather(studio.drain(), self._drained(desk))
        finally:
            remove_runtime(config.home, os.getpid())
            await server.stop(1.0)
            await desk.close()

    def _registry(self) -> Registry:
        config = self.config
        return Registry.installed(config.models).with_extra(config.engines).with_safety(config.safety_checker)

    async def _until_stopped(self, busy: Callable[[], bool]) -> None:
        watchdog = asyncio.create_task(self._exit_when_idle(busy))
        try:
            await self._stop.wait()
        finally:
            watchdog.cancel()

    async def _drained(self, desk: Desk) -> None:
        """Wait for running jobs, until a second signal says that there is no time for that."""
        drained = asyncio.create_task(desk.drain(self.config.drain_seconds))
        hurry = asyncio.create_task(self._now.wait())
        await asyncio.wait((drained, hurry), return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not drained.done():
            log.info("stopping at once; running jobs are done again at the next start")
            drained.cancel()

    def _bind(self, server: grpc.aio.Server) -> str:
        config, listen = self.config, self.config.listen
        try:
            if config.tls_cert and config.tls_key:
                pair = (config.tls_key.read_bytes(), config.tls_cert.read_bytes())
                port = server.add_secure_port(listen, grpc.ssl_server_credentials([pair]))
            else:
                port = server.add_insecure_port(listen)
        except RuntimeError as error:
            raise AddressInUse(address=listen) from error
        if port == 0:
            raise AddressInUse(address=listen)
        return listen if listen.startswith("unix:") else f"{listen.rsplit(':', 1)[0]}:{port}"

    def _called(self) -> None:
        self._last_call = time.monotonic()

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(
                NotImplementedError, RuntimeError
            ):  # Windows; a loop that is not the main thread's
                loop.add_signal_handler(number, self.stop)

    async def _exit_when_idle(self, busy: Callable[[], bool]) -> None:
        """Also when the process that owns this server has gone."""
        limit, owner = self.config.idle_exit, self.config.owner
        while limit > 0 or owner:
            await asyncio.sleep(min(limit / 4, 5.0) if limit > 0 else 1.0)
            if owner and not alive(owner):
                log.info("process %s has gone", owner)
                self.stop()
                self.stop()
            elif busy():
                self._called()
            elif limit > 0 and time.monotonic() - self._last_call > limit:
                log.info("idle for %s s", limit)
                self.stop()


def serve(config: ServerConfig, on_ready: Callable[[Runtime], None] = lambda runtime: None) -> None:
    """Run a server until SIGTERM, SIGINT or idle_exit."""

    async def main() -> None:
        await Server(config).run(on_ready)

    try:
        asyncio.run(main())
    finally:
        if config.sweep_home:
            shutil.rmtree(config.home, ignore_errors=True)
