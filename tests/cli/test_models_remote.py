"""`frisket models ... --server`: the same words and errors, and nothing in this machine's own folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fakes.hub import COMMIT, FakeHub, Fault
from fakes.model_server import LICENCE, TOKEN, ModelServer, furnish
from fakes.weights import CHOSEN, UNET, pipeline
from frisket.cli.exits import EXIT
from frisket.cli.main import main
from frisket.cli.models_remote import fields_of, licence_of
from frisket.errors import FrisketError
from frisket.models.catalogue import Commercial, in_words
from frisket.rpc.model_calls import COMMERCIAL, licence_to_proto
from frisket.rpc.stubs import models_pb2

Run = Callable[..., Result]


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    with FakeHub({"acme/paint": pipeline(unet_bytes=400_000)}) as hub:
        yield hub


@pytest.fixture
def there(tmp_path: Path, fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    """A server with a home of its own; ours is empty and has no hub."""
    for name in [n for n in os.environ if n.lower().endswith("_proxy") or n.startswith("HF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_TOKEN_PATH", os.devnull)
    monkeypatch.setattr("frisket.rpc.errands.LOOK_S", 0.02)
    monkeypatch.setenv("FRISKET_HOME", str(tmp_path / "here"))
    monkeypatch.setenv("FRISKET_TOKEN", TOKEN)
    server = ModelServer(furnish(tmp_path / "there", fake.url))
    yield server
    server.stop()
    assert not (tmp_path / "here").exists()


@pytest.fixture
def run(there: ModelServer) -> Run:
    return lambda *words, **more: CliRunner().invoke(main, ["models", *words, "--server", there.address], **more)


def told(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refused(done: Result) -> dict[str, Any]:
    fields = json.loads(done.stdout)
    assert done.exit_code == EXIT[FrisketError.registry[fields["error"]].kind]
    return fields


def listed(run: Run) -> dict[str, dict[str, Any]]:
    return {m["id"]: m for m in told(run("list", "--json"))["models"]}


def test_from_the_list_to_the_disk_and_back(run: Run, there: ModelServer, fake: FakeHub) -> None:
    assert told(run("list", "--json"))["folder"] == str(there.home / "models")
    before = listed(run)["paint"]
    assert (before["state"], before["size"], before["pulling"]) == ("available", None, False)
    assert before["licence"] == {**LICENCE, "gated": False}
    assert before["purposes"] == ["inpaint", "outpaint"]
    made = told(run("pull", "paint", "--yes", "--json"))
    data = fake.repositories["acme/paint"]
    assert (made["size"], made["commit"]) == (sum(len(data[path]) for path in CHOSEN), COMMIT)
    assert (there.home / "models" / "paint" / UNET).read_bytes() == data[UNET]
    assert listed(run)["paint"] == made
    assert told(run("verify", "paint", "--json")) == told(run("verify", "--json")) == {"whole": ["paint"]}
    assert told(run("remove", "paint", "--json"))["freed"] > made["size"]
    assert listed(run)["paint"] == before


def test_words_for_people(run: Run, there: ModelServer, fake: FakeHub) -> None:
    size = in_words(sum(len(fake.repositories["acme/paint"][path]) for path in CHOSEN))
    assert "Open RAIL-M (commercial use: no)" in run("list").stdout
    pulled = run("pull", "paint", "--yes")
    assert pulled.stdout == f"paint is installed: {size} on {there.address} (commit {COMMIT[:12]})\n"
    assert "Pulling" in pulled.stderr
    assert run("verify").stdout == f"paint is whole: {size}\n"
    (there.home / "models" / "paint" / "model.lock.json").write_text("x")
    assert "frisket models remove paint" in run("list").stdout
    assert run("remove", "paint").stdout.startswith("paint is removed: 40")
    assert run("cancel", "paint").stdout == "paint is not being pulled\n"


def test_each_no_is_typed(run: Run, there: ModelServer, fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    fields = refused(run("pull", "paint", "--json"))
    assert (fields["error"], fields["data"]["link"]) == ("licence-not-accepted", LICENCE["link"])
    assert refused(run("pull", "pait", "--yes", "--json"))["remedy"].startswith("Did you mean paint")
    assert refused(run("verify", "paint", "--json"))["error"] == "model-not-installed"
    assert refused(run("remove", "paint", "--json"))["error"] == "model-not-installed"
    assert not fake.seen
    fake.gated.add("acme/paint")
    assert refused(run("pull", "paint", "--yes", "--json"))["error"] == "hub-gated"
    monkeypatch.setenv("FRISKET_TOKEN", "wrong")
    assert refused(run("list", "--json"))["error"] == "token-wrong"


@pytest.mark.parametrize(("answer", "pulled"), [("y", True), ("n", False)])
def test_at_a_terminal_the_licence_is_shown_first(
    run: Run, there: ModelServer, monkeypatch: pytest.MonkeyPatch, answer: str, pulled: bool
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    class Sys:
        stdin = Terminal()
        stderr = sys.stderr

    monkeypatch.setattr("frisket.cli.models.sys", Sys)
    done = run("pull", "paint", input=f"{answer}\n")
    assert LICENCE["link"] in done.stderr
    assert (there.home / "models" / "paint").exists() is pulled
    assert (done.exit_code == 0) is pulled


def test_cancel_needs_a_server(there: ModelServer) -> None:
    done = CliRunner().invoke(main, ["models", "cancel", "paint"])
    assert done.exit_code == 2
    assert "Ctrl+C" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_the_server_goes_on_when_the_command_is_killed(there: ModelServer, run: Run, fake: FakeHub, how: int) -> None:
    fake.faults[UNET] = [Fault(slow=0.15)]
    command = [sys.executable, "-m", "frisket.cli.main", "models", "pull", "paint", "--yes", "--server", there.address]
    pulling = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 20
    while time.monotonic() < until and not fake.ranges(UNET):
        time.sleep(0.01)
    time.sleep(0.05 if how == signal.SIGKILL else 0.3)  # it is following by then
    pulling.send_signal(how)
    _, said = pulling.communicate(timeout=10)
    if how == signal.SIGINT:
        assert "frisket models cancel paint" in said
    assert listed(run)["paint"]["pulling"]
    assert "pulling" in run("list").stdout
    done = run("pull", "paint")  # no licence is asked: who pulls it has accepted
    assert done.exit_code == 0, done.output
    assert fake.ranges(UNET) == [""]


@pytest.mark.parametrize("commercial", Commercial)
def test_licences_survive_the_wire(commercial: Commercial) -> None:
    from frisket.models.catalogue import Licence

    licence = Licence("L", "https://example.org", commercial, gated=True)
    assert licence_of(models_pb2.Model(licence=licence_to_proto(licence))) == licence


def test_what_a_newer_server_says_is_unknown_here() -> None:
    assert len(COMMERCIAL) == len(Commercial)
    assert licence_of(models_pb2.Model(licence=models_pb2.Licence(commercial=99))).commercial is Commercial.UNKNOWN  # type: ignore[arg-type]
    assert fields_of(models_pb2.Model(id="x", state=99, tasks=[99]))["purposes"] == []  # type: ignore[arg-type]
