"""One file through everything that goes wrong on the way: what lies there in the end is right to the last bit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.hub import FakeHub, Fault
from fakes.weights import UNET
from frisket.errors import Cancelled, HubBytesWrong, HubGated, HubUnreachable
from frisket.models.download import Wanted, fetch
from frisket.models.hub import Hash, Hub
from frisket.models.patience import Patience
from frisket.models.record import Held

Fetch = Callable[..., Held]


def nobody(done: int) -> None:
    pass


@pytest.fixture
def data(fake: FakeHub) -> bytes:
    return fake.repositories["acme/paint"][UNET]


@pytest.fixture
def want(data: bytes) -> Wanted:
    return Wanted(UNET, len(data), Hash.SHA256, hashlib.sha256(data).hexdigest())


@pytest.fixture
def get(hub: Hub, want: Wanted, tmp_path: Path, hasty: Patience) -> Fetch:
    """Fetch `want` (or a changed one) into tmp_path."""

    def run(arrived: Callable[[int], None] = nobody, patience: Patience = hasty, want: Wanted = want) -> Held:
        listing = hub.listing("acme/paint", "main")
        return fetch(hub, listing, want, tmp_path, patience, arrived)

    return run


def whole(folder: Path, data: bytes) -> bool:
    """The file is there, right, and nothing else."""
    return [p for p in folder.rglob("*") if p.is_file()] == [folder / UNET] and (folder / UNET).read_bytes() == data


def test_at_once(fake: FakeHub, get: Fetch, data: bytes, tmp_path: Path) -> None:
    steps: list[int] = []
    assert get(steps.append) == Held(UNET, len(data), hashlib.sha256(data).hexdigest())
    assert whole(tmp_path, data)
    assert fake.ranges(UNET) == [""]
    assert steps == sorted(steps)
    assert steps[-1] == len(data)


@pytest.mark.parametrize("reset", [False, True])
def test_three_cuts(fake: FakeHub, get: Fetch, data: bytes, tmp_path: Path, reset: bool) -> None:
    fake.faults[UNET] = [Fault(cut_after=60_000, reset=reset) for _ in range(3)]
    get()
    assert whole(tmp_path, data)
    asked = fake.ranges(UNET)
    assert asked[0] == ""
    starts = [int(r.removeprefix("bytes=").rstrip("-")) for r in asked[1:]]
    assert len(starts) == 3
    assert starts == sorted(set(starts)), "each goes on beyond the one before"
    if not reset:
        assert starts == [60_000, 120_000, 180_000], "not a byte twice"


def test_cuts_without_end_are_borne_as_long_as_something_comes(
    fake: FakeHub, get: Fetch, data: bytes, tmp_path: Path, hasty: Patience
) -> None:
    fake.faults[UNET] = [Fault(cut_after=len(data) // 10)] * (hasty.tries + 2)
    get()
    assert whole(tmp_path, data)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_waited_for(fake: FakeHub, get: Fetch, data: bytes, tmp_path: Path, status: int) -> None:
    fake.faults[UNET] = [Fault(status=status, retry_after="2"), Fault(status=status)]
    pauses: list[float] = []
    get(patience=Patience(sleep=pauses.append))
    assert whole(tmp_path, data)
    assert sum(pauses) == pytest.approx(2.0 + 2.0), "what was asked for, then the second of our own"


def test_a_server_that_stays_busy_is_given_up_and_gone_on_with_later(
    fake: FakeHub, get: Fetch, data: bytes, want: Wanted, tmp_path: Path
) -> None:
    fake.faults[UNET] = [Fault(cut_after=70_000), *[Fault(status=503)] * 9]
    with pytest.raises(HubUnreachable) as caught:
        get()
    assert caught.value.data["reason"].startswith(f"it answered 503 at 70000 of {len(data)} bytes")
    assert want.part(tmp_path).read_bytes() == data[:70_000]
    assert want.arrived(tmp_path) == 70_000
    assert not (tmp_path / UNET).exists()
    fake.faults.clear()
    fake.seen.clear()
    get()
    assert whole(tmp_path, data)
    assert fake.ranges(UNET) == ["bytes=70000-"]


def test_a_server_without_ranges(fake: FakeHub, get: Fetch, data: bytes, tmp_path: Path) -> None:
    fake.faults[UNET] = [Fault(cut_after=60_000), Fault(no_range=True, cut_after=30_000), Fault(no_range=True)]
    get()
    assert whole(tmp_path, data)
    assert fake.ranges(UNET) == ["", "bytes=60000-", "bytes=60000-"], "the cut one harmed nothing"


def test_a_server_that_sends_another_range(fake: FakeHub, get: Fetch, data: bytes, tmp_path: Path) -> None:
    fake.faults[UNET] = [Fault(cut_after=60_000), Fault(wrong_range=True)]
    get()
    assert whole(tmp_path, data)
    assert fake.ranges(UNET) == ["", "bytes=60000-", ""]


def test_a_range_that_is_refused(fake: FakeHub, get: Fetch, want: Wanted, data: bytes, tmp_path: Path) -> None:
    fake.faults[UNET] = [Fault(cut_after=60_000), Fault(status=416)]
    get()
    assert whole(tmp_path, data)
    assert fake.ranges(UNET) == ["", "bytes=60000-", ""]
    fake.faults[UNET] = [Fault(status=416)]
    (tmp_path / UNET).unlink()
    with pytest.raises(HubBytesWrong, match="has no bytes"):
        get()


def test_a_flipped_bit_is_refused_and_nothing_kept(fake: FakeHub, get: Fetch, tmp_path: Path) -> None:
    fake.faults[UNET] = [Fault(flip=True)] * 2
    with pytest.raises(HubBytesWrong, match="hash differs"):
        get()
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


def test_a_damaged_part_is_found_out_and_fetched_anew(
    fake: FakeHub, get: Fetch, want: Wanted, data: bytes, tmp_path: Path
) -> None:
    part = want.part(tmp_path)
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" + data[1:50_000])
    get()
    assert whole(tmp_path, data)
    assert fake.ranges(UNET) == ["bytes=50000-", ""]


@pytest.mark.parametrize("kept", [b"", b"y" * 10**6])
def test_parts_of_odd_sizes(get: Fetch, want: Wanted, data: bytes, tmp_path: Path, kept: bytes) -> None:
    want.part(tmp_path).parent.mkdir(parents=True)
    want.part(tmp_path).write_bytes(kept)
    get()
    assert whole(tmp_path, data)


def test_a_whole_one_is_not_asked_for(fake: FakeHub, get: Fetch, want: Wanted, data: bytes, tmp_path: Path) -> None:
    (tmp_path / UNET).parent.mkdir()
    for path in (want.part(tmp_path), tmp_path / UNET):
        path.write_bytes(data)
        assert get().size == len(data)
        assert whole(tmp_path, data)
    assert fake.ranges(UNET) == []


def test_what_lay_there_is_never_written_to(get: Fetch, data: bytes, tmp_path: Path) -> None:
    other = tmp_path.parent / "installed"
    other.write_bytes(b"z" * len(data))
    (tmp_path / UNET).parent.mkdir()
    (tmp_path / UNET).hardlink_to(other)
    get()
    assert whole(tmp_path, data)
    assert other.read_bytes() == b"z" * len(data)


def test_another_size_is_told_before_anything_comes(fake: FakeHub, get: Fetch, want: Wanted, tmp_path: Path) -> None:
    fake.faults[UNET] = [Fault(length=77)]
    with pytest.raises(HubBytesWrong, match="77 bytes, not"):
        get()
    with pytest.raises(HubBytesWrong, match="bytes, not 99"):
        get(want=replace(want, size=99))
    assert not (tmp_path / UNET).exists()


def test_a_cancel_keeps_what_has_come(get: Fetch, want: Wanted, data: bytes, fake: FakeHub, tmp_path: Path) -> None:
    fake.faults[UNET] = [Fault(slow=0.01)]

    def stop(done: int) -> None:
        if done >= 60_000:
            raise Cancelled

    with pytest.raises(Cancelled):
        get(stop)
    kept = want.part(tmp_path).read_bytes()
    assert len(data) > len(kept) >= 60_000
    assert data.startswith(kept)


def test_a_cancel_ends_a_pause(fake: FakeHub, get: Fetch) -> None:
    fake.faults[UNET] = [Fault(status=503)] * 9
    waits = 0

    def sleep(seconds: float) -> None:
        nonlocal waits
        waits += 1

    def stop(done: int) -> None:
        if waits == 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        get(stop, Patience(sleep=sleep))
    assert waits == 2


def test_gates_are_told(fake: FakeHub, get: Fetch) -> None:
    fake.gated.add("acme/paint")
    with pytest.raises(HubGated):
        get()


def test_small_files_by_gits_hash(fake: FakeHub, hub: Hub, tmp_path: Path, hasty: Patience) -> None:
    data = fake.repositories["acme/paint"]["model_index.json"]
    listing = hub.listing("acme/paint", "main")
    stated = next(f for f in listing.files if f.path == "model_index.json")
    want = Wanted("model_index.json", len(data), stated.hash, stated.digest or "")
    assert fetch(hub, listing, want, tmp_path, hasty, nobody).sha256 == hashlib.sha256(data).hexdigest()
    (tmp_path / "model_index.json").unlink()
    fake.faults["model_index.json"] = [Fault(flip=True)]
    with pytest.raises(HubBytesWrong, match="git hash differs"):
        fetch(hub, listing, want, tmp_path, hasty, nobody)


def test_an_empty_file(fake: FakeHub, hub: Hub, tmp_path: Path, hasty: Patience) -> None:
    want = Wanted("empty.txt", 0, Hash.SHA256, hashlib.sha256(b"").hexdigest())
    assert fetch(hub, hub.listing("acme/paint", "main"), want, tmp_path, hasty, nobody).size == 0
    assert (tmp_path / "empty.txt").read_bytes() == b""
