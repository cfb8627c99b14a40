"""gRPC in pure Python: the transport for interpreters that take no compiled wheels, such as an editor's own.

Implements frisket.client.transport.Transport with blocking sockets on the h2 package (PROTOCOL-HTTP2.md of gRPC).
Connects when the first call is made and again after a broken connection. bench/transport.py times it beside grpcio.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import struct
import threading
import time
from collections.abc import Generator, Iterable, Iterator
from urllib.parse import unquote

import h2.errors
import h2.events
import h2.exceptions
from google.protobuf.message import DecodeError, Message

from frisket import __version__
from frisket.client.h2_wire import Wake, Wire, connect
from frisket.client.status import StatusCode, error_from_status
from frisket.client.transport import ERROR_TRAILER, MAX_MESSAGE, SERVICE, M
from frisket.errors import Cancelled, ConnectionLost, FrisketError, ServerUnreachable

PIECE = 1 << 20  # bytes framed ahead of the socket: bounds memory, and how late an early refusal is noticed
_PREFIX = struct.Struct(">BI")  # compressed flag, length


class H2Transport:
    """Calls to `address` ("host:port" or "unix:/path") with `token`. No connection is made before the first call.

    pin: sha256 of the server's certificate, 64 hex digits; with one TLS is spoken (`client.link`).

    Not for calls from several threads at once: that raises RuntimeError. `interrupt` is the exception.
    """

    def __init__(self, address: str, token: str = "", connect_timeout: float = 10.0, pin: str = "") -> None:
        self.address = address
        self._pin = pin
        self._token = token
        self._connect_timeout = connect_timeout
        self._wire: Wire | None = None
        self._wake = Wake()
        self._in_call = threading.Lock()

    def __repr__(self) -> str:
        return f"H2Transport({self.address!r})"

    def unary(self, method: str, request: Message, reply: type[M], timeout: float | None = None) -> M:
        return self._single(self._call(method, [request], reply, timeout))

    def upload(self, method: str, requests: Iterable[Message], reply: type[M], timeout: float | None = None) -> M:
        return self._single(self._call(method, requests, reply, timeout))

    def stream(
        self, method: str, request: Message, reply: type[M], timeout: float | None = None
    ) -> Generator[M, None, None]:
        return self._call(method, [request], reply, timeout)

    def exchange(
        self, method: str, requests: Iterable[Message], reply: type[M], timeout: float | None = None
    ) -> Generator[M, None, None]:
        return self._call(method, requests, reply, timeout)

    def interrupt(self) -> None:
        self._wake.call()

    def close(self) -> None:
        self._disconnect()
        self._wake.close()

    def _single(self, replies: Iterator[M]) -> M:
        got = list(replies)
        if len(got) != 1:
            raise ConnectionLost(reason=f"the server sent {len(got)} answers where one belongs")
        return got[0]

    def _call(
        self, method: str, requests: Iterable[Message], reply: type[M], timeout: float | None
    ) -> Generator[M, None, None]:
        if not self._in_call.acquire(blocking=False):
            raise RuntimeError("one call at a time: close the iterator of the last stream first")
        call = None
        try:
            self._wake.clear()
            until = None if timeout is None else time.monotonic() + timeout
            wire = self._connected(until)
            call = _Call(wire, self._headers(method, timeout), requests, self.address)
            while True:
                call.feed()
                for raw in call.taken():
                    yield _parsed(raw, reply)
                if call.ended:
                    break
                call.take(wire.exchange(self._wake, self._left(until, call)))
                if self._wake.called:
                    raise Cancelled()
            call.check()
        except ConnectionLost as error:
            silent = self._wire is not None and not self._wire.spoken_to
            self._disconnect()
            if silent:  # it was never a connection to a server of ours
                raise ServerUnreachable(address=self.address, reason=str(error.data["reason"])) from error
            raise
        finally:
            if call is not None:
                call.abandon()
            self._in_call.release()

    def _connected(self, until: float | None) -> Wire:
        if self._wire is not None and self._wire.stale:
            self._disconnect()
        if self._wire is None:
            limit = self._connect_timeout
            if until is not None:
                limit = min(limit, max(0.0, until - time.monotonic()))
            self._wire = Wire(connect(self.address, self._wake, limit, self._pin))
        self._wire.touch()
        return self._wire

    def _disconnect(self) -> None:
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    def _left(self, until: float | None, call: _Call) -> float | None:
        if until is None:
            return None
        left = until - time.monotonic()
        if left <= 0 and not call.ended:
            raise error_from_status(StatusCode.DEADLINE_EXCEEDED, "", None, self.address)
        return left

    def _headers(self, method: str, timeout: float | None) -> list[tuple[str, str]]:
        unix = self.address.startswith("unix:")
        headers = [
            (":method", "POST"),
            (":scheme", "https" if self._pin else "http"),
            (":path", SERVICE + method),
            (":authority", "localhost" if unix else self.address),
            ("te", "trailers"),
            ("content-type", "application/grpc"),
            ("grpc-accept-encoding", "identity"),
            ("user-agent", f"frisket-python-h2/{__version__}"),
        ]
        if self._token:
            headers.append(("authorization", f"Bearer {self._token}"))
        if timeout is not None:
            headers.append(("grpc-timeout", _timeout_value(timeout)))
        return headers


def _timeout_value(seconds: float) -> str:
    """At most 8 digits and a unit, as gRPC wants it."""
    millis = max(1, int(seconds * 1000))
    return f"{millis}m" if millis < 10**8 else f"{min(millis // 1000, 10**8 - 1)}S"


def _parsed(raw: bytes, reply: type[M]) -> M:
    try:
        return reply.FromString(raw)
    except DecodeError as exc:
        raise ConnectionLost(reason=f"an answer cannot be read ({exc})") from exc


class _Call:
    """One stream on a wire: requests go out as the peer's windows allow, messages come in, a status ends it."""

    def __init__(self, wire: Wire, headers: list[tuple[str, str]], requests: Iterable[Message], address: str) -> None:
        self._wire, self._http, self._address = wire, wire.http, address
        self._requests: Iterator[Message] | None = iter(requests)
        self._piece = memoryview(b"")
        self._buffer = bytearray()
        self._headers: dict[str, str] = {}
        self._failure: FrisketError | None = None
        self.ended = False
        try:
            self._stream = self._http.get_next_available_stream_id()
            self._http.send_headers(self._stream, headers)
        except h2.exceptions.ProtocolError as exc:  # also: all stream ids are used up
            raise ConnectionLost(reason=str(exc) or type(exc).__name__) from exc

    def feed(self) -> None:
        """Frame as much of the requests as windows and PIECE allow; close our side after the last."""
        while self._requests is not None and not self.ended and self._wire.unsent_bytes < PIECE:
            if not self._piece:
                message = next(self._requests, None)
                if message is None:
                    self._http.end_stream(self._stream)
                    self._requests = None
                    return
                body = message.SerializeToString()
                self._piece = memoryview(_PREFIX.pack(0, len(body)) + body)
            room = min(self._http.local_flow_control_window(self._stream), self._http.max_outbound_frame_size)
            if room <= 0:
                return
            self._http.send_data(self._stream, self._piece[:room].tobytes())
            self._piece = self._piece[room:]
            self._wire.queue()

    def take(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.ConnectionTerminated):
                raise ConnectionLost(reason="the server is shutting down")
            if getattr(event, "stream_id", None) != self._stream:
                continue
            if isinstance(event, h2.events.DataReceived):
                self._buffer += event.data or b""
                if event.flow_controlled_length:
                    self._http.acknowledge_received_data(event.flow_controlled_length, self._stream)
            elif isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
                self._headers.update((str(k), str(v)) for k, v in event.headers or ())
            elif isinstance(event, h2.events.StreamEnded):
                self.ended = True
            elif isinstance(event, h2.events.StreamReset):
                self.ended = True
                if "grpc-status" not in self._headers:
                    self._failure = _reset_error(event.error_code)

    def taken(self) -> Iterator[bytes]:
        """Whole messages that have come in."""
        while len(self._buffer) >= _PREFIX.size:
            compressed, length = _PREFIX.unpack_from(self._buffer)
            if compressed or length > MAX_MESSAGE:
                what = "a compressed message" if compressed else f"a message of {length} bytes"
                raise ConnectionLost(reason=f"the server sent {what}, which is not taken")
            end = _PREFIX.size + length
            if len(self._buffer) < end:
                return
            raw = bytes(memoryview(self._buffer)[_PREFIX.size : end])
            del self._buffer[:end]
            yield raw

    def check(self) -> None:
        """Raise what the call ended with, if not with OK."""
        if self._failure is not None:
            raise self._failure
        http_status = self._headers.get(":status", "200")
        code = self._headers.get("grpc-status", "")
        if not code.isdecimal():
            reason = f"it answered HTTP {http_status} and no gRPC status"
            raise ServerUnreachable(address=self._address, reason=reason)
        if int(code) != StatusCode.OK:
            message = unquote(self._headers.get("grpc-message", ""))
            raise error_from_status(int(code), message, self._details(), self._address)
        if self._buffer:
            raise ConnectionLost(reason="the last answer was cut short")

    def _details(self) -> bytes | None:
        text = self._headers.get(ERROR_TRAILER)
        if text is None:
            return None
        with contextlib.suppress(binascii.Error, ValueError):
            return base64.b64decode(text.split(",")[0] + "==")  # gRPC sends it without padding
        return None

    def abandon(self) -> None:
        """Tell the peer that nothing more will come and nothing more is read. Harmless after a clean end."""
        with contextlib.suppress(h2.exceptions.ProtocolError, ConnectionLost):
            if not self.ended or self._requests is not None:
                code = h2.errors.ErrorCodes.NO_ERROR if self.ended else h2.errors.ErrorCodes.CANCEL
                self._http.reset_stream(self._stream, code)
            self._wire.flush()


def _reset_error(code: int | None) -> FrisketError:
    """PROTOCOL-HTTP2.md's table of reset codes, as far as it tells more than "broken"."""
    if code == h2.errors.ErrorCodes.CANCEL:
        return Cancelled()
    try:
        name = h2.errors.ErrorCodes(code or 0).name.lower().replace("_", " ")
    except ValueError:
        name = str(code)
    return ConnectionLost(reason=f"the server ended the call ({name})")
