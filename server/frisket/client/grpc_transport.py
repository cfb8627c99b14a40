"""The transport of the command line: grpcio. Imported late; an editor's plug-in uses `h2_transport` instead."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from typing import Any

import grpc

from frisket.client.status import error_from_status
from frisket.client.transport import ERROR_TRAILER, MAX_MESSAGE, SERVICE, M, Message
from frisket.errors import Cancelled, FrisketError

# A dead peer is noticed after keepalive_time + ping_timeout; ping_timeout's default of 60 s is far too long.
OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.max_send_message_length", MAX_MESSAGE),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2_000),
]


class GrpcTransport:
    """See `transport.Transport`. address: "HOST:PORT" or "unix:/path"."""

    def __init__(self, address: str, token: str) -> None:
        self._address = address
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._channel = grpc.insecure_channel(address, options=OPTIONS)
        self._call: grpc.RpcContext | None = None

    def unary(self, method: str, request: Message, reply: type[M], timeout: float | None = None) -> M:
        make = self._channel.unary_unary(SERVICE + method, _bytes_of, reply.FromString)
        return self._finish(make.future(request, timeout=timeout, metadata=self._metadata))

    def upload(self, method: str, requests: Iterable[Message], reply: type[M], timeout: float | None = None) -> M:
        make = self._channel.stream_unary(SERVICE + method, _bytes_of, reply.FromString)
        sent = _Sent(requests)
        try:
            return self._finish(make.future(iter(sent), timeout=timeout, metadata=self._metadata))
        except FrisketError:
            sent.check()
            raise

    def stream(
        self, method: str, request: Message, reply: type[M], timeout: float | None = None
    ) -> Generator[M, None, None]:
        make = self._channel.unary_stream(SERVICE + method, _bytes_of, reply.FromString)
        yield from self._replies(make(request, timeout=timeout, metadata=self._metadata))

    def exchange(
        self, method: str, requests: Iterable[Message], reply: type[M], timeout: float | None = None
    ) -> Generator[M, None, None]:
        make = self._channel.stream_stream(SERVICE + method, _bytes_of, reply.FromString)
        sent = _Sent(requests)
        try:
            yield from self._replies(make(iter(sent), timeout=timeout, metadata=self._metadata))
        except FrisketError:
            sent.check()
            raise

    def _replies(self, call: Any) -> Generator[Any, None, None]:
        self._call = call
        try:
            yield from call
        except grpc.RpcError as error:
            raise self._translated(error) from None
        finally:
            self._call = None
            call.cancel()

    def interrupt(self) -> None:
        call = self._call
        if call is not None:
            call.cancel()

    def close(self) -> None:
        self._channel.close()

    def _finish(self, call):
        self._call = call
        try:
            return call.result()
        except grpc.FutureCancelledError:
            raise Cancelled() from None
        except grpc.RpcError as error:
            raise self._translated(error) from None
        finally:
            self._call = None

    def _translated(self, error: grpc.RpcError) -> FrisketError:
        assert isinstance(error, grpc.Call)
        words = None
        trailers: Any = error.trailing_metadata() or ()
        for key, value in trailers:
            if key == ERROR_TRAILER and isinstance(value, bytes):
                words = value
        code = error.code()
        number = code.value[0] if code is not None else 2
        return error_from_status(number, error.details() or "", words, self._address)


class _Sent:
    """Messages on their way out. What goes wrong in making them is kept: grpc would hide it behind a bare CANCELLED."""

    def __init__(self, requests: Iterable[Message]) -> None:
        self._requests = requests
        self._failure: BaseException | None = None

    def __iter__(self) -> Iterator[Message]:
        try:
            yield from self._requests
        except BaseException as error:
            self._failure = error
            raise

    def check(self) -> None:
        """Raises that."""
        if self._failure is not None and not isinstance(self._failure, GeneratorExit):
            raise self._failure from None


def _bytes_of(message: Message) -> bytes:
    return message.SerializeToString()
