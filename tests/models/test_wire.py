"""One request: what is tried again, what is refused, and where a token goes."""

from __future__ import annotations

import socket

import pytest

from fakes.hub import COMMIT, FakeHub, Fault
from fakes.weights import UNET
from frisket.models.patience import Interrupted
from frisket.models.wire import BUSY, Refused, request

TOKEN = {"Authorization": "Bearer hf_right"}


def url(fake: FakeHub, path: str = UNET) -> str:
    return f"{fake.url}/acme/paint/resolve/{COMMIT}/{path}"


def test_a_token_stays_with_the_hub(fake: FakeHub) -> None:
    with request(url(fake), TOKEN) as answer:
        assert answer.status == 200
        assert answer.read(8) == fake.repositories["acme/paint"][UNET][:8]
    assert [(s.host, s.token) for s in fake.seen] == [("127.0.0.1", "Bearer hf_right"), ("localhost", "")]


def test_a_range_goes_along(fake: FakeHub) -> None:
    with request(url(fake), {"Range": "bytes=1000-"}) as answer:
        assert answer.status == 206
        assert answer.headers["content-range"].startswith("bytes 1000-")
        assert answer.read(5) == fake.repositories["acme/paint"][UNET][1000:1005]


def test_a_head_asks_the_hub_alone(fake: FakeHub) -> None:
    with request(url(fake), TOKEN, method="HEAD") as answer:
        assert answer.status == 302
        assert len(answer.headers["x-linked-etag"]) == 66
    assert [s.host for s in fake.seen] == ["127.0.0.1"]


def test_a_renamed_repository_is_followed_with_the_token(fake: FakeHub) -> None:
    fake.renamed["old/paint"] = "acme/paint"
    with request(f"{fake.url}/api/models/old/paint/revision/main?blobs=true", TOKEN) as answer:
        assert answer.status == 200
    assert [s.token for s in fake.seen] == ["Bearer hf_right"] * 2


@pytest.mark.parametrize("status", sorted(BUSY))
def test_busy_is_worth_another_try(fake: FakeHub, status: int) -> None:
    fake.faults[UNET] = [Fault(status=status, retry_after="7")]
    with pytest.raises(Interrupted) as caught, request(url(fake), {}):
        pass
    assert (caught.value.reason, caught.value.after) == (f"it answered {status}", 7.0)


def test_a_date_to_retry_at_is_not_understood_and_not_minded(fake: FakeHub) -> None:
    fake.faults[UNET] = [Fault(status=503, retry_after="Wed, 21 Oct 2026 07:28:00 GMT")]
    with pytest.raises(Interrupted) as caught, request(url(fake), {}):
        pass
    assert caught.value.after is None


def test_the_rest_is_refused_with_the_hubs_word(fake: FakeHub) -> None:
    with pytest.raises(Refused) as caught, request(url(fake, "nonesuch"), {}):
        pass
    assert (caught.value.status, caught.value.code) == (404, "EntryNotFound")


def test_nobody_there_is_worth_another_try() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Interrupted, match="refused"), request(f"http://127.0.0.1:{port}/", {}):
        pass


def test_silence_is_worth_another_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(Interrupted, match="no answer"), request(address, {}, timeout=0.1):
            pass


def test_a_break_within_the_body_is_worth_another_try(fake: FakeHub) -> None:
    fake.faults[UNET] = [Fault(cut_after=100_000, reset=True)]
    with request(url(fake), {}) as answer:
        pieces = iter(lambda: answer.read(1 << 16), b"")  # b"" would be an end, which this is not
        with pytest.raises(Interrupted):
            list(pieces)
