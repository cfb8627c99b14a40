"""The pure-Python transport against a real grpcio server."""

import hashlib
import threading
import time
from concurrent import futures

import grpc
import pytest

from frisket.client.h2_transport import PIECE, H2Transport
from frisket.client.transport import ERROR_TRAILER, MAX_MESSAGE
from frisket.errors import (
    Cancelled,
    ConnectionLost,
    FrisketError,
    JobUnknown,
    ServerUnreachable,
    TokenWrong,
    UploadTooLarge,
    VersionMismatch,
)
from frisket.rpc.stubs import jobs_pb2, studio_pb2, studio_pb2_grpc

TOKEN = "kettle-9"
MIB = 1 << 20


def refuse(context: grpc.ServicerContext, error: FrisketError, code: grpc.StatusCode) -> None:
    details = jobs_pb2.Error(
        slug=error.slug,
        kind=error.kind.value,
        title=error.title,
        cause=error.cause,
        remedy=error.remedy,
        data=error.data,
    )
    context.set_trailing_metadata(((ERROR_TRAILER, details.SerializeToString()),))
    context.abort(code, error.cause)


class Studio(studio_pb2_grpc.StudioServicer):
    """Answers by what is asked: the job's name says how it should go."""

    def __init__(self) -> None:
        self.received = 0
        self.cancelled = threading.Event()

    def GetServerInfo(self, request, context):
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "")
        return studio_pb2.ServerInfo(version="9.8.7", chunk_bytes=int(1000 * min(context.time_remaining() or 0, 1e6)))

    def PlanEdit(self, request, context):
        time.sleep(5)

    def CancelJob(self, request, context):
        refuse(context, JobUnknown(job=request.job), grpc.StatusCode.NOT_FOUND)

    def SubmitEdit(self, request_iterator, context):
        digest = hashlib.sha256()
        for request in request_iterator:
            if request.header.request_id == "refuse":
                error = UploadTooLarge(plane="pixels", declared=1 << 40, limit=7)
                refuse(context, error, grpc.StatusCode.RESOURCE_EXHAUSTED)
            self.received += len(request.chunk.data)
            digest.update(request.chunk.data)
        return jobs_pb2.Job(id=digest.hexdigest())

    def SelectSubject(self, request_iterator, context):
        context.add_callback(self.cancelled.set)
        length = sum(len(request.chunk.data) for request in request_iterator)
        yield studio_pb2.GetResultResponse()
        yield studio_pb2.GetResultResponse(data=b"%d" % length)

    def WatchJob(self, request, context):
        context.add_callback(self.cancelled.set)
        for sequence in range(1, 4):
            yield jobs_pb2.JobEvent(sequence=sequence)
        if request.job == "endless":
            while context.is_active():
                time.sleep(0.02)

    def GetResult(self, request, context):
        yield studio_pb2.GetResultResponse()
        for number in range(request.index):
            yield studio_pb2.GetResultResponse(data=bytes([number % 251]) * int(request.offset))


@pytest.fixture
def studio():
    return Studio()


@pytest.fixture(params=["tcp", "unix"])
def address(request, studio, tmp_path):
    server = grpc.server(futures.ThreadPoolExecutor(8), options=[("grpc.max_receive_message_length", 8 * MIB)])
    studio_pb2_grpc.add_StudioServicer_to_server(studio, server)
    if request.param == "unix":
        name = f"unix:{tmp_path}/s"
        server.add_insecure_port(name)
    else:
        name = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield name
    server.stop(None).wait()


only_tcp = pytest.mark.parametrize("address", ["tcp"], indirect=True)


@pytest.fixture
def transport(address):
    transport = H2Transport(address, TOKEN)
    yield transport
    transport.close()


def info(transport: H2Transport, timeout: float | None = 10):
    return transport.unary("GetServerInfo", studio_pb2.GetServerInfoRequest(), studio_pb2.ServerInfo, timeout)


def watch(transport: H2Transport, job: str, timeout: float | None = None):
    return transport.stream("WatchJob", studio_pb2.WatchJobRequest(job=job), jobs_pb2.JobEvent, timeout)


def chunks(count: int, size: int = MIB):
    for number in range(count):
        yield studio_pb2.SubmitEditRequest(chunk=studio_pb2.Chunk(data=bytes([number % 251]) * size))


def test_unary_carries_token_and_deadline(transport):
    reply = info(transport, timeout=7)
    assert reply.version == "9.8.7"
    assert 5000 < reply.chunk_bytes <= 7000  # what the server saw of the deadline, in ms


def test_a_wrong_token(address):
    transport = H2Transport(address, "guess")
    with pytest.raises(TokenWrong):
        info(transport)
    transport.close()


def test_64_mib_out_arrive_bit_for_bit(transport, studio):
    wanted = hashlib.sha256(b"".join(bytes([n % 251]) * MIB for n in range(64))).hexdigest()
    assert transport.upload("SubmitEdit", chunks(64), jobs_pb2.Job, 60).id == wanted
    assert studio.received == 64 * MIB


def test_64_mib_in_arrive_bit_for_bit(transport):
    request = studio_pb2.GetResultRequest(index=64, offset=MIB)
    parts = list(transport.stream("GetResult", request, studio_pb2.GetResultResponse))
    assert [p.data for p in parts] == [b""] + [bytes([n % 251]) * MIB for n in range(64)]


