"""The client over a transport that plays a script: what it asks for, and what it makes of what it gets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from frisket import __version__
from frisket.client import client as module
from frisket.client.client import CHUNK, Client, Faces, with_region
from frisket.edits.requests import EditRequest, InpaintParams
from frisket.edits.results import Face
from frisket.engines.spec import Task
from frisket.errors import ConnectionLost, JobUnknown, RequestInvalid, ServerUnreachable, VersionMismatch
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size
from frisket.rpc import convert
from frisket.rpc.stubs import images_pb2, jobs_pb2, models_pb2, studio_pb2

REQUEST = EditRequest(Size(9, 9), Box(2, 3, 3, 2), InpaintParams(), seed=5)
PIXELS, MASK = bytes(range(18)), bytes(range(6))
BROKEN = ConnectionLost(reason="a cable")


class Script:
    """A transport. Each call takes the next answer: a message, or for a stream a list of messages and errors."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, Any]] = []
        self.open = 0

    def unary(self, method, request, reply, timeout=None):
        assert timeout, f"{method} would wait for ever"
        return self._answer(method, request)

    def upload(self, method, requests, reply, timeout=None):
        return self._answer(method, list(requests))

    def stream(self, method, request, reply, timeout=None) -> Iterator[Any]:
        self.open += 1
        try:
            for item in self._answer(method, request):
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            self.open -= 1

    def exchange(self, method, requests, reply, timeout=None) -> Iterator[Any]:
        return self.stream(method, list(requests), reply, timeout)

    def _answer(self, method: str, request: Any) -> Any:
        self.calls.append((method, request))
        return self.answers.pop(0)

    def interrupt(self) -> None:
        self.calls.append(("interrupt", None))

    def close(self) -> None:
        self.calls.append(("close", None))


