"""How a server begins and ends: one for each home, a note while it runs, and no idling for ever."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from frisket.client.places import RUNTIME_FILE, Runtime
from frisket.edits.requests import TextToLayerParams
from frisket.errors import (
    AddressInUse,
    AddressNotAllowed,
    PictureWithheld,
    SafetyCheckerMissing,
    ServerAlreadyRunning,
)
from frisket.rpc.config import ServerConfig
from frisket.rpc.serve import Server, _sole, serve
from frisket.rpc.stubs import jobs_pb2
from live import FAKES, ServerProcess
from rpc.test_studio import ask, outcome, submit


def test_an_idle_server_ends_but_not_while_it_works(own_server: ServerProcess) -> None:
    """The job of 2 s outlasts the second of idleness, and nobody asks for it meanwhile."""
    own_server.options = ("--idle-exit", "1")
    own_server.start()
    client = own_server.client()
    job = submit(client, ask("slow", engine_params={"steps": 100, "step_ms": 20}))
    client.close()
    began = time.monotonic()
    own_server.wait_gone()
    assert time.monotonic() - began > 2
    assert not (own_server.home / RUNTIME_FILE).exists()
    own_server.options = ()
    client = own_server.start().client()
    (kept,) = client.jobs()
    assert (kept.id, kept.state) == (job.id, jobs_pb2.JOB_STATE_FINISHED)
    client.close()
    own_server.stop()


def test_a_home_has_one_server(tmp_path: Path) -> None:
    with _sole(tmp_path), pytest.raises(ServerAlreadyRunning) as caught, _sole(tmp_path):
        pass
    assert caught.value.data["folder"] == str(tmp_path)
    with _sole(tmp_path):  # and is free again
        pass


def test_a_lock_of_a_killed_server_does_not_hold(tmp_path: Path) -> None:
    script = "import sys, time; from pathlib import Path; from frisket.rpc.serve import _sole\n"
    script += "with _sole(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(ServerAlreadyRunning) as caught, _sole(tmp_path):
            pass
        assert caught.value.data["pid"] == str(holder.pid)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with _sole(tmp_path):
        pass


def test_a_taken_address_leaves_no_note(server: ServerProcess, tmp_path: Path) -> None:
    with pytest.raises(AddressInUse, match=server.runtime.address):
        serve(ServerConfig(tmp_path, server.runtime.address))
    assert not (tmp_path / RUNTIME_FILE).exists()


def test_an_open_address_is_refused_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frisket.rpc.config.can_make", lambda: False)
    with pytest.raises(AddressNotAllowed):
        serve(ServerConfig(tmp_path / "home", "0.0.0.0:0"))
    assert not (tmp_path / "home").exists()


@pytest.fixture(autouse=True)
def umask() -> Iterator[None]:
    """A server tightens its process's; here that is the tests' own."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for localhost and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
             "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]  # fmt: skip
    try:
        subprocess.run(["openssl", *words, "-keyout", key, "-out", cert], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no openssl to make a certificate with")
    return cert, key


def healthy(channel: grpc.Channel) -> bool:
    request = health_pb2.HealthCheckRequest(service="frisket.v1.Studio")
    reply = health_pb2_grpc.HealthStub(channel).Check(request, timeout=10)  # type: ignore[no-untyped-call]
    return reply.status == health_pb2.HealthCheckResponse.SERVING


@pytest.mark.parametrize("how", ["unix", "tls"])
def test_other_ways_to_listen(how: str, tmp_path: Path, pair: tuple[Path, Path]) -> None:
    """In this process: from the start to a drained end."""
    cert, key = pair
    listen = f"unix:{tmp_path}/s" if how == "unix" else "localhost:0"
    config = ServerConfig(tmp_path / "home", listen)
    if how == "tls":
        config = ServerConfig(tmp_path / "home", listen, tls_cert=cert, tls_key=key)
    seen: list[tuple[bool, bool]] = []

    async def main() -> None:
        server = Server(config)

        async def look(runtime: Runtime) -> None:
            note = (config.home / RUNTIME_FILE).exists()
            seen.append((await asyncio.to_thread(asked, runtime.address), note))
            server.stop()

        looking: list[asyncio.Task[None]] = []
        await server.run(lambda runtime: looking.append(asyncio.create_task(look(runtime))))
        await looking[0]

    def asked(address: str) -> bool:
        if how == "unix":
            with grpc.insecure_channel(address) as channel:
                return healthy(channel)
        with grpc.secure_channel(address, grpc.ssl_channel_credentials(cert.read_bytes())) as channel:
            return healthy(channel)

    asyncio.run(main())
    assert seen == [(True, True)]
    assert not (config.home / RUNTIME_FILE).exists()


def test_with_a_safety_checker_models_are_looked_after(own_server: ServerProcess) -> None:
    """Over the wire: the one without is refused at once, the one with withholds, the built-in kind goes on."""
    own_server.options = ("--safety-checker", "--engine", f"{FAKES}:CENSOR")
    client = own_server.start().client()
    bright = TextToLayerParams("x" * 80)
    with pytest.raises(SafetyCheckerMissing, match="censor"):
        client.submit(ask("painter", params=bright))
    with pytest.raises(PictureWithheld):
        outcome(client, client.submit(ask("censor", params=bright)).id)
    outcome(client, client.submit(ask("censor", params=TextToLayerParams("x" * 20))).id)
    outcome(client, submit(client, ask("toy")).id)
    client.close()
