"""Mistakes that users make, told before the work is done and not after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frisket.client.places import alive, read_runtime
from frisket.errors import ServerNotRunning
from live import ServerProcess, run_cli


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(5).integers(90, 110, (40, 50, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    pixels[10:20, 10:20, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize("target", ["x.xyz", "noext", ".", "missing/x.png", "x.jpg"])
def test_a_target_that_cannot_be_written_is_told_before_the_work(
    server: ServerProcess, photo: Path, target: str
) -> None:
    jobs = json.loads(run_cli("jobs", "--json", "--limit", "1000", home=server.home).stdout)["jobs"]
    done = run_cli("inpaint", str(photo), "-o", str(photo.parent / target), "--engine", "toy", "--json",
                   home=server.home, check=False)  # fmt: skip
    assert json.loads(done.stdout)["error"] == "file-unwritable"
    after = json.loads(run_cli("jobs", "--json", "--limit", "1000", home=server.home).stdout)["jobs"]
    assert len(after) == len(jobs)


def test_jpeg_is_told_that_it_is_not_exact(server: ServerProcess, photo: Path) -> None:
    rgb, mask = photo.with_name("rgb.png"), photo.with_name("mask.png")
    Image.open(photo).convert("RGB").save(rgb)
    Image.new("L", (50, 40), 255).crop((0, 0, 50, 40)).save(mask)
    Image.fromarray(np.pad(np.full((9, 9), 255, np.uint8), ((9, 22), (9, 32)))).save(mask)
    words = ("inpaint", str(rgb), "--mask", str(mask), "--engine", "toy", "--json")
    told = json.loads(run_cli(*words, "-o", str(photo.with_name("a.jpg")), home=server.home).stdout)
    assert "JPEG" in told["notes"][-1]
    told = json.loads(run_cli(*words, "-o", str(photo.with_name("a.png")), home=server.home).stdout)
    assert not any("JPEG" in note for note in told["notes"])


def test_a_demo_into_a_file_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    began = time.monotonic()
    done = run_cli("demo", "-o", str(tmp_path / "file"), home=tmp_path / "home", check=False)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert time.monotonic() - began < 5


def test_ctrl_c_in_watch_leaves_the_job_and_says_so(server: ServerProcess, photo: Path) -> None:
    client = server.client()
    from rpc.test_studio import ask, submit

    job = submit(client, ask("slow", engine_params={"steps": 150, "step_ms": 20}))
    command = [sys.executable, "-m", "frisket.cli.main", "jobs", "watch", job.id]
    watching = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "FRISKET_HOME": str(server.home)}
    )
    time.sleep(1.0)
    watching.send_signal(signal.SIGINT)
    out, _ = watching.communicate(timeout=10)
    assert "goes on" in out
    assert [e.WhichOneof("what") for e in client.watch(job.id)][-1] == "finished"
    client.close()


def test_a_killed_command_takes_its_private_server_and_folder_with_it(own_server: ServerProcess) -> None:
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    own_server.options = ("--owner", str(owner.pid), "--sweep-home")
    own_server.start()
    owner.kill()
    owner.wait()
    own_server.wait_gone()
    until = time.monotonic() + 5
    while own_server.home.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not own_server.home.exists()
    assert not alive(own_server.runtime.pid)
    with pytest.raises(ServerNotRunning):
        read_runtime(own_server.home)


def test_how_many_jobs_is_checked(server: ServerProcess) -> None:
    assert run_cli("jobs", "--limit", "-3", home=server.home, check=False).returncode == 2
