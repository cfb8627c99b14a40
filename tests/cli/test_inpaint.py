"""`frisket inpaint`: the mask changes and nothing else does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from live import ServerProcess, run_cli


def test_changes_the_mask_and_nothing_else(server: ServerProcess, files: Path) -> None:
    """As a user types it, in a process of its own."""
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


def test_takes_the_transparent_part_and_several_seeds(frisket, files: Path) -> None:
    done = frisket("inpaint", files / "cutout.png", "-o", files / "out.png", "--engine", "slow",
                   "--param", "steps=1", "--count", "2", "--seed", "7")  # fmt: skip
    assert "out.png  (seed 7)" in done.stdout
    one, two = (np.asarray(Image.open(files / name)) for name in ("out.png", "out-2.png"))
    assert (one[30:50, 40:60] == [7, 7, 7, 255]).all()
    assert (two[30:50, 40:60, :3] == 8).all()


def test_moves_what_is_masked(frisket, files: Path) -> None:
    frisket("inpaint", files / "photo.png", "--mask", files / "mask.png", "-o", files / "out.png", "--engine", "toy",
            "--param", "level=1.0", "--move", "30", "-20")  # fmt: skip
    before, after = (np.asarray(Image.open(files / name)) for name in ("photo.png", "out.png"))
    assert np.array_equal(after[10:30, 70:90], before[30:50, 40:60]), "moved"
    assert (after[30:50, 40:60] == 255).all(), "filled behind"
    untouched = np.ones((80, 100), bool)
    untouched[10:30, 70:90] = untouched[30:50, 40:60] = False
    assert np.array_equal(after[untouched], before[untouched])


def test_grows_by_the_dials(frisket, files: Path) -> None:
    frisket("inpaint", files / "photo.png", "--mask", files / "mask.png", "-o", files / "out.png", "--engine", "toy",
            "--param", "level=1.0", "--grow", "5", "--feather", "0", "--blend", "0")  # fmt: skip
    after = np.asarray(Image.open(files / "out.png"))
    assert (after[40, 35:65] == 255).all()
    assert (after[40, :34] < 128).all()


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
