"""A whole model: what is fetched, what is not, and that nothing half done is ever found under its name."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from fakes.hub import COMMIT, FakeHub, Fault
from fakes.weights import CHOSEN, UNET, pipeline, raw
from frisket.errors import (
    Cancelled,
    FrisketError,
    HubBytesWrong,
    HubGated,
    HubHasNot,
    HubUnreachable,
    LicenceNotAccepted,
    ModelBusy,
    ModelFileUnusable,
    NoRoomForModel,
)
from frisket.models.catalogue import Entry, File
from frisket.models.families import Family
from frisket.models.folder import SPARE, Folder
from frisket.models.hub import Hub
from frisket.models.networks import YUNET
from frisket.models.patience import Patience
from frisket.models.pull import FIRST_TRIES, pull

VAE = "vae/diffusion_pytorch_model.safetensors"


def installed(folder: Folder) -> dict[str, bytes]:
    path = folder.path("paint")
    return {f.path: (path / f.path).read_bytes() for f in folder.check("paint").files}


def test_the_chosen_files_and_no_others(fake: FakeHub, hub: Hub, folder: Folder, entry: Entry) -> None:
    steps: list[tuple[int, int, str]] = []
    made = pull(folder, entry, hub, True, report=lambda *step: steps.append(step))
    data = fake.repositories["acme/paint"]
    assert installed(folder) == {path: data[path] for path in CHOSEN}
    assert folder.record("paint") == made
    assert (made.commit, made.revision, made.endpoint) == (COMMIT, "main", fake.url)
    assert {f.path: f.sha256 for f in made.files} == {p: hashlib.sha256(data[p]).hexdigest() for p in CHOSEN}
    assert [done for done, _, _ in steps] == sorted(done for done, _, _ in steps)
    assert {total for _, total, _ in steps} == {made.size}
    assert steps[-1][0] == made.size
    fetched = {s.path for s in fake.seen if s.host == "localhost"}
    assert fetched == {f"/cdn/acme/paint/{path}" for path in CHOSEN if len(data[path]) >= fake.large}


def test_nothing_before_the_licence(fake: FakeHub, hub: Hub, folder: Folder, entry: Entry) -> None:
    with pytest.raises(LicenceNotAccepted) as caught:
        pull(folder, entry, hub, False)
    assert "https://example.org/licence" in caught.value.cause
    assert not fake.seen
    assert not folder.root.exists()


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ([Fault(cut_after=70_000), *[Fault(status=500)] * 9], HubUnreachable),
        ([Fault(flip=True)], HubBytesWrong),
        ([Fault(status=404)], HubHasNot),
    ],
)
def test_a_pull_that_fails_leaves_the_old_one_and_can_be_gone_on_with(
    fake: FakeHub,
    hub: Hub,
    folder: Folder,
    entry: Entry,
    hasty: Patience,
    faults: list[Fault],
    error: type[FrisketError],
) -> None:
    pull(folder, entry, hub, True)
    before = installed(folder)
    fake.repositories = {"acme/paint": pipeline(unet_bytes=150_000, seed=7)}
    fake.faults[UNET] = list(faults)
    with pytest.raises(error):
        pull(folder, entry, hub, True, hasty)
    assert installed(folder) == before
    fake.faults.clear()
    fake.seen.clear()
    pull(folder, entry, hub, True, hasty)
    assert installed(folder)[UNET] == fake.repositories["acme/paint"][UNET]
    assert fake.ranges(UNET) == (["bytes=70000-"] if error is HubUnreachable else [""])


def test_what_is_there_is_not_fetched_again(fake: FakeHub, hub: Hub, folder: Folder, entry: Entry) -> None:
    pull(folder, entry, hub, True)
    fake.repositories["acme/paint"][VAE] = pipeline(seed=9)[VAE]
    fake.seen.clear()
    pull(folder, entry, hub, True)
    assert fake.ranges(UNET) == []
    assert fake.ranges(VAE) == [""]
    assert installed(folder)[VAE] == fake.repositories["acme/paint"][VAE]


def test_a_pull_mends_a_damaged_file(fake: FakeHub, hub: Hub, folder: Folder, entry: Entry) -> None:
    pull(folder, entry, hub, True)
    weights = folder.path("paint") / UNET
    data = weights.read_bytes()
    weights.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    pull(folder, entry, hub, True)
    assert installed(folder)[UNET] == data


def test_a_cancel_keeps_what_has_come(fake: FakeHub, hub: Hub, folder: Folder, entry: Entry) -> None:
    def stop(done: int, total: int, what: str) -> None:
        if what == VAE:
            raise Cancelled

    with pytest.raises(Cancelled):
        pull(folder, entry, hub, True, report=stop)
    assert folder.ids() == []
    fake.seen.clear()
    pull(folder, entry, hub, True)
    assert fake.ranges(UNET) == []
    assert set(installed(folder)) == set(CHOSEN)


def test_gated(fake: FakeHub, hub: Hub, folder: Folder, entry: Entry) -> None:
    fake.gated.add("acme/paint")
    with pytest.raises(HubGated):
        pull(folder, entry, hub, True)
    pull(folder, entry, replace(hub, token="hf_right"), True)
    assert set(installed(folder)) == set(CHOSEN)


def test_a_mirror_that_states_no_hashes(fake: FakeHub, hub: Hub, folder: Folder, entry: Entry) -> None:
    fake.states_hashes = False
    pull(folder, entry, hub, True)
    assert set(installed(folder)) == set(CHOSEN)
    fake.repositories["acme/paint"][UNET] = pipeline(unet_bytes=9000)[UNET]
    fake.faults[UNET] = [Fault(flip=True)]
    with pytest.raises(HubBytesWrong):
        pull(folder, entry, hub, True)


def test_files_that_the_catalogue_names(fake: FakeHub, hub: Hub, folder: Folder, entry: Entry) -> None:
    data = fake.repositories["acme/paint"][VAE]
    right = hashlib.sha256(data).hexdigest()
    pull(folder, replace(entry, files=(File(VAE, len(data), right),)), hub, True)
    assert installed(folder) == {VAE: data}
    for wrong in (File(VAE, len(data) + 1), File(VAE, None, "ab" * 32)):
        with pytest.raises(HubBytesWrong, match="catalogue"):
            pull(folder, replace(entry, files=(wrong,)), hub, True)
    with pytest.raises(HubBytesWrong, match="sha256 hash differs"):  # a small one, of which the hub states no sha256
        pull(folder, replace(entry, files=(File(VAE), File("vae/config.json", 2, "ab" * 32))), hub, True)
    with pytest.raises(HubHasNot, match=r"no\.json"):
        pull(folder, replace(entry, files=(File("no.json"),)), hub, True)
    assert installed(folder) == {VAE: data}


def test_only_pickles_is_refused_before_anything_comes(fake: FakeHub, hub: Hub, folder: Folder, entry: Entry) -> None:
    files = fake.repositories["acme/paint"]
    for path in [p for p in files if p.startswith("unet/") and p.endswith(".safetensors")]:
        del files[path]
    with pytest.raises(ModelFileUnusable, match="acme/paint/unet: its weights come only as pickles"):
        pull(folder, entry, hub, True)
    assert not [s for s in fake.seen if s.host == "localhost"]


def test_what_is_no_safetensors_does_not_get_in(fake: FakeHub, hub: Hub, folder: Folder, entry: Entry) -> None:
    fake.repositories["acme/paint"][UNET] = raw({"w": {}}, b"x" * 2000)
    with pytest.raises(ModelFileUnusable, match="lacks dtype"):
        pull(folder, entry, hub, True)
    assert folder.ids() == []


def test_a_network_comes_as_its_family_does(fake: FakeHub, hub: Hub, folder: Folder, entry: Entry) -> None:
    from models.test_onnxfile import field, model, value

    detector = model(b"".join(field(12, value(name)) for name in YUNET if name != "cls_8"))
    fake.repositories["acme/paint"]["detector.onnx"] = detector
    wanted = replace(entry, family=Family.YUNET, files=(File("detector.onnx", len(detector)),))
    made = pull(folder, wanted, hub, True)
    assert (folder.path("paint") / "detector.onnx").read_bytes() == detector
    assert made.family is Family.YUNET
    with pytest.raises(ModelFileUnusable, match="taken of networks alone"):
        pull(folder, replace(wanted, family=Family.LORA), hub, True)


def test_no_room_is_told_before_anything_comes(
    fake: FakeHub, hub: Hub, folder: Folder, entry: Entry, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = sum(len(fake.repositories["acme/paint"][path]) for path in CHOSEN)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=SPARE + total - 1))
    with pytest.raises(NoRoomForModel):
        pull(folder, entry, hub, True)
    assert not [s for s in fake.seen if s.host == "localhost"]
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=SPARE + total))
    pull(folder, entry, hub, True)


def test_a_busy_list_is_waited_for_but_not_long(
    fake: FakeHub, hub: Hub, folder: Folder, entry: Entry, hasty: Patience
) -> None:
    fake.list_faults = [Fault(status=503)] * FIRST_TRIES
    with pytest.raises(HubUnreachable):
        pull(folder, entry, hub, True, hasty)
    fake.list_faults = [Fault(status=503)] * (FIRST_TRIES - 1)
    pull(folder, entry, hub, True, hasty)
    assert set(installed(folder)) == set(CHOSEN)


def test_two_pulls_of_one_model(hub: Hub, folder: Folder, entry: Entry) -> None:
    with folder.claim("paint"), pytest.raises(ModelBusy):
        pull(folder, entry, hub, True)
