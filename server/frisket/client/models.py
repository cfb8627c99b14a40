"""The client's calls about models on the server's disk: what can be had, pull, cancel, remove, verify."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from google.protobuf.message import Message

from frisket.client.transport import Transport
from frisket.errors import ConnectionLost, ServerDraining, ServerUnreachable
from frisket.rpc.convert import error_from_proto
from frisket.rpc.stubs import models_pb2, studio_pb2

QUICK = 20.0  # seconds for calls that only ask
REMOVE = 300.0  # seconds: many gigabytes, on a slow disk
REATTACH_SECONDS = 60.0
PAUSE = 0.25


class Models:
    """The models of one server. Every failure is a frisket.errors.FrisketError. One call at a time per transport."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def catalogue(self) -> studio_pb2.ListCatalogueResponse:
        """What is on the server's disk, and what could be. Asks no network beyond the server."""
        request = studio_pb2.ListCatalogueRequest()
        return self._transport.unary("ListCatalogue", request, studio_pb2.ListCatalogueResponse, timeout=QUICK)

    def pull(self, model: str, accept_licence: bool = False) -> Iterator[models_pb2.ModelEvent]:
        """Have the server fetch a model; events to `finished`. Leaving the iterator leaves the pull running.

        Follows again by itself for a minute after a broken connection. Raises what the pull failed with, PullCancelled
        when somebody cancelled it, LicenceNotAccepted, ModelNotListed.
        """
        request = studio_pb2.PullModelRequest(model=model, accept_licence=accept_licence)
        return self._followed("PullModel", request)

    def cancel_pull(self, model: str) -> bool:
        """Whether there was one to cancel."""
        request = studio_pb2.CancelPullRequest(model=model)
        return self._transport.unary("CancelPull", request, studio_pb2.CancelPullResponse, timeout=QUICK).stopped

    def remove(self, model: str) -> int:
        """Bytes freed. Raises ModelNotInstalled, ModelBusy."""
        request = studio_pb2.RemoveModelRequest(model=model)
        return self._transport.unary("RemoveModel", request, studio_pb2.RemoveModelResponse, timeout=REMOVE).freed

    def verify(self, model: str) -> Iterator[models_pb2.ModelEvent]:
        """Have the server read a model again; events to `finished`. Raises ModelDamaged, ModelNotInstalled."""
        return self._followed("VerifyModel", studio_pb2.VerifyModelRequest(model=model))

    def _followed(self, method: str, request: Message) -> Iterator[models_pb2.ModelEvent]:
        heard: float | None = None  # when; a server that was never heard is not waited for
        while True:
            try:
                with contextlib.closing(self._transport.stream(method, request, models_pb2.ModelEvent)) as events:
                    for event in events:
                        heard = time.monotonic()
                        if event.WhichOneof("what") == "failed":
                            raise error_from_proto(event.failed)
                        yield event
                        if event.WhichOneof("what") == "finished":
                            return
                raise ConnectionLost(reason="The stream of events ended before the work did")
            except (ConnectionLost, ServerUnreachable, ServerDraining):
                if heard is None or time.monotonic() - heard > REATTACH_SECONDS:
                    raise
                time.sleep(PAUSE)
