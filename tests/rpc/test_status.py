"""The gate that every call passes: the token's table, and what becomes of an error."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import grpc
import pytest

from frisket.client.status import StatusCode, error_from_status
from frisket.errors import FrisketError, JobUnknown, Kind, QueueFull, TokenMissing, TokenWrong, UnknownError
from frisket.rpc.status import ERROR_TRAILER, RETRY_MS, STATUS, Gate

TOKEN = "kettle-9"


class Aborted(Exception):
    """What the context raises in place of grpc's own."""


class Context:
    """Notes how a call was ended."""

    code: grpc.StatusCode
    words = ""
    trailers: dict[str, Any]

    async def abort(self, code, words, trailers) -> None:
        self.code, self.words, self.trailers = code, words, dict(trailers)
        raise Aborted

    @property
    def error(self) -> FrisketError:
        """As a client reads it."""
        return error_from_status(StatusCode[self.code.name], self.words, self.trailers[ERROR_TRAILER], "a")


class Details:
    """Of a call on its way in."""

    def __init__(self, authorization: str | bytes | None, method: str = "/frisket.v1.Studio/ListJobs") -> None:
        self.method = method
        self.invocation_metadata = () if authorization is None else (("authorization", authorization),)


def call(gate: Gate, details: Details, handler: Any, context: Context) -> Any:
    """The reply, or the list of replies of a stream."""

    async def run() -> Any:
        async def continuation(_):
            return handler

        passed = await gate.intercept_service(continuation, details)  # type: ignore[arg-type]
        if passed is None:
            return None
        if passed.response_streaming:
            inner = passed.stream_stream if passed.request_streaming else passed.unary_stream
            return [reply async for reply in inner("ask", context)]
        return await (passed.stream_unary if passed.request_streaming else passed.unary_unary)("ask", context)

    return asyncio.run(run())


def raising(error: BaseException | None):
    async def one(request, context):
        if error is not None:
            raise error
        return "reply"

    return grpc.unary_unary_rpc_method_handler(one)


TABLE = [
    (f"Bearer {TOKEN}", None),
    (f"Bearer {TOKEN}".encode(), None),
    (None, TokenMissing),
    ("", TokenMissing),
    (TOKEN, TokenMissing),
    (f"Basic {TOKEN}", TokenMissing),
    (f"bearer {TOKEN}", TokenMissing),
    ("Bearer ", TokenWrong),
    (f"Bearer {TOKEN[:-1]}", TokenWrong),
    (f"Bearer {TOKEN} ", TokenWrong),
    (f"Bearer {TOKEN.upper()}", TokenWrong),
    ("Bearer Ünïcode", TokenWrong),
    (b"Bearer \xff\xfe", TokenWrong),
]


@pytest.mark.parametrize(("authorization", "refusal"), TABLE)
def test_who_is_let_in(authorization: str | bytes | None, refusal: type[FrisketError] | None) -> None:
    calls, context = [], Context()
    gate = Gate(TOKEN, lambda: calls.append(1))
    if refusal is None:
        assert call(gate, Details(authorization), raising(None), context) == "reply"
        assert calls == [1]
        return
    with pytest.raises(Aborted):
        call(gate, Details(authorization), raising(AssertionError("it was let in")), context)
    assert context.code is grpc.StatusCode.UNAUTHENTICATED
    assert isinstance(context.error, refusal)
    assert TOKEN not in context.words
    assert calls == [], "a stranger keeps an idle server alive"


def test_health_is_open_and_what_is_not_there_is_grpcs_business() -> None:
    handler = raising(None)
    health = Details(None, "/grpc.health.v1.Health/Check")
    assert call(Gate(TOKEN), health, handler, Context()) == "reply"
    assert call(Gate(TOKEN), Details(None, "/grpc.health.v1.HealthX/Check"), None, Context()) is None
    with pytest.raises(Aborted):
        call(Gate(TOKEN), Details(None, "/grpc.health.v1.HealthX/Check"), handler, Context())


def test_without_a_token_none_is_asked_for() -> None:
    assert call(Gate(None), Details(None), raising(None), Context()) == "reply"


def streams(error: Exception):
    async def many(request, context):
        yield 1
        raise error

    async def one(request, context):
        raise error

    return [
        grpc.unary_unary_rpc_method_handler(one),
        grpc.stream_unary_rpc_method_handler(one),
        grpc.unary_stream_rpc_method_handler(many),
        grpc.stream_stream_rpc_method_handler(many),
    ]


@pytest.mark.parametrize("handler", streams(JobUnknown(job="j")), ids=["1-1", "n-1", "1-n", "n-n"])
def test_our_errors_arrive_whole_from_every_sort_of_call(handler: Any) -> None:
    context = Context()
    with pytest.raises(Aborted):
        call(Gate(None), Details(None), handler, context)
    assert context.code is grpc.StatusCode.NOT_FOUND
    assert context.error == JobUnknown(job="j")
    assert "grpc-retry-pushback-ms" not in context.trailers


@pytest.mark.parametrize("handler", streams(ValueError("the password is swordfish")), ids=["1-1", "n-1", "1-n", "n-n"])
def test_the_unexpected_keeps_its_words_to_the_log(handler: Any, caplog: pytest.LogCaptureFixture) -> None:
    context = Context()
    with caplog.at_level(logging.ERROR, "frisket.rpc"), pytest.raises(Aborted):
        call(Gate(None), Details(None), handler, context)
    assert context.code is grpc.StatusCode.INTERNAL
    assert context.error.slug == "internal-error"
    assert b"swordfish" not in context.trailers[ERROR_TRAILER]
    assert "swordfish" not in context.words
    (record,) = caplog.records
    assert context.error.data["reference"] in record.getMessage()
    assert record.exc_info is not None
    assert "swordfish" in str(record.exc_info[1])


def test_busy_says_when_to_come_again() -> None:
    context = Context()
    with pytest.raises(Aborted):
        call(Gate(None), Details(None), raising(QueueFull(waiting=2, limit=1)), context)
    assert context.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert context.trailers["grpc-retry-pushback-ms"] == RETRY_MS


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_status_that_is_a_failure(kind: Kind) -> None:
    context = Context()
    with pytest.raises(Aborted):
        call(Gate(None), Details(None), raising(UnknownError("x", kind, "T", "C.", "R.", {})), context)
    assert context.code is STATUS[kind] is not grpc.StatusCode.OK
    assert context.words == "T. C. R."
    assert context.error.kind is kind
