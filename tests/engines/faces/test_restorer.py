"""Face restorers on random checkpoints in the published formats."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engines.faces.test_stack import Teller
from frisket.engines.faces.restorer import KINDS, FaceRestorer
from frisket.engines.registry import checked
from frisket.engines.spec import Silent, Task, Work
from frisket.errors import Cancelled, ModelDamaged, ModelFileUnusable, ParameterOutOfRange
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import PURPOSES, Family, Purpose
from frisket.models.record import Held, Record

pytestmark = [pytest.mark.nets]
pytest.importorskip("torch", reason="the extra `faces` (torch, spandrel) is not installed")

HOLE = np.ones((512, 512), np.float32)
SLOW = (pytest.mark.slow, pytest.mark.timeout(600))  # half a minute on two idle cores, minutes on busy ones


def faces(count: int = 1) -> np.ndarray:
    """Smooth colours, another for each face."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:512, 0:512].astype(np.float32) / 512
    waves = [np.sin(rng.uniform(2, 20, 3) * x[..., None] + rng.uniform(2, 20, 3) * y[..., None]) for _ in range(count)]
    return np.stack(waves).astype(np.float32) / 2 + 0.5


def work(stack: np.ndarray, seed: int = 1, **params: Any) -> Work:
    return Work(Task.RESTORE_FACES, stack, HOLE, params, [seed])


@pytest.fixture
def engine(tmp_path: Path, checkpoint: Callable[[Family], Path]) -> Callable[[Family], FaceRestorer]:
    def made(family: Family) -> FaceRestorer:
        from engines.faces.makers import install

        record = install(family, checkpoint(family), tmp_path / "models")
        return FaceRestorer(tmp_path / "models" / record.id, record)

    return made


def record(family: Family, commercial: Commercial = Commercial.YES) -> Record:
    licence = Licence("L", "https://example.org", commercial)
    return Record("m", "M", family, PURPOSES[family], licence, (Held("m.pth", 1, "00"),), "2026-01-01T00:00:00Z")


def test_what_each_says_of_itself() -> None:
    assert {f for f, purposes in PURPOSES.items() if Purpose.RESTORE_FACES in purposes} == set(KINDS)
    specs = {family: checked(FaceRestorer(Path(), record(family))).spec for family in KINDS}
    assert sorted(specs, key=lambda f: specs[f].rank) == [Family.GFPGAN, Family.RESTOREFORMER, Family.CODEFORMER]
    for spec in specs.values():
        assert spec.tasks == {Task.RESTORE_FACES}
        assert spec.trained
        assert spec.deterministic
    assert specs[Family.CODEFORMER].check_params({})["fidelity"] == 0.7
    with pytest.raises(ParameterOutOfRange):
        specs[Family.CODEFORMER].check_params({"fidelity": 1.1})
    assert FaceRestorer(Path(), record(Family.CODEFORMER, Commercial.NO)).spec.licence == "L, not for commercial use"


def test_importing_it_is_light() -> None:
    code = "import sys, frisket.engines.faces.restorer; print([n for n in ('torch', 'spandrel') if n in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


@pytest.mark.parametrize(
    "family",
    [
        Family.GFPGAN,  # 2 s a face on two cores; the others take four times as long
        pytest.param(Family.RESTOREFORMER, marks=SLOW),
        pytest.param(Family.CODEFORMER, marks=SLOW),
    ],
)
def test_each_face_is_drawn_anew_and_the_same_every_time(engine: Any, family: Family) -> None:
    restorer, stack, report = engine(family), faces(2), Teller()
    made = restorer.run(work(stack), report)
    assert [(face.shape, face.dtype) for face in made] == [((512, 512, 3), np.float32)] * 2
    assert all(0 <= face.min() < face.max() <= 1 for face in made)
    assert report.steps[-1] == (2, 2)
    assert not report.degradations
    alone = restorer.run(work(stack[1:], seed=99, batch=1), Silent())[0]
    np.testing.assert_allclose(alone, made[1], atol=1e-4)
    restorer.unload()
    again = restorer.run(work(stack[1:], seed=7, batch=1), Silent())[0]
    assert np.array_equal(again, alone), "opened anew, another seed: the same bytes"


def test_gfpgan_sees_and_gives_what_it_was_trained_on(engine: Any) -> None:
    """-1...1 in, -1...1 out, RGB; spandrel's descriptor alone would feed it 0...1."""
    import torch

    restorer, stack = engine(Family.GFPGAN), faces()
    restorer.load()
    seen = torch.from_numpy(stack.transpose(0, 3, 1, 2).copy())
    with torch.inference_mode():
        wanted = restorer._net((seen - 0.5) / 0.5, randomize_noise=False)[0].clamp(-1, 1).numpy() / 2 + 0.5
    np.testing.assert_allclose(restorer.run(work(stack), Silent())[0].transpose(2, 0, 1), wanted[0], atol=1e-5)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_codeformers_dial_shows(engine: Any) -> None:
    restorer, stack = engine(Family.CODEFORMER), faces()
    anew, kept = (restorer.run(work(stack, fidelity=f), Silent())[0] for f in (0.0, 1.0))
    assert np.abs(anew - kept).max() > 0.01


@pytest.mark.parametrize(("given", "wanted"), [({}, 0.7), ({"fidelity": 0.25}, 0.25)])
def test_codeformers_dial_reaches_the_network(given: dict[str, Any], wanted: float) -> None:
    import torch

    class Dial(torch.nn.Module):
        def forward(self, x: Any, fidelity: float) -> Any:
            return torch.full_like(x, fidelity)

    restorer = FaceRestorer(Path(), record(Family.CODEFORMER))
    restorer._net = Dial()
    made = restorer.run(work(faces(), **given), Silent())[0]
    np.testing.assert_allclose(made, (wanted + 1) / 2, atol=1e-6)


def test_a_cancelled_run_ends_within_the_network_and_the_next_one_is_whole(engine: Any) -> None:
    restorer, stack = engine(Family.GFPGAN), faces()
    whole = restorer.run(work(stack), Silent())[0]
    with pytest.raises(Cancelled):
        restorer.run(work(stack), Teller(stop_after=40))
    assert np.array_equal(restorer.run(work(stack), Silent())[0], whole)


def test_a_damaged_file_is_told(tmp_path: Path, checkpoint: Any, engine: Any) -> None:
    restorer = engine(Family.GFPGAN)
    path = next((tmp_path / "models").rglob("*.pth"))
    whole = path.read_bytes()
    path.unlink()  # a second name of the session's file: never written to
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelDamaged, match="not as it was installed"):
        restorer.load()


@pytest.mark.parametrize("family", KINDS)
def test_a_file_of_another_model_is_told(tmp_path: Path, checkpoint: Any, family: Family) -> None:
    from engines.faces.makers import record_of

    other = checkpoint(Family.PARSENET)
    shutil.copy(other, tmp_path / other.name)
    made = record_of(family, tmp_path / other.name)
    with pytest.raises(ModelFileUnusable):
        FaceRestorer(tmp_path, made).load()


def test_it_says_whether_it_fits(engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from frisket.engines.faces import restorer as room

    restorer = engine(Family.GFPGAN)
    monkeypatch.setattr(room, "room", lambda device, limit, held: 1000)
    assert not restorer.fits()
    monkeypatch.setattr(room, "room", lambda device, limit, held: 10**9)
    assert restorer.fits()
