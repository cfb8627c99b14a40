"""LoRA files of every layout that is passed around: as diffusers and peft read them, or refused by their kind."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch

from engines.diffusion import ldm
from engines.diffusion.addon_maker import every_layer, installed, kohya, lora_tensors, old_diffusers
from engines.diffusion.tiny import Tiny, fresh
from frisket.engines.diffusion.addons import Addon, found
from frisket.engines.diffusion.lora import added, read
from frisket.engines.diffusion.lora_layouts import ENDS, ODD
from frisket.engines.diffusion.painting import painted
from frisket.engines.diffusion.table import TRAITS
from frisket.engines.spec import Silent
from frisket.errors import AddonUnsuitable, ModelFileUnusable
from frisket.models.families import Family

pytestmark = [pytest.mark.diffusion]

Folder = Callable[[Family], Path]
Tensors = dict[str, torch.Tensor]
PARTS = {
    Family.SD15: ("unet", "text_encoder"),
    Family.SDXL: ("unet", "text_encoder", "text_encoder_2"),
    Family.FLUX: ("transformer", "text_encoder"),
}


class Case:
    def __init__(self, zoo_folder: Folder, root: Path, family: Family) -> None:
        self.tiny, self.root = Tiny(zoo_folder, family), root
        self.purpose, self.row = next(iter(self.tiny.rows.items()))
        self.pipe: Any = self.tiny.pipe(self.row)
        self.work = self.tiny.work(self.purpose, seeds=(3,), params={"steps": 2})

    def file(self, id_: str, tensors: Tensors, **metadata: str) -> Addon:
        installed(self.root, id_, Family.LORA, tensors, **metadata)
        return found(self.root, id_, Family.LORA, self.tiny.record)

    def paint(self, pipe: Any = None) -> np.ndarray:
        return painted(pipe or self.pipe, self.row, TRAITS[self.tiny.family], self.work, Silent())[0]

    def run(self, addon: Addon, weight: float = 0.7) -> np.ndarray:
        with added(self.pipe, [(read(addon, self.pipe, self.tiny.record), weight)]):
            return self.paint()

    def diffusers(self, addon: Addon, weight: float = 0.7) -> tuple[np.ndarray, int]:
        """What diffusers paints with the file, and how many layers it found in it."""
        pipe = fresh(self.tiny.folder, self.row.pipeline)
        pipe.load_lora_weights(addon.folder, weight_name=addon.file.name, adapter_name="a", local_files_only=True)
        pipe.set_adapters(["a"], [weight])
        networks = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
        layers = sum(len(getattr(m, "lora_A", ())) for part in networks for m in part.modules())
        return self.paint(pipe), layers

    def same(self, addon: Addon) -> None:
        wanted, layers = self.diffusers(addon)
        assert len(read(addon, self.pipe, self.tiny.record).deltas) == layers > 0
        assert np.abs(self.run(addon) - wanted).max() < 1e-5
        assert np.abs(self.paint() - wanted).max() > 0.004


@pytest.mark.parametrize("layout", ["peft", "kohya", "one part each"])
@pytest.mark.parametrize("family", [Family.SD15, Family.SDXL], ids=lambda f: f.value)
def test_every_layer_of_every_network(zoo_folder: Folder, tmp_path: Path, family: Family, layout: str):
    """kohya's files name the layers of an SDXL as its original layout does, those of an SD 1.5 as diffusers does."""
    case = Case(zoo_folder, tmp_path, family)
    names = ldm.layers(case.pipe.unet) if family is Family.SDXL else None
    first = "lora_te1" if family is Family.SDXL else "lora_te"
    for number, parts in enumerate([(part,) for part in PARTS[family]] if "each" in layout else [PARTS[family]]):
        tensors = every_layer(case.pipe, 1, *parts)
        made = tensors if layout == "peft" else kohya(tensors, 1.0, first, names)
        case.same(case.file(f"ink{number}", made))


@pytest.mark.parametrize("family", [Family.FLUX, Family.FLUX2_KLEIN, Family.QWEN_IMAGE, Family.SD3, Family.Z_IMAGE])
def test_every_layer_of_a_transformer(zoo_folder: Folder, tmp_path: Path, family: Family):
    case = Case(zoo_folder, tmp_path, family)
    tensors = every_layer(case.pipe, 1, "transformer")
    case.same(case.file("ink", tensors))
    if family in (Family.QWEN_IMAGE, Family.Z_IMAGE):  # as other programs write them, where the layers are called alike
        tensors = lora_tensors(case.pipe, 1, parts=("transformer",))
        other = {name.replace("transformer.", "diffusion_model.", 1): value for name, value in tensors.items()}
        case.same(case.file("other", other))


def test_a_kohya_file_of_flux(zoo_folder: Folder, tmp_path: Path):
    """Blocks of one stream are left out: their widths are those of the published model in diffusers' translation."""
    case = Case(zoo_folder, tmp_path, Family.FLUX)
    made: Tensors = {}
    for name, value in every_layer(case.pipe, 1, "text_encoder").items():
        layer, _, matrix = name.removeprefix("text_encoder.").partition(".lora_")
        start = f"lora_te1_text_model_{layer.replace('.', '_')}"
        made[f"{start}.lora_{'down' if matrix.startswith('A') else 'up'}.weight"] = value
        made[f"{start}.alpha"] = torch.tensor(1.0)
    block = case.pipe.transformer.transformer_blocks[0]
    for name, layer in {"img_mod_lin": block.norm1.linear, "img_attn_proj": block.attn.to_out[0]}.items():
        start = f"lora_unet_double_blocks_0_{name}"
        made[f"{start}.lora_down.weight"] = torch.randn(2, layer.in_features)
        made[f"{start}.lora_up.weight"] = torch.randn(layer.out_features, 2)
        made[f"{start}.alpha"] = torch.tensor(1.0)
    case.same(case.file("ink", made))
    words = "lora_te3_encoder_block_0_layer_0_SelfAttention_q.lora_down.weight"
    more = case.file("more", made | {words: torch.ones(2, 2), words.replace("down", "up"): torch.ones(2, 2)})
    with pytest.raises(AddonUnsuitable, match="more is one that changes a T5, too"):
        read(more, case.pipe, case.tiny.record)
    name = "lora_unet_double_blocks_0_img_mod_lin.lora_down.weight"
    with pytest.raises(AddonUnsuitable, match="cannot be placed"):
        read(case.file("empty", made | {name: made[name][:0]}), case.pipe, case.tiny.record)


