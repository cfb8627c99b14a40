"""A hub with one model on it, an entry for it, and no proxy between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fakes.hub import FakeHub
from fakes.weights import pipeline
from frisket.models.catalogue import Commercial, Entry, Licence
from frisket.models.families import Family
from frisket.models.folder import Folder
from frisket.models.hub import Hub
from frisket.models.patience import Patience

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    """Holds acme/paint, whose UNet has 200 kB."""
    with FakeHub({"acme/paint": pipeline(unet_bytes=200_000)}) as hub:
        yield hub


@pytest.fixture
def hub(fake: FakeHub) -> Hub:
    return Hub(fake.url, timeout=5)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "models")


@pytest.fixture
def entry() -> Entry:
    licence = Licence("Open RAIL-M", "https://example.org/licence", Commercial.YES)
    return Entry("paint", "Paint", "acme/paint", "main", Family.SD15_INPAINT, (), licence)


@pytest.fixture
def hasty() -> Patience:
    """As patient as in earnest, without the pauses."""
    return Patience(sleep=lambda seconds: None)
