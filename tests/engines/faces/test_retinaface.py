"""RetinaFace as an engine: real weights of the small one, official-format ones of the large one, wrong files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the extra faces")
pytestmark = [pytest.mark.nets]

from engines.faces.installed import install  # noqa: E402
from engines.faces.photos import photo, weights  # noqa: E402
from frisket.engines.faces.retinaface import RetinaFaceDetector  # noqa: E402
from frisket.engines.faces.retinanet import RetinaFace  # noqa: E402
from frisket.engines.registry import checked  # noqa: E402
from frisket.engines.spec import Silent, Task, Work  # noqa: E402
from frisket.errors import Cancelled, ModelDamaged, ModelFileUnusable  # noqa: E402
from frisket.models.families import Family  # noqa: E402

FACE = (178, 57, 92, 120)  # the astronaut's: x, y, width, height
POINTS = ((202, 104), (247, 105), (227, 129), (208, 144), (246, 146))


def detector(root: Path, file: Path) -> RetinaFaceDetector:
    engine = RetinaFaceDetector(*install(file, Family.RETINAFACE, root))
    checked(engine)
    return engine


def found(engine: RetinaFaceDetector, crop: np.ndarray, report=None, **params) -> np.ndarray:
    hole = np.ones(crop.shape[:2], np.float32)
    work = Work(Task.DETECT_FACES, crop, hole, engine.spec.check_params(params), (0,))
    (rows,) = engine.run(work, report or Silent())
    return rows


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> RetinaFaceDetector:
    return detector(tmp_path_factory.mktemp("models"), weights("retinaface_mobile0.25.pth"))


def test_the_astronaut_s_face_and_its_five_points(small) -> None:
    small.load("")
    crop = photo("astronaut.png")
    rows = found(small, crop)
    assert rows.shape == (1, 15)
    assert rows[0, 14] > 0.99
    assert np.abs(rows[0, :4] - FACE).max() < 10
    assert np.abs(rows[0, 4:14].reshape(5, 2) - POINTS).max() < 8
    assert (found(small, crop) == rows).all()
    small.unload()
    assert (found(small, crop) == rows).all(), "it loads itself again"


def test_nothing_where_there_is_nothing(small) -> None:
    for crop in (photo("chelsea.png"), np.full((1, 1, 3), 0.5, np.float32), np.zeros((5, 300, 3), np.float32)):
        assert found(small, crop).shape == (0, 15)


def test_it_stops_inside_the_network(small) -> None:
    class Stop(Silent):
        left = 40

        def check(self) -> None:
            self.left -= 1
            if self.left < 0:
                raise Cancelled

    with pytest.raises(Cancelled):
        found(small, photo("astronaut.png"), Stop())
    assert len(found(small, photo("astronaut.png"))) == 1
    assert not any(part._forward_hooks for part in small._net.modules())


def test_too_little_memory_is_told_as_such(small, monkeypatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(RetinaFace, "forward", full)
    with pytest.raises(MemoryError):
        found(small, np.full((64, 64, 3), 0.5, np.float32))


def test_the_large_one_in_the_official_format_loads_and_runs(tmp_path) -> None:
    """As detection_Resnet50_Final.pth: from training on several cards, without what older torch did not count."""
    torch.manual_seed(2)
    state = RetinaFace(mobile=False).state_dict()
    state = {f"module.{name}": t for name, t in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "detection_Resnet50_Final.pth")
    engine = detector(tmp_path / "models", tmp_path / "detection_Resnet50_Final.pth")
    engine.load("")
    rows = found(engine, photo("astronaut.png", 128), confidence=0.05)
    assert np.isfinite(rows).all()
    assert rows.shape[1:] == (15,)


def test_files_that_are_none_of_it_are_told(tmp_path) -> None:
    torch.save({"conv.weight": torch.zeros(3, 3)}, tmp_path / "other.pth")
    state = RetinaFace(mobile=True).state_dict()
    torch.save({n: t for n, t in state.items() if n != "ssh2.conv3X3.0.weight"}, tmp_path / "lacks.pth")
    state["ssh2.conv3X3.0.weight"] = torch.full_like(state["ssh2.conv3X3.0.weight"], torch.nan)
    torch.save(state, tmp_path / "nan.pth")
    for name, error in {"other": ModelFileUnusable, "lacks": ModelFileUnusable, "nan": ModelDamaged}.items():
        with pytest.raises(error):
            detector(tmp_path / name, tmp_path / f"{name}.pth").load("")
