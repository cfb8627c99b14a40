"""grpcio's transport against a small grpcio server: same promises as the pure-Python one, kept by other means."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent import futures

import grpc
import pytest

from client.test_h2_transport import MIB, TOKEN, Studio, chunks
from frisket.client.grpc_transport import GrpcTransport
from frisket.client.transport import MAX_MESSAGE
from frisket.errors import (
    Cancelled,
    FrisketError,
    JobUnknown,
    ServerUnreachable,
    TokenWrong,
    UploadTooLarge,
    VersionMismatch,
)
from frisket.rpc.stubs import jobs_pb2, studio_pb2, studio_pb2_grpc


@pytest.fixture
def studio() -> Studio:
    return Studio()


@pytest.fixture
def address(studio: Studio) -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 8 * MIB)])
    studio_pb2_grpc.add_StudioServicer_to_server(studio, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def transport(address: str) -> Iterator[GrpcTransport]:
    made = GrpcTransport(address, TOKEN)
    yield made
    made.close()


def info(transport: GrpcTransport, timeout: float | None = 10) -> studio_pb2.ServerInfo:
    return transport.unary("GetServerInfo", studio_pb2.GetServerInfoRequest(), studio_pb2.ServerInfo, timeout)


def watch(transport: GrpcTransport, job: str):
    return transport.stream("WatchJob", studio_pb2.WatchJobRequest(job=job), jobs_pb2.JobEvent)


def test_unary_carries_token_and_deadline(transport: GrpcTransport) -> None:
    reply = info(transport, timeout=7)
    assert reply.version == "9.8.7"
    assert 1000 < reply.chunk_bytes < 8000  # what the server saw of the deadline, in ms; grpc rounds it up


def test_a_wrong_token(address: str) -> None:
    transport = GrpcTransport(address, "guess")
    with pytest.raises(TokenWrong):
        info(transport)
    transport.close()


def test_out_and_in_bit_for_bit(transport: GrpcTransport) -> None:
    wanted = hashlib.sha256(b"".join(bytes([n]) * MIB for n in range(8))).hexdigest()
    assert transport.upload("SubmitEdit", chunks(8), jobs_pb2.Job, 60).id == wanted
    request = studio_pb2.GetResultRequest(index=8, offset=MIB)
    parts = list(transport.stream("GetResult", request, studio_pb2.GetResultResponse))
    assert [p.data for p in parts] == [b""] + [bytes([n]) * MIB for n in range(8)]


def test_early_refusal_stops_the_upload(transport: GrpcTransport) -> None:
    sent = []

    def requests():
        yield studio_pb2.SubmitEditRequest(header=studio_pb2.SubmitHeader(request_id="refuse"))
        for chunk in chunks(512):
            sent.append(1)
            yield chunk

    with pytest.raises(UploadTooLarge) as caught:
        transport.upload("SubmitEdit", requests(), jobs_pb2.Job, 60)
    assert caught.value == UploadTooLarge(plane="pixels", declared=1 << 40, limit=7)
    assert len(sent) < 128  # of 512 MiB; what fits windows and buffers before the refusal is read


def test_our_error_keeps_class_and_data(transport: GrpcTransport) -> None:
    with pytest.raises(JobUnknown) as caught:
        transport.unary("CancelJob", studio_pb2.CancelJobRequest(job="j-1"), jobs_pb2.Job, 10)
    assert caught.value == JobUnknown(job="j-1")


def test_a_method_that_the_server_lacks(transport: GrpcTransport) -> None:
    with pytest.raises(VersionMismatch):
        transport.unary("Dance", studio_pb2.GetServerInfoRequest(), studio_pb2.ServerInfo, 10)


def test_deadline(transport: GrpcTransport) -> None:
    began = time.monotonic()
    with pytest.raises(ServerUnreachable, match="no answer in time"):
        transport.unary("PlanEdit", studio_pb2.PlanEditRequest(), studio_pb2.PlanEditResponse, 0.2)
    assert time.monotonic() - began < 2


def test_interrupt_from_a_thread_reaches_the_server(transport: GrpcTransport, studio: Studio) -> None:
    events = watch(transport, "endless")
    assert [next(events).sequence for _ in range(3)] == [1, 2, 3]
    threading.Timer(0.1, transport.interrupt).start()
    with pytest.raises(Cancelled):
        next(events)
    assert studio.cancelled.wait(2)
    transport.interrupt()  # without a call under way: nothing happens
    assert info(transport).version == "9.8.7"


def test_interrupt_ends_a_call_that_waits_for_its_answer(transport: GrpcTransport) -> None:
    threading.Timer(0.2, transport.interrupt).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        transport.unary("PlanEdit", studio_pb2.PlanEditRequest(), studio_pb2.PlanEditResponse, 10)
    assert time.monotonic() - began < 2


def test_closing_the_iterator_ends_the_call_on_the_server(transport: GrpcTransport, studio: Studio) -> None:
    events = watch(transport, "endless")
    next(events)
    events.close()
    assert studio.cancelled.wait(2)
    assert info(transport).version == "9.8.7"


def test_a_failing_source_ends_the_upload_and_keeps_its_error(transport: GrpcTransport) -> None:
    def requests():
        yield from chunks(1)
        raise KeyError("pixels")

    with pytest.raises(KeyError):
        transport.upload("SubmitEdit", requests(), jobs_pb2.Job, 10)
    assert info(transport).version == "9.8.7"


def test_an_exchange_streams_both_ways(transport: GrpcTransport, studio: Studio) -> None:
    answers = transport.exchange("SelectSubject", chunks(3), studio_pb2.GetResultResponse)
    assert [answer.data for answer in answers] == [b"", b"%d" % (3 * MIB)]
    assert studio.cancelled.wait(2)
    left = transport.exchange("SelectSubject", chunks(1), studio_pb2.GetResultResponse)
    next(left)
    left.close()
    assert info(transport).version == "9.8.7"


def test_a_failing_source_ends_the_exchange_and_keeps_its_error(transport: GrpcTransport) -> None:
    def requests():
        yield from chunks(1)
        raise KeyError("pixels")

    with pytest.raises(KeyError):
        list(transport.exchange("SelectSubject", requests(), studio_pb2.GetResultResponse, 10))
    assert info(transport).version == "9.8.7"


def test_an_answer_above_the_bound_is_not_taken(transport: GrpcTransport) -> None:
    request = studio_pb2.GetResultRequest(index=1, offset=MAX_MESSAGE + 1)
    with pytest.raises(FrisketError, match="larger than max"):
        list(transport.stream("GetResult", request, studio_pb2.GetResultResponse))
    assert info(transport).version == "9.8.7"


def test_nobody_listens() -> None:
    transport = GrpcTransport("127.0.0.1:1", "")
    with pytest.raises(ServerUnreachable) as caught:
        info(transport)
    assert "127.0.0.1:1" in caught.value.cause
    transport.close()