@pytest.fixture(autouse=True)
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses are noted and the clock moves on, without waiting."""
    pauses: list[float] = []

    class Clock:
        monotonic = staticmethod(lambda: 1000.0 + sum(pauses))
        sleep = staticmethod(pauses.append)

    monkeypatch.setattr(module, "time", Clock)
    return pauses


def on(*answers: Any) -> tuple[Client, Script]:
    script = Script(*answers)
    return Client(script, "easel"), script  # type: ignore[arg-type]


def event(sequence: int, **what: Any) -> jobs_pb2.JobEvent:
    state = jobs_pb2.JOB_STATE_FINISHED if "finished" in what else jobs_pb2.JOB_STATE_RUNNING
    return jobs_pb2.JobEvent(sequence=sequence, state=state, **what)


def step(sequence: int) -> jobs_pb2.JobEvent:
    return event(sequence, progress=jobs_pb2.JobEvent.Progress(fraction=sequence / 10))


END = event(5, finished=jobs_pb2.JobEvent.Finished(result_count=1))


def test_watch_attaches_again_after_what_it_has_seen() -> None:
    client, script = on([step(1), step(2), BROKEN], [BROKEN], [step(3), step(4)], [END])
    assert [e.sequence for e in client.watch("j", previews=True)] == [1, 2, 3, 4, 5]
    asked = [(r.job, r.after_sequence, r.previews) for _, r in script.calls]
    assert asked == [("j", 0, True), ("j", 2, True), ("j", 2, True), ("j", 4, True)]
    assert script.open == 0


def test_watch_starts_where_it_is_told_and_ends_with_the_job() -> None:
    client, script = on([step(4), END, step(99)])
    assert [e.sequence for e in client.watch("j", after=3)] == [4, 5]
    assert script.calls[0][1].after_sequence == 3
    assert script.open == 0, "the stream stays open on the server"


def test_previews_and_heartbeats_of_an_ended_job_do_not_end_the_watch() -> None:
    late = [jobs_pb2.JobEvent(sequence=4, state=jobs_pb2.JOB_STATE_FINISHED) for _ in range(2)]
    late[0].heartbeat.SetInParent()
    late[1].preview.jpeg = b"x"
    client, _ = on([*late, END])
    assert len(list(client.watch("j"))) == 3


def test_watch_gives_up_after_a_minute(slept: list[float]) -> None:
    gone = ServerUnreachable(address="a", reason="gone")
    client, _ = on([step(1), BROKEN], *[[gone]] * 1000)
    seen = []
    with pytest.raises(ConnectionLost, match=r"a: gone. What was sent is kept"):
        seen.extend(client.watch("j"))
    assert 60 <= sum(slept) <= 61


def test_each_sign_of_life_starts_the_minute_again(slept: list[float]) -> None:
    lost = [[BROKEN]] * 200  # 50 s
    client, _ = on(*lost, [step(1), BROKEN], *lost, [END])
    assert [e.sequence for e in client.watch("j")] == [1, 5]
    assert sum(slept) > 100


def test_other_errors_end_the_watch_at_once(slept: list[float]) -> None:
    client, _ = on([JobUnknown(job="j")])
    with pytest.raises(JobUnknown):
        list(client.watch("j"))
    assert slept == []


FORMAT = PixelFormat(Samples.U16, Layout.GRAY)
DATA = bytes(range(12)) + MASK


def header(total: int = 18) -> studio_pb2.GetResultResponse:
    size = images_pb2.Size(width=3, height=2)
    head = jobs_pb2.ResultHeader(
        box=convert.box_to_proto(Box(-1, 2, 3, 2)),
        pixels=images_pb2.ImageHeader(size=size, format=convert.format_to_proto(FORMAT), total_bytes=12),
        mask=images_pb2.ImageHeader(size=size, total_bytes=6),
        total_bytes=total,
        seed=7,
        notes=["a note"],
        request_json="{}",
    )
    return studio_pb2.GetResultResponse(header=head)


def data(start: int, end: int) -> studio_pb2.GetResultResponse:
    return studio_pb2.GetResultResponse(data=DATA[start:end])


@pytest.mark.parametrize(
    ("streams", "offsets"),
    [
        ([[header(), data(0, 18)]], [0]),
        ([[header(), data(0, 5), data(5, 18)]], [0]),
        ([[header(), data(0, 5), BROKEN], [header(), data(5, 13), BROKEN], [header(), data(13, 18)]], [0, 5, 13]),
        ([[BROKEN], [header(), BROKEN], [header(), data(0, 18)]], [0, 0, 0]),
        ([[header(), data(0, 11)], [header(), data(11, 18)]], [0, 11]),
        ([[header(), data(0, 18), BROKEN], [header()]], [0, 18]),
    ],
    ids=["whole", "pieces", "broken twice", "before the first byte", "ended early", "after the last byte"],
)
def test_a_result_is_resumed_where_it_broke(streams: list[list[Any]], offsets: list[int]) -> None:
    client, script = on(*streams)
    picture = client.result("j", 2)
    assert (picture.pixels, picture.mask) == (DATA[:12], MASK)
    assert (picture.box, picture.format, picture.seed, picture.notes) == (Box(-1, 2, 3, 2), FORMAT, 7, ("a note",))
    assert [request.offset for _, request in script.calls] == offsets
    assert {(r.job, r.index) for _, r in script.calls} == {("j", 2)}
    assert script.open == 0


def test_a_result_is_fetched_from_a_server_that_comes_back(slept: list[float]) -> None:
    gone = ServerUnreachable(address="a", reason="gone")
    told: list[int] = []
    client, _ = on([header(), data(0, 5), BROKEN], *[[gone]] * 100, [header(), data(5, 18)])
    picture = client.result("j", broken=lambda: told.append(1))
    assert (picture.pixels, picture.mask) == (DATA[:12], MASK)
    assert len(told) == 101
    client, _ = on([header(), data(0, 5), BROKEN], *[[gone]] * 1000)
    with pytest.raises(ConnectionLost, match=r"a: gone. What was sent is kept"):
        client.result("j")
    assert 60 <= sum(slept) - 101 * 0.25 <= 61


@pytest.mark.parametrize("stream", [[header(99), data(0, 18)], []], ids=["short", "empty"])
def test_a_result_that_never_comes_whole_is_given_up(stream: list[Any]) -> None:
    client, script = on(*[stream] * 5)
    with pytest.raises(ConnectionLost):
        client.result("j")
    assert len(script.calls) == 5


@pytest.mark.parametrize(
    ("pixels", "mask", "sources", "plane"),
    [
        (PIXELS[:-1], MASK, None, "pixels"),
        (PIXELS + b"x", MASK, None, "pixels"),
        (PIXELS, b"", None, "mask"),
        (PIXELS, PIXELS, None, "mask"),
        (PIXELS, MASK, MASK[1:], "sources"),
    ],
)
def test_wrong_lengths_are_refused_before_anything_is_sent(pixels, mask, sources, plane: str) -> None:
    client, script = on()
    with pytest.raises(RequestInvalid, match=f"The {plane} hold"):
        client.submit(REQUEST, pixels, mask, sources=sources)
    assert script.calls == []


@pytest.mark.parametrize("sources", [None, bytes(6)])
def test_submit_sends_a_header_then_the_planes(sources: bytes | None) -> None:
    client, script = on(jobs_pb2.Job(id="j"))
    assert client.submit(REQUEST, PIXELS, MASK, "mine", sources).id == "j"
    ((method, (first, *chunks)),) = script.calls
    assert method == "SubmitEdit"
    head = first.header
    assert (head.request_id, head.client_name) == ("mine", "easel")
    assert convert.request_from_proto(head.request) == REQUEST
    assert (head.pixels.total_bytes, head.mask.total_bytes, head.HasField("sources")) == (18, 6, sources is not None)
    sent = [(c.chunk.plane, c.chunk.data) for c in chunks]
    planes = studio_pb2.Chunk.PLANE_PIXELS, studio_pb2.Chunk.PLANE_MASK, studio_pb2.Chunk.PLANE_SOURCES
    assert sent == list(zip(planes, [PIXELS, MASK, sources][: 2 + (sources is not None)], strict=False))


def test_chunks_are_small_and_ids_differ() -> None:
    size = Size(1000, 900)
    request = EditRequest(size, Box.of(size), InpaintParams())
    client, script = on(jobs_pb2.Job(), jobs_pb2.Job())
    pixels, mask = bytes(2_700_000), bytes(900_000)
    for _ in range(2):
        client.submit(request, pixels, mask)
    ids = {parts[0].header.request_id for _, parts in script.calls}
    assert len(ids) == 2
    assert all(ids)
    lengths = [len(part.chunk.data) for part in script.calls[0][1][1:]]
    assert lengths == [CHUNK, CHUNK, 2_700_000 - 2 * CHUNK, 900_000]


def test_faces_in_one_call() -> None:
    face = Face(Box(1, 2, 3, 4), 0.5, ((1.0, 2.0),) * 5)
    reply = studio_pb2.DetectFacesResponse(faces=[convert.face_to_proto(face)], engine="looks")
    client, script = on(reply)
    assert client.faces(REQUEST, PIXELS, MASK) == Faces((face,), (), "looks")
    ((method, (first, *chunks)),) = script.calls
    assert (method, first.header.client_name, len(first.header.request_id)) == ("DetectFaces", "easel", 36)
    assert [chunk.chunk.data for chunk in chunks] == [PIXELS, MASK]


def test_the_subject_in_one_call() -> None:
    client, script = on([header(), data(0, 18)])
    picture = client.subject(REQUEST, PIXELS)
    assert (picture.pixels, picture.mask, picture.box) == (DATA[:12], MASK, Box(-1, 2, 3, 2))
    assert (script.calls[0][0], script.open) == ("SelectSubject", 0)


@pytest.mark.parametrize("stream", [[header(99), data(0, 18)], []], ids=["short", "empty"])
def test_a_subject_that_never_comes_whole_is_an_error_at_once(stream: list[Any]) -> None:
    client, script = on(stream)
    with pytest.raises(ConnectionLost):
        client.subject(REQUEST, PIXELS)
    assert len(script.calls) == 1


@pytest.mark.parametrize(
    ("protocol", "mend", "command"),
    [
        (2, VersionMismatch.CLIENT_OLDER, "`frisket plugin install`"),
        (0, VersionMismatch.SERVER_OLDER, "start it again"),
    ],
    ids=["client older", "server older"],
)
def test_another_protocol_is_told_before_it_hurts(protocol: int, mend: str, command: str) -> None:
    client, _ = on(studio_pb2.ServerInfo(protocol=protocol, version="7.0"))
    with pytest.raises(VersionMismatch, match=r"7\.0") as caught:
        client.server_info()
    assert caught.value.remedy == mend
    assert command in mend
    assert f"protocol 1 ({__version__})" in caught.value.cause


def test_questions_ask_what_they_say() -> None:
    engines = studio_pb2.ListModelsResponse(engines=[models_pb2.Engine(id="a"), models_pb2.Engine(id="b")])
    jobs = studio_pb2.ListJobsResponse(jobs=[jobs_pb2.Job(id="j")])
    region = studio_pb2.PlanEditResponse(region=convert.box_to_proto(Box(1, 2, 3, 4)), engine="a")
    client, script = on(engines, engines, jobs, jobs_pb2.Job(id="j"), region)
    assert [e.id for e in client.engines()] == ["a", "b"]
    client.engines(Task.OUTPAINT)
    assert [j.id for j in client.jobs("easel", 3)] == ["j"]
    assert client.cancel("j").id == "j"
    assert client.plan(REQUEST, [Box(0, 0, 1, 1), Box(2, 2, 3, 3)]).region == Box(1, 2, 3, 4)
    client.interrupt()
    client.close()
    asked = dict(script.calls[1:])
    assert script.calls[0][1].task == models_pb2.TASK_UNSPECIFIED
    assert asked["ListModels"].task == models_pb2.TASK_OUTPAINT
    assert (asked["ListJobs"].client, asked["ListJobs"].limit) == ("easel", 3)
    assert asked["CancelJob"].job == "j"
    assert [convert.box_from_proto(b) for b in asked["PlanEdit"].selection] == [Box(0, 0, 1, 1), Box(2, 2, 3, 3)]
    assert [method for method, _ in script.calls[-2:]] == ["interrupt", "close"]


def test_the_request_follows_what_is_sent() -> None:
    sent = with_region(REQUEST, Box(0, 0, 1, 1), FORMAT)
    assert (sent.region, sent.format) == (Box(0, 0, 1, 1), FORMAT)
    assert (sent.canvas, sent.seed, sent.params) == (REQUEST.canvas, REQUEST.seed, REQUEST.params)
    assert time.sleep is not module.time.sleep, "the clock of these tests has leaked"
