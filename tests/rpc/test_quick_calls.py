"""Faces and the subject in one call: a real server, both transports, and the call's end is the job's."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from frisket.client.client import Client
from frisket.edits.requests import DetectFacesParams, EditRequest, InpaintParams, SelectSubjectParams
from frisket.errors import Cancelled, EngineUnknown, FrisketError, JobNotFinished, NoSubjectFound, RequestInvalid
from frisket.raster.geometry import Box, Size
from frisket.rpc.stubs import jobs_pb2, studio_pb2
from live import ServerProcess

W, H = 100, 80
SUN = Box(30, 20, 40, 24)
HOURS = {"steps": 10_000}  # 200 s


def picture() -> np.ndarray:
    made = np.full((H, W, 3), 20, np.uint8)
    made[SUN.slices] = 230
    return made


def ask(params: Any = None, engine: str = "bright", region: Box | None = None, **changes) -> EditRequest:
    area = region or Box(0, 0, W, H)
    return EditRequest(Size(200, 200), area, params or SelectSubjectParams(), engine=engine, **changes)


def faces(**changes) -> EditRequest:
    return ask(DetectFacesParams(), "toy-detector", **changes)


def jobs_of(client: Client, name: str) -> list[jobs_pb2.Job]:
    return client.jobs(name)


def state_soon(client: Client, name: str, wanted: int, seconds: float = 10) -> jobs_pb2.Job:
    """The newest job of `name`, once it is in the state `wanted`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        jobs = jobs_of(client, name)
        if jobs and jobs[0].state == wanted:
            return jobs[0]
        time.sleep(0.02)
    raise AssertionError(f"{jobs_of(client, name)[:1]} is not in the state {wanted}")


@pytest.fixture
def other(server: ServerProcess) -> Iterator[Client]:
    made = server.client(name="looks on")
    yield made
    made.close()


def test_faces_in_canvas_space_the_surest_first(client: Client) -> None:
    found = client.faces(faces(region=Box(7, 5, W, H)), picture().tobytes())
    assert [round(face.score, 3) for face in found.faces] == [0.9, 0.5, 0.4]
    assert found.faces[0].landmarks[0] == pytest.approx((7 + 42, 5 + 40), abs=0.2)
    assert (found.engine, found.degraded) == ("toy-detector", ())


def test_faces_of_a_mask_alone(client: Client) -> None:
    mask = np.zeros((H, W), np.uint8)
    mask[:, 70:] = 255
    assert len(client.faces(faces(), picture().tobytes(), mask.tobytes()).faces) == 1


def test_the_subject_is_the_result_s_mask_and_the_pixels_are_those_sent(client: Client) -> None:
    result = client.subject(ask(region=Box(50, 60, W, H)), picture().tobytes())
    assert result.box == SUN.moved(50, 60)
    assert result.mask == bytes([230]) * SUN.area
    assert result.pixels == bytes([230]) * SUN.area * 3


def test_the_job_is_listed_like_any_other(server: ServerProcess, client: Client) -> None:
    named = Client(client._transport, "asks quickly")
    named.faces(faces(), picture().tobytes())
    job = jobs_of(client, "asks quickly")[0]
    assert (job.task, job.engine, job.state) == ("detect-faces", "toy-detector", jobs_pb2.JOB_STATE_FINISHED)
    assert len(client.result(job.id).faces) == 3


@pytest.mark.parametrize("request_", [ask(InpaintParams(), engine="toy"), faces(count=2)], ids=["task", "count"])
def test_another_task_and_several_results_are_refused(client: Client, request_: EditRequest) -> None:
    with pytest.raises(RequestInvalid):
        client.faces(request_, picture().tobytes())


def test_faces_are_no_subject(client: Client) -> None:
    with pytest.raises(RequestInvalid, match="select-subject"):
        client.subject(faces(), picture().tobytes())


def test_what_a_submission_is_refused_for(client: Client) -> None:
    with pytest.raises(EngineUnknown):
        client.subject(ask(engine="nobody"), picture().tobytes())
    with pytest.raises(RequestInvalid):
        client.subject(ask(), b"too short")


def test_no_message_at_all(client: Client) -> None:
    with pytest.raises(FrisketError):
        client._transport.upload("DetectFaces", iter(()), studio_pb2.DetectFacesResponse)


def test_what_the_job_failed_with_comes_back_whole(client: Client) -> None:
    with pytest.raises(NoSubjectFound) as raised:
        client.subject(ask(), bytes(W * H * 3))
    assert (raised.value.data["engine"], raised.value.data["width"]) == ("Toy selector", str(W))


def test_the_job_is_cancelled_when_the_call_is(client: Client, other: Client) -> None:
    name = f"leaves {uuid.uuid4()}"
    named = Client(client._transport, name)
    ended: list[BaseException] = []

    def asking() -> None:
        try:
            named.subject(ask(engine_params=HOURS), picture().tobytes())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=asking)
    thread.start()
    state_soon(other, name, jobs_pb2.JOB_STATE_RUNNING)
    named.interrupt()
    thread.join(10)
    assert isinstance(ended[0], Cancelled)
    state_soon(other, name, jobs_pb2.JOB_STATE_CANCELLED)


def test_the_job_is_cancelled_when_its_client_is_gone(server: ServerProcess, other: Client) -> None:
    gone = server.client("h2", name="is gone")
    thread = threading.Thread(target=_asked, args=(gone, ask(engine_params=HOURS)))
    thread.start()
    state_soon(other, "is gone", jobs_pb2.JOB_STATE_RUNNING)
    gone._transport._wire._sock.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]
    thread.join(10)
    gone.close()
    state_soon(other, "is gone", jobs_pb2.JOB_STATE_CANCELLED)


def _asked(client: Client, request: EditRequest) -> None:
    with contextlib.suppress(FrisketError):
        client.subject(request, picture().tobytes())


def test_a_job_that_somebody_else_cancelled(server: ServerProcess, other: Client) -> None:
    ours = server.client(name="is stopped")
    ended: list[BaseException] = []

    def asking() -> None:
        try:
            ours.subject(ask(engine_params=HOURS), picture().tobytes())
        except BaseException as error:
            ended.append(error)

    thread = threading.Thread(target=asking)
    thread.start()
    other.cancel(state_soon(other, "is stopped", jobs_pb2.JOB_STATE_RUNNING).id)
    thread.join(10)
    assert isinstance(ended[0], JobNotFinished)
    ours.close()
