"""`frisket jobs`: list, show, watch, fetch, cancel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from frisket.cli.exits import EXIT
from frisket.cli.jobs import WORDS
from frisket.cli.main import main
from frisket.errors import FrisketError, Kind
from frisket.rpc.stubs import jobs_pb2


@pytest.fixture
def job(frisket, files: Path) -> str:
    """The id of a finished one."""
    frisket("inpaint", files / "photo.png", "--mask", files / "mask.png", "-o", files / "out.png", "--engine", "toy")
    listed = json.loads(frisket("jobs", "--json", "--limit", "1").stdout)["jobs"]
    assert [(j["client"], j["state"], j["engine"], j["results"]) for j in listed] == [
        ("frisket-cli", "finished", "toy", 1)
    ]
    return listed[0]["id"]


def test_finished_ones_are_shown_and_watched(frisket, job: str) -> None:
    assert frisket("jobs").stdout.splitlines()[0].startswith(job), "the newest comes first"
    (line,) = frisket("jobs", "show", job).stdout.splitlines()
    assert line.split()[3] == "finished"
    assert line.endswith("inpaint by toy  1 result(s)")
    assert json.loads(frisket("jobs", "watch", job, "--json").stdout) == {"id": job, "state": "finished"}
    assert "finished" in frisket("jobs", "cancel", job).stdout, "it stays as it is"


def test_a_result_is_the_new_pixels_alone(frisket, refused, job: str, files: Path) -> None:
    told = json.loads(frisket("jobs", "result", job, "-o", files / "fill.png", "--json").stdout)
    assert told["box"] == [40, 30, 20, 20]
    fill = np.asarray(Image.open(files / "fill.png"))
    whole = np.asarray(Image.open(files / "out.png"))
    assert np.array_equal(fill[..., :3], whole[30:50, 40:60])
    assert (fill[..., 3] == 255).all()
    assert refused("jobs", "result", job, "--index", "1", "-o", files / "no.png")["error"] == "result-unknown"


def test_a_failed_one_says_why(frisket, refused, files: Path) -> None:
    told = refused("inpaint", files / "photo.png", "--mask", files / "mask.png", "-o", files / "out.png", "--engine",
                   "broken")  # fmt: skip
    assert told["error"] == "engine-failed"
    (listed,) = json.loads(frisket("jobs", "--json", "--limit", "1").stdout)["jobs"]
    assert (listed["state"], listed["error"]) == ("failed", "engine-failed")
    shown = frisket("jobs", "show", listed["id"]).stdout
    assert told["cause"] in shown
    assert told["remedy"] in shown


@pytest.mark.parametrize("command", ["show", "watch", "cancel"])
def test_an_unknown_one(refused, command: str) -> None:
    assert refused("jobs", command, "nonesuch")["error"] == "job-unknown"


def test_without_a_server_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRISKET_HOME", str(tmp_path))
    done = CliRunner().invoke(main, ["jobs"])
    assert done.exit_code == EXIT[Kind.UNAVAILABLE]
    assert FrisketError.registry["server-not-running"].title in done.stderr
    assert "frisket serve" in done.stderr


def test_every_state_has_a_word() -> None:
    assert set(WORDS) == set(jobs_pb2.JobState.values()) - {jobs_pb2.JOB_STATE_UNSPECIFIED}
