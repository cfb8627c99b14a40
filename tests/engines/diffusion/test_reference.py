"""IP-Adapters: as diffusers reads them, and the U-net's own objects back afterwards."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch
from safetensors.torch import save_file

from engines.diffusion.addon_files import recorded
from engines.diffusion.addon_maker import installed, installed_look, look_tensors
from engines.diffusion.tiny import Tiny, fresh
from frisket.engines.diffusion.addons import Addon
from frisket.engines.diffusion.painting import painted
from frisket.engines.diffusion.reference import followed, prepared, read
from frisket.engines.diffusion.table import TRAITS
from frisket.engines.spec import Silent
from frisket.errors import AddonUnsuitable, ModelDamaged, ModelFileUnusable
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]

Folder = Callable[[Family], Path]
PICTURE = np.random.default_rng(2).random((32, 32, 3), np.float32)


class Case:
    def __init__(self, zoo_folder: Folder, family: Family = Family.SD15) -> None:
        self.tiny = Tiny(zoo_folder, family)
        self.row = self.tiny.rows[Purpose.INPAINT]
        self.pipe: Any = self.tiny.pipe(self.row)
        self.work = self.tiny.work(Purpose.INPAINT, seeds=(3,), params={"steps": 2})

    def paint(self, pipe: Any = None, more: Any = None) -> np.ndarray:
        return painted(pipe or self.pipe, self.row, TRAITS[self.tiny.family], self.work, Silent(), more=more)[0]


@pytest.mark.parametrize("family", [Family.SD15, Family.SDXL], ids=lambda f: f.value)
def test_it_is_what_diffusers_makes_of_the_files(zoo_folder: Folder, tmp_path: Path, family: Family):
    case = Case(zoo_folder, family)
    addon = installed_look(tmp_path, "look", case.pipe.unet)
    plain, before = case.paint(), dict(case.pipe.unet.attn_processors)
    look = read(addon, case.pipe, case.tiny.record)
    assert (case.paint() == plain).all(), "reading changes nothing"
    with followed(case.pipe, look, PICTURE, 0.7, True) as given:
        changed = case.paint(more=given)
    assert np.abs(changed - plain).max() > 0.02
    assert (case.paint() == plain).all()
    after = case.pipe.unet.attn_processors
    assert all(after[name] is part for name, part in before.items())
    assert case.pipe.unet.encoder_hid_proj is None
    pipe = fresh(case.tiny.folder, case.row.pipeline)
    pipe.load_ip_adapter(
        addon.folder, subfolder="", weight_name=addon.file.name, image_encoder_folder=None, local_files_only=True
    )
    pipe.set_ip_adapter_scale(0.7)
    seen = look.encoder(prepared(PICTURE, 32)).image_embeds[None]
    both = {"ip_adapter_image_embeds": [torch.cat([torch.zeros_like(seen), seen])]}
    assert np.abs(case.paint(pipe, lambda count: both) - changed).max() < 1e-5


def test_pictures_are_prepared_as_clip_wants_them():
    from transformers import CLIPImageProcessor

    processor = CLIPImageProcessor(size=32, crop_size=32)
    for shape in ((32, 32, 3), (64, 96, 3), (40, 33, 3)):
        picture = (255 * np.linspace(0, 1, shape[1])[None, :, None] * np.ones(shape)).astype(np.uint8)
        wanted = processor(picture, return_tensors="pt").pixel_values
        found = prepared(picture.astype(np.float32) / 255, 32)
        assert found.shape == wanted.shape
        assert (found - wanted).abs().mean() < 0.05


def test_a_plus_adapter_reads_patches(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder)
    wide, deep = case.pipe.unet.config.cross_attention_dim, 64
    torch.manual_seed(1)
    front = {
        "latents": torch.randn(1, 4, deep), "proj_in.weight": torch.randn(deep, 32), "proj_in.bias": torch.zeros(deep),
        "proj_out.weight": torch.randn(wide, deep), "proj_out.bias": torch.zeros(wide),
        "norm_out.weight": torch.ones(wide), "norm_out.bias": torch.zeros(wide),
    }  # fmt: skip
    for start in (f"layers.{number}" for number in range(4)):
        for name in ("0.norm1", "0.norm2", "1.0"):
            front |= {f"{start}.{name}.weight": torch.ones(deep), f"{start}.{name}.bias": torch.zeros(deep)}
        front |= {f"{start}.0.to_q.weight": torch.randn(64, deep), f"{start}.0.to_kv.weight": torch.randn(128, deep)}
        front |= {f"{start}.0.to_out.weight": torch.randn(deep, 64)}
        front |= {f"{start}.1.1.weight": torch.randn(256, deep), f"{start}.1.3.weight": torch.randn(deep, 256)}
    addon = installed_look(tmp_path, "plus", case.pipe.unet)
    own = {name: value for name, value in look_tensors(case.pipe.unet).items() if name.startswith("ip_adapter")}
    save_file(own | {f"image_proj.{name}": value for name, value in front.items()}, addon.file)
    addon = Addon(addon.folder, recorded(addon.folder, "plus", Family.IP_ADAPTER), addon.file)
    plain = case.paint()
    look = read(addon, case.pipe, case.tiny.record)
    with followed(case.pipe, look, PICTURE, 0.7, True) as given:
        changed = case.paint(more=given)
    assert np.abs(changed - plain).max() > 0.02
    assert (case.paint() == plain).all()
    pipe = fresh(case.tiny.folder, case.row.pipeline)
    pipe.load_ip_adapter(addon.folder, subfolder="", weight_name=addon.file.name, image_encoder_folder="image_encoder")
    pipe.set_ip_adapter_scale(0.7)
    pixels = prepared(PICTURE, 32)
    both = [pipe.image_encoder(x, output_hidden_states=True).hidden_states[-2] for x in (pixels * 0, pixels)]
    told = {"ip_adapter_image_embeds": [torch.stack(both)]}
    assert np.abs(case.paint(pipe, lambda count: told) - changed).max() < 1e-5


def test_one_that_is_not_whole_is_refused(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder)
    plain = case.paint()
    for number, missing in enumerate(("image_proj.norm.bias", "ip_adapter.1.to_v_ip.weight")):
        addon = installed_look(tmp_path, f"torn{number}", case.pipe.unet)
        tensors = look_tensors(case.pipe.unet)
        del tensors[missing]
        save_file(tensors, addon.file)
        with pytest.raises(ModelFileUnusable):
            read(addon, case.pipe, case.tiny.record)
        assert (case.paint() == plain).all()


def test_what_does_not_fit_is_refused(zoo_folder: Folder, tmp_path: Path):
    case, large = Case(zoo_folder), Case(zoo_folder, Family.SDXL)
    record, unet = case.tiny.record, case.pipe.unet
    with pytest.raises(AddonUnsuitable, match="wide is made for words of width 64, here 32"):
        read(installed_look(tmp_path, "wide", large.pipe.unet), case.pipe, record)
    alone = installed(tmp_path, "alone", Family.IP_ADAPTER, look_tensors(unet))
    with pytest.raises(ModelFileUnusable, match="needs its image_encoder"):
        read(alone, case.pipe, record)
    more = {"ip_adapter.0.to_k_lora.down.weight": torch.ones(2, 2)}
    face = installed(tmp_path, "face", Family.IP_ADAPTER, look_tensors(unet) | more)
    with pytest.raises(
        AddonUnsuitable, match="face is an IP-Adapter for faces; what is needed is a plain or a plus one"
    ):
        read(face, case.pipe, record)
    own = look_tensors(unet)
    for number, name in enumerate(("image_proj.proj.0.weight", "image_proj.perceiver_resampler.proj_in.weight")):
        full = installed(tmp_path, f"full{number}", Family.IP_ADAPTER, own | {name: torch.ones(2, 2)})
        with pytest.raises(AddonUnsuitable, match="for faces"):
            read(full, case.pipe, record)
    for number, (name, value) in enumerate((("image_proj.proj.weight", torch.ones(4)),
                                            ("ip_adapter.1.to_k_ip.weight", torch.ones(4)))):  # fmt: skip
        flat = installed(tmp_path, f"flat{number}", Family.IP_ADAPTER, own | {name: value})
        with pytest.raises(ModelFileUnusable, match="plain ones and plus ones"):
            read(flat, case.pipe, record)
    name = "ip_adapter.1.to_v_ip.weight"
    nan = installed(tmp_path, "nan", Family.IP_ADAPTER, own | {name: own[name] * torch.nan})
    with pytest.raises(ModelDamaged, match="no numbers"):
        read(nan, case.pipe, record)
    odd = installed(tmp_path, "odd", Family.IP_ADAPTER, look_tensors(unet) | {"unet.x": torch.ones(2)})
    with pytest.raises(ModelFileUnusable, match=r"holds unet\.x"):
        read(odd, case.pipe, record)


def test_what_comes_beside_the_encoder_is_no_part_of_it(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder)
    addon = installed_look(tmp_path, "look", case.pipe.unet)
    (addon.file.parent / "image_encoder" / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    addon = Addon(addon.folder, recorded(addon.folder, "look", Family.IP_ADAPTER), addon.file)
    with pytest.raises(ModelFileUnusable, match="weights of an adapter"):
        read(addon, case.pipe, case.tiny.record)
