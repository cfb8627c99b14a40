"""Networks that are add-ons: another VAE, a ControlNet. A configuration and one file of weights, whole or not at all.

Where a file comes without a configuration, as single files do, it is built as the model's own network is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint, convert_ldm_vae_checkpoint
from safetensors.torch import load_file

from frisket.engines.diffusion.addons import Addon, unsuitable
from frisket.engines.diffusion.configs import fields_of
from frisket.engines.diffusion.guard import check_networks
from frisket.engines.diffusion.opening import check_finite_and_there, mapped, quiet
from frisket.errors import AddonUnsuitable, ModelFileUnusable
from frisket.models.record import Record

CONFIG = "config.json"
LONGEST = 100_000  # bytes of a configuration
OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
LDM_VAE = ("encoder.down.", "first_stage_model.", "vae.")  # how names begin in the layout of the first publishers
LDM_CONTROL = ("control_model.", "time_embed.")
LATENTS = 4  # channels that ControlNets take, those for models that see the hole too


def vae(addon: Addon, pipe: Any, model: Record) -> AutoencoderKL:
    """For the latent pictures of `pipe`. Raises AddonUnsuitable, ModelFileUnusable, ModelDamaged."""
    own = pipe.vae.config
    config = _config(addon, AutoencoderKL) or dict(own)
    for name, words in (("latent_channels", "channels"), ("scaling_factor", "scale"), ("shift_factor", "shift")):
        if config.get(name) != own.get(name):
            raise unsuitable(addon, model, f"latent pictures of {words} {config.get(name)}, here {own.get(name)}")
    if len(config.get("block_out_channels", ())) != len(own.block_out_channels):
        raise unsuitable(addon, model, "latent pictures of another size")
    tensors = load_file(addon.file)
    if any(name.startswith(LDM_VAE) for name in tensors):
        with mapped(addon.record):
            tensors = convert_ldm_vae_checkpoint(tensors, config)
    return _whole(addon, AutoencoderKL, config, tensors)


def controlnet(addon: Addon, pipe: Any, model: Record) -> ControlNetModel:
    """For the U-net of `pipe`. Raises AddonUnsuitable, ModelFileUnusable, ModelDamaged."""
    own = pipe.unet.config
    config = _config(addon, ControlNetModel) or _like(pipe.unet)
    for name, words in (("cross_attention_dim", "words"), ("block_out_channels", "levels")):
        found, wanted = config.get(name), own.get(name)
        if _plain(found) != _plain(wanted):
            raise unsuitable(addon, model, f"{words} of width {_plain(found)}, here {_plain(wanted)}")
    if config.get("in_channels", LATENTS) != LATENTS:
        raise unsuitable(addon, model, f"latent pictures of {config['in_channels']} channels, here {LATENTS}")
    tensors = load_file(addon.file)
    if any("lora_controlnet" in name or ".lora" in name for name in tensors):
        raise AddonUnsuitable(addon=addon.record.id, what="a Control-LoRA", wanted="a whole ControlNet")
    if any(name.startswith(LDM_CONTROL) for name in tensors):
        with mapped(addon.record):
            made: dict[str, torch.Tensor | None] = convert_controlnet_checkpoint(tensors, config)
        tensors = {name: value for name, value in made.items() if value is not None}  # what it lacks is told below
    return _whole(addon, ControlNetModel, config, tensors)


def _whole(addon: Addon, kind: Any, config: dict[str, Any], tensors: dict[str, torch.Tensor]) -> Any:
    with quiet(), mapped(addon.record):
        with torch.device("meta"):  # the file fills it, or it is refused
            network = kind.from_config(config)
        tensors = {_today(name): value for name, value in tensors.items()}
        wanted, found = set(network.state_dict()), set(tensors)
        if wanted - found:
            reason = f"it lacks {', '.join(sorted(wanted - found)[:3])}"
            raise ModelFileUnusable(path=addon.file, reason=reason)
        if found - wanted:
            reason = f"it is no plain {kind.__name__}: it holds {', '.join(sorted(found - wanted)[:3])}"
            raise ModelFileUnusable(path=addon.file, reason=reason)
        network.load_state_dict(tensors, assign=True)
    check_finite_and_there(addon.record.id, network, addon.record)
    return network.eval().requires_grad_(False)


def _today(name: str) -> str:
    """What a tensor of a VAE is called now; published ones have names of 2022."""
    if ".attentions." in name:
        for before, now in OLD_NAMES.items():
            name = name.replace(before, now)
    return name


def _config(addon: Addon, kind: type) -> dict[str, Any] | None:
    """Of its folder, None where there is none. Raises ModelFileUnusable."""
    path: Path = addon.file.parent / CONFIG
    place = path.relative_to(addon.folder).as_posix()
    if not any(file.path == place for file in addon.record.files):
        return None
    if path.stat().st_size > LONGEST:
        raise ModelFileUnusable(path=path, reason=f"it describes no {kind.__name__}")
    check_networks(addon.folder, addon.record, [place.removesuffix(CONFIG).rstrip("/")])
    fields = fields_of(path)
    if fields.get("_class_name") != kind.__name__:
        raise ModelFileUnusable(path=path, reason=f"it describes no {kind.__name__}")
    known = {name for name in fields if not name.startswith("_")}
    return {name: fields[name] for name in known}


def _like(unet: Any) -> dict[str, Any]:
    with torch.device("meta"):
        made = ControlNetModel.from_unet(unet, load_weights_from_unet=False)
    return dict(made.config) | {"in_channels": LATENTS}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value
