"""`frisket models`: list, pull, verify, remove, import, from the command line to the last byte on the disk."""

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

from fakes.hub import FakeHub, Fault
from fakes.weights import CHOSEN, UNET, pipeline, safetensors
from frisket.cli.exits import EXIT
from frisket.cli.main import main
from frisket.errors import FrisketError
from frisket.models.catalogue import in_words

LICENCE = {"name": "Open RAIL-M", "link": "https://example.org/licence", "commercial": "no"}
PAINT = {
    "title": "Paint",
    "repository": "acme/paint",
    "revision": "main",
    "family": "sd15-inpaint",
    "licence": LICENCE,
    "memory_needed": 5,
}
Run = Callable[..., Result]


@pytest.fixture
def fake() -> Iterator[FakeHub]:
    with FakeHub({"acme/paint": pipeline(unet_bytes=400_000)}) as hub:
        yield hub


@pytest.fixture
def home(tmp_path: Path, fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose catalogue has paint, and an environment that names the fake hub alone."""
    (tmp_path / "home" / "catalogue").mkdir(parents=True)
    (tmp_path / "home" / "catalogue" / "mine.json").write_text(json.dumps({"models": {"paint": PAINT}}))
    for name in [n for n in os.environ if n.lower().endswith("_proxy") or n.startswith("HF_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FRISKET_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("HF_ENDPOINT", fake.url)
    return tmp_path / "home"


@pytest.fixture
def run(home: Path) -> Run:
    return lambda *words, **more: CliRunner().invoke(main, ["models", *map(str, words)], **more)


def told(done: Result) -> dict[str, Any]:
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def refused(done: Result) -> dict[str, Any]:
    fields = json.loads(done.stdout)
    assert done.exit_code == EXIT[FrisketError.registry[fields["error"]].kind]
    return fields


def listed(run: Run) -> dict[str, dict[str, Any]]:
    return {m["id"]: m for m in told(run("list", "--json"))["models"]}


def test_from_the_list_to_the_disk_and_back(run: Run, home: Path, fake: FakeHub) -> None:
    before = listed(run)["paint"]
    assert (before["state"], before["size"], before["licence"]["commercial"]) == ("available", None, "no")
    assert not fake.seen, "a list asks no network"
    made = told(run("pull", "paint", "--yes", "--json"))
    data = fake.repositories["acme/paint"]
    assert made["size"] == sum(len(data[path]) for path in CHOSEN)
    assert made["licence"] == {**LICENCE, "gated": False}
    assert all((home / "models" / "paint" / path).read_bytes() == data[path] for path in CHOSEN)
    assert listed(run)["paint"]["state"] == "installed"
    assert told(run("verify", "paint", "--json")) == {"whole": ["paint"]}
    assert told(run("verify", "--json")) == {"whole": ["paint"]}
    assert told(run("remove", "paint", "--json"))["freed"] > made["size"]
    assert listed(run)["paint"]["state"] == "available"
    assert not (home / "models" / "paint").exists()


def test_words_for_people(run: Run, home: Path, fake: FakeHub) -> None:
    assert "sdxl-inpaint           available" in run("list").stdout
    size = in_words(sum(len(fake.repositories["acme/paint"][path]) for path in CHOSEN))
    pulled = run("pull", "paint", "--yes")
    assert pulled.exit_code == 0
    assert pulled.stdout.startswith(f"paint is installed: {size} in ")
    assert "Pulling" in pulled.stderr
    assert "Open RAIL-M (commercial use: no)" in run("list").stdout
    assert run("verify").stdout == f"paint is whole: 6 files, {size}\n"
    (home / "models" / "paint" / "model.lock.json").write_text("x")
    assert "frisket models remove paint" in run("list").stdout
    assert listed(run)["paint"] == {"id": "paint", "state": "damaged"}
    assert run("remove", "paint").stdout.startswith("paint is removed: 40")
    assert run("verify").stdout == "No models are installed.\n"


def test_the_licence_is_asked_for(run: Run, fake: FakeHub) -> None:
    fields = refused(run("pull", "paint", "--json"))
    assert fields["error"] == "licence-not-accepted"
    assert "frisket models pull paint --yes" in fields["remedy"]
    assert run("pull", "paint", input="y\n").exit_code == EXIT[FrisketError.registry["licence-not-accepted"].kind]
    assert not fake.seen


@pytest.mark.parametrize(("answer", "pulled"), [("y", True), ("n", False)])
def test_at_a_terminal_it_is_shown_first(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch, answer: str, pulled: bool
) -> None:
    class Terminal:
        def isatty(self) -> bool:
            return True

    class Sys:
        stdin = Terminal()
        stderr = sys.stderr

    monkeypatch.setattr("frisket.cli.models.sys", Sys)
    done = run("pull", "paint", input=f"{answer}\n")
    assert "https://example.org/licence" in done.stderr
    assert "Commercial use: no." in done.stderr
    assert (home / "models" / "paint").exists() is pulled
    assert (done.exit_code == 0) is pulled


def test_each_no_is_typed(run: Run, home: Path, fake: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert refused(run("pull", "pait", "--yes", "--json"))["remedy"].startswith("Did you mean paint")
    assert refused(run("verify", "paint", "--json"))["error"] == "model-not-installed"
    assert refused(run("remove", "../..", "--json"))["error"] == "model-not-installed"
    fake.gated.add("acme/paint")
    assert refused(run("pull", "paint", "--yes", "--json"))["error"] == "hub-gated"
    monkeypatch.setenv("HF_TOKEN", "hf_right")
    assert run("pull", "paint", "--yes").exit_code == 0
    (home / "models" / "paint" / UNET).write_bytes(b"x")
    assert refused(run("verify", "--json"))["error"] == "model-damaged"
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert refused(run("pull", "paint", "--yes", "--json"))["error"] == "hub-offline"
    (home / "catalogue" / "bad.json").write_text("{")
    assert refused(run("list", "--json"))["error"] == "catalogue-invalid"


def test_import(run: Run, home: Path, tmp_path: Path) -> None:
    (tmp_path / "Style 2.safetensors").write_bytes(safetensors({"a.lora_up.weight": ("F16", (4, 4))}))
    made = told(run("import", tmp_path / "Style 2.safetensors", "--json"))
    assert (made["id"], made["family"], made["licence"]["name"]) == ("style-2", "lora", "unknown")
    (tmp_path / "x.safetensors").write_bytes(safetensors({"w": ("F16", (4, 4))}))
    assert refused(run("import", tmp_path / "x.safetensors", "--json"))["error"] == "model-family-unknown"
    done = run("import", tmp_path / "x.safetensors", "--family", "vae", "--id", "mine")
    assert done.stdout.startswith("mine is installed as vae: ")
    (tmp_path / "evil.ckpt").write_bytes(b"\x80\x02")
    assert refused(run("import", tmp_path / "evil.ckpt", "--json"))["error"] == "model-file-unusable"
    assert run("verify").exit_code == 0


def test_a_killed_pull_goes_on_where_it_stopped(run: Run, home: Path, fake: FakeHub) -> None:
    fake.faults[UNET] = [Fault(slow=0.1)]
    command = [sys.executable, "-m", "frisket.cli.main", "models", "pull", "paint", "--yes"]
    pulling = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    parts: list[Path] = []
    until = time.monotonic() + 30
    while time.monotonic() < until and not (parts and parts[0].stat().st_size >= 100_000):
        time.sleep(0.01)
        parts = list((home / "models" / ".pulling" / "paint" / "unet").glob("*.part"))
    pulling.send_signal(signal.SIGKILL)
    pulling.wait()
    kept = parts[0].stat().st_size
    data = fake.repositories["acme/paint"]
    assert 100_000 <= kept < len(data[UNET]), "killed in the middle"
    assert listed(run)["paint"]["state"] == "available"
    fake.seen.clear()
    assert run("pull", "paint", "--yes").exit_code == 0
    assert fake.ranges(UNET) == [f"bytes={kept}-"]
    assert all((home / "models" / "paint" / path).read_bytes() == data[path] for path in CHOSEN)
    assert run("verify", "paint").exit_code == 0
