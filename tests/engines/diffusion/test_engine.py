"""Installed models as engines: listed without torch, opened when needed, painting through the whole of `edits`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fakes.tellers import Listener
from frisket.edits.requests import (
    EditRequest,
    InpaintParams,
    InstructParams,
    OutpaintParams,
    TextToLayerParams,
    VariationParams,
    to_json,
)
from frisket.edits.results import ResultMeta
from frisket.edits.run import EngineEasel, make_easel
from frisket.engines.diffusion import engine as module
from frisket.engines.diffusion.engine import DiffusionEngine, check_parts, ran_out
from frisket.engines.diffusion.residency import Residency
from frisket.engines.registry import BUILT_IN, Registry
from frisket.engines.spec import DegradationKind, Silent, Task, Work
from frisket.errors import DiffusionPartsMissing, ModelNotInstalled, OutOfMemory, TaskNotSupported
from frisket.models import record as records
from frisket.models.catalogue import Commercial, Licence
from frisket.models.choice import LOCK
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Record
from frisket.raster.geometry import Box

Folder = Callable[[Family], Path]
RED = (0.9, 0.1, 0.1)


def record(family: Family = Family.SD15, model: str = "mine") -> Record:
    licence = Licence("test", "", Commercial.UNKNOWN)
    return Record(model, model, family, PURPOSES.get(family, ()), licence, (), "2026-01-01T00:00:00Z", source="test")


def test_listing_models_needs_neither_torch_nor_their_files(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    records.write(tmp_path / "mine", record())
    code = (
        "import sys; from pathlib import Path; from frisket.engines.registry import BUILT_IN, Registry\n"
        f"registry = Registry.installed(Path({str(tmp_path)!r}))\n"
        "models = [e.spec.id for e in registry.engines[len(BUILT_IN) :]]\n"
        "print(models, {'torch', 'diffusers', 'numpy', 'cv2'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['mine'] set()"


def test_without_the_packages_there_is_one_command_to_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(DiffusionPartsMissing, match=r'pip install "frisket\[diffusion\]"'):
        DiffusionEngine(tmp_path, record()).load("")
    with pytest.raises(DiffusionPartsMissing, match="torch, diffusers, transformers"):
        check_parts()


@pytest.mark.diffusion
def test_memory_that_ran_out_is_told_from_other_errors() -> None:
    torch = pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
    assert ran_out(torch.OutOfMemoryError("CUDA out of memory."))
    assert ran_out(RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory"))
    assert not ran_out(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not ran_out(ValueError("out of memory"))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory, zoo_folder: Folder) -> Path:
    """A models folder: the hand-set colour painter, tiny models of three families, and one that is damaged."""
    torch = pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
    torch.set_num_threads(1)  # tiny networks: more only wait for each other
    from engines.diffusion import zoo
    from engines.diffusion.analytic import colour_painter

    root = tmp_path_factory.mktemp("models")
    painter = colour_painter(tmp_path_factory.mktemp("made") / "painter", RED)
    folders = {Family.SD15_INPAINT: painter, **{f: zoo_folder(f) for f in (Family.SD15, Family.FLUX_KONTEXT)}}
    for family, folder in folders.items():
        made = zoo.install(family, folder, root, "painter" if folder == painter else family.value)
        (root / made.id / LOCK).unlink()
        records.write(root / made.id, replace(made, defaults={"native_px": 80}))  # small is quick
    (root / "damaged").mkdir()
    (root / "addon").mkdir()
    records.write(root / "addon", record(Family.LORA, "addon"))
    return root


@pytest.fixture(scope="module")
def easel(models: Path) -> EngineEasel:
    made = make_easel(models=str(models))
    assert isinstance(made, EngineEasel)
    return made


@pytest.mark.diffusion
def test_a_damaged_model_is_noted_and_breaks_nothing(models: Path) -> None:
    registry = Registry.installed(models)
    assert [e.spec.id for e in registry.engines[len(BUILT_IN) :]] == ["flux-kontext", "painter", "sd15"]
    assert list(registry.broken) == ["model damaged"]
    assert "ModelDamaged" in registry.broken["model damaged"]
    assert [e.spec.id for e in registry.for_task(Task.INSTRUCT)] == ["flux-kontext"]


def photo(width: int, height: int) -> np.ndarray:
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([90 + 60 * x / width, 120 + 80 * y / height, 140 + 0 * x], -1).astype(np.uint8)


def run(
    easel: EngineEasel,
    params: Any,
    picture: np.ndarray,
    mask: np.ndarray | None,
    engine: str,
    chosen: Mapping[str, Any] | None = None,
    count: int = 1,
) -> list[tuple[Box, np.ndarray, np.ndarray]]:
    """The finished pictures: box, pixels, mask."""
    h, w = picture.shape[:2]
    whole = Box(0, 0, w, h)
    given = chosen or {"steps": 3}
    request = EditRequest(whole.size, whole, params, engine=engine, engine_params=given, seed=1, count=count)
    planes = {"pixels": memoryview(np.ascontiguousarray(picture).tobytes())}
    if mask is not None:
        planes["mask"] = memoryview(mask.tobytes())
    done = easel.run(to_json(request), planes, Listener())
    return [(ResultMeta.from_json(d.meta).box, np.asarray(d.planes[0]), np.asarray(d.planes[1])) for d in done]


def hole_of(share: float, width: int, height: int) -> np.ndarray:
    """A rectangle that covers this share of the picture; 0 is a single pixel."""
    mask = np.zeros((height, width), np.uint8)
    h, w = (max(1, round(side * share**0.5)) for side in (height, width))
    top, left = (height - h) // 2 | 1, (width - w) // 2 | 1
    mask[top : top + h, left : left + w] = 255
    return mask


@pytest.mark.diffusion
def test_each_task_goes_through_the_house(easel: EngineEasel) -> None:
    picture = photo(70, 50)
    mask = hole_of(0.3, 70, 50)
    for params, sent in [
        (InpaintParams("a cat", "dogs"), mask),
        (InpaintParams(), mask),
        (VariationParams(0.5, "a cat"), None),
        (VariationParams(0.7), mask),
    ]:
        before = picture.copy()
        for _, pixels, shown in run(easel, params, picture, sent, "sd15", count=2):
            assert pixels.shape[:2] == shown.shape
        assert (picture == before).all()
    ((box, pixels, _),) = run(easel, OutpaintParams(left=9, prompt="trees"), picture, None, "sd15")
    assert box.width >= 9
    ((box, pixels, shown),) = run(easel, TextToLayerParams("a cat"), picture, None, "sd15")
    assert (box, pixels.shape, shown.min()) == (Box(0, 0, 70, 50), (50, 70, 3), 255)
    ((_, pixels, shown),) = run(easel, InstructParams("make it winter"), picture, mask, "flux-kontext")
    assert (shown > 0).sum() >= (mask > 0).sum()
    with pytest.raises(TaskNotSupported):
        run(easel, TextToLayerParams("a cat"), picture, None, "painter")


@pytest.mark.diffusion
def test_weights_are_opened_once_and_shared(models: Path) -> None:
    engine = DiffusionEngine(models / "sd15", records.read(models / "sd15", "sd15"))
    assert engine._pipes == {}
    engine.load("")
    engine.load("")
    defaults = {param.name: param.default for param in engine.spec.params} | {"steps": 2}
    crop = np.full((64, 64, 3), 0.5, np.float32)
    for task in (Task.INPAINT, Task.VARIATION, Task.TEXT_TO_LAYER):
        engine.run(Work(task, crop, np.ones((64, 64), np.float32), defaults, (1,), "a cat"), Silent())
    pipes = list(engine._pipes.values())
    assert len({type(pipe).__name__ for pipe in pipes}) == 3
    assert len({id(pipe.unet) for pipe in pipes}) == 1
    assert len({id(pipe.scheduler) for pipe in pipes}) == 3


@pytest.mark.diffusion
def test_memory_that_runs_out_in_a_run_is_that_error(easel: EngineEasel, monkeypatch: pytest.MonkeyPatch) -> None:
    from frisket.engines.diffusion import painting

    def full(*_: object) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")

    monkeypatch.setattr(painting, "painted", full)
    with pytest.raises(OutOfMemory):
        run(easel, InpaintParams("a cat"), photo(40, 40), hole_of(0.2, 40, 40), "sd15")


@pytest.mark.diffusion
def test_a_limit_that_is_too_low_is_known_before_the_run_and_told(models: Path) -> None:
    request = EditRequest(
        Box(0, 0, 40, 40).size, Box(0, 0, 40, 40), TextToLayerParams("a cat"), engine="sd15", engine_params={"steps": 2}
    )
    asked = to_json(replace(request, seed=1, count=2))
    told = []
    for limit in (None, 1_000_000):
        easel = make_easel(models=str(models), gpu_memory=limit)
        metas = [ResultMeta.from_json(done.meta) for done in easel.run(asked, {}, Listener())]
        told.append([[degradation.kind for degradation in meta.degraded] for meta in metas])
    kinds = [DegradationKind.OFFLOADED, DegradationKind.TILED, DegradationKind.ONE_BY_ONE]
    assert told == [[[], []], [kinds, kinds]]


@pytest.mark.diffusion
def test_the_model_used_longest_ago_leaves_unless_it_is_pinned(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "room", lambda *_: 0)  # no model fits beside another
    monkeypatch.setattr(module, "plan", lambda *given: given[-1])
    picture, mask = photo(40, 40), hole_of(0.2, 40, 40)
    for pinned in ((), ("sd15",)):
        easel = make_easel(models=str(models), pinned=pinned)
        assert isinstance(easel, EngineEasel)
        first = run(easel, InpaintParams("a cat"), picture, mask, "sd15")
        run(easel, InpaintParams("red"), picture, mask, "painter")
        assert easel._house.loaded == (*pinned, "painter")
        again = run(easel, InpaintParams("a cat"), picture, mask, "sd15")
        assert all((one[1] == two[1]).all() for one, two in zip(first, again, strict=True))


@pytest.mark.diffusion
def test_a_model_of_two_stages_finds_the_other_beside_it(tmp_path: Path, zoo_folder: Folder) -> None:
    pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
    from engines.diffusion import zoo

    made = zoo.install(Family.KANDINSKY22, zoo_folder(Family.KANDINSKY22), tmp_path)
    engine = DiffusionEngine(tmp_path / made.id, made)
    with pytest.raises(ModelNotInstalled, match="prior"):
        engine.load("")
    zoo.install(Family.KANDINSKY22_PRIOR, zoo_folder(Family.KANDINSKY22_PRIOR), tmp_path)
    able = Registry.installed(tmp_path).engines[len(BUILT_IN) :]
    assert [e.spec.id for e in able] == [made.id], "a prior paints nothing"
    engine.load("")
    params = {param.name: param.default for param in engine.spec.params} | {"steps": 2}
    crop, hole = np.full((64, 128, 3), 0.5, np.float32), np.ones((64, 128), np.float32)
    for task in (Task.TEXT_TO_LAYER, Task.VARIATION):
        first, second = engine.run(Work(task, crop, hole, params, (1, 2), "a cat"), Silent())
        assert first.shape == crop.shape
        assert np.abs(first - second).max() > 0.05


@pytest.mark.diffusion
def test_a_prior_counts_as_needed_and_as_held(tmp_path: Path, zoo_folder: Folder) -> None:
    pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
    from engines.diffusion import zoo
    from frisket.engines.diffusion.budget import need_of

    decoder = zoo.install(Family.KANDINSKY22, zoo_folder(Family.KANDINSKY22), tmp_path, "decoder")
    engine = DiffusionEngine(tmp_path / "decoder", decoder, Residency(limit=1 << 40))
    alone = engine.need
    assert alone == need_of(tmp_path / "decoder", decoder, 4)
    prior = zoo.install(Family.KANDINSKY22_PRIOR, zoo_folder(Family.KANDINSKY22_PRIOR), tmp_path, "prior")
    first = need_of(tmp_path / "prior", prior, 4)
    assert (engine.need.weights, engine.need.largest) == (
        alone.weights + first.weights,
        max(alone.largest, first.largest),
    )
    assert engine._held() == 0
    engine.load()
    assert engine._held() == pytest.approx(engine.need.weights, rel=0.001), "files hold a few buffers, too"
    assert engine._held() > 1.05 * alone.weights
    tight = DiffusionEngine(tmp_path / "decoder", decoder, Residency(limit=alone.weights + first.weights // 2))
    assert not tight.fits()
