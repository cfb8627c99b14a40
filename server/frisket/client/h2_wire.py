"""One HTTP/2 connection over a socket: opening it, and moving its bytes while anything may interrupt the wait.

Built on the pure-Python h2 package, so that an editor's own interpreter can carry it.
"""

from __future__ import annotations

import collections
import contextlib
import os
import select
import socket
import time

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings

from frisket.client.tls import TlsSocket, wrapped
from frisket.errors import Cancelled, ConnectionLost, LinkInvalid, ServerUnreachable

RECEIVE_WINDOW = 16 << 20  # bytes in flight towards us; bounds what one read can bring
FRAME = 1 << 20  # largest DATA frame taken: larger frames mean fewer turns of the Python loop
READ = 1 << 20
MUTE = "it hangs up without a word; a server for other machines takes only the whole line that it prints"
QUIET = 20.0  # seconds without a byte after which the peer is asked for a sign of life
DEAD = 60.0  # and after which it counts as gone. A watched job has a heartbeat every 5 s


class Wake:
    """Ends a `select` from another thread. A socket pair, because Windows cannot select on a pipe."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self.called = False

    def fileno(self) -> int:
        return self._reader.fileno()

    def call(self) -> None:
        self.called = True
        with contextlib.suppress(OSError):
            self._writer.send(b"!")

    def clear(self) -> None:
        with contextlib.suppress(OSError):
            while self._reader.recv(64):
                pass
        self.called = False

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


def connect(address: str, wake: Wake, timeout: float, pin: str = "") -> socket.socket | TlsSocket:
    """A connected non-blocking socket to "host:port", "[v6]:port" or "unix:/path".

    pin: sha256 of the server's certificate; with one, TLS is spoken. Raises errors.ServerUnreachable, LinkInvalid,
    ServerNotTheOne, or Cancelled when `wake` is called meanwhile.
    """
    until = time.monotonic() + timeout
    reason = "the name leads nowhere"
    for family, target in _targets(address):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            _connect_one(sock, target, wake, until)
            if family != getattr(socket, "AF_UNIX", None):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return wrapped(sock, address, pin, wake, until) if pin else sock
        except OSError as exc:
            sock.close()
            reason = (exc.strerror or str(exc)).lower()
            continue
        except BaseException:
            sock.close()
            raise
    raise ServerUnreachable(address=address, reason=reason)


def _targets(address: str) -> list[tuple[int, object]]:
    if address.startswith("unix:"):
        if not hasattr(socket, "AF_UNIX"):
            raise ServerUnreachable(address=address, reason="this system's Python has no unix sockets")
        return [(socket.AF_UNIX, address[len("unix:") :])]
    host, colon, port = address.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) < 65536):
        raise LinkInvalid()
    try:
        found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise ServerUnreachable(address=address, reason=f"no computer called {host} is known here") from exc
    return [(family, target) for family, _, _, _, target in found]


def _connect_one(sock: socket.socket, target: object, wake: Wake, until: float) -> None:
    sock.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        sock.connect(target)  # type: ignore[arg-type]
        return
    left = max(0.0, until - time.monotonic())
    woken, ready, failed = select.select([wake], [sock], [sock], left)
    if woken:
        raise Cancelled()
    if not (ready or failed):
        raise TimeoutError("no answer in time")
    code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


class Wire:
    """An HTTP/2 connection. `http` is h2's state; `exchange` is the only place that reads or writes the socket."""

    def __init__(self, sock: socket.socket | TlsSocket) -> None:
        self._sock = sock
        # Output that the socket did not take yet outlives a call: it may hold the settings' acknowledgement.
        self._unsent: collections.deque[memoryview] = collections.deque()
        self.unsent_bytes = 0
        self._heard = time.monotonic()
        self._asked = False
        self.spoken_to = False  # whether the peer has said anything at all
        config = h2.config.H2Configuration(
            client_side=True, header_encoding="utf-8", validate_inbound_headers=False, normalize_outbound_headers=False
        )
        self.http = h2.connection.H2Connection(config)
        codes = h2.settings.SettingCodes
        self.http.local_settings = h2.settings.Settings(
            client=True,
            initial_values={
                codes.ENABLE_PUSH: 0,
                codes.INITIAL_WINDOW_SIZE: RECEIVE_WINDOW,
                codes.MAX_FRAME_SIZE: FRAME,
            },
        )
        self.http.max_inbound_frame_size = FRAME
        self.http.initiate_connection()
        self.http.increment_flow_control_window(RECEIVE_WINDOW - 65535)

    def queue(self) -> None:
        """Take over what h2 wants sent."""
        data = self.http.data_to_send()
        if data:
            self._unsent.append(memoryview(data))
            self.unsent_bytes += len(data)

    def exchange(self, wake: Wake, timeout: float | None) -> list[h2.events.Event]:
        """Send what can be sent, wait up to `timeout` s (None: for long), return what came in.

        Raises errors.ConnectionLost: the connection is over.
        """
        self.queue()
        wait = QUIET if timeout is None else min(timeout, QUIET)
        try:
            readable, writable, _ = select.select([self._sock, wake], [self._sock] if self._unsent else [], [], wait)
            if writable:
                self._send()
            if self._sock in readable:
                return self._receive()
        except BlockingIOError:
            return []
        except OSError as exc:
            raise ConnectionLost(reason=self._why((exc.strerror or str(exc)).lower())) from exc
        except ValueError as exc:
            raise ConnectionLost(reason=str(exc)) from exc
        if not (readable or writable):
            self._ask_for_life()
        return []

    def _send(self) -> None:
        while self._unsent:
            piece = self._unsent[0]
            sent = self._sock.send(piece)
            self.unsent_bytes -= sent
            if sent < len(piece):
                self._unsent[0] = piece[sent:]
                return
            self._unsent.popleft()

    def _receive(self) -> list[h2.events.Event]:
        data = self._sock.recv(READ)
        if not data:
            raise ConnectionLost(reason=self._why("the server closed it"))
        self._heard, self._asked, self.spoken_to = time.monotonic(), False, True
        try:
            events = self.http.receive_data(data)
        except h2.exceptions.ProtocolError as exc:
            raise ConnectionLost(reason=f"what came in is not gRPC over HTTP/2 ({exc})") from exc
        self.queue()
        return events

    def _why(self, reason: str) -> str:
        """The connection ended: for `reason`, unless nobody there ever spoke."""
        return reason if self.spoken_to else MUTE

    def _ask_for_life(self) -> None:
        quiet = time.monotonic() - self._heard
        if quiet > DEAD:
            raise ConnectionLost(reason=f"nothing was heard for {quiet:.0f} s")
        if quiet > QUIET and not self._asked:
            self._asked = True
            self.http.ping(b"frisket?")

    def flush(self) -> None:
        """Hand over what the socket takes without waiting. Raises errors.ConnectionLost."""
        self.queue()
        try:
            self._send()
        except BlockingIOError:
            return
        except (OSError, ValueError) as exc:
            raise ConnectionLost(reason=str(exc)) from exc

    def touch(self) -> None:
        """A new call begins: the time the connection lay idle does not count as silence."""
        self._heard, self._asked = time.monotonic(), False

    @property
    def stale(self) -> bool:
        """Whether the peer has said anything between two calls that ends the connection (its end, or goodbye)."""
        try:
            while select.select([self._sock], [], [], 0)[0]:
                if any(isinstance(event, h2.events.ConnectionTerminated) for event in self._receive()):
                    return True
        except (ConnectionLost, OSError, ValueError):
            return True
        return False

    def close(self) -> None:
        """Say goodbye when that needs no waiting, and close the socket."""
        with contextlib.suppress(ConnectionLost, h2.exceptions.ProtocolError):
            self.http.close_connection()
            self.flush()
        self._sock.close()
