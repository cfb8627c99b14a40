"""Networks as add-ons: whole, of the right build, from folders and from single files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch

from engines.diffusion import ldm
from engines.diffusion.addon_files import recorded
from engines.diffusion.addon_maker import controlnet, installed, installed_net, other_vae
from engines.diffusion.tiny import Tiny
from frisket.engines.diffusion import nets
from frisket.errors import AddonUnsuitable, ModelDamaged, ModelFileUnusable
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]

Folder = Callable[[Family], Path]


def tiny(zoo_folder: Folder, family: Family = Family.SD15) -> tuple[Any, Any]:
    made = Tiny(zoo_folder, family)
    return made.pipe(made.rows[Purpose.INPAINT]), made.record


def same(network: Any, other: Any) -> bool:
    mine, theirs = network.state_dict(), other.state_dict()
    return set(mine) == set(theirs) and all(torch.equal(value, theirs[name]) for name, value in mine.items())


@pytest.mark.parametrize("start", ["control_model.", ""])
def test_a_controlnet_in_the_layout_of_its_first_publishers(zoo_folder: Folder, tmp_path: Path, start: str):
    pipe, record = tiny(zoo_folder)
    net = controlnet(pipe.unet)
    tensors = {start + name: value for name, value in ldm.controlnet(net, pipe.unet).items()}
    assert same(nets.controlnet(installed(tmp_path, "net", Family.CONTROLNET, tensors), pipe, record), net)
    torn = {name: value for name, value in tensors.items() if "zero_convs.0" not in name}
    with pytest.raises(ModelFileUnusable, match=r"lacks controlnet_down_blocks\.0"):
        nets.controlnet(installed(tmp_path, "torn", Family.CONTROLNET, torn), pipe, record)
    slim = installed(tmp_path, "slim", Family.CONTROLNET, tensors | {"lora_controlnet": torch.ones(1)})
    with pytest.raises(AddonUnsuitable, match="slim is a Control-LoRA; what is needed is a whole ControlNet"):
        nets.controlnet(slim, pipe, record)


@pytest.mark.parametrize("start", ["first_stage_model.", "vae.", ""])
def test_a_vae_in_the_layout_of_its_first_publishers(zoo_folder: Folder, tmp_path: Path, start: str):
    pipe, record = tiny(zoo_folder)
    other = other_vae(pipe.vae)
    tensors = {start + name: value for name, value in ldm.vae(other).items()}
    tensors["loss.logvar"] = torch.ones(1)  # what it was trained with
    assert same(nets.vae(installed(tmp_path, "file", Family.VAE, tensors), pipe, record), other)


def test_one_of_another_kind_is_not_taken_for_a_plain_one(zoo_folder: Folder, tmp_path: Path):
    """A ControlNet for many controls has all that a plain one has, and more."""
    pipe, record = tiny(zoo_folder)
    tensors = dict(controlnet(pipe.unet).state_dict()) | {"task_embedding": torch.ones(6, 16)}
    with pytest.raises(ModelFileUnusable, match="no plain ControlNetModel: it holds task_embedding"):
        nets.controlnet(installed(tmp_path, "union", Family.CONTROLNET, tensors), pipe, record)


@pytest.mark.parametrize("family", [Family.SD15, Family.SD15_INPAINT, Family.SDXL], ids=lambda f: f.value)
def test_a_controlnet_from_a_folder_and_from_a_file(zoo_folder: Folder, tmp_path: Path, family: Family):
    pipe, record = tiny(zoo_folder, family)
    net = controlnet(pipe.unet)
    assert same(nets.controlnet(installed_net(tmp_path, "folder", Family.CONTROLNET, net), pipe, record), net)
    file = installed(tmp_path, "file", Family.CONTROLNET, dict(net.state_dict()))
    assert same(nets.controlnet(file, pipe, record), net)


def test_a_vae_from_a_folder_and_from_files_of_three_layouts(zoo_folder: Folder, tmp_path: Path):
    pipe, record = tiny(zoo_folder)
    other = other_vae(pipe.vae)
    assert not same(other, pipe.vae)
    assert same(nets.vae(installed_net(tmp_path, "folder", Family.VAE, other), pipe, record), other)
    tensors = dict(other.state_dict())
    assert same(nets.vae(installed(tmp_path, "file", Family.VAE, tensors), pipe, record), other)
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    for new, before in old.items():
        tensors = {name.replace(f".{new}.", f".{before}."): value for name, value in tensors.items()}
    assert same(nets.vae(installed(tmp_path, "old", Family.VAE, tensors), pipe, record), other)


def test_what_was_built_otherwise_is_refused_by_name(zoo_folder: Folder, tmp_path: Path):
    pipe, record = tiny(zoo_folder)
    large, _ = tiny(zoo_folder, Family.SDXL)
    net = installed_net(tmp_path, "net", Family.CONTROLNET, controlnet(large.unet))
    with pytest.raises(AddonUnsuitable, match="net is made for words of width 64, here 32"):
        nets.controlnet(net, pipe, record)
    with pytest.raises(AddonUnsuitable, match=r"made for latent pictures of scale 0\.13025, here 0\.18215"):
        nets.vae(installed_net(tmp_path, "vae", Family.VAE, large.vae), pipe, record)
    wide, _ = tiny(zoo_folder, Family.SD3)
    with pytest.raises(AddonUnsuitable, match="channels 16, here 4"):
        nets.vae(installed_net(tmp_path, "wide", Family.VAE, wide.vae), pipe, record)
    tensors = dict(large.vae.state_dict())
    tensors["decoder.conv_in.weight"] = torch.ones(16, 16, 3, 3)
    with pytest.raises(ModelFileUnusable, match="size mismatch"):
        nets.vae(installed(tmp_path, "file", Family.VAE, tensors), pipe, record)


def test_what_is_not_whole_is_refused(zoo_folder: Folder, tmp_path: Path):
    pipe, record = tiny(zoo_folder)
    tensors = dict(other_vae(pipe.vae).state_dict())
    torn = {name: value for name, value in tensors.items() if name != "decoder.conv_out.bias"}
    with pytest.raises(ModelFileUnusable, match=r"lacks decoder\.conv_out\.bias"):
        nets.vae(installed(tmp_path, "torn", Family.VAE, torn), pipe, record)
    bad = tensors | {"decoder.conv_out.bias": torch.full((3,), torch.nan)}
    with pytest.raises(ModelDamaged, match="no numbers"):
        nets.vae(installed(tmp_path, "bad", Family.VAE, bad), pipe, record)


@pytest.mark.parametrize("text", ["[]", "{", '{"_class_name": "Evil"}', '{"_class_name": "UNet2DConditionModel"}'])
def test_a_configuration_of_something_else_is_refused(zoo_folder: Folder, tmp_path: Path, text: str):
    pipe, record = tiny(zoo_folder)
    addon = installed(tmp_path, "vae", Family.VAE, dict(pipe.vae.state_dict()))
    (addon.folder / "config.json").write_text(text)
    addon = type(addon)(addon.folder, recorded(addon.folder, "vae", Family.VAE), addon.file)
    with pytest.raises(ModelFileUnusable, match=r"describes no AutoencoderKL|no JSON object|cannot be read"):
        nets.vae(addon, pipe, record)


def test_a_configuration_with_the_wrong_sizes_is_refused(zoo_folder: Folder, tmp_path: Path):
    pipe, record = tiny(zoo_folder)
    addon = installed_net(tmp_path, "vae", Family.VAE, other_vae(pipe.vae))
    path = addon.folder / "config.json"
    fields = json.loads(path.read_text())
    for name, value in [("block_out_channels", [8, 8, 16, 1 << 40]), ("norm_num_groups", 0), ("layers_per_block", "x")]:
        path.write_text(json.dumps(fields | {name: value}))
        with pytest.raises(ModelFileUnusable):
            nets.vae(addon, pipe, record)


@pytest.mark.timeout(60)
def test_a_configuration_of_more_layers_than_the_file_has_is_refused_at_once(zoo_folder: Folder, tmp_path: Path):
    """Built, they would take minutes and gigabytes before anything is missed."""
    pipe, record = tiny(zoo_folder)
    net = installed_net(tmp_path, "net", Family.CONTROLNET, controlnet(pipe.unet))
    path = net.file.parent / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"layers_per_block": 20_000}))
    with pytest.raises(ModelFileUnusable, match="asks for 40000 layers"):
        nets.controlnet(net, pipe, record)
