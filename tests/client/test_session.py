"""An edit as an editor runs it, against a studio that can be told to misbehave."""

import os
import threading
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from frisket.client.places import Runtime, write_runtime
from frisket.client.session import Moment, Session, Stage, running
from frisket.edits.requests import EditRequest, InpaintParams
from frisket.errors import (
    Cancelled,
    ConnectionLost,
    EngineFailed,
    JobNotFinished,
    ServerNotRunning,
    ServerUnreachable,
    TokenWrong,
    VersionMismatch,
)
from frisket.raster.geometry import Box, Size
from frisket.rpc import convert
from frisket.rpc.stubs import images_pb2, jobs_pb2, studio_pb2, studio_pb2_grpc

TOKEN = "t"
REQUEST = EditRequest(Size(4, 4), Box(0, 0, 2, 1), InpaintParams(), seed=5, count=2)
PIXELS, MASK = b"abcdef", b"\0\xff"


class Studio(studio_pb2_grpc.StudioServicer):
    """`ending`: how a job goes on after it has started."""

    def __init__(self) -> None:
        self.submitted: list[str] = []
        self.cancelled: list[str] = []
        self.ending = jobs_pb2.JobEvent(finished=jobs_pb2.JobEvent.Finished(result_count=2))
        self.ending.state = jobs_pb2.JOB_STATE_FINISHED
        self.protocol = 1
        self.waits = threading.Event()
        self.waits.set()
        self.watched: list[studio_pb2.WatchJobRequest] = []
        self.places: list[int] = []  # in the queue, of the heartbeats that come while it waits
        self.breaks = 0  # how often the watch breaks off half-way

    def GetServerInfo(self, request, context):
        if ("authorization", f"Bearer {TOKEN}") not in context.invocation_metadata():
            context.abort(grpc.StatusCode.UNAUTHENTICATED, "")
        return studio_pb2.ServerInfo(protocol=self.protocol)

    def PlanEdit(self, request, context):
        return studio_pb2.PlanEditResponse(region=request.selection[0], engine="toy")

    def SubmitEdit(self, request_iterator, context):
        parts = list(request_iterator)
        self.submitted.append(parts[0].header.request_id)
        return jobs_pb2.Job(id="j", request_id=self.submitted[-1])

    def WatchJob(self, request, context):
        self.watched.append(request)
        progress = jobs_pb2.JobEvent.Progress(fraction=0.5, seconds_left=3.2)
        events = [
            jobs_pb2.JobEvent(sequence=1, queued=jobs_pb2.JobEvent.Queued(position=2)),
            *[jobs_pb2.JobEvent(sequence=1, heartbeat=jobs_pb2.JobEvent.Heartbeat(position=n)) for n in self.places],
            jobs_pb2.JobEvent(sequence=2, started=jobs_pb2.JobEvent.Started(tries=1)),
            jobs_pb2.JobEvent(sequence=3, state=jobs_pb2.JOB_STATE_RUNNING, progress=progress),
        ]
        yield from [event for event in events if event.sequence > request.after_sequence]
        if self.breaks:
            self.breaks -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "a cable")
        if request.previews:
            yield jobs_pb2.JobEvent(sequence=3, preview=jobs_pb2.JobEvent.Preview(jpeg=b"jpeg"))
        while not self.waits.wait(0.02) and context.is_active():
            pass
        yield self.ending

    def GetResult(self, request, context):
        one = images_pb2.ImageHeader(
            size=images_pb2.Size(width=2, height=1), format=convert.format_to_proto(REQUEST.format), total_bytes=6
        )
        mask = images_pb2.ImageHeader(size=one.size, total_bytes=2)
        box = convert.box_to_proto(REQUEST.region)
        header = jobs_pb2.ResultHeader(box=box, pixels=one, mask=mask, seed=5 + request.index, total_bytes=8)
        yield studio_pb2.GetResultResponse(header=header)
        yield studio_pb2.GetResultResponse(data=PIXELS[::-1] + MASK)

    def ListJobs(self, request, context):
        ids = ["other", *self.submitted]
        jobs = [jobs_pb2.Job(id=f"job of {name}", request_id=name) for name in ids]
        return studio_pb2.ListJobsResponse(jobs=jobs if request.client == "easel" else [])

    def CancelJob(self, request, context):
        self.cancelled.append(request.job)
        return jobs_pb2.Job(id=request.job)


class Notes:
    """A listener; `stop` works as a user's Cancel does."""

    def __init__(self) -> None:
        self.said: list[Moment] = []
        self.shown: list[bytes] = []
        self.stopped, self.previews = False, False
        self.half_way = threading.Event()

    def at(self, moment: Moment) -> None:
        self.said.append(moment)
        if moment.fraction == 0.5:
            self.half_way.set()

    def show(self, jpeg: bytes) -> None:
        self.shown.append(jpeg)


@pytest.fixture
def studio():
    return Studio()


