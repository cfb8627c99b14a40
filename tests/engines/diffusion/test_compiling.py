"""Compiled blocks: made in rehearsals, used where they fit, never in the way of cancel, add-ons or short memory."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch

from engines.diffusion import zoo
from engines.diffusion.addon_maker import installed, lora_tensors
from engines.diffusion.tiny import Tiny, Told, fresh
from frisket.edits.run import EngineEasel
from frisket.engines.diffusion import compiling
from frisket.engines.diffusion.engine import DiffusionEngine
from frisket.engines.diffusion.residency import Residency
from frisket.engines.diffusion.speed import Speed
from frisket.engines.diffusion.watch import blocks_of, compiled_blocks, looking
from frisket.engines.registry import Registry
from frisket.engines.spec import Silent, Task, Work
from frisket.errors import Cancelled, SpeedUnusable
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]
Folder = Callable[[Family], Path]
HOUSE = {"pinned": ("mine",), "speed": Speed(compiled=True)}


def engine_of(family: Family, zoo_folder: Folder, root: Path, **house: Any) -> DiffusionEngine:
    record = zoo.install(family, zoo_folder(family), root, "mine")
    return DiffusionEngine(root / "mine", replace(record, defaults={"native_px": 128}), Residency(**house))


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """One that changes nothing, and tells the shapes that it saw."""
    shapes: list[tuple[int, ...]] = []

    def compile_(block: Any, **asked: Any) -> None:
        def run(*args: Any, **kwargs: Any) -> Any:
            shapes.append(tuple((args or (kwargs["hidden_states"],))[0].shape))
            return block._call_impl(*args, **kwargs)

        assert asked == {"fullgraph": True}
        block._compiled_call_impl = run

    monkeypatch.setattr(torch.nn.Module, "compile", compile_)
    return shapes


def test_a_compiled_block_is_looked_before_and_has_no_hook(zoo_folder: Folder, compiler: list[tuple[int, ...]]):
    tiny = Tiny(zoo_folder, Family.FLUX)
    pipe = fresh(tiny.folder, tiny.rows[Purpose.INPAINT].pipeline)
    assert compiling.compile_blocks(pipe)
    (block, *others), looks = compiled_blocks(pipe), []
    assert len(others) == 1
    call = block._compiled_call_impl
    with looking(pipe, lambda: looks.append(len(compiler))):
        assert not block._forward_pre_hooks
        assert any(block._forward_pre_hooks for block in blocks_of(pipe)), "those that are not compiled have one"
        with pytest.raises(KeyError):
            block()  # the call fails: it was looked before
    assert looks == [0]
    assert block._compiled_call_impl is call
    compiling.plain(pipe)
    assert compiled_blocks(pipe) == []


def test_an_engine_rehearses_three_shapes_and_then_paints_as_before(
    zoo_folder: Folder, tmp_path: Path, compiler: list[tuple[int, ...]], monkeypatch: pytest.MonkeyPatch
):
    stances = []
    settled = compiling.settled
    monkeypatch.setattr(compiling, "settled", lambda changed: stances.append(changed) or settled(changed))
    tiny = Tiny(zoo_folder, Family.SD15)
    work = tiny.work(Purpose.INPAINT, seeds=(5,))
    (wanted,) = engine_of(Family.SD15, zoo_folder, tmp_path / "plain").run(work, Silent())
    engine = engine_of(Family.SD15, zoo_folder, tmp_path / "fast", **HOUSE)
    EngineEasel(Registry([engine]), engine._house).warm()
    rehearsed = {shape[:2] for shape in compiler if shape[1] in (64, 60)}
    assert rehearsed == {(2, 64), (2, 60), (4, 60)}, "with guidance each picture is looked at twice"
    assert stances == []
    told = Told()
    (picture,) = engine.run(work, told)
    assert np.array_equal(picture, wanted)
    installed(tmp_path / "fast", "ink", Family.LORA, lora_tensors(engine._pipes["StableDiffusionInpaintPipeline"], 1))
    engine.run(replace(work, params={**work.params, "loras": "ink"}), Silent())
    assert stances == [False, True], "a compiler does not see the hooks of a LoRA"
    with pytest.raises(Cancelled):
        engine.run(work, Told(stop_at_look=told.looks // 2))
    engine.unload()
    engine.run(work, Silent())
    assert stances == [False, True, False], "what was opened anew is not compiled"


def test_a_compiler_that_fails_has_words_and_costs_no_edit(
    zoo_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def failing(*given: Any, **more: Any) -> None:
        raise RuntimeError("no such thing as libgomp")

    monkeypatch.setattr(torch.nn.Module, "compile", lambda block, **_: setattr(block, "_compiled_call_impl", failing))
    engine = engine_of(Family.FLUX, zoo_folder, tmp_path, **HOUSE)
    with pytest.raises(SpeedUnusable, match="libgomp"):
        EngineEasel(Registry([engine]), engine._house).warm()
    (pipe,) = engine._pipes.values()
    assert compiled_blocks(pipe) == []
    tiny = Tiny(zoo_folder, Family.FLUX)
    assert len(engine.run(tiny.work(Purpose.INPAINT), Silent())) == 2


def test_what_the_compiler_needs_is_named(zoo_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    compiling.check_compiler("cpu")
    monkeypatch.setattr(compiling, "find_spec", lambda name: None)
    with pytest.raises(SpeedUnusable, match="triton is missing"):
        compiling.check_compiler("cuda")
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(SpeedUnusable, match=r"C\+\+ compiler is missing") as caught:
        compiling.check_compiler("cpu")
    assert "without `--compile`" in caught.value.remedy
    with pytest.raises(SpeedUnusable, match=r"C\+\+"):
        engine_of(Family.FLUX, zoo_folder, tmp_path / "pinned", **HOUSE).load()
    engine_of(Family.FLUX, zoo_folder, tmp_path / "other", speed=Speed(compiled=True)).load()
    monkeypatch.delattr(torch.compiler, "set_stance")
    with pytest.raises(SpeedUnusable, match=r"torch 2\.6"):
        compiling.check_compiler("cpu")


@pytest.mark.parametrize("family", [Family.SD3, Family.DEEPFLOYD_IF], ids=lambda f: f.value)
def test_a_network_without_repeated_blocks_is_logged(
    family: Family, zoo_folder: Folder, caplog: pytest.LogCaptureFixture
):
    tiny = Tiny(zoo_folder, family)
    pipe = fresh(tiny.folder, tiny.rows[Purpose.INPAINT].pipeline)
    with caplog.at_level(logging.WARNING):
        assert not compiling.compile_blocks(pipe)
    assert "has no repeated blocks" in caplog.text
    assert compiled_blocks(pipe) == []


def test_memory_that_runs_out_in_a_rehearsal_is_told_as_that(zoo_folder: Folder, compiler: list[tuple[int, ...]]):
    tiny = Tiny(zoo_folder, Family.FLUX)
    pipe = fresh(tiny.folder, tiny.rows[Purpose.INPAINT].pipeline)
    compiling.compile_blocks(pipe)
    with pytest.raises(MemoryError), compiling.rehearsing(pipe):
        raise MemoryError
    assert compiled_blocks(pipe) == []


def test_rehearsals_are_of_the_native_size_and_of_another(zoo_folder: Folder):
    spec = Tiny(zoo_folder, Family.SDXL).spec
    works = compiling.rehearsals(spec, Task.INPAINT)
    assert [(work.hole.shape, len(work.seeds)) for work in works] == [
        ((1024, 1024), 1),
        ((768, 1280), 1),
        ((768, 1280), 2),
    ]
    for work in works:
        assert work.crop.shape == (*work.hole.shape, 3)
        assert {"steps": 4}.items() <= work.params.items()
        assert 0 < work.hole.mean() < 0.1


@pytest.mark.slow
@pytest.mark.timeout(600)  # most of it is the compiler
@pytest.mark.parametrize("family", [Family.SD15, Family.FLUX], ids=lambda f: f.value)
def test_the_real_compiler_covers_all_sizes_and_paints_the_same(
    family: Family, zoo_folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    engine = engine_of(family, zoo_folder, tmp_path / "fast", **HOUSE)
    slow = engine_of(family, zoo_folder, tmp_path / "plain")
    engine.load()
    engine.warm_up()
    (pipe,) = engine._pipes.values()
    part = "unet" if family is Family.SD15 else "transformer"
    for root in ("fast", "plain"):
        installed(tmp_path / root, "ink", Family.LORA, lora_tensors(pipe, 1, parts=(part,)))
    monkeypatch.setattr(compiling, "settled", lambda changed: torch.compiler.set_stance("fail_on_recompile"))
    tiny, works = Tiny(zoo_folder, family), list[Work]()
    for height, width, seeds in ((64, 64, (1,)), (96, 80, (1,)), (64, 112, (1, 2, 3))):
        hole = np.zeros((height, width), np.float32)
        hole[16:48, 16:48] = 1
        crop = np.random.default_rng(2).random((height, width, 3), np.float32)
        works.append(replace(tiny.work(Purpose.INPAINT, hole, seeds=seeds), crop=crop))
    for work in works:  # nothing is compiled any more
        for picture, wanted in zip(engine.run(work, Silent()), slow.run(work, Silent()), strict=True):
            assert np.abs(picture - wanted).max() < 2 / 255
    monkeypatch.undo()
    inked = replace(works[0], params={**works[0].params, "loras": "ink"})
    (picture,), (wanted,), (bare,) = (
        engine.run(inked, Silent()),
        slow.run(inked, Silent()),
        slow.run(works[0], Silent()),
    )
    assert np.abs(picture - wanted).max() < 2 / 255
    assert np.abs(bare - wanted).max() > 8 / 255, "the LoRA shows"
