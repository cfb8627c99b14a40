"""What the hub says, and the typed error for each way it can say no."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from fakes.hub import COMMIT, FakeHub, Fault, git_hash
from fakes.weights import UNET
from frisket.errors import HubAnswerWrong, HubGated, HubHasNot, HubOffline, HubRefused, ModelsFolderUnusable
from frisket.models.hub import HUB, Hash, Hub, hasher, hub_of
from frisket.models.patience import Interrupted


def test_a_list_states_size_and_hash(fake: FakeHub, hub: Hub) -> None:
    listing = hub.listing("acme/paint", "main")
    assert listing.commit == COMMIT
    files = fake.repositories["acme/paint"]
    stated = {f.path: f for f in listing.files}
    assert set(stated) == set(files)
    assert {p: f.size for p, f in stated.items()} == {p: len(data) for p, data in files.items()}
    assert (stated[UNET].hash, stated[UNET].digest) == (Hash.SHA256, hashlib.sha256(files[UNET]).hexdigest())
    small = stated["model_index.json"]
    assert (small.hash, small.digest) == (Hash.GIT, git_hash(files["model_index.json"]))


def test_gits_hash_is_gits() -> None:
    made = hasher(Hash.GIT, 6)
    made.update(b"hello\n")
    assert made.hexdigest() == "ce013625030ba8dba906f756967f9e9ca394464a", "git hash-object"


def test_a_mirror_without_hashes_is_asked_for_each_etag(fake: FakeHub, hub: Hub) -> None:
    fake.states_hashes = False
    listing = hub.listing("acme/paint", "main")
    files = {f.path: f for f in listing.files}
    assert files[UNET].digest is None
    data = fake.repositories["acme/paint"]
    large, small = hub.stated(listing, files[UNET]), hub.stated(listing, files["model_index.json"])
    assert (large.size, large.digest) == (len(data[UNET]), hashlib.sha256(data[UNET]).hexdigest())
    assert (small.size, small.digest) == (len(data["model_index.json"]), git_hash(data["model_index.json"]))
    assert (large.hash, small.hash) == (Hash.SHA256, Hash.GIT)


def test_gated(fake: FakeHub, hub: Hub) -> None:
    fake.gated.add("acme/paint")
    listing = hub.listing("acme/paint", "main")  # anyone may list
    for token, told in (("", "no token was sent"), ("hf_wrong", "may not read it")):
        with pytest.raises(HubGated) as caught, replace(hub, token=token).open(listing, UNET):
            pass
        assert told in caught.value.cause
        assert f"{fake.url}/acme/paint" in caught.value.remedy
        assert "hf_wrong" not in str(caught.value)
    with replace(hub, token="hf_right").open(listing, UNET) as answer:
        assert answer.status == 200


def test_a_token_does_not_travel_in_the_clear(fake: FakeHub, hub: Hub) -> None:
    for endpoint, sent in ((fake.url, "Bearer hf_x"), (f"http://0.0.0.0:{fake.port}", "")):  # no loopback name
        replace(hub, endpoint=endpoint, token="hf_x").listing("acme/paint", "main")
        assert fake.seen[-1].token == sent
    assert not Hub("http://mirror.example.org", "hf_x")._is_private()
    assert Hub("https://mirror.example.org", "hf_x")._is_private()
    assert Hub("http://127.0.0.1:5", "hf_x")._is_private()
    assert "hf_x" not in repr(Hub(HUB, "hf_x"))


def test_not_there(fake: FakeHub, hub: Hub) -> None:
    with pytest.raises(HubRefused):
        hub.listing("acme/nonesuch", "main")  # a hub hides what is private from who sends no token
    with pytest.raises(HubHasNot):
        replace(hub, token="hf_right").listing("acme/nonesuch", "main")
    with pytest.raises(HubHasNot) as caught:
        hub.listing("acme/paint", "v9")
    assert "acme/paint at v9" in caught.value.cause
    listing = hub.listing("acme/paint", "main")
    with pytest.raises(HubHasNot, match=r"no\.json"):
        hub.small(listing, "no.json")


def test_nonsense(fake: FakeHub, hub: Hub) -> None:
    fake.repositories["acme/paint"]["page.html"] = b"<html>Log in here</html>" * 90
    listing = hub.listing("acme/paint", "main")
    with pytest.raises(HubAnswerWrong, match="longer than 100"):
        hub.small(listing, "page.html", limit=100)
    with pytest.raises(HubAnswerWrong):
        replace(hub, endpoint=f"{fake.url}/acme/paint/resolve/{COMMIT}/page.html?").listing("a/b", "main")
    fake.list_faults = [Fault(status=418)]
    with pytest.raises(HubAnswerWrong, match="418"):
        hub.listing("acme/paint", "main")


def test_a_cut_small_file_is_worth_another_try(fake: FakeHub, hub: Hub) -> None:
    listing = hub.listing("acme/paint", "main")
    fake.faults["model_index.json"] = [Fault(cut_after=10)]
    with pytest.raises(Interrupted):
        hub.small(listing, "model_index.json")
    assert hub.small(listing, "model_index.json") == fake.repositories["acme/paint"]["model_index.json"]


def test_offline_asks_nobody(fake: FakeHub, hub: Hub) -> None:
    with pytest.raises(HubOffline) as caught:
        replace(hub, offline="HF_HUB_OFFLINE").listing("acme/paint", "main")
    assert "HF_HUB_OFFLINE" in caught.value.cause
    assert not fake.seen


def test_settings(tmp_path: Path) -> None:
    home, settings = {"HOME": str(tmp_path)}, tmp_path / "hub.json"
    assert hub_of(home, settings) == Hub(HUB)
    settings.write_text('{"endpoint": "https://mirror.example.org/", "offline": true}')
    assert hub_of(home, settings) == Hub("https://mirror.example.org", offline=str(settings))
    env = {**home, "HF_ENDPOINT": "http://127.0.0.1:5", "HF_HUB_OFFLINE": "1", "HF_TOKEN": " hf_a "}
    assert hub_of(env, settings) == Hub("http://127.0.0.1:5", "hf_a", "HF_HUB_OFFLINE")


def test_token_files(tmp_path: Path) -> None:
    home, settings = {"HOME": str(tmp_path)}, tmp_path / "hub.json"
    kept = tmp_path / ".cache" / "huggingface" / "token"
    kept.parent.mkdir(parents=True)
    kept.write_text("hf_kept\n")
    (tmp_path / "token").write_text("hf_home")
    (tmp_path / "mine").write_text("hf_mine")
    assert hub_of(home, settings).token == "hf_kept"
    assert hub_of({**home, "HF_HOME": str(tmp_path)}, settings).token == "hf_home"
    assert hub_of({**home, "HF_TOKEN_PATH": str(tmp_path / "mine")}, settings).token == "hf_mine"
    assert hub_of({**home, "HF_TOKEN": "hf_env"}, settings).token == "hf_env"


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"endpoint": "ftp://x"}', '{"endpoint": "file:///etc"}', '{"endpoint": "x"}']
)
def test_settings_that_make_no_sense(tmp_path: Path, text: str) -> None:
    (tmp_path / "hub.json").write_text(text)
    with pytest.raises(ModelsFolderUnusable):
        hub_of({"HOME": str(tmp_path)}, tmp_path / "hub.json")
