"""Which pixels of an aligned face are of the face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from frisket.engines.faces.parser import FACE, FaceParser
from frisket.engines.registry import Registry, checked
from frisket.engines.spec import Silent, Task, Work
from frisket.errors import ModelFileUnusable
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import Family
from frisket.models.record import Record

pytestmark = [pytest.mark.nets]
torch = pytest.importorskip("torch", reason="the extra `faces` (torch, spandrel) is not installed")

HOLE = np.ones((512, 512), np.float32)


@pytest.fixture
def parser(tmp_path: Path, checkpoint: Callable[[Family], Path]) -> FaceParser:
    from engines.faces.makers import install

    record = install(Family.PARSENET, checkpoint(Family.PARSENET), tmp_path)
    engine = FaceParser(tmp_path / record.id, record)
    assert checked(engine).spec.tasks == {Task.PARSE_FACES}
    return engine


def test_a_mask_of_the_likeliest_classes(parser: FaceParser) -> None:
    parser.load()
    net = parser._net
    assert net is not None
    stack = np.random.default_rng(2).random((1, 512, 512, 3), dtype=np.float32)
    made = parser.run(Work(Task.PARSE_FACES, stack, HOLE, {}, [1]), Silent())
    with torch.inference_mode():
        scores = net(torch.from_numpy(stack.transpose(0, 3, 1, 2).copy()) * 2 - 1)[0].numpy()
    assert (len(made), made[0].shape, made[0].dtype) == (1, (512, 512), np.float32)
    assert np.array_equal(made[0], np.isin(scores.argmax(0), FACE))
    assert 0 < made[0].mean() < 1


def test_skin_eyes_brows_ears_mouth_and_hair_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    licence = Licence("test", "", Commercial.UNKNOWN)
    parser = FaceParser(Path(), Record("p", "P", Family.PARSENET, (), licence, (), "2026-01-01T00:00:00Z"))
    parser._net = torch.nn.Identity()  # type: ignore[assignment]
    scores = np.zeros((19, 19, 8), np.float32)
    scores[range(19), range(19)] = 1  # in each row another class is the likeliest
    monkeypatch.setattr("frisket.engines.faces.stack.through", lambda *_: [scores])
    made = parser.run(Work(Task.PARSE_FACES, np.zeros((1, 512, 512, 3), np.float32), HOLE, {}, [1]), Silent())[0]
    assert [row for row in range(19) if made[row].all()] == [*range(1, 14), 15]
    assert made.sum() == 14 * 8


def test_it_is_an_engine_once_its_model_is_installed(parser: FaceParser, tmp_path: Path) -> None:
    registry = Registry.installed(tmp_path)
    assert not registry.broken
    assert registry.for_task(Task.PARSE_FACES)[0].spec == parser.spec


def test_it_is_opened_again_after_it_was_unloaded(parser: FaceParser) -> None:
    parser.load()
    parser.unload()
    assert parser._net is None
    parser.load()
    assert parser._net is not None


def test_a_file_of_another_model_is_told(tmp_path: Path) -> None:
    from engines.faces.makers import record_of

    torch.save({"toRGB.0.weight": torch.zeros(1)}, tmp_path / "parsing_parsenet.pth")
    record = record_of(Family.PARSENET, tmp_path / "parsing_parsenet.pth")
    with pytest.raises(ModelFileUnusable, match="it lacks"):
        FaceParser(tmp_path, record).load()
