"""A server that other machines may use: TLS by the line that it prints."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from frisket.client import session
from frisket.client.client import Client
from frisket.client.h2_transport import H2Transport
from frisket.client.h2_wire import Wake, connect
from frisket.client.link import Link, parse
from frisket.errors import Cancelled, ServerNotTheOne, ServerUnreachable, TokenWrong
from live import ServerProcess, run_cli
from rpc.test_studio import ask, outcome, submit


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    server = ServerProcess(tmp_path_factory.mktemp("open"), ("--listen", "0.0.0.0:0"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def link(opened: ServerProcess) -> Link:
    """As pasted: what the server printed, but for the address, which the machine may not reach itself by."""
    printed = re.search(r"frisket://\S+", opened.log())
    assert printed
    told = parse(printed[0])
    assert told.pin == opened.runtime.pin
    assert told.token == opened.runtime.token
    return Link(opened.runtime.address, told.token, told.pin)


def client_of(link: Link) -> Client:
    return Client(H2Transport(link.address, link.token, pin=link.pin), "far")


def test_an_edit_goes_through_whole(link: Link) -> None:
    client = client_of(link)
    job = submit(client, ask("toy"))
    outcome(client, job.id)
    far = client.result(job.id)
    client.close()
    assert np.frombuffer(far.pixels, np.uint8).size == far.box.area * 3


def test_large_pictures_arrive_byte_for_byte(link: Link) -> None:
    """Several MiB each way: many records, more than one turn of the loop."""
    from frisket.edits.requests import EditRequest, VariationParams
    from frisket.raster.geometry import Box, Size

    size = Size(1600, 1200)
    sent = np.random.default_rng(5).integers(0, 256, (1200, 1600, 3), np.uint8)
    client = client_of(link)
    request = EditRequest(size, Box.of(size), VariationParams(strength=0.0), ask("").format, engine="patch")
    job = client.submit(request, sent.tobytes(), None)
    outcome(client, job.id)
    got = client.result(job.id)
    client.close()
    np.testing.assert_array_equal(np.frombuffer(got.pixels, np.uint8).reshape(sent.shape), sent)


def test_another_server_learns_nothing(link: Link) -> None:
    """Not even the token: the certificate is looked at before a byte of HTTP is sent."""
    client = client_of(Link(link.address, link.token, "0" * 64))
    with pytest.raises(ServerNotTheOne, match=re.escape(link.address)):
        client.server_info()
    client.close()


def test_the_token_is_asked_for_as_well(link: Link) -> None:
    client = client_of(Link(link.address, "another", link.pin))
    with pytest.raises(TokenWrong):
        client.server_info()
    client.close()


def test_a_server_without_tls_is_no_answer(server: ServerProcess) -> None:
    client = client_of(Link(server.runtime.address, "t", "0" * 64))
    with pytest.raises(ServerUnreachable, match="does not speak TLS"):
        client.server_info()
    client.close()


def test_a_handshake_that_never_ends_can_be_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        wake = Wake()
        with pytest.raises(ServerUnreachable, match="in time"):
            connect(address, wake, 0.2, "0" * 64)
        threading.Timer(0.2, wake.call).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            connect(address, wake, 30.0, "0" * 64)
        assert time.monotonic() - began < 10
        wake.close()


def test_an_editor_and_the_command_line_take_the_line(link: Link, tmp_path: Path) -> None:
    far = session.at(str(link), "", "editor")
    with contextlib.closing(far):
        assert far.plan(ask("toy"), [ask("toy").region]).engine == "toy"
    done = run_cli("jobs", "--server", str(link), "--json", home=tmp_path)
    assert done.returncode == 0, done.stderr


def test_commands_on_the_servers_own_machine_find_it_as_ever(opened: ServerProcess) -> None:
    done = run_cli("jobs", "--json", home=opened.home)
    assert done.returncode == 0, done.stderr
