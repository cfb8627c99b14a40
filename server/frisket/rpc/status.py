"""Our errors as gRPC status: one table, and one interceptor that every call passes through."""

from __future__ import annotations

import hmac
import logging
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from grpc import StatusCode
from grpc.aio import ServerInterceptor, ServicerContext

from frisket.errors import FrisketError, Internal, Kind, TokenMissing, TokenWrong
from frisket.rpc.convert import error_to_proto

log = logging.getLogger("frisket.rpc")

ERROR_TRAILER = "frisket-error-bin"
OPEN_SERVICES = ("/grpc.health.v1.Health/",)  # answer without a token
RETRY_MS = "2000"

STATUS: dict[Kind, StatusCode] = {
    Kind.BAD_REQUEST: StatusCode.INVALID_ARGUMENT,
    Kind.UNAUTHENTICATED: StatusCode.UNAUTHENTICATED,
    Kind.MISSING: StatusCode.NOT_FOUND,
    Kind.CONFLICT: StatusCode.FAILED_PRECONDITION,
    Kind.TOO_LARGE: StatusCode.INVALID_ARGUMENT,
    Kind.BUSY: StatusCode.RESOURCE_EXHAUSTED,
    Kind.OUT_OF_MEMORY: StatusCode.RESOURCE_EXHAUSTED,
    Kind.CANCELLED: StatusCode.CANCELLED,
    Kind.UNAVAILABLE: StatusCode.UNAVAILABLE,
    Kind.UNSUPPORTED: StatusCode.UNIMPLEMENTED,
    Kind.INTERNAL: StatusCode.INTERNAL,
}


async def fail(context: ServicerContext, error: FrisketError) -> None:
    """End the call with the error's status, its words, and the whole error in the trailer. Does not return."""
    trailers: list[tuple[str, str | bytes]] = [(ERROR_TRAILER, error_to_proto(error).SerializeToString())]
    if error.kind is Kind.BUSY:
        trailers.append(("grpc-retry-pushback-ms", RETRY_MS))
    words = f"{error.title}. {error.cause} {error.remedy}"
    await context.abort(STATUS[error.kind], words, tuple(trailers))


class Gate(ServerInterceptor):
    """Checks the token, then turns every error of a servicer into its status.

    token: None = none is asked for (a test). What is no FrisketError becomes Internal with a reference; its traceback
    goes to the log and nowhere else. `on_call` hears of every call let in.
    """

    def __init__(self, token: str | None, on_call: Callable[[], None] = lambda: None) -> None:
        self._token = token.encode() if token is not None else None
        self._on_call = on_call

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or method.startswith(OPEN_SERVICES):
            return handler
        refusal = self._refusal(handler_call_details)
        if refusal is None:
            self._on_call()
        return _guarded(handler, refusal)

    def _refusal(self, details: grpc.HandlerCallDetails) -> FrisketError | None:
        if self._token is None:
            return None
        metadata = dict(details.invocation_metadata or ())
        given = metadata.get("authorization", "")
        given = given.encode() if isinstance(given, str) else given
        if not given.startswith(b"Bearer "):
            return TokenMissing()
        return None if hmac.compare_digest(given[7:], self._token) else TokenWrong()


def _guarded(handler: Any, refusal: FrisketError | None) -> Any:
    streams_in, streams_out = handler.request_streaming, handler.response_streaming
    inner = {
        (False, False): handler.unary_unary,
        (False, True): handler.unary_stream,
        (True, False): handler.stream_unary,
        (True, True): handler.stream_stream,
    }[streams_in, streams_out]
    make = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[streams_in, streams_out]

    async def one(request: Any, context: ServicerContext) -> Any:
        try:
            if refusal is not None:
                raise refusal
            return await inner(request, context)
        except Exception as error:
            await fail(context, _ours(error))

    async def many(request: Any, context: ServicerContext) -> AsyncIterator[Any]:
        try:
            if refusal is not None:
                raise refusal
            async for reply in inner(request, context):
                yield reply
        except Exception as error:
            await fail(context, _ours(error))

    return make(
        many if streams_out else one,
        request_deserializer=handler.request_deserializer,
        response_serializer=handler.response_serializer,
    )


def _ours(error: Exception) -> FrisketError:
    if isinstance(error, FrisketError):
        return error
    if isinstance(error, grpc.aio.AbortError):
        raise error
    reference = uuid.uuid4().hex[:12]
    log.error("unexpected error %s", reference, exc_info=error)
    return Internal(reference=reference)
