"""The calls about models over a transport that plays a script: when to ask again, and when to give up."""

from __future__ import annotations

from typing import Any

import pytest

from client.test_client import BROKEN, Script
from frisket.client import models as module
from frisket.client.models import Models
from frisket.errors import (
    ConnectionLost,
    FrisketError,
    HubUnreachable,
    LicenceNotAccepted,
    PullCancelled,
    ServerDraining,
    ServerUnreachable,
)
from frisket.rpc.convert import error_to_proto
from frisket.rpc.stubs import models_pb2, studio_pb2

AT = models_pb2.ModelEvent(progress=models_pb2.ModelEvent.Progress(done=1, total=2, file="w"))
DONE = models_pb2.ModelEvent(finished=models_pb2.Model(id="paint"))
DOWN = ServerUnreachable(address="a", reason="gone")


def played(*answers: Any) -> Any:
    return Script(*answers)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.0)


def test_a_pull_says_what_it_is_asked_and_ends_with_the_model() -> None:
    script = played([AT, DONE, AT])
    assert list(Models(script).pull("paint", True)) == [AT, DONE]
    assert script.calls == [("PullModel", studio_pb2.PullModelRequest(model="paint", accept_licence=True))]
    assert script.open == 0


def test_leaving_a_pull_ends_its_call() -> None:
    script = played([AT, AT])
    events = Models(script).pull("paint")
    assert next(events) == AT
    events.close()  # type: ignore[attr-defined]
    assert script.open == 0


@pytest.mark.parametrize("broken", [BROKEN, DOWN, ServerDraining(), None])
def test_it_follows_again_after_a_break(broken: FrisketError | None) -> None:
    """None: the stream ends as if it were complete."""
    script = played([AT] if broken is None else [AT, broken], [DOWN], [AT, DONE])
    assert list(Models(script).pull("paint", True)) == [AT, AT, DONE]
    assert len({request.SerializeToString() for _, request in script.calls}) == 1
    assert len(script.calls) == 3


def test_it_gives_up_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REATTACH_SECONDS", -1.0)
    with pytest.raises(ConnectionLost):
        list(Models(played([AT, BROKEN])).pull("paint"))


@pytest.mark.parametrize("error", [BROKEN, DOWN, ServerDraining()])
def test_a_server_never_heard_is_not_waited_for(error: FrisketError) -> None:
    script = played([error])
    with pytest.raises(type(error)):
        list(Models(script).pull("paint"))
    assert len(script.calls) == 1


ERRORS = [HubUnreachable(endpoint="e", reason="r", tries=6), PullCancelled(model="paint")]


@pytest.mark.parametrize("error", ERRORS, ids=lambda e: e.slug)
def test_what_the_pull_failed_with_is_raised(error: FrisketError) -> None:
    failed = models_pb2.ModelEvent(failed=error_to_proto(error))
    script = played([AT, failed], [DONE])
    with pytest.raises(type(error)) as caught:
        list(Models(script).pull("paint"))
    assert caught.value == error
    assert len(script.calls) == 1


def test_a_refusal_is_raised_as_it_is() -> None:
    error = LicenceNotAccepted(model="paint", licence="L", link="l", commercial="no")
    with pytest.raises(LicenceNotAccepted):
        list(Models(played([error])).pull("paint"))


def test_the_short_calls() -> None:
    listing = studio_pb2.ListCatalogueResponse(folder="/models")
    script = played(
        listing, studio_pb2.CancelPullResponse(stopped=True), studio_pb2.RemoveModelResponse(freed=7), [DONE]
    )
    models = Models(script)
    assert models.catalogue() == listing
    assert models.cancel_pull("paint") is True
    assert models.remove("paint") == 7
    assert list(models.verify("paint")) == [DONE]
    assert [name for name, _ in script.calls] == ["ListCatalogue", "CancelPull", "RemoveModel", "VerifyModel"]
    assert all(request.model == "paint" for name, request in script.calls if name != "ListCatalogue")
