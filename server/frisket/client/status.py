"""What a failed call means to the user: gRPC status codes and our error trailer become one FrisketError.

Both transports end here, so a failure reads the same whichever of them carried the call.
"""

from __future__ import annotations

import enum
from collections.abc import Callable

from google.protobuf.message import DecodeError

from frisket import __version__
from frisket.errors import (
    Cancelled,
    FrisketError,
    Kind,
    ServerUnreachable,
    TokenWrong,
    UnknownError,
    VersionMismatch,
    rebuild,
)
from frisket.rpc.stubs import jobs_pb2


class StatusCode(enum.IntEnum):
    """gRPC's status codes (grpc/doc/statuscodes.md)."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


# Codes whose meaning is clear without our trailer: (address, message) -> error.
_PLAIN: dict[int, Callable[[str, str], FrisketError]] = {
    StatusCode.CANCELLED: lambda address, message: Cancelled(),
    StatusCode.DEADLINE_EXCEEDED: lambda address, message: ServerUnreachable(
        address=address, reason="no answer in time"
    ),
    StatusCode.PERMISSION_DENIED: lambda address, message: TokenWrong(),
    StatusCode.UNIMPLEMENTED: lambda address, message: VersionMismatch(
        server=f"something else ({message or 'the method is missing'})",
        client=__version__,
        mend=VersionMismatch.METHOD_MISSING,
    ),
    StatusCode.UNAVAILABLE: lambda address, message: ServerUnreachable(
        address=address, reason=message or "unavailable"
    ),
    StatusCode.UNAUTHENTICATED: lambda address, message: TokenWrong(),
}

# The rest keep the server's words under a slug of their own.
_KINDS: dict[int, Kind] = {
    StatusCode.INVALID_ARGUMENT: Kind.BAD_REQUEST,
    StatusCode.NOT_FOUND: Kind.MISSING,
    StatusCode.ALREADY_EXISTS: Kind.CONFLICT,
    StatusCode.RESOURCE_EXHAUSTED: Kind.TOO_LARGE,
    StatusCode.FAILED_PRECONDITION: Kind.CONFLICT,
    StatusCode.ABORTED: Kind.CONFLICT,
    StatusCode.OUT_OF_RANGE: Kind.BAD_REQUEST,
}


def error_from_status(code: int, message: str, details: bytes | None, address: str) -> FrisketError:
    """The error of a call that ended with `code`, which is not 0.

    `details` is the trailer "frisket-error-bin": a serialized frisket.v1.Error, or None when the failure did not come
    from a Frisket servicer (a proxy, the gRPC library itself). Unreadable details count as none.
    """
    if details is not None:
        try:
            sent = jobs_pb2.Error.FromString(details)
        except DecodeError:
            sent = jobs_pb2.Error()
        if sent.slug:
            return rebuild(sent.slug, sent.kind, sent.title, sent.cause, sent.remedy, dict(sent.data))
    plain = _PLAIN.get(code)
    if plain is not None:
        return plain(address, message)
    name = StatusCode(code).name if code in set(StatusCode) else str(code)
    return UnknownError(
        slug="grpc-" + name.lower().replace("_", "-"),
        kind=_KINDS.get(code, Kind.INTERNAL),
        title="The server answered with an error",
        cause=f"{address}: {name}{': ' + message if message else ''}.",
        remedy="Look into the server's log (`frisket doctor` says where it is).",
        data={},
    )
