"""An installed TRACER: the published weights on photographs, files that are no TRACER, stopped in time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.nets]
torch = pytest.importorskip("torch", reason="torch is not installed: networks are not tested")

from engines.faces.installed import install  # noqa: E402
from engines.subject.scenes import WEIGHTS, iou, photo, thing  # noqa: E402
from frisket.engines.registry import Registry  # noqa: E402
from frisket.engines.spec import Silent, Task, Work  # noqa: E402
from frisket.engines.subject.grabcut import ENGINE as GRABCUT  # noqa: E402
from frisket.engines.subject.tracer import TracerSelector  # noqa: E402
from frisket.engines.subject.tracernet import Tracer  # noqa: E402
from frisket.errors import Cancelled, ModelDamaged, ModelFileUnusable, PictureNotFinite  # noqa: E402
from frisket.models.families import Family  # noqa: E402


def ask(engine, crop: np.ndarray, hole: np.ndarray | None = None, report=None) -> np.ndarray:
    hole = np.ones(crop.shape[:2], np.float32) if hole is None else hole
    (mask,) = engine.run(Work(Task.SELECT_SUBJECT, crop, hole, {}, (0,)), report or Silent())
    assert (mask.shape, mask.dtype) == (crop.shape[:2], np.float32)
    assert 0 <= mask.min() <= mask.max() <= 1
    return mask


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> TracerSelector:
    if not WEIGHTS.exists():
        pytest.skip(f"{WEIGHTS} is not there: this test opens the published weights")
    engine = TracerSelector(*install(WEIGHTS, Family.TRACER, tmp_path_factory.mktemp("models"), "tracer"))
    engine.load()
    return engine


def tensors(path: Path, **changes) -> Path:
    torch.manual_seed(0)
    torch.save({**Tracer().state_dict(), **changes}, path)
    return path


def test_it_is_asked_before_the_built_in_one(tmp_path: Path) -> None:
    install(tensors(tmp_path / "t.pth"), Family.TRACER, tmp_path / "models", "tracer")
    ids = [engine.spec.id for engine in Registry.installed(tmp_path / "models").for_task(Task.SELECT_SUBJECT)]
    assert ids == ["tracer", "grabcut"]


@pytest.mark.parametrize("number", [1, 3])
def test_animals_in_a_meadow_better_than_without_a_model(published: TracerSelector, number: int) -> None:
    crop = photo(f"places_object/images/{number}.png")
    truth = photo(f"places_object/masks/{number}.png")[..., 0] > 0.5
    found = iou(ask(published, crop) > 0.5, truth)
    assert found > 0.5  # of masks that were drawn wide
    assert found > iou(ask(GRABCUT, crop) > 0.5, truth) + 0.05


def test_a_rough_selection_says_which_of_two(published: TracerSelector) -> None:
    crop, truth = thing(200, 150)
    hole = np.zeros((150, 400), np.float32)
    hole[:, 210:] = 1
    both = np.concatenate([crop, crop], axis=1)
    mask = ask(published, both, hole)
    assert ask(published, both, hole).tobytes() == mask.tobytes()
    assert mask[:, :210].max() == 0
    assert iou(mask[:, 200:] > 0.5, truth) > 0.9


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (700, 3)], ids=str)
def test_odd_sizes(published: TracerSelector, shape: tuple[int, int]) -> None:
    ask(published, np.random.default_rng(2).random((*shape, 3)).astype(np.float32))


def test_an_empty_selection_holds_nothing(published: TracerSelector) -> None:
    assert ask(published, np.zeros((20, 30, 3), np.float32), np.zeros((20, 30), np.float32)).max() == 0


def test_it_stops_within_the_network_and_can_be_unloaded(published: TracerSelector) -> None:
    class Stopped(Silent):
        looks = 0

        def check(self) -> None:
            self.looks += 1
            if self.looks > 20:
                raise Cancelled

    with pytest.raises(Cancelled):
        ask(published, thing(90, 60)[0], report=Stopped())
    published.unload()
    ask(published, thing(90, 60)[0])


def test_other_weights_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "a.pth")
    with pytest.raises(ModelFileUnusable, match="lacks"):
        TracerSelector(*install(tmp_path / "a.pth", Family.TRACER, tmp_path / "a")).load()
    more = tensors(tmp_path / "b.pth", **{"head.weight": torch.zeros(3)})
    with pytest.raises(ModelFileUnusable, match="has no place"):
        TracerSelector(*install(more, Family.TRACER, tmp_path / "b")).load()
    broken = tensors(tmp_path / "c.pth", **{"agg.UAM.fc.weight": torch.full((224, 224, 1, 1), torch.nan)})
    with pytest.raises(ModelDamaged, match="no numbers"):
        TracerSelector(*install(broken, Family.TRACER, tmp_path / "c")).load()


def test_numbers_that_break_on_the_way_are_an_error(tmp_path: Path) -> None:
    huge = tensors(tmp_path / "d.pth", **{"agg.UAM.bn.running_var": torch.full((224,), -1.0)})
    engine = TracerSelector(*install(huge, Family.TRACER, tmp_path / "d"))
    with pytest.raises(PictureNotFinite):
        ask(engine, thing(90, 60)[0])
