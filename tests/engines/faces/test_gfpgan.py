"""GFPGAN's network: its own package's and spandrel's draw the same picture.

The package is compared where FRISKET_PEERS names a folder that it was installed into
(`pip install --no-deps --no-build-isolation --target DIR gfpgan facexlib basicsr scipy`), or where it is in the
environment.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from frisket.models.families import Family

pytestmark = [pytest.mark.nets]
torch = pytest.importorskip("torch", reason="the extra `faces` (torch, spandrel) is not installed")

PEERS = os.environ.get("FRISKET_PEERS", "")
DRAW = """
import sys
import numpy as np, torch
from pathlib import Path
from frisket.engines.faces import gfpgan
from frisket.models.record import read
folder, faces, out = map(Path, sys.argv[1:4])
net = gfpgan.network(folder, read(folder, folder.name))
with torch.inference_mode():
    np.save(out, gfpgan.draw(net, torch.from_numpy(np.load(faces))).numpy())
print(type(net).__module__, gfpgan.GONE in sys.modules)
"""


def drawn(tmp_path: Path, model: Path, peers: str) -> tuple[np.ndarray, str]:
    """What a process of its own draws, and whose network it was."""
    faces, out = tmp_path / "faces.npy", tmp_path / "out.npy"
    np.save(faces, np.random.default_rng(3).random((1, 3, 512, 512), dtype=np.float32) * 2 - 1)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), peers]))}
    done = subprocess.run(
        [sys.executable, "-c", DRAW, str(model), str(faces), str(out)], env=env, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return np.load(out), done.stdout.split("\n")[-2]


def test_both_networks_draw_the_same_picture(tmp_path: Path, checkpoint: Callable[[Family], Path]) -> None:
    from engines.faces.makers import install

    record = install(Family.GFPGAN, checkpoint(Family.GFPGAN), tmp_path / "models")
    theirs, whose = drawn(tmp_path, tmp_path / "models" / record.id, PEERS)
    if not whose.startswith("gfpgan."):
        pytest.skip("the package gfpgan is neither in the environment nor in the folder FRISKET_PEERS")
    assert whose == "gfpgan.archs.gfpganv1_clean_arch False", "the module that torchvision took out is gone again"
    block = tmp_path / "block" / "gfpgan"
    block.mkdir(parents=True)
    (block / "__init__.py").write_text("raise ImportError('not today')")
    ours, whose = drawn(tmp_path, tmp_path / "models" / record.id, str(block.parent))
    assert whose.startswith("spandrel.")
    assert theirs.std() > 0.1, "it is a picture"
    np.testing.assert_allclose(theirs, ours, atol=1e-5)


def test_a_package_that_does_not_import_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from frisket.engines.faces import gfpgan

    (tmp_path / "gfpgan").mkdir()
    (tmp_path / "gfpgan" / "__init__.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "gfpgan", raising=False)
    assert gfpgan.of_package() is None
    assert gfpgan.GONE not in sys.modules


def test_noise_is_the_files_own(tmp_path: Path, checkpoint: Callable[[Family], Path]) -> None:
    from engines.faces.makers import install
    from frisket.engines.faces.gfpgan import draw, network

    record = install(Family.GFPGAN, checkpoint(Family.GFPGAN), tmp_path)
    net, face = network(tmp_path / record.id, record), torch.zeros(1, 3, 512, 512)
    with torch.inference_mode():
        first, second = draw(net, face), draw(net, face)
        by_chance = net(face)[0]
    assert torch.equal(first, second)
    assert (first - by_chance).abs().max() > 0.01, "with noise by chance it would have been another picture"
