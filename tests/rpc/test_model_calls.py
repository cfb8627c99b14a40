"""Models by RPC: real sockets on both sides, a hub with faults behind, and errors that arrive as they were raised."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from fakes.hub import COMMIT, FakeHub, Fault
from fakes.model_server import LICENCE, ModelServer, furnish
from fakes.weights import CHOSEN, UNET, pipeline
from frisket.client.models import Models
from frisket.client.transport import Transport
from frisket.errors import (
    FrisketError,
    HubBytesWrong,
    HubGated,
    HubHasNot,
    HubOffline,
    LicenceNotAccepted,
    ModelBusy,
    ModelDamaged,
    ModelFileUnusable,
    ModelNotInstalled,
    ModelNotListed,
    NoRoomForModel,
    ParameterOutOfRange,
    PullCancelled,
    ServerDraining,
    TokenWrong,
)
from frisket.models import catalogue
from frisket.models.families import PURPOSES, Family
from frisket.models.folder import SPARE, Folder, Report
from frisket.models.hub import hub_of
from frisket.models.pull import pull
from frisket.models.record import Record
from frisket.rpc.stubs import models_pb2, studio_pb2
from live import ServerProcess, make_transport
from rpc.test_durability import free_port

FREE = {"licence": LICENCE | {"commercial": "yes"}}
GATED = {"licence": LICENCE | {"commercial": "yes", "gated": True}}
Model = models_pb2.Model


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    for name in [n for n in os.environ if n.lower().endswith("_proxy") or n.startswith("HF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_TOKEN_PATH", os.devnull)
    monkeypatch.setattr("frisket.rpc.errands.LOOK_S", 0.02)
    with FakeHub({"acme/paint": pipeline(unet_bytes=400_000)}) as hub:
        yield hub


@pytest.fixture
def home(tmp_path: Path, fake: FakeHub) -> Path:
    return furnish(tmp_path / "home", fake.url, free=FREE, gated=GATED)


@pytest.fixture
def server(home: Path) -> Iterator[ModelServer]:
    made = ModelServer(home)
    yield made
    made.stop()


@pytest.fixture(params=["grpc", "h2"])
def models(request: pytest.FixtureRequest, server: ModelServer) -> Models:
    return server.models(request.param)


def listed(models: Models) -> dict[str, models_pb2.Model]:
    return {m.id: m for m in models.catalogue().models}


def slow(fake: FakeHub, seconds: float = 0.06) -> None:
    """The next bytes of the UNet come in seven pieces with pauses."""
    fake.faults[UNET] = [Fault(slow=seconds)]


def until_bytes_come(events: Iterator[models_pb2.ModelEvent], count: int = 100_000) -> models_pb2.ModelEvent.Progress:
    for event in events:
        assert event.WhichOneof("what") in ("progress", "waiting")
        if event.progress.done >= count:
            return event.progress
    raise AssertionError("it ended before")


def part(home: Path) -> Path:
    (found,) = (home / "models" / ".pulling" / "paint" / "unet").glob("*.part")
    return found


def test_from_the_catalogue_to_the_disk_and_back(models: Models, home: Path, fake: FakeHub) -> None:
    before = listed(models)["paint"]
    assert (before.state, before.title, before.family) == (Model.STATE_AVAILABLE, "Paint", "sd15-inpaint")
    assert len(before.tasks) == len(PURPOSES[Family.SD15_INPAINT])
    assert (before.licence.name, before.licence.link) == (LICENCE["name"], LICENCE["link"])
    assert before.licence.commercial == models_pb2.Licence.COMMERCIAL_NO
    assert before.licence.needs_accepting
    assert (before.size, before.memory_needed, before.listed, before.pulling) == (0, 5, True, False)
    assert not fake.seen, "the list asks no network"
    events = list(models.pull("paint", accept_licence=True))
    data = fake.repositories["acme/paint"]
    assert events[0].WhichOneof("what") == "progress"
    made = events[-1].finished
    assert (made.id, made.state, made.commit) == ("paint", Model.STATE_INSTALLED, COMMIT)
    assert made.size == sum(len(data[path]) for path in CHOSEN)
    assert all((home / "models" / "paint" / path).read_bytes() == data[path] for path in CHOSEN)
    assert listed(models)["paint"] == made
    assert list(models.verify("paint"))[-1].finished == made
    assert models.remove("paint") > made.size
    assert listed(models)["paint"] == before


def test_progress_counts_every_byte_and_how_fast(models: Models, fake: FakeHub) -> None:
    slow(fake)
    steps = [e.progress for e in models.pull("paint", True) if e.WhichOneof("what") == "progress"]
    total = sum(len(fake.repositories["acme/paint"][path]) for path in CHOSEN)
    inside = [s for s in steps if s.file == UNET]
    assert len(inside) >= 2
    assert {s.total for s in inside} == {total}
    assert [s.done for s in steps] == sorted(s.done for s in steps)
    assert 100_000 < inside[-1].bytes_per_second < 3_000_000, "64 KiB every 60 ms"


def test_the_licence_comes_before_the_first_byte(models: Models, fake: FakeHub) -> None:
    for model in ("paint", "gated"):
        with pytest.raises(LicenceNotAccepted) as caught:
            list(models.pull(model))
        assert caught.value.data["link"] == LICENCE["link"]
        assert caught.value.data["licence"] == LICENCE["name"]
    assert not fake.seen
    assert list(models.pull("free"))[-1].finished.id == "free", "a free licence needs no yes"


def test_two_clients_on_one_pull(server: ModelServer, fake: FakeHub) -> None:
    slow(fake)
    one, two = server.models(), server.models("h2")
    first = one.pull("paint", True)
    until_bytes_come(first)
    assert listed(two)["paint"].pulling
    second = two.pull("paint")  # follows: the licence has been accepted
    assert until_bytes_come(second, 1).file == UNET
    assert list(first)[-1].finished == list(second)[-1].finished
    assert fake.ranges(UNET) == [""], "it was fetched once"


def test_a_pull_goes_on_when_its_client_has_gone(server: ModelServer, fake: FakeHub) -> None:
    slow(fake)
    gone = server.models()
    until_bytes_come(gone.pull("paint", True))
    gone._transport.close()
    assert server.calls.pulling
    assert list(server.models().pull("paint"))[-1].finished.id == "paint"
    assert fake.ranges(UNET) == [""]
    assert not server.calls.pulling


def test_cancel_keeps_what_has_come(server: ModelServer, home: Path, fake: FakeHub) -> None:
    slow(fake)
    one, two = server.models(), server.models()
    events = one.pull("paint", True)
    until_bytes_come(events)
    assert two.cancel_pull("paint")
    assert not two.cancel_pull("paint"), "idempotent"
    with pytest.raises(PullCancelled) as caught:
        list(events)
    assert caught.value == PullCancelled(model="paint")
    kept = part(home).stat().st_size
    assert 64_000 < kept < 400_000
    assert listed(two)["paint"].state == Model.STATE_AVAILABLE
    assert list(two.pull("paint", True))[-1].finished.id == "paint"
    assert fake.ranges(UNET) == ["", f"bytes={kept}-"]


def test_a_new_pull_after_a_cancel_waits_for_the_old_one_to_end(server: ModelServer, fake: FakeHub) -> None:
    slow(fake)
    one, two = server.models(), server.models("h2")
    until_bytes_come(one.pull("paint", True))
    two.cancel_pull("paint")
    kinds = [e.WhichOneof("what") for e in two.pull("paint", True)]
    assert kinds[-1] == "finished"
    assert len(fake.ranges(UNET)) == 2


def test_what_no_model_is_called(models: Models, fake: FakeHub) -> None:
    with pytest.raises(ModelNotListed) as caught:
        list(models.pull("pait", True))
    assert "paint" in caught.value.remedy
    for ask in (lambda: list(models.verify("paint")), lambda: models.remove("paint"), lambda: models.remove("../..")):
        with pytest.raises(ModelNotInstalled):
            ask()
    for name in ("", "x" * 129):
        for ask in (
            models.remove,
            models.cancel_pull,
            lambda n: list(models.pull(n)),
            lambda n: list(models.verify(n)),
        ):
            with pytest.raises(ParameterOutOfRange):
                ask(name)
    assert not models.cancel_pull("nonesuch")
    assert not fake.seen


def make_busy(home: Path, fake: FakeHub, patch: pytest.MonkeyPatch):
    return Folder(home / "models").claim("paint")


def make_full(home: Path, fake: FakeHub, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("frisket.models.folder.shutil.disk_usage", lambda path: SimpleNamespace(free=SPARE + 100_000))


def make_offline(home: Path, fake: FakeHub, patch: pytest.MonkeyPatch) -> None:
    (home / "hub.json").write_text(json.dumps({"offline": True}))


def make_pickle(home: Path, fake: FakeHub, patch: pytest.MonkeyPatch) -> None:
    kept = {path: data for path, data in pipeline().items() if not path.endswith(".safetensors")}
    fake.repositories = {"acme/paint": kept}


FAILURES: dict[type[FrisketError], Callable] = {
    HubGated: lambda home, fake, patch: fake.gated.add("acme/paint"),
    HubHasNot: lambda home, fake, patch: fake.faults.update({UNET: [Fault(status=404)] * 2}),
    HubBytesWrong: lambda home, fake, patch: fake.faults.update({UNET: [Fault(flip=True)] * 2}),
    HubOffline: make_offline,
    ModelBusy: make_busy,
    NoRoomForModel: make_full,
    ModelFileUnusable: make_pickle,
}


@pytest.mark.parametrize("error", FAILURES, ids=lambda e: e.slug)
def test_each_failure_arrives_as_it_was_raised(
    server: ModelServer, home: Path, fake: FakeHub, monkeypatch: pytest.MonkeyPatch, error: type[FrisketError]
) -> None:
    """The same pull in this process and over the wire."""
    held = FAILURES[error](home, fake, monkeypatch)
    entry = catalogue.load(home / "catalogue")["paint"]
    if error is ModelBusy:
        held.__enter__()
    with pytest.raises(error) as here:
        pull(Folder(home / "models"), entry, hub_of({}, home / "hub.json"), True)
    with pytest.raises(error) as there:
        list(server.models().pull("paint", True))
    if error is ModelBusy:
        held.__exit__(None, None, None)
    assert there.value == here.value
    assert listed(server.models())["paint"].state == Model.STATE_AVAILABLE


def test_a_disk_that_fills_while_it_writes(
    server: ModelServer, home: Path, fake: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("frisket.models.download.os.fsync", full)
        with pytest.raises(NoRoomForModel) as caught:
            list(server.models().pull("paint", True))
    assert caught.value.data["model"] == "paint"
    assert list(server.models().pull("paint", True))[-1].finished.id == "paint"


def test_what_is_being_pulled_is_not_removed(server: ModelServer, home: Path, fake: FakeHub) -> None:
    slow(fake)
    one, two = server.models(), server.models()
    events = one.pull("paint", True)
    until_bytes_come(events)
    with pytest.raises(ModelBusy):
        two.remove("paint")
    two.cancel_pull("paint")
    with pytest.raises(PullCancelled):
        list(events)
    assert two.remove("paint") > 64_000, "what had arrived"
    assert not (home / "models" / ".pulling" / "paint").exists()


def test_damage_is_found_and_told(models: Models, home: Path) -> None:
    list(models.pull("paint", True))
    (home / "models" / "paint" / UNET).write_bytes(b"x")
    with pytest.raises(ModelDamaged) as caught:
        list(models.verify("paint"))
    assert UNET in caught.value.cause
    (home / "models" / "paint" / "model.lock.json").write_text("x")
    assert listed(models)["paint"] == Model(id="paint", state=Model.STATE_DAMAGED, listed=True)
    assert models.remove("paint") > 0


@pytest.mark.parametrize("transport", ["grpc", "h2"])
def test_a_verify_that_nobody_follows_ends(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    def endless(folder: Folder, model: str, report: Report) -> Record:
        while True:
            report(1, 2, "w")
            time.sleep(0.01)

    list(server.models().pull("paint", True))
    monkeypatch.setattr(Folder, "check", endless)
    one, two = server.models(transport), server.models()
    events, others = one.verify("paint"), two.verify("paint")
    next(events)
    next(others)
    one._transport.close()
    time.sleep(0.2)
    assert server.calls._verifies.busy, "somebody is left"
    two._transport.close()
    until = time.monotonic() + 5
    while server.calls._verifies.busy and time.monotonic() < until:
        time.sleep(0.01)
    assert not server.calls._verifies.busy


def test_a_server_that_stops_in_the_middle_and_one_that_goes_on(server: ModelServer, home: Path, fake: FakeHub) -> None:
    slow(fake, 0.1)
    models, errors = server.models(), []

    def follow(events: Iterator[models_pb2.ModelEvent]) -> None:
        try:
            for event in events:
                errors.append(event.WhichOneof("what"))
        except FrisketError as error:
            errors.append(error)

    asked = studio_pb2.PullModelRequest(model="paint", accept_licence=True)
    events = models._transport.stream("PullModel", asked, models_pb2.ModelEvent)  # a client would ask again
    until_bytes_come(events)
    following = threading.Thread(target=follow, args=(events,))
    following.start()
    began = time.monotonic()
    server.do(server.calls.drain)
    assert time.monotonic() - began < 1
    following.join(5)
    assert isinstance(errors[-1], ServerDraining)
    with pytest.raises(ServerDraining):
        list(server.models().pull("paint", True))
    kept = part(home).stat().st_size
    assert kept >= 64_000
    again = ModelServer(home)
    assert list(again.models().pull("paint", True))[-1].finished.id == "paint"
    assert fake.ranges(UNET)[-1] == f"bytes={kept}-"
    again.stop()


def test_strangers_are_not_let_in(server: ModelServer, fake: FakeHub) -> None:
    stranger = server.models(token="wrong")
    calls = (
        stranger.catalogue,
        lambda: list(stranger.pull("paint", True)),
        lambda: stranger.cancel_pull("paint"),
        lambda: stranger.remove("paint"),
        lambda: list(stranger.verify("paint")),
    )
    for call in calls:
        with pytest.raises(TokenWrong):
            call()
    assert not fake.seen


def of_process(process: ServerProcess) -> tuple[Models, Transport]:
    transport = make_transport("grpc", process.runtime.address, process.runtime.token)
    return Models(transport), transport


def test_one_iterator_lives_through_the_restart_of_its_server(own_server: ServerProcess, fake: FakeHub) -> None:
    """Stopped by SIGTERM in the middle: the client asks again by itself, and what had come is not fetched again."""
    furnish(own_server.home, fake.url)
    own_server.options = ("--listen", f"127.0.0.1:{free_port()}")
    models, transport = of_process(own_server.start())
    slow(fake, 0.3)
    events = models.pull("paint", True)
    until_bytes_come(events)
    own_server.stop()
    kept = part(own_server.home).stat().st_size
    own_server.start()
    assert list(events)[-1].finished.id == "paint"
    assert fake.ranges(UNET) == ["", f"bytes={kept}-"]
    transport.close()
    own_server.stop()


@pytest.mark.slow
def test_a_pull_that_nobody_follows_keeps_an_idle_server_alive(own_server: ServerProcess, fake: FakeHub) -> None:
    furnish(own_server.home, fake.url)
    own_server.options = ("--idle-exit", "0.4")
    models, transport = of_process(own_server.start())
    slow(fake, 0.2)
    next(iter(models.pull("paint", True)))
    transport.close()
    own_server.wait_gone()
    assert Folder(own_server.home / "models").verify("paint") == ()
    assert fake.ranges(UNET) == [""]
