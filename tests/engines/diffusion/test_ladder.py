"""The ladder: its order, and faults that only one rung removes, in a model that paints a known colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frisket.engines.diffusion import engine as module
from frisket.engines.diffusion.engine import DiffusionEngine
from frisket.engines.diffusion.ladder import Reach, Rung, Setting, climb, reach_of, smaller, tell
from frisket.engines.diffusion.residency import Residency
from frisket.engines.diffusion.table import ROWS
from frisket.engines.spec import Degradation, DegradationKind, Silent, Task, Work
from frisket.errors import Cancelled
from frisket.models.families import Family, Purpose
from frisket.raster.geometry import Size
from frisket.raster.sizes import SizeRule

ROW = ROWS[Family.SD15][Purpose.INPAINT]
RULE = SizeRule(min_side=64, multiple=8, native_side=128)
RED = np.array((0.9, 0.1, 0.1))
OFFLOADED = DegradationKind.OFFLOADED
KINDS = {
    Rung.FREE_CACHES: OFFLOADED,
    Rung.VAE_TILES: DegradationKind.TILED,
    Rung.ONE_BY_ONE: DegradationKind.ONE_BY_ONE,
    Rung.SMALLER_SIZE: DegradationKind.SMALLER_SIZE,
    Rung.MODEL_OFFLOAD: OFFLOADED,
    Rung.GROUP_OFFLOAD: OFFLOADED,
    Rung.CPU: DegradationKind.OTHER_DEVICE,
}


class Listening(Silent):
    def __init__(self) -> None:
        self.heard: list[Degradation] = []

    def told(self, degradation: Degradation) -> None:
        self.heard.append(degradation)


def test_the_order_is_that_of_the_rungs_and_size_goes_in_steps() -> None:
    reach, setting, taken = Reach(frozenset(Rung), shrinks=2), Setting(), []
    while (rung := reach.next(setting)) is not None:
        taken.append(rung)
        setting = setting.after(rung)
    want = list(Rung)
    want.insert(want.index(Rung.SMALLER_SIZE), Rung.SMALLER_SIZE)
    assert taken == want
    assert setting == Setting(frozenset(Rung), 2)
    assert setting.kept.rungs == {Rung.MODEL_OFFLOAD, Rung.GROUP_OFFLOAD}
    assert setting.without(Rung.SMALLER_SIZE).shrunk == 0


@pytest.mark.parametrize(
    ("count", "side", "tiles", "card", "missing"),
    [
        (2, 128, True, True, set()),
        (1, 1024, True, True, {Rung.ONE_BY_ONE}),
        (1, 512, True, True, {Rung.ONE_BY_ONE, Rung.VAE_TILES}),
        (2, 128, False, True, {Rung.VAE_TILES}),
        (2, 64, True, True, {Rung.SMALLER_SIZE}),
        (2, 128, True, False, {Rung.MODEL_OFFLOAD, Rung.GROUP_OFFLOAD, Rung.CPU}),
    ],
)
def test_only_what_would_help_is_within_reach(
    count: int, side: int, tiles: bool, card: bool, missing: set[Rung]
) -> None:
    reach = reach_of(ROW, RULE, Size(side, side), count, tiles=tiles, card=card)
    assert frozenset(Rung) - reach.rungs == missing


def test_sizes_stay_multiples_down_to_half_the_native_side() -> None:
    rule = SizeRule(min_side=64, multiple=16, native_side=512)
    assert [smaller(Size(512, 400), rule, n) for n in range(3)] == [Size(512, 400), Size(384, 288), Size(288, 224)]
    assert reach_of(ROW, rule, Size(512, 400), 1, tiles=False, card=False).shrinks == 2
    own = replace(ROW, pipeline="QwenImageEditInpaintPipeline")
    assert reach_of(own, rule, Size(512, 400), 2, tiles=False, card=False) == Reach(frozenset({Rung.FREE_CACHES}))


def test_each_failure_takes_one_rung_and_the_last_one_is_an_error() -> None:
    reach = Reach(frozenset({Rung.FREE_CACHES, Rung.ONE_BY_ONE}))
    tried: list[Setting] = []

    def attempt(setting: Setting) -> str:
        tried.append(setting)
        if len(setting.rungs) < enough:
            raise MemoryError("full")
        return "made"

    out = lambda error: isinstance(error, MemoryError)  # noqa: E731
    for enough in (0, 1, 2):
        tried.clear()
        made, setting = climb(attempt, reach, out)
        assert (made, len(setting.rungs), len(tried)) == ("made", enough, enough + 1)
    enough = 3
    with pytest.raises(MemoryError, match="full"):
        climb(attempt, reach, out)
    enough = 0
    started = Setting().after(Rung.ONE_BY_ONE)
    assert climb(attempt, reach, out, started)[1] == started

    def other(setting: Setting) -> str:
        raise Cancelled()

    with pytest.raises(Cancelled):
        climb(other, reach, out)


def test_what_is_told_has_the_numbers() -> None:
    report = Listening()
    setting = Setting(frozenset({Rung.SMALLER_SIZE, Rung.ONE_BY_ONE}), 1)
    tell(report, setting, Size(512, 400), Size(384, 288), 4, card=False)
    assert [told.kind for told in report.heard] == [DegradationKind.ONE_BY_ONE, DegradationKind.SMALLER_SIZE]
    assert "the 4 pictures" in report.heard[0].detail
    assert "384 x 288 px instead of 512 x 400" in report.heard[1].detail
    for rungs, card, left in (({}, True, True), ({}, False, False), ({Rung.MODEL_OFFLOAD}, True, False)):
        report = Listening()
        tell(report, Setting(frozenset({Rung.FREE_CACHES, *rungs})), Size(8, 8), Size(8, 8), 1, card)
        assert ("left the card" in report.heard[0].detail) is left


class Other:
    """An idle engine that takes up room."""

    def __init__(self) -> None:
        self.gone = False
        self.spec = type("Spec", (), {"id": "other"})()

    def load(self, model: str) -> None: ...

    def run(self, work: Work, report: Any) -> list[np.ndarray]:
        return []

    def unload(self) -> None:
        self.gone = True


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, list[np.ndarray]]:
    """The model that paints its hole red, its record, and what it paints where memory is no matter."""
    torch = pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
    torch.set_num_threads(1)
    from engines.diffusion import zoo
    from engines.diffusion.analytic import colour_painter

    root = tmp_path_factory.mktemp("models")
    painter = colour_painter(tmp_path_factory.mktemp("made") / "painter", RED.tolist())
    record = replace(zoo.install(Family.SD15_INPAINT, painter, root, "painter"), defaults={"native_px": 96})
    fresh = DiffusionEngine(root / record.id, record)
    return root / record.id, record, fresh.run(work(fresh), Silent())


def work(engine: DiffusionEngine) -> Work:
    y, x = np.mgrid[0:96, 0:96].astype(np.float32) / 96
    hole = np.zeros((96, 96), np.float32)
    hole[24:72, 32:80] = 1
    params = {param.name: param.default for param in engine.spec.params} | {"steps": 2, "guidance_scale": 1.0}
    return Work(Task.INPAINT, np.stack([x, y, 1 - x], -1), hole, params, (3, 4), "red")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor plays the card: what is moved there is moved by the real calls, and arrives where it was."""
    monkeypatch.setattr(module, "device", lambda: "cpu:0")
    monkeypatch.setattr(module, "room", lambda *_: None)
    monkeypatch.setattr(module, "enforce", lambda *_: None)


