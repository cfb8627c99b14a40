"""Models whose files lie at addresses of their own: through the same downloader, held to the catalogue's hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace

import pytest

from fakes.hub import COMMIT, FakeHub, Fault
from fakes.torchfiles import zipped
from frisket.errors import (
    HubBytesWrong,
    HubHasNot,
    HubOffline,
    HubUnreachable,
    LicenceNotAccepted,
    ModelFileUnusable,
)
from frisket.models.catalogue import Commercial, Entry, File, Licence
from frisket.models.families import PURPOSES, Family
from frisket.models.folder import Folder
from frisket.models.hub import Hub
from frisket.models.networks import MARKS
from frisket.models.patience import Patience
from frisket.models.pull import pull

LICENCE = Licence("S-Lab License 1.0", "https://example.org/licence", Commercial.NO)
WEIGHTS = zipped(dict.fromkeys(MARKS[Family.CODEFORMER], (100, 100)), "params_ema")
NAME = "codeformer.pth"


@pytest.fixture
def site() -> Iterator[FakeHub]:
    """Like the releases of a repository: it hands a request on to another host."""
    with FakeHub({"acme/faces": {NAME: WEIGHTS}}) as fake:
        yield fake


@pytest.fixture
def direct(site: FakeHub) -> Entry:
    url = f"{site.url}/acme/faces/resolve/{COMMIT}/{NAME}"
    file = File(NAME, len(WEIGHTS), hashlib.sha256(WEIGHTS).hexdigest(), url)
    family = Family.CODEFORMER
    return Entry("codeformer", "CodeFormer", "", "", family, PURPOSES[family], LICENCE, (file,))


def test_it_is_fetched_from_its_address_and_no_hub_is_asked(site: FakeHub, direct: Entry, folder: Folder) -> None:
    made = pull(folder, direct, Hub("http://127.0.0.1:1", token="hf_secret"), True)
    assert (folder.path("codeformer") / NAME).read_bytes() == WEIGHTS
    assert (made.repository, made.commit, made.endpoint) == ("", "", site.url)
    assert made.source == direct.files[0].url
    assert made.licence == LICENCE
    assert folder.record("codeformer") == made
    assert {seen.token for seen in site.seen} == {""}, "no token goes to strangers"
    assert {seen.host for seen in site.seen} == {"127.0.0.1", "localhost"}


def test_nothing_before_the_licence(site: FakeHub, direct: Entry, hub: Hub, folder: Folder) -> None:
    with pytest.raises(LicenceNotAccepted) as caught:
        pull(folder, direct, hub, False)
    assert "S-Lab License 1.0" in caught.value.cause
    assert not site.seen


def test_a_cut_pull_goes_on_where_it_stopped(
    site: FakeHub, direct: Entry, hub: Hub, folder: Folder, hasty: Patience
) -> None:
    site.faults[NAME] = [Fault(cut_after=50_000)] + [Fault(status=503)] * hasty.tries
    with pytest.raises(HubUnreachable):
        pull(folder, direct, hub, True, hasty)
    assert folder.ids() == []
    pull(folder, direct, hub, True, hasty)
    assert site.ranges(NAME)[-1] == "bytes=50000-"
    assert folder.verify("codeformer") == ()


def test_wrong_bytes_do_not_get_in(site: FakeHub, direct: Entry, hub: Hub, folder: Folder) -> None:
    site.faults[NAME] = [Fault(flip=True)] * 3
    with pytest.raises(HubBytesWrong, match="sha256 hash differs"):
        pull(folder, direct, hub, True)
    assert folder.ids() == []


def test_what_is_gone_or_of_another_length_is_told(site: FakeHub, direct: Entry, hub: Hub, folder: Folder) -> None:
    file = direct.files[0]
    gone = replace(direct, files=(replace(file, url=file.url.replace(NAME, "gone.pth")),))
    with pytest.raises(HubHasNot):
        pull(folder, gone, hub, True)
    with pytest.raises(HubBytesWrong, match="bytes, not"):
        pull(folder, replace(direct, files=(replace(file, size=len(WEIGHTS) + 1),)), hub, True)


def test_offline_means_offline(direct: Entry, hub: Hub, folder: Folder) -> None:
    with pytest.raises(HubOffline):
        pull(folder, direct, replace(hub, offline="HF_HUB_OFFLINE"), True)


def test_a_file_of_another_family_does_not_get_in(direct: Entry, hub: Hub, folder: Folder) -> None:
    with pytest.raises(ModelFileUnusable, match="gfpgan is wanted, it is of the family codeformer"):
        pull(folder, replace(direct, family=Family.GFPGAN), hub, True)
    assert folder.ids() == []


def test_a_damaged_one_is_to_be_pulled_again(direct: Entry, hub: Hub, folder: Folder) -> None:
    from frisket.errors import ModelDamaged

    pull(folder, direct, hub, True)
    (folder.path("codeformer") / NAME).write_bytes(WEIGHTS[:-1] + b"\1")
    with pytest.raises(ModelDamaged) as caught:
        folder.check("codeformer")
    assert "frisket models pull codeformer" in caught.value.remedy
    pull(folder, direct, hub, True)
    assert folder.verify("codeformer") == ()
