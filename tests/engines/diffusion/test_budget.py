"""What runs need against what there is; the numbers are those of full-size models."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from frisket.engines.diffusion import budget
from frisket.engines.diffusion.budget import DECODE, GIB, Need, need_of, plan, room
from frisket.engines.diffusion.ladder import Reach, Rung, Setting
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import Family
from frisket.models.record import Held, Record
from frisket.raster.geometry import Size
from frisket.raster.sizes import SizeRule

RULE = SizeRule(min_side=64, multiple=8, native_side=1024)
MP = Size(1024, 1024)
ALL = Reach(frozenset(Rung), 2)
# fp16: U-net 2567.5 M parameters, two text encoders 818 M, VAE 83.7 M.
SDXL = Need(2 * 3_469_000_000, 2 * 818_000_000, 2 * 2_567_500_000, 2, 0.31 * GIB / 1024**2)
FLUX = Need(2 * 16_900_000_000, 2 * 4_885_000_000, 2 * 11_902_000_000, 2, 0.46 * GIB / 1024**2)


def test_a_run_needs_the_weights_and_the_dearer_of_step_and_decode() -> None:
    assert SDXL.peak(Setting(), MP, 1, RULE) == pytest.approx(SDXL.weights + 1.5 * GIB)
    assert SDXL.peak(Setting(), MP, 4, RULE) == pytest.approx(SDXL.weights + 6 * GIB)
    tiles = Setting().after(Rung.VAE_TILES)
    assert SDXL.peak(tiles, MP, 4, RULE) == pytest.approx(SDXL.weights + 4 * 0.31 * GIB)
    assert SDXL.peak(tiles.after(Rung.ONE_BY_ONE), MP, 4, RULE) == pytest.approx(SDXL.weights + 1.5 / 4 * GIB)
    small = Setting().after(Rung.SMALLER_SIZE)
    assert SDXL.peak(small, MP, 1, RULE) == pytest.approx(SDXL.weights + 1.5 * GIB * 9 / 16)
    assert SDXL.peak(Setting().after(Rung.MODEL_OFFLOAD), MP, 1, RULE) == pytest.approx(SDXL.largest + 1.5 * GIB)
    assert SDXL.peak(Setting().after(Rung.CPU), MP, 1, RULE) == 0
    wide = replace(SDXL, width=4)
    assert wide.peak(Setting(), MP, 1, RULE) == pytest.approx(SDXL.weights + 3 * GIB)


def test_a_model_beside_it_takes_room_all_the_time() -> None:
    both = SDXL.beside(replace(FLUX, weights=7 * GIB, largest=6 * GIB))
    assert both == replace(SDXL, weights=SDXL.weights + 7 * GIB, largest=6 * GIB)
    assert both.peak(Setting(), MP, 1, RULE) == SDXL.peak(Setting(), MP, 1, RULE) + 7 * GIB
    freed, alone = (need.peak(Setting().after(Rung.FREE_CACHES), MP, 1, RULE) for need in (both, SDXL))
    assert freed == alone + 7 * GIB, "only its own encoders rest"
    assert both.peak(Setting().after(Rung.MODEL_OFFLOAD), MP, 1, RULE) == pytest.approx((6 + 1.5) * GIB)


def test_every_rung_needs_no_more_than_the_one_before() -> None:
    setting, peaks = Setting(), []
    while (rung := ALL.next(setting)) is not None:
        setting = setting.after(rung)
        peaks.append(SDXL.peak(setting, MP, 4, RULE))
    assert peaks == sorted(peaks, reverse=True)


@pytest.mark.parametrize(
    ("need", "gigabytes", "count", "rungs"),
    [
        (SDXL, 80, 4, set()),
        (SDXL, 10, 1, set()),
        (SDXL, 10, 4, {Rung.FREE_CACHES, Rung.VAE_TILES}),
        (SDXL, 8, 4, {Rung.FREE_CACHES, Rung.VAE_TILES, Rung.ONE_BY_ONE}),
        (SDXL, 6, 1, {Rung.FREE_CACHES, Rung.VAE_TILES, Rung.ONE_BY_ONE, Rung.MODEL_OFFLOAD}),
        (FLUX, 80, 1, set()),
        (FLUX, 10, 1, {Rung.GROUP_OFFLOAD}),
    ],
)
def test_rungs_known_to_be_needed_are_taken_at_once_and_no_others(
    need: Need, gigabytes: int, count: int, rungs: set[Rung]
) -> None:
    space = gigabytes * 1_000_000_000
    setting = plan(need, space, ALL, MP, count, RULE, Setting())
    assert need.peak(setting, MP, count, RULE) <= space
    assert Rung.SMALLER_SIZE not in setting.rungs
    assert setting.rungs <= rungs
    for rung in setting.rungs:
        assert need.peak(setting.without(rung), MP, count, RULE) > space, f"{rung} was given up for nothing"


def test_a_plan_never_goes_to_the_processor_nor_gives_up_detail_in_vain() -> None:
    setting = plan(FLUX, 100, ALL, MP, 2, RULE, Setting())
    assert Rung.CPU not in setting.rungs
    assert setting.shrunk == 0
    kept = Setting().after(Rung.MODEL_OFFLOAD)
    assert plan(SDXL, 80 * GIB, ALL, MP, 1, RULE, kept) == kept, "what the model keeps is not undone"
    assert plan(SDXL, float("inf"), ALL, MP, 9, RULE, Setting()) == Setting()


def safetensors(path: Path, values: int) -> Held:
    header = f'{{"w": {{"dtype": "F32", "shape": [{values}], "data_offsets": [0, {4 * values}]}}}}'.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4 * values))
    return Held(f"{path.parent.name}/{path.name}", path.stat().st_size, "")


def test_weights_are_counted_from_headers_as_they_will_be_kept(tmp_path: Path) -> None:
    files = (
        safetensors(tmp_path / "unet" / "model.safetensors", 1000),
        safetensors(tmp_path / "unet" / "model.fp16.safetensors", 1000),
        safetensors(tmp_path / "text_encoder" / "model-00001-of-00002.safetensors", 30),
        safetensors(tmp_path / "text_encoder" / "model-00002-of-00002.safetensors", 20),
        safetensors(tmp_path / "text_encoder_2" / "model.fp16.safetensors", 100),
        safetensors(tmp_path / "safety_checker" / "model.safetensors", 5000),
        Held("unet/config.json", 99, ""),
        Held("vae/model.safetensors", 77, ""),  # gone: counts as it was
    )
    licence = Licence("test", "", Commercial.UNKNOWN)
    record = Record("m", "m", Family.SDXL, (), licence, files, "2026-01-01T00:00:00Z")
    need = need_of(tmp_path, record, 2)
    assert (need.weights, need.encoders, need.largest) == (2 * 1150 + 77, 2 * 150, 2 * 1000)
    assert need.step * 1024**2 == pytest.approx(0.31 * GIB)
    assert (need.decode, need_of(tmp_path, record, 4).decode) == (2 * DECODE, DECODE)
    assert need_of(tmp_path, record, 4).weights == 4 * 1150 + 77


def test_room_on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "_free_memory", lambda: 10 * GIB)
    assert room("cpu", None, 0) == 9 * GIB
    assert room("cpu", None, GIB) == 10 * GIB
    assert room("cpu", 3 * GIB, 0) == 3 * GIB
    monkeypatch.setattr(budget, "_free_memory", lambda: None)
    assert room("cpu", None, 0) is None
    assert room("cpu", 3 * GIB, 0) == 3 * GIB


def test_this_machine_says_how_much_is_free() -> None:
    free = budget._free_memory()
    assert free is None or free > 1 << 20


@pytest.mark.diffusion
def test_room_on_a_card_and_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
    asked: list[float] = []
    # 80 in all; others have 30, this process 20 reserved and 12 in use, of which 5 are this model's
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (30 * GIB, 80 * GIB))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda: 20 * GIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 12 * GIB)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", asked.append)
    assert room("cuda", None, 5 * GIB) == (30 + 20 - 7) * GIB
    assert room("cuda", 10 * GIB, 5 * GIB) == 3 * GIB
    assert room("cuda", 6 * GIB, 5 * GIB) == 0
    budget.enforce("cuda", 10 * GIB)
    budget.enforce("cuda", 200 * GIB)
    budget.enforce("cuda", None)
    budget.enforce("cpu", 10 * GIB)
    assert asked == [0.125, 1.0]
