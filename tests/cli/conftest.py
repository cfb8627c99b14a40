"""Picture files, and the commands within this process, with the shared server as the one that runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

from frisket.cli.exits import EXIT
from frisket.cli.main import main
from frisket.errors import FrisketError
from live import ServerProcess

Frisket = Callable[..., Result]
Refused = Callable[..., dict[str, Any]]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """photo.png (RGB noise), mask.png (a square of 20 px at 40, 30), cutout.png (RGBA with a transparent square), and
    what cannot be used."""
    rng = np.random.default_rng(5)
    photo = rng.integers(90, 110, (80, 100, 3), dtype=np.uint8)
    mask = np.zeros((80, 100), np.uint8)
    mask[30:50, 40:60] = 255
    Image.fromarray(photo).save(tmp_path / "photo.png")
    Image.fromarray(mask).save(tmp_path / "mask.png")
    Image.fromarray(np.dstack([photo, 255 - mask])).save(tmp_path / "cutout.png")
    Image.fromarray(mask[:40]).save(tmp_path / "half.png")
    Image.fromarray(mask * 0).save(tmp_path / "empty.png")
    Image.fromarray(photo).convert("P").save(tmp_path / "indexed.png")
    Image.fromarray(photo).convert("CMYK").save(tmp_path / "cmyk.jpg")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    return tmp_path


@pytest.fixture
def frisket(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Frisket:
    """`frisket WORDS`, in the folder of the shared server. It has to succeed."""
    run = _runner(server.home, monkeypatch)

    def well(*words: object) -> Result:
        done = run(*words)
        assert done.exit_code == 0, done.output
        return done

    return well


@pytest.fixture
def refused(server: ServerProcess, monkeypatch: pytest.MonkeyPatch) -> Refused:
    """What `frisket WORDS --json` complains of: its words agree with its exit code, and no traceback is seen."""
    run = _runner(server.home, monkeypatch)

    def complaint(*words: object) -> dict[str, Any]:
        done = run(*words, "--json")
        told = json.loads(done.stdout)
        assert done.exit_code == EXIT[FrisketError.registry[told["error"]].kind]
        assert "Traceback" not in done.output
        return told

    return complaint


def _runner(home: Path, monkeypatch: pytest.MonkeyPatch) -> Frisket:
    monkeypatch.setenv("FRISKET_HOME", str(home))
    monkeypatch.delenv("FRISKET_SERVER", raising=False)
    monkeypatch.delenv("FRISKET_TOKEN", raising=False)
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])
