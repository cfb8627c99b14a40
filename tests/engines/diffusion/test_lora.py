"""LoRAs by hooks are those of diffusers and peft, add up, and leave nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch

from engines.diffusion.addon_maker import every_layer, installed, kohya, lora_tensors
from engines.diffusion.tiny import Tiny, fresh
from frisket.engines.diffusion.addons import KINDS
from frisket.engines.diffusion.lora import Lora, added, read
from frisket.engines.diffusion.painting import painted
from frisket.engines.diffusion.table import TRAITS
from frisket.engines.spec import Silent, Work
from frisket.errors import AddonUnsuitable, ModelDamaged, ModelFileUnusable
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]

Folder = Callable[[Family], Path]
FAMILIES = [family for family in Family if family in KINDS[Family.LORA]]
UNETS = (Family.SD15, Family.SDXL)


class Case:
    """A family's first row, run with LoRAs or without."""

    def __init__(self, zoo_folder: Folder, family: Family) -> None:
        self.tiny = Tiny(zoo_folder, family)
        self.purpose, self.row = next(iter(self.tiny.rows.items()))
        self.work: Work = self.tiny.work(self.purpose, seeds=(3,), params={"steps": 2})
        self.part = "unet" if hasattr(self.pipe, "unet") else "transformer"

    @property
    def pipe(self) -> Any:
        return self.tiny.pipe(self.row)

    def run(self, *loras: tuple[Lora, float], pipe: Any = None) -> np.ndarray:
        pipe = pipe or self.pipe
        with added(pipe, loras):
            return painted(pipe, self.row, TRAITS[self.tiny.family], self.work, Silent())[0]


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.value)
def test_a_lora_shows_in_every_family_and_is_gone_afterwards(zoo_folder: Folder, tmp_path: Path, family: Family):
    case = Case(zoo_folder, family)
    addon = installed(tmp_path, "ink", Family.LORA, lora_tensors(case.pipe, 1, parts=(case.part,)))
    lora = read(addon, case.pipe, case.tiny.record)
    plain = case.run()
    changed = case.run((lora, 1.0))
    assert np.abs(changed - plain).max() > 0.02
    assert (case.run((lora, 0.0)) == plain).all(), "0 is none"
    assert (case.run() == plain).all(), "and nothing stays"


@pytest.mark.filterwarnings("ignore:Already found a .peft_config:UserWarning")
@pytest.mark.parametrize("family", [*UNETS, Family.FLUX, Family.SD3], ids=lambda f: f.value)
def test_it_is_what_diffusers_and_peft_make_of_the_file(zoo_folder: Folder, tmp_path: Path, family: Family):
    case = Case(zoo_folder, family)
    parts = (case.part, "text_encoder")
    one = installed(tmp_path, "one", Family.LORA, lora_tensors(case.pipe, 1, parts=parts))
    two = installed(tmp_path, "two", Family.LORA, lora_tensors(case.pipe, 2, rank=3, parts=parts))
    loras = [(read(addon, case.pipe, case.tiny.record), weight) for addon, weight in ((one, 0.8), (two, -0.5))]
    pipe = fresh(case.tiny.folder, case.row.pipeline)
    for addon in (one, two):
        pipe.load_lora_weights(
            addon.folder, weight_name=addon.file.name, adapter_name=addon.record.id, local_files_only=True
        )
    pipe.set_adapters(["one", "two"], [0.8, -0.5])
    wanted = painted(pipe, case.row, TRAITS[family], case.work, Silent())[0]
    assert np.abs(case.run(*loras) - wanted).max() < 1e-5
    assert np.abs(case.run() - wanted).max() > 0.02


def test_two_add_up_layer_by_layer(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SD15)
    one, two = (
        read(installed(tmp_path, f"m{n}", Family.LORA, lora_tensors(case.pipe, n)), case.pipe, case.tiny.record)
        for n in (1, 2)
    )
    layer = case.pipe.unet.get_submodule(one.deltas[0].layer)
    x = torch.randn(3, layer.in_features, generator=torch.Generator().manual_seed(1))
    plain = layer(x)

    def shift(*loras: tuple[Lora, float]) -> torch.Tensor:
        with added(case.pipe, loras):
            return layer(x) - plain

    both = shift((one, 0.7), (two, -1.5))
    assert torch.allclose(both, 0.7 * shift((one, 1)) - 1.5 * shift((two, 1)), atol=1e-5)
    assert torch.allclose(shift((one, 1)), x @ (one.deltas[0].up @ one.deltas[0].down).T, atol=1e-5)
    assert torch.equal(layer(x), plain)
    twice = case.run((one, 0.5), (one, 0.5))
    assert np.abs(twice - case.run((one, 1.0))).max() < 1e-4


def test_convolutions(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SD15)
    name, layer = next(
        (n, m) for n, m in case.pipe.unet.named_modules() if isinstance(m, torch.nn.Conv2d) and m.stride == (2, 2)
    )
    down, up = torch.randn(2, layer.in_channels, 3, 3), torch.randn(layer.out_channels, 2, 1, 1)
    tensors = {f"unet.{name}.lora_A.weight": down, f"unet.{name}.lora_B.weight": up}
    lora = read(installed(tmp_path, "ink", Family.LORA, tensors), case.pipe, case.tiny.record)
    x = torch.randn(1, layer.in_channels, 8, 8)
    merged = layer.weight + torch.einsum("orab,rihw->oihw", up, down)
    wanted = torch.nn.functional.conv2d(x, merged, layer.bias, 2, layer.padding)
    with added(case.pipe, [(lora, 1.0)]):
        assert torch.allclose(layer(x), wanted, atol=1e-4)


