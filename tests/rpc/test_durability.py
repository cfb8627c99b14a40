"""Nothing is lost: servers killed with SIGKILL while a job runs, after one finished, and while a client watches."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from frisket.client.client import Client
from frisket.errors import ServerDraining, ServerUnreachable
from frisket.rpc.stubs import jobs_pb2
from live import ServerProcess
from rpc.test_studio import ask, outcome, submit


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(params=["grpc", "h2"])
def transport(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def fixed_server(own_server: ServerProcess) -> ServerProcess:
    """Comes back at the same address."""
    own_server.options = ("--listen", f"127.0.0.1:{free_port()}")
    return own_server.start()


def until_running(client: Client, job: str) -> jobs_pb2.JobEvent:
    for event in client.watch(job):
        if event.WhichOneof("what") == "progress":
            return event
    raise AssertionError("the job ended before it ran")


def test_a_killed_server_does_its_running_job_again(fixed_server: ServerProcess, transport: str) -> None:
    client = fixed_server.client(transport)
    job = submit(client, ask("slow", seed=77, engine_params={"steps": 60, "step_ms": 20}))
    finished = submit(client, ask(seed=5))  # waits behind it
    seen = []
    events = client.watch(job.id)
    for event in events:  # one and the same watch lives through the kill
        seen.append(event)
        if event.WhichOneof("what") == "progress" and event.started is not None and len(seen) == 6:
            fixed_server.kill()
            fixed_server.start()
    kinds = [e.WhichOneof("what") for e in seen]
    assert kinds[-1] == "finished"
    assert kinds.count("started") == 2
    assert [e.started.tries for e in seen if e.WhichOneof("what") == "started"] == [1, 2]
    kept = [e.sequence for e in seen if e.WhichOneof("what") not in ("heartbeat", "preview")]
    assert kept == list(range(1, len(kept) + 1)), "the events have gaps or repeat"
    result = client.result(job.id)
    assert result.seed == 77
    assert set(result.pixels) == {77}, "the second run painted another picture"
    outcome(client, finished.id)
    client.close()


def test_a_killed_servers_finished_results_are_still_there(fixed_server: ServerProcess, transport: str) -> None:
    client = fixed_server.client(transport)
    job = submit(client, ask("slow", seed=9, count=2, engine_params={"steps": 1}))
    story = outcome(client, job.id)
    before = [client.result(job.id, index) for index in range(2)]
    client.close()
    fixed_server.kill()
    fixed_server.start()
    client = fixed_server.client(transport)
    assert [client.result(job.id, index) for index in range(2)] == before
    assert list(client.watch(job.id)) == story
    again = submit(client, ask("slow", seed=9, count=2, engine_params={"steps": 1}), request_id=job.request_id)
    assert (again.id, again.reused) == (job.id, True)
    client.close()


def test_a_killed_worker_is_replaced(fixed_server: ServerProcess) -> None:
    import psutil

    client = fixed_server.client()
    job = submit(client, ask("slow", engine_params={"steps": 60, "step_ms": 20}))
    until_running(client, job.id)
    (worker,) = psutil.Process(fixed_server.runtime.pid).children()
    worker.kill()
    kinds = [e.WhichOneof("what") for e in client.watch(job.id)]
    assert kinds.count("started") == 2
    assert kinds[-1] == "finished"
    client.close()


def test_sigterm_drains(fixed_server: ServerProcess) -> None:
    client, other = fixed_server.client(), fixed_server.client()
    job = submit(client, ask("slow", engine_params={"steps": 40, "step_ms": 20}))
    until_running(client, job.id)
    os.kill(fixed_server.runtime.pid, signal.SIGTERM)
    time.sleep(0.3)
    with pytest.raises((ServerDraining, ServerUnreachable)):
        submit(other, ask())
    assert outcome(client, job.id)[-1].WhichOneof("what") == "finished"
    fixed_server.wait_gone()
    assert not (fixed_server.home / "server.json").exists()
    client.close()
    other.close()


def test_a_second_signal_does_not_wait(fixed_server: ServerProcess) -> None:
    client = fixed_server.client()
    job = submit(client, ask("slow", engine_params={"steps": 1000, "step_ms": 20}))
    until_running(client, job.id)
    os.kill(fixed_server.runtime.pid, signal.SIGTERM)
    time.sleep(0.3)
    began = time.monotonic()
    os.kill(fixed_server.runtime.pid, signal.SIGTERM)
    fixed_server.wait_gone()
    assert time.monotonic() - began < 8, "a job of 20 s was waited for"
    client.close()


def test_no_process_and_no_shared_memory_is_left_behind(fixed_server: ServerProcess) -> None:
    import psutil

    client = fixed_server.client()
    outcome(client, submit(client, ask()).id)
    children = psutil.Process(fixed_server.runtime.pid).children(recursive=True)
    client.close()
    fixed_server.kill()
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert gone
    assert not alive, f"orphans: {alive}"
    fixed_server.start()
    fixed_server.stop()
    left = [p for p in Path("/dev/shm").glob("frisket*") if str(fixed_server.runtime.pid) in p.name]
    assert not left


def test_ready_in_about_a_second(own_server: ServerProcess) -> None:
    own_server.start()
    assert own_server.started_in < 10, "far from a second"
    print(f"ready in {own_server.started_in:.2f} s")
