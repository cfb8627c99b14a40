"""Connections: opening, silence, and peers that speak something else."""

import socket
import threading
import time

import pytest

from frisket.client import h2_wire
from frisket.client.h2_transport import H2Transport
from frisket.client.h2_wire import Wake, connect
from frisket.errors import Cancelled, ConnectionLost, LinkInvalid, ServerUnreachable
from frisket.rpc.stubs import studio_pb2


@pytest.fixture
def wake():
    wake = Wake()
    yield wake
    wake.close()


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


def address_of(listener: socket.socket) -> str:
    return f"127.0.0.1:{listener.getsockname()[1]}"


def ask(address: str, timeout: float | None):
    transport = H2Transport(address)
    try:
        return transport.unary("GetServerInfo", studio_pb2.GetServerInfoRequest(), studio_pb2.ServerInfo, timeout)
    finally:
        transport.close()


@pytest.mark.parametrize("address", ["", "somewhere", "host:", ":80", "host:port", "127.0.0.1:70000"])
def test_addresses_that_make_no_sense(address, wake):
    with pytest.raises(LinkInvalid):
        connect(address, wake, 1)


def test_a_name_is_tried_with_each_of_its_addresses(listener, wake):
    sock = connect(f"localhost:{listener.getsockname()[1]}", wake, 2)  # often ::1 first, which nobody serves here
    assert isinstance(sock, socket.socket)
    assert not sock.getblocking()
    sock.close()


def test_ipv6(wake):
    try:
        server = socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError as error:
        pytest.skip(f"no IPv6 on this machine: {error}")
    with server:
        connect(f"[::1]:{server.getsockname()[1]}", wake, 2).close()


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 64, b"220 mail ready\r\n"])
def test_a_peer_that_does_not_speak_grpc(listener, answer):
    def serve():
        peer, _ = listener.accept()
        with peer:
            peer.recv(1 << 16)
            peer.sendall(answer)
            time.sleep(0.2)

    thread = threading.Thread(target=serve)
    thread.start()
    with pytest.raises((ConnectionLost, ServerUnreachable)):
        ask(address_of(listener), 5)
    thread.join()


def test_a_silent_peer_counts_as_gone(listener, monkeypatch):
    monkeypatch.setattr(h2_wire, "QUIET", 0.1)
    monkeypatch.setattr(h2_wire, "DEAD", 0.35)
    began = time.monotonic()
    with pytest.raises(ServerUnreachable, match="nothing was heard"):
        ask(address_of(listener), None)  # the kernel accepts, nobody answers
    assert 0.3 < time.monotonic() - began < 2


def test_one_that_hangs_up_at_once_was_no_connection(listener):
    """As a server with TLS does when it is spoken to in the clear."""

    def hang_up() -> None:
        listener.accept()[0].close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(ServerUnreachable, match="takes only the whole line"):
        ask(address_of(listener), 5)
    thread.join()


def test_a_deadline_holds_before_anything_is_heard(listener):
    began = time.monotonic()
    with pytest.raises(ServerUnreachable, match="no answer in time"):
        ask(address_of(listener), 0.2)
    assert time.monotonic() - began < 1


def test_connecting_can_be_interrupted(listener, wake):
    backlog = []
    while len(backlog) < 512:  # fill the queue of connections that wait, so that the next one hangs
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex(listener.getsockname())
        backlog.append(sock)
    threading.Timer(0.1, wake.call).start()
    began = time.monotonic()
    try:
        with pytest.raises(Cancelled):
            connect(address_of(listener), wake, 5)
        assert time.monotonic() - began < 1
    finally:
        for sock in backlog:
            sock.close()