def test_what_was_made_for_another_model_is_refused_by_its_layers(zoo_folder: Folder, tmp_path: Path):
    small, large = Case(zoo_folder, Family.SD15), Case(zoo_folder, Family.SDXL)
    addon = installed(tmp_path, "ink", Family.LORA, lora_tensors(large.pipe, 1))
    with pytest.raises(AddonUnsuitable, match="ink is made for another model"):
        read(addon, small.pipe, small.tiny.record)
    wide = {name: torch.cat([value, value], -1) for name, value in lora_tensors(small.pipe, 1).items()}
    with pytest.raises(AddonUnsuitable, match="which here are"):
        read(installed(tmp_path, "wide", Family.LORA, wide), small.pipe, small.tiny.record)


def test_what_is_no_lora_is_refused(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SD15)
    tensors = lora_tensors(case.pipe, 1)
    name = next(iter(tensors)).removesuffix(".lora_A.weight")
    a, b = f"{name}.lora_A.weight", f"{name}.lora_B.weight"
    odd = {
        "half": {key: value for key, value in tensors.items() if key != b},
        "other-half": {key: value for key, value in tensors.items() if key != a},
        "norm": {f"unet.conv_norm_out.lora_{m}.weight": torch.ones(2, 16) for m in "AB"},
        "stranger": tensors | {f"{name}.weight": torch.ones(2, 2)},
        "flat": tensors | {a: torch.ones(32), b: torch.ones(32)},
        "number": tensors | {a: torch.tensor(1.0), b: torch.tensor(1.0)},
    }
    for id_, made in odd.items():
        with pytest.raises(ModelFileUnusable, match=id_):
            read(installed(tmp_path, id_, Family.LORA, made), case.pipe, case.tiny.record)
    empty = tensors | {a: torch.ones(0, tensors[a].shape[1]), b: torch.ones(tensors[b].shape[0], 0)}
    with pytest.raises(AddonUnsuitable, match="which here are"):
        read(installed(tmp_path, "empty", Family.LORA, empty), case.pipe, case.tiny.record)


def test_values_that_are_no_numbers_are_refused_before_anything_is_painted(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SD15)
    tensors = lora_tensors(case.pipe, 1)
    last = list(tensors)[-1]
    nan, alpha = tensors[last].clone(), kohya(tensors, 1.0)
    nan[-1, -1] = torch.nan
    alpha[next(name for name in alpha if name.endswith(".alpha"))] = torch.tensor(torch.inf)
    for id_, made in {"nan": tensors | {last: nan}, "endless": alpha}.items():
        with pytest.raises(ModelDamaged, match=r"no numbers"):
            read(installed(tmp_path, id_, Family.LORA, made), case.pipe, case.tiny.record)


def test_twenty_and_weights_below_nothing(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SD15)
    loras = [
        read(installed(tmp_path, f"m{n}", Family.LORA, lora_tensors(case.pipe, n)), case.pipe, case.tiny.record)
        for n in range(20)
    ]
    plain = case.run()
    assert np.abs(case.run(*((lora, 0.1) for lora in loras)) - plain).max() > 0.02
    assert np.abs(case.run((loras[0], 1.0), (loras[0], -1.0)) - plain).max() < 1e-4
    assert np.abs(case.run((loras[0], -1.0)) - case.run((loras[0], 1.0))).max() > 0.02
    assert (case.run() == plain).all()


def test_not_a_bit_of_the_model_changes(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SDXL)
    parts = ("unet", "text_encoder", "text_encoder_2")
    case.run()
    hooks = {part: [len(m._forward_hooks) for m in getattr(case.pipe, part).modules()] for part in parts}
    before = {part: {n: v.clone() for n, v in getattr(case.pipe, part).state_dict().items()} for part in parts}
    addon = installed(tmp_path, "ink", Family.LORA, every_layer(case.pipe, 1, *parts))
    case.run((read(addon, case.pipe, case.tiny.record), 1.0))
    for part, tensors in before.items():
        after = getattr(case.pipe, part).state_dict()
        assert list(after) == list(tensors)
        assert all(torch.equal(value, tensors[name]) for name, value in after.items())
        assert [len(module._forward_hooks) for module in getattr(case.pipe, part).modules()] == hooks[part]


def test_a_run_that_fails_leaves_no_hook(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SD15)
    addon = installed(tmp_path, "ink", Family.LORA, lora_tensors(case.pipe, 1))
    lora = read(addon, case.pipe, case.tiny.record)
    before = case.run()
    broken = Lora("", (*lora.deltas, replace(lora.deltas[0], layer="nowhere")))
    with pytest.raises(AttributeError), added(case.pipe, [(broken, 1.0)]):
        raise AssertionError
    assert not any(module._forward_hooks for module in case.pipe.unet.modules())
    assert (case.run() == before).all()
    assert case.purpose is Purpose.INPAINT
