"""The commands as users type them, each in a process of its own."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from frisket.cli.exits import EXIT
from frisket.cli.main import COMMANDS, SUMMARIES, main
from frisket.errors import FrisketError
from live import ServerProcess, run_cli

rng = np.random.default_rng(5)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """photo.png (RGB noise), mask.png (a square), cutout.png (RGBA with a transparent square)."""
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


@pytest.mark.parametrize("name", [None, *COMMANDS, "jobs watch", "jobs cancel", "jobs result", "jobs show"])
def test_every_command_has_help_with_an_example(name: str | None) -> None:
    words = [*(name.split() if name else []), "--help"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "Example:" in done.output
    assert "frisket" in done.output


def test_every_command_has_a_summary() -> None:
    assert set(COMMANDS) == set(SUMMARIES)


def test_inpaint_changes_the_mask_and_nothing_else(server: ServerProcess, files: Path) -> None:
    out = files / "out.png"
    done = run_cli("inpaint", str(files / "photo.png"), "--mask", str(files / "mask.png"), "-o", str(out),
                   "--engine", "toy", "--param", "level=1.0", "--seed", "3", "--json", "--layer",
                   str(files / "layer.png"), home=server.home)  # fmt: skip
    told = json.loads(done.stdout)
    assert told["seeds"] == [3]
    assert told["box"] == [40, 30, 20, 20]
    before, after = np.asarray(Image.open(files / "photo.png")), np.asarray(Image.open(out))
    mask = np.asarray(Image.open(files / "mask.png")) > 0
    assert np.array_equal(before[~mask], after[~mask])
    assert (after[mask] == 255).all()
    layer = np.asarray(Image.open(files / "layer.png"))
    assert np.array_equal(layer[..., 3], mask * np.uint8(255))


def test_inpaint_takes_the_transparent_part_and_several_seeds(server: ServerProcess, files: Path) -> None:
    done = run_cli("inpaint", str(files / "cutout.png"), "-o", str(files / "out.png"), "--engine", "slow",
                   "--param", "steps=1", "--count", "2", "--seed", "7", home=server.home)  # fmt: skip
    assert "out.png  (seed 7)" in done.stdout
    one, two = (np.asarray(Image.open(files / name)) for name in ("out.png", "out-2.png"))
    assert (one[30:50, 40:60] == [7, 7, 7, 255]).all()
    assert (two[30:50, 40:60, :3] == 8).all()


BAD = [
    (("missing.png", "mask.png"), "file-unreadable"),
    (("broken.png", "mask.png"), "file-unreadable"),
    (("photo.png", "half.png"), "mask-size-differs"),
    (("photo.png", "empty.png"), "mask-empty"),
    (("photo.png", None), "mask-missing"),
    (("indexed.png", "mask.png"), "image-format-unsupported"),
    (("cmyk.jpg", "mask.png"), "image-format-unsupported"),
]


@pytest.mark.parametrize(("names", "slug"), BAD)
def test_bad_files_have_words_and_an_exit_code(server, files: Path, names: tuple[str, str | None], slug: str) -> None:
    words = ["inpaint", str(files / names[0]), "-o", str(files / "out.png")]
    words += ["--mask", str(files / names[1])] if names[1] else []
    wanted = FrisketError.registry[slug]
    plain = run_cli(*words, home=server.home, check=False)
    assert plain.returncode == EXIT[wanted.kind]
    assert wanted.title in plain.stderr
    assert "Traceback" not in plain.stderr
    spoken = run_cli(*words, "--json", home=server.home, check=False)
    assert json.loads(spoken.stdout)["error"] == slug


@pytest.mark.parametrize(
    ("extra", "slug"),
    [
        (("--engine", "nonesuch"), "engine-unknown"),
        (("--model", "nonesuch"), "model-unknown"),
        (("--param", "nonesuch=1"), "parameter-unknown"),
        (("--param", "nonesuch"), "parameter-out-of-range"),
        (("--server", "127.0.0.1:1"), "server-unreachable"),
    ],
)
def test_bad_wishes_have_words_and_an_exit_code(server, files: Path, extra: tuple[str, ...], slug: str) -> None:
    words = ("inpaint", str(files / "photo.png"), "--mask", str(files / "mask.png"), "-o", str(files / "out.png"))
    done = run_cli(*words, *extra, "--json", home=server.home, check=False)
    assert json.loads(done.stdout)["error"] == slug
    assert done.returncode == EXIT[FrisketError.registry[slug].kind]
    assert not (files / "out.png").exists()


def test_jobs_are_listed_shown_fetched_and_cancelled(server: ServerProcess, files: Path) -> None:
    run_cli("inpaint", str(files / "photo.png"), "--mask", str(files / "mask.png"), "-o", str(files / "out.png"),
            "--engine", "toy", home=server.home)  # fmt: skip
    listed = json.loads(run_cli("jobs", "--json", home=server.home).stdout)["jobs"]
    job = next(j for j in listed if j["client"] == "frisket-cli")
    assert (job["state"], job["engine"], job["results"]) == ("finished", "toy", 1)
    assert job["id"] in run_cli("jobs", home=server.home).stdout
    assert "finished" in run_cli("jobs", "show", job["id"], home=server.home).stdout
    run_cli("jobs", "watch", job["id"], home=server.home)
    run_cli("jobs", "result", job["id"], "-o", str(files / "fill.png"), home=server.home)
    assert np.asarray(Image.open(files / "fill.png")).shape == (20, 20, 4)
    assert "finished" in run_cli("jobs", "cancel", job["id"], home=server.home).stdout
    unknown = run_cli("jobs", "show", "nonesuch", "--json", home=server.home, check=False)
    assert json.loads(unknown.stdout)["error"] == "job-unknown"


def test_jobs_without_a_server_says_so(tmp_path: Path) -> None:
    done = run_cli("jobs", home=tmp_path, check=False)
    assert done.returncode == EXIT[FrisketError.registry["server-not-running"].kind]
    assert "frisket serve" in done.stderr


def test_doctor_finds_the_server_and_its_engines(server: ServerProcess, tmp_path: Path) -> None:
    told = json.loads(run_cli("doctor", "--json", home=server.home).stdout)
    found = {f["what"]: f for f in told["findings"]}
    assert found["server"]["well"]
    assert found["engines"]["found"].startswith("patch")
    assert not found["extra: cluster"]["needed"]
    alone = run_cli("doctor", home=tmp_path)
    assert "frisket serve" in alone.stdout


def test_a_second_server_in_the_same_home_is_refused(server: ServerProcess) -> None:
    done = run_cli("serve", "--listen", "127.0.0.1:0", "--home", str(server.home), home=server.home, check=False)
    assert done.returncode == EXIT[FrisketError.registry["server-already-running"].kind]
    assert str(server.runtime.pid) in done.stderr


@pytest.mark.parametrize(("listen", "slug"), [("0.0.0.0:0", "address-not-allowed"), ("TAKEN", "address-in-use")])
def test_addresses_are_checked(server: ServerProcess, tmp_path: Path, listen: str, slug: str) -> None:
    listen = server.runtime.address if listen == "TAKEN" else listen
    done = run_cli("serve", "--listen", listen, home=tmp_path, check=False)
    assert done.returncode == EXIT[FrisketError.registry[slug].kind]
    assert FrisketError.registry[slug].title in done.stderr


@pytest.mark.slow
def test_a_private_server_comes_and_goes(files: Path, tmp_path: Path) -> None:
    """A fresh home: nothing compiled, nothing running, and nothing left running afterwards."""
    home = tmp_path / "nothing-here"
    out = files / "out.png"
    done = run_cli("inpaint", str(files / "photo.png"), "--mask", str(files / "mask.png"), "-o", str(out), home=home)
    assert "private" in done.stderr
    before, after = np.asarray(Image.open(files / "photo.png")), np.asarray(Image.open(out))
    mask = np.asarray(Image.open(files / "mask.png")) > 0
    assert np.array_equal(before[~mask], after[~mask])
    assert not np.array_equal(before[mask], after[mask])
    assert not (home / "server.json").exists()
