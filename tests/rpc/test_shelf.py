"""What is installed is offered, and what is gone is not, without a restart: by the registry, and by a real worker."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from fakes.engines import ToyEngine
from fakes.hub import FakeHub
from fakes.model_server import furnish
from fakes.weights import pipeline
from frisket.client.models import Models
from frisket.engines.registry import Registry
from frisket.errors import EngineUnknown
from frisket.models.folder import Folder
from frisket.rpc.shelf import Shelf
from live import FAKES, ServerProcess, make_transport
from rpc.test_studio import ask, outcome, submit


def lay(folder: Folder, name: str) -> None:
    (folder.root / name).mkdir(parents=True)
    (folder.root / name / "model.lock.json").write_text("{}")


def test_the_registry_is_read_again_only_when_the_folder_has_changed(tmp_path: Path) -> None:
    folder, made, renewed = Folder(tmp_path / "models"), [], []

    def make() -> Registry:
        made.append(1)
        return Registry([ToyEngine(id=name) for name in folder.ids()])

    async def run() -> None:
        shelf = Shelf(folder, make, lambda: renewed.append(len(made)))
        assert (await shelf.registry()).engines == ()
        assert (len(made), renewed) == (1, [])
        lay(folder, "one")
        many = await asyncio.gather(*(shelf.registry() for _ in range(5)))
        assert [[e.spec.id for e in registry.engines] for registry in many] == [["one"]] * 5
        assert (len(made), renewed) == (2, [2]), "five calls at once read it once"
        os.rename(folder.root / "one", folder.root / ".gone")
        assert (await shelf.registry()).engines == ()
        assert renewed == [2, 3]

    asyncio.run(run())


def test_a_registry_that_cannot_be_made_is_tried_again(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "models")

    def make() -> Registry:
        if folder.ids() == ["one"]:
            raise OSError("a bad moment")
        return Registry([ToyEngine(id=name) for name in folder.ids()])

    async def run() -> None:
        shelf = Shelf(folder, make)
        lay(folder, "one")
        with pytest.raises(OSError, match="a bad moment"):
            await shelf.registry()
        lay(folder, "two")
        assert len((await shelf.registry()).engines) == 2

    asyncio.run(run())


def test_a_pulled_models_engine_works_in_the_server_that_runs(
    own_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine `shelved` is there while the model `paint` is: listed, planned and painted with; then gone."""
    for name in [n for n in os.environ if n.lower().endswith("_proxy") or n.startswith("HF_")]:
        monkeypatch.delenv(name)
    own_server.options = ("--engine", f"{FAKES}:SHELVED")
    with FakeHub({"acme/paint": pipeline()}) as fake:
        furnish(own_server.home, fake.url)
        client = own_server.start().client()
        assert not {"shelved", "paint"} & {e.id for e in client.engines()}
        with pytest.raises(EngineUnknown):
            submit(client, ask("shelved"))
        transport = make_transport("grpc", own_server.runtime.address, own_server.runtime.token)
        models = Models(transport)
        outcome(client, submit(client, ask("toy")).id)  # the worker is warm, and does not know it
        list(models.pull("paint", True))
        engines = {e.id: e for e in client.engines()}
        assert "shelved" in engines
        assert engines["paint"].title == "Paint", "the model itself is an engine"
        job = submit(client, ask("shelved"))
        outcome(client, job.id)
        assert json.loads(client.result(job.id).request_json)["engine"] == "shelved"
        models.remove("paint")
        assert not {"shelved", "paint"} & {e.id for e in client.engines()}
        with pytest.raises(EngineUnknown):
            submit(client, ask("shelved"))
        transport.close()
        client.close()
    own_server.stop()