def inject(monkeypatch: pytest.MonkeyPatch, short: Callable[[Any, Any], bool], decoder: bool = False) -> None:
    """Memory runs out wherever short(network, its input) says so."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel

    kind, name = (AutoencoderKL, "decode") if decoder else (UNet2DConditionModel, "forward")
    real = getattr(kind, name)

    def full(self: Any, given: Any, *args: Any, **kwargs: Any) -> Any:
        if short(self, given):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB.")
        return real(self, given, *args, **kwargs)

    monkeypatch.setattr(kind, name, full)


@pytest.mark.diffusion
@pytest.mark.parametrize("rung", Rung, ids=lambda rung: rung.value)
def test_a_fault_that_one_rung_removes(
    rung: Rung, made: tuple[Path, Any, list[np.ndarray]], card: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from frisket.engines.diffusion.placing import in_groups

    folder, record, plain = made
    house, other = Residency(), Other()
    engine = DiffusionEngine(folder, record, house)
    house.load(other)  # type: ignore[arg-type]
    house.load(engine)
    faults: dict[Rung, Callable[[Any, Any], bool]] = {
        Rung.FREE_CACHES: lambda unet, latents: not other.gone,
        Rung.VAE_TILES: lambda vae, latents: not vae.use_tiling,
        Rung.ONE_BY_ONE: lambda unet, latents: len(latents) > 1,
        Rung.SMALLER_SIZE: lambda unet, latents: max(latents.shape[2:]) > 9,
        Rung.MODEL_OFFLOAD: lambda unet, latents: not hasattr(unet, "_hf_hook"),
        Rung.GROUP_OFFLOAD: lambda unet, latents: not in_groups(next(iter(engine._pipes.values()))),
        Rung.CPU: lambda unet, latents: engine._where != "cpu",
    }
    report = Listening()
    with monkeypatch.context() as faulty:
        inject(faulty, faults[rung], decoder=rung is Rung.VAE_TILES)
        pictures = engine.run(work(engine), report)
    want = list(Rung)[: list(Rung).index(rung) + 1]
    assert [told.kind for told in report.heard] == [KINDS[r] for r in want], "every rung once, in order"
    assert other.gone
    for picture, alone in zip(pictures, plain, strict=True):
        assert picture.shape == (96, 96, 3)
        inside = picture[36:60, 44:68]
        assert np.abs(inside - RED).max() < 0.02
        if Rung.SMALLER_SIZE not in want:
            assert np.abs(picture - alone).max() < (0.1 if Rung.VAE_TILES in want else 1e-4)
    again = Listening()
    after = engine.run(work(engine), again)
    kept = rung if rung in (Rung.MODEL_OFFLOAD, Rung.GROUP_OFFLOAD) else None
    assert [told.kind for told in again.heard] == [OFFLOADED] * (
        0 if kept is None else 1 if kept is Rung.MODEL_OFFLOAD else 2
    )
    for one, same in zip(after, plain, strict=True):
        assert one.tobytes() == same.tobytes(), "the next job is that of a fresh engine"


@pytest.mark.diffusion
def test_where_an_idle_model_takes_the_room_it_goes_and_nothing_is_given_up(
    made: tuple[Path, Any, list[np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, record, plain = made
    house, other, report = Residency(), Other(), Listening()
    monkeypatch.setattr(module, "room", lambda *_: 1 << 40 if other.gone else 0)
    engine = DiffusionEngine(folder, record, house)
    engine.load()
    house.load(other)  # type: ignore[arg-type]
    pictures = engine.run(work(engine), report)
    assert other.gone
    assert report.heard == []
    assert all(one.tobytes() == same.tobytes() for one, same in zip(pictures, plain, strict=True))


@pytest.mark.diffusion
def test_after_the_last_rung_it_is_an_error_and_the_next_job_is_clean(
    made: tuple[Path, Any, list[np.ndarray]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, record, plain = made
    engine, report = DiffusionEngine(folder, record), Listening()
    with monkeypatch.context() as faulty:
        inject(faulty, lambda *_: True)
        with pytest.raises(MemoryError):
            engine.run(work(engine), report)
    after = engine.run(work(engine), report)
    assert report.heard == []
    assert all(one.tobytes() == same.tobytes() for one, same in zip(after, plain, strict=True))