def test_an_xlabs_file_of_flux(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, tmp_path, Family.FLUX)
    wide = case.pipe.transformer.inner_dim
    made = {
        "proj_lora1.down": torch.randn(2, wide), "proj_lora1.up": torch.randn(wide, 2),
        "proj_lora2.down": torch.randn(2, wide), "proj_lora2.up": torch.randn(wide, 2),
        "qkv_lora1.down": torch.randn(2, wide), "qkv_lora1.up": torch.randn(3 * wide, 2),
    }  # fmt: skip
    case.same(case.file("ink", {f"double_blocks.0.processor.{name}.weight": value for name, value in made.items()}))


@pytest.mark.parametrize("family", [Family.SD15, Family.SDXL], ids=lambda f: f.value)
def test_older_layouts_of_diffusers(zoo_folder: Folder, tmp_path: Path, family: Family):
    case = Case(zoo_folder, tmp_path, family)
    tensors = lora_tensors(case.pipe, 1)
    wanted = case.run(case.file("peft", tensors))
    old = old_diffusers(tensors)

    def processor(name: str) -> str:
        return re.sub(r"(attn\d)\.(to_[qkv]|to_out)(\.0)?\.lora\.", r"\1.processor.\2_lora.", name)

    first = {processor(name): value for name, value in old.items()}
    bare = {name.removeprefix("unet."): value for name, value in first.items()}
    own = {f"base_model.model.{name.removeprefix('unet.')}": value for name, value in tensors.items()}
    for id_, made in {"old": old, "first": first, "bare": bare, "own": own}.items():
        assert (case.run(case.file(id_, made)) == wanted).all(), id_
    words = lora_tensors(case.pipe, 1, parts=("text_encoder",))
    case.same(case.file("words", tensors | {_linear(name): value for name, value in words.items()}))


def _linear(name: str) -> str:
    name = name.replace("text_encoder.", "text_encoder.text_model.")
    return name.replace(".lora_A.", ".lora_linear_layer.down.").replace(".lora_B.", ".lora_linear_layer.up.")


@pytest.mark.parametrize(
    "told",
    [
        {"unet.lora_alpha": 1.0},
        {"unet.lora_alpha": 4, "unet.use_rslora": True},
        {"unet.lora_alpha": 2, "unet.alpha_pattern": {"attn1.to_q": 8}},
    ],
    ids=["alpha", "rslora", "pattern"],
)
def test_alphas_in_the_metadata(zoo_folder: Folder, tmp_path: Path, told: dict[str, Any]):
    case = Case(zoo_folder, tmp_path, Family.SD15)
    names = ["to_q", "to_k", "to_v", "to_out.0"]
    fields = {"unet.r": 2, "unet.target_modules": names, "unet.alpha_pattern": {}, "unet.rank_pattern": {}, **told}
    addon = case.file("ink", lora_tensors(case.pipe, 1), lora_adapter_metadata=json.dumps(fields))
    case.same(addon)
    plain = case.run(case.file("plain", lora_tensors(case.pipe, 1)))
    assert np.abs(case.run(addon) - plain).max() > 0.004


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"unet.lora_alpha": "x"}', '{"unet.alpha_pattern": 1}', '{"unet.alpha_pattern": {"a.*": 1}}']
)
def test_metadata_that_cannot_be_read_are_not_guessed(zoo_folder: Folder, tmp_path: Path, text: str):
    case = Case(zoo_folder, tmp_path, Family.SD15)
    addon = case.file("ink", lora_tensors(case.pipe, 1), lora_adapter_metadata=text)
    with pytest.raises(ModelFileUnusable, match="metadata"):
        read(addon, case.pipe, case.tiny.record)


@pytest.mark.parametrize("mark", [*ODD, *ENDS])
def test_what_is_no_plain_lora_is_refused_by_its_kind(zoo_folder: Folder, tmp_path: Path, mark: str):
    case = Case(zoo_folder, tmp_path, Family.SD15)
    tensors = kohya(lora_tensors(case.pipe, 1), 1.0)
    start = next(iter(tensors)).partition(".")[0]
    name = f"{start}.{mark.removeprefix('.')}{'weight' if mark.endswith('.') else ''}"
    with pytest.raises(AddonUnsuitable) as error:
        read(case.file("ink", tensors | {name: torch.ones(2)}), case.pipe, case.tiny.record)
    assert f"ink is {ODD.get(mark) or ENDS[mark]}; what is needed is a plain LoRA" in str(error.value)


def test_alphas_that_are_no_numbers(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, tmp_path, Family.SD15)
    tensors = kohya(lora_tensors(case.pipe, 1), 1.0)
    name = next(name for name in tensors if name.endswith(".alpha"))
    with pytest.raises(ModelFileUnusable, match="no single number"):
        read(case.file("ink", tensors | {name: torch.ones(2)}), case.pipe, case.tiny.record)