@pytest.fixture
def address(studio):
    server = grpc.server(futures.ThreadPoolExecutor(8))
    studio_pb2_grpc.add_StudioServicer_to_server(studio, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    studio.waits.set()
    server.stop(None).wait()


@pytest.fixture
def session(address):
    session = Session(address, TOKEN, "easel")
    yield session
    session.close()


def test_plan_send_watch_fetch(session, studio):
    assert session.plan(REQUEST, [Box(1, 1, 2, 2)]).region == Box(1, 1, 2, 2)
    notes = Notes()
    job, pictures = session.run(REQUEST, PIXELS, MASK, notes)
    assert job == "j"
    assert [(p.seed, p.pixels, p.mask) for p in pictures] == [(5, b"fedcba", MASK), (6, b"fedcba", MASK)]
    assert notes.said == [
        Moment(Stage.SENDING),
        Moment(Stage.WAITING, place=2),
        Moment(Stage.WORKING, fraction=0.0),
        Moment(Stage.WORKING, fraction=0.5, seconds_left=3.2),
        Moment(Stage.FETCHING, fraction=1.0),
    ]
    assert studio.cancelled == []
    assert (studio.watched[0].previews, notes.shown) == (False, [])


def test_previews_come_to_who_sees_them(session, studio):
    notes = Notes()
    notes.previews = True
    session.run(REQUEST, PIXELS, MASK, notes)
    assert studio.watched[0].previews
    assert notes.shown == [b"jpeg"]
    assert len(notes.said) == 5, "a preview is no moment of its own"


def test_the_place_in_the_queue_is_kept_up_to_date(session, studio):
    studio.places = [2, 1, 1]
    notes = Notes()
    session.run(REQUEST, PIXELS, MASK, notes)
    assert [moment.place for moment in notes.said if moment.stage is Stage.WAITING] == [2, 1]


def test_a_broken_connection_is_told_and_mended(session, studio):
    studio.breaks = 2
    notes = Notes()
    session.run(REQUEST, PIXELS, MASK, notes)
    assert [request.after_sequence for request in studio.watched] == [0, 3, 3]
    half = Moment(Stage.WORKING, fraction=0.5, seconds_left=3.2)
    assert notes.said[3:] == [half, Moment(Stage.BROKEN), half, Moment(Stage.FETCHING, fraction=1.0)]


def test_stopping_while_the_connection_is_broken_ends_it_at_once(session, studio):
    studio.breaks = 1000
    notes = Notes()
    tell = notes.at

    def at(moment: Moment) -> None:
        tell(moment)
        notes.stopped = moment.stage is Stage.BROKEN

    notes.at = at
    with pytest.raises(Cancelled):
        session.run(REQUEST, PIXELS, MASK, notes)
    assert len(studio.watched) < 4
    assert studio.cancelled == [f"job of {studio.submitted[0]}"]


def test_stopping_cancels_the_job_and_only_that(session, studio):
    studio.waits.clear()
    notes = Notes()

    def stop() -> None:
        notes.half_way.wait(10)
        notes.stopped = True
        session.interrupt()

    thread = threading.Thread(target=stop)
    thread.start()
    with pytest.raises(Cancelled):
        session.run(REQUEST, PIXELS, MASK, notes)
    thread.join()
    assert studio.cancelled == [f"job of {studio.submitted[0]}"]


def test_what_the_job_failed_with(session, studio):
    error = EngineFailed(engine="toy", reason="out of paint")
    studio.ending = jobs_pb2.JobEvent(state=jobs_pb2.JOB_STATE_FAILED, failed=convert.error_to_proto(error))
    with pytest.raises(EngineFailed) as caught:
        session.run(REQUEST, PIXELS, MASK, Notes())
    assert caught.value == error


def test_somebody_else_cancelled_it(session, studio):
    cancelled = jobs_pb2.JobEvent.CancelledEvent()
    studio.ending = jobs_pb2.JobEvent(state=jobs_pb2.JOB_STATE_CANCELLED, cancelled=cancelled)
    with pytest.raises(JobNotFinished, match="is cancelled"):
        session.run(REQUEST, PIXELS, MASK, Notes())


def test_a_broken_upload_is_sent_again_as_the_same_request(session, studio, monkeypatch):
    submit, ids = session.client.submit, []

    def flaky(*args):
        ids.append(args[-1])
        if len(ids) == 1:
            raise ConnectionLost(reason="a cable")
        return submit(*args)

    monkeypatch.setattr(session.client, "submit", flaky)
    session.run(REQUEST, PIXELS, MASK, Notes())
    assert ids[0] == ids[1]
    assert studio.submitted == ids[1:]


def test_another_version(session, studio):
    studio.protocol = 9
    with pytest.raises(VersionMismatch):
        session.plan(REQUEST, [Box(0, 0, 1, 1)])


def test_running_reads_the_note(address, tmp_path: Path):
    with pytest.raises(ServerNotRunning):
        running(tmp_path, "easel")
    write_runtime(tmp_path, Runtime(address, TOKEN, os.getpid(), "0"))
    session = running(tmp_path, "easel")
    assert TOKEN not in repr(session).replace("token", "")
    session.close()
    write_runtime(tmp_path, Runtime(address, "guess", os.getpid(), "0"))
    with pytest.raises(TokenWrong):
        running(tmp_path, "easel")
    write_runtime(tmp_path, Runtime("127.0.0.1:1", TOKEN, os.getpid(), "0"))
    with pytest.raises(ServerNotRunning):
        running(tmp_path, "easel")


def test_an_address_that_nobody_serves():
    session = Session("127.0.0.1:1", "", "easel")
    with pytest.raises(ServerUnreachable):
        session.plan(REQUEST, [Box(0, 0, 1, 1)])
    session.close()