@only_tcp
def test_messages_of_every_awkward_size(transport):
    for size in (0, 1, 16383, 16384, 16385, 65535, 65536, PIECE - 1, PIECE, PIECE + 1, 3 * MIB):
        wanted = hashlib.sha256(b"".join(bytes([n]) * size for n in range(3))).hexdigest()
        assert transport.upload("SubmitEdit", chunks(3, size), jobs_pb2.Job, 60).id == wanted


def test_early_refusal_stops_the_upload(transport):
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
    assert info(transport).version == "9.8.7"  # the connection is still good


def test_our_error_keeps_class_and_data(transport):
    with pytest.raises(JobUnknown) as caught:
        transport.unary("CancelJob", studio_pb2.CancelJobRequest(job="j-1"), jobs_pb2.Job, 10)
    assert caught.value == JobUnknown(job="j-1")


@only_tcp
def test_a_method_that_the_server_lacks(transport):
    with pytest.raises(VersionMismatch):
        transport.unary("Dance", studio_pb2.GetServerInfoRequest(), studio_pb2.ServerInfo, 10)


def test_interrupt_from_a_thread_reaches_the_server(transport, studio):
    events = watch(transport, "endless")
    assert [next(events).sequence for _ in range(3)] == [1, 2, 3]
    threading.Timer(0.1, transport.interrupt).start()
    began = time.monotonic()
    with pytest.raises(Cancelled):
        next(events)
    assert time.monotonic() - began < 1
    assert studio.cancelled.wait(2)
    assert info(transport).version == "9.8.7"


def test_closing_the_iterator_ends_the_call_on_the_server(transport, studio):
    events = watch(transport, "endless")
    next(events)
    events.close()
    assert studio.cancelled.wait(2)
    assert info(transport).version == "9.8.7"


def test_a_failing_source_ends_the_upload_and_keeps_its_error(transport):
    def requests():
        yield from chunks(1)
        raise KeyError("pixels")

    with pytest.raises(KeyError):
        transport.upload("SubmitEdit", requests(), jobs_pb2.Job, 10)
    assert info(transport).version == "9.8.7"


def test_an_exchange_streams_both_ways(transport):
    answers = list(transport.exchange("SelectSubject", chunks(3), studio_pb2.GetResultResponse))
    assert [answer.data for answer in answers] == [b"", b"%d" % (3 * MIB)]


def test_leaving_an_exchange_ends_it_on_the_server(transport, studio):
    answers = transport.exchange("SelectSubject", chunks(1), studio_pb2.GetResultResponse)
    next(answers)
    answers.close()
    assert studio.cancelled.wait(2)
    assert info(transport).version == "9.8.7"


def test_a_failing_source_ends_the_exchange_and_keeps_its_error(transport):
    def requests():
        yield from chunks(1)
        raise KeyError("pixels")

    with pytest.raises(KeyError):
        list(transport.exchange("SelectSubject", requests(), studio_pb2.GetResultResponse, 10))
    assert info(transport).version == "9.8.7"


@only_tcp
def test_deadline(transport):
    began = time.monotonic()
    with pytest.raises(ServerUnreachable, match="no answer in time"):
        transport.unary("PlanEdit", studio_pb2.PlanEditRequest(), studio_pb2.PlanEditResponse, 0.2)
    assert time.monotonic() - began < 1
    assert info(transport).version == "9.8.7"


@only_tcp
def test_one_call_at_a_time(transport):
    events = watch(transport, "endless")
    next(events)
    with pytest.raises(RuntimeError, match="one call at a time"):
        info(transport)
    events.close()


@only_tcp
def test_an_answer_above_the_bound_is_not_taken(transport):
    request = studio_pb2.GetResultRequest(index=1, offset=MAX_MESSAGE + 1)
    with pytest.raises(ConnectionLost, match="which is not taken"):
        list(transport.stream("GetResult", request, studio_pb2.GetResultResponse))
    assert info(transport).version == "9.8.7"


def test_nobody_listens(tmp_path):
    for address in ("127.0.0.1:1", f"unix:{tmp_path}/none"):
        transport = H2Transport(address)
        with pytest.raises(ServerUnreachable) as caught:
            info(transport)
        assert address in caught.value.cause
        transport.close()


def test_a_server_that_dies_and_comes_back():
    def serve(port: int):
        server = grpc.server(futures.ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        studio_pb2_grpc.add_StudioServicer_to_server(Studio(), server)
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
        server.start()
        return server, bound

    server, port = serve(0)
    transport = H2Transport(f"127.0.0.1:{port}", TOKEN)
    events = watch(transport, "endless")
    assert next(events).sequence == 1
    server.stop(None).wait()
    with pytest.raises(FrisketError) as caught:
        list(events)
    assert isinstance(caught.value, ConnectionLost | Cancelled)
    with pytest.raises(ServerUnreachable):
        info(transport)
    server, _ = serve(port)
    assert info(transport).version == "9.8.7"
    server.stop(None).wait()
    server, _ = serve(port)  # restarted between two calls: the old connection is noticed to be dead
    assert info(transport).version == "9.8.7"
    server.stop(None).wait()
    transport.close()
