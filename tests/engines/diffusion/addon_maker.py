"""Small random add-ons for tiny pipelines, saved as published ones are."""

# pyright: reportCallIssue=false, reportArgumentType=false, reportAttributeAccessIssue=false
from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from engines.diffusion.addon_files import recorded
from engines.diffusion.zoo_parts import clip_vision
from frisket.engines.diffusion.addons import Addon
from frisket.models.families import Family

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "q_proj", "v_proj", "out_proj")
STRENGTH = 0.4  # of its values: enough to be seen


def installed(root: Path, id_: str, family: Family, tensors: dict[str, torch.Tensor], **metadata: str) -> Addon:
    place = root / id_
    place.mkdir(parents=True)
    save_file({name: value.contiguous() for name, value in tensors.items()}, place / f"{id_}.safetensors", metadata)
    return Addon(place, recorded(place, id_, family), place / f"{id_}.safetensors")


def lora_tensors(pipe: Any, seed: int, rank: int = 2, parts: tuple[str, ...] = ("unet",)) -> dict[str, torch.Tensor]:
    """In peft's layout: "unet.LAYER.lora_A.weight"."""
    draw, made = torch.Generator().manual_seed(seed), {}
    for part in parts:
        for name, layer in getattr(pipe, part).named_modules():
            if isinstance(layer, torch.nn.Linear) and name.endswith(ATTENTION):
                start = f"{part}.{name}"
                made[f"{start}.lora_A.weight"] = STRENGTH * torch.randn(rank, layer.in_features, generator=draw)
                made[f"{start}.lora_B.weight"] = STRENGTH * torch.randn(layer.out_features, rank, generator=draw)
    return made


def every_layer(pipe: Any, seed: int, *parts: str, rank: int = 2) -> dict[str, torch.Tensor]:
    """The same for each layer that there is, convolutions too."""
    draw, made = torch.Generator().manual_seed(seed), {}
    for part in parts:
        for name, layer in getattr(pipe, part).named_modules():
            if isinstance(layer, torch.nn.Linear):
                shapes = ((rank, layer.in_features), (layer.out_features, rank))
            elif isinstance(layer, torch.nn.Conv2d):
                shapes = ((rank, layer.in_channels, *layer.kernel_size), (layer.out_channels, rank, 1, 1))
            else:
                continue
            for matrix, shape in zip("AB", shapes, strict=True):
                made[f"{part}.{name}.lora_{matrix}.weight"] = STRENGTH / 4 * torch.randn(shape, generator=draw)
    return made


def kohya(
    tensors: dict[str, torch.Tensor], alpha: float, first: str = "lora_te", names: Mapping[str, str] | None = None
) -> dict[str, torch.Tensor]:
    """The same in the layout of most files that are passed around.

    first: of the first text encoder's names, lora_te1 with SDXL. names: what the U-net's layers are called.
    """
    starts = {"unet": "lora_unet_", "text_encoder": f"{first}_text_model_", "text_encoder_2": "lora_te2_"}
    made = {}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        layer, _, matrix = rest.partition(".lora_")
        start = starts[part] + (names or {}).get(layer, layer).replace(".", "_")
        made[f"{start}.lora_{'down' if matrix.startswith('A') else 'up'}.weight"] = value
        made[f"{start}.alpha"] = torch.tensor(alpha)
    return made


def old_diffusers(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same as diffusers wrote them in 2023, of a U-net."""
    return {
        name.replace(".lora_A.", ".lora.down.").replace(".lora_B.", ".lora.up."): value
        for name, value in tensors.items()
    }


def installed_net(root: Path, id_: str, family: Family, network: Any) -> Addon:
    """A network as a folder in diffusers' layout: configuration and weights."""
    place = root / id_
    network.save_pretrained(place, safe_serialization=True)
    return Addon(place, recorded(place, id_, family), place / "diffusion_pytorch_model.safetensors")


def controlnet(unet: Any, seed: int = 1) -> Any:
    """One for that U-net, with random weights where fresh ones have zeros."""
    from diffusers import ControlNetModel

    torch.manual_seed(seed)
    fields = dict(unet.config) | {"in_channels": 4}
    narrow = type(unet).from_config(fields)
    net = ControlNetModel.from_unet(narrow, load_weights_from_unet=False)
    for name, values in net.named_parameters():
        if "controlnet_" in name or "conv_out" in name:
            torch.nn.init.normal_(values, std=0.2)
    return net.eval()


def other_vae(vae: Any, seed: int = 9) -> Any:
    """Built like that one, with other weights."""
    torch.manual_seed(seed)
    return type(vae).from_config(vae.config).eval()


def look_tensors(unet: Any, seed: int = 1, seen: int = 32, count: int = 4) -> dict[str, torch.Tensor]:
    """A plain IP-Adapter's, for encoders that give `seen` values; it looks as `count` words."""
    draw, wide = torch.Generator().manual_seed(seed), unet.config.cross_attention_dim
    made = {
        "image_proj.proj.weight": torch.randn(count * wide, seen, generator=draw),
        "image_proj.proj.bias": torch.randn(count * wide, generator=draw),
        "image_proj.norm.weight": torch.ones(wide),
        "image_proj.norm.bias": torch.zeros(wide),
    }
    layers = [name for name in unet.attn_processors if "attn2" in name]
    for number, name in enumerate(layers):
        layer = unet.get_submodule(name.removesuffix(".processor"))
        for matrix in ("k", "v"):
            values = torch.randn(layer.inner_dim, wide, generator=draw)
            made[f"ip_adapter.{2 * number + 1}.to_{matrix}_ip.weight"] = STRENGTH * values
    return made


def installed_look(root: Path, id_: str, unet: Any, seed: int = 1) -> Addon:
    """An IP-Adapter with its encoder."""
    place = root / id_
    clip_vision().save_pretrained(place / "image_encoder", safe_serialization=True)
    save_file(look_tensors(unet, seed), place / f"{id_}.safetensors")
    return Addon(place, recorded(place, id_, Family.IP_ADAPTER), place / f"{id_}.safetensors")
