"""The seam between the client and the wire. Two transports fit in: grpcio, and pure-Python HTTP/2 for editors."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Protocol, TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

SERVICE = "/frisket.v1.Studio/"
ERROR_TRAILER = "frisket-error-bin"
MAX_MESSAGE = 8 << 20  # bytes; bounds memory against a broken peer


class Transport(Protocol):
    """Calls by method name ("PlanEdit"). Every failure is a frisket.errors.FrisketError.

    One call at a time per transport. `interrupt` may be called from another thread.
    """

    def unary(self, method: str, request: Message, reply: type[M], timeout: float | None = None) -> M:
        """One message each way. `timeout` in seconds; None waits."""
        ...

    def upload(self, method: str, requests: Iterable[Message], reply: type[M], timeout: float | None = None) -> M:
        """Many messages out, one back. When the server refuses early the rest is not sent."""
        ...

    def stream(
        self, method: str, request: Message, reply: type[M], timeout: float | None = None
    ) -> Generator[M, None, None]:
        """One message out, many back. Closing the iterator ends the call on the server too."""
        ...

    def exchange(
        self, method: str, requests: Iterable[Message], reply: type[M], timeout: float | None = None
    ) -> Generator[M, None, None]:
        """Many messages out, then many back; otherwise as `stream`."""
        ...

    def interrupt(self) -> None:
        """End the call under way, from another thread: it raises errors.Cancelled there."""
        ...

    def close(self) -> None: ...
