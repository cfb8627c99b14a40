"""Tiny pipelines as one file in the layout that Stable Diffusion was trained in, as checkpoints are passed around."""

# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
          "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}  # fmt: skip
UNET = {"conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2", "conv_norm_out": "out.0", "conv_out": "out.2",
        "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
        "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2"}  # fmt: skip
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OPEN_CLIP = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "self_attn.out_proj": "attn.out_proj",
             "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}  # fmt: skip
Tensors = dict[str, Any]


def save_single(pipe: Any, path: Path) -> Path:
    """Writes the networks of a Stable Diffusion 1.5 or XL pipeline to `path`."""
    from safetensors.torch import save_file

    tensors = _named("model.diffusion_model.", _unet(pipe.unet)) | _named("first_stage_model.", _vae(pipe.vae))
    if getattr(pipe, "text_encoder_2", None) is None:
        tensors |= _named("cond_stage_model.transformer.", _clip(pipe.text_encoder))
    else:
        tensors |= _named("conditioner.embedders.0.transformer.", _clip(pipe.text_encoder))
        tensors |= _named("conditioner.embedders.1.model.", _open_clip(pipe.text_encoder_2))
    save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, path)
    return path


def _named(start: str, tensors: Tensors) -> Tensors:
    return {start + name: tensor for name, tensor in tensors.items()}


def _swapped(name: str, names: Mapping[str, str]) -> str:
    """`name` with the first of `names` that it has, as whole dotted words, replaced."""
    for now, then in names.items():
        if re.search(rf"(^|\.){re.escape(now)}\.", name):
            return re.sub(rf"(^|\.){re.escape(now)}\.", rf"\g<1>{then}.", name, count=1)
    return name


def _places(unet: Any) -> Iterator[tuple[str, str]]:
    """Blocks of a U-net: their name in diffusers and in the original layout."""
    layers, blocks = unet.config.layers_per_block, len(unet.down_blocks)
    for i, block in enumerate(unet.down_blocks):
        for j in range(layers):
            at = f"input_blocks.{(layers + 1) * i + j + 1}"
            yield f"down_blocks.{i}.resnets.{j}", f"{at}.0"
            yield f"down_blocks.{i}.attentions.{j}", f"{at}.1"
        if block.downsamplers:
            yield f"down_blocks.{i}.downsamplers.0.conv", f"input_blocks.{(layers + 1) * (i + 1)}.0.op"
    for i in range(blocks):
        for j in range(layers + 1):
            at = f"output_blocks.{(layers + 1) * i + j}"
            yield f"up_blocks.{i}.resnets.{j}", f"{at}.0"
            yield f"up_blocks.{i}.attentions.{j}", f"{at}.1"
        after = 2 if hasattr(unet.up_blocks[i], "attentions") else 1
        at = f"output_blocks.{(layers + 1) * i + layers}"
        yield f"up_blocks.{i}.upsamplers.0.conv", f"{at}.{after}.conv"


def _unet(unet: Any) -> Tensors:
    places, made = dict(_places(unet)) | UNET, {}
    for name, tensor in unet.state_dict().items():
        then = _swapped(name, places)
        assert then != name, name
        made[_swapped(then, RESNET) if ".resnets." in name else then] = tensor
    return made


def layers(unet: Any) -> dict[str, str]:
    """What a U-net's layers are called in that layout."""
    pairs = zip(unet.state_dict(), _unet(unet), strict=True)
    return {now.removesuffix(".weight"): then.removesuffix(".weight") for now, then in pairs if now.endswith(".weight")}


def vae(network: Any) -> Tensors:
    """A VAE's tensors in that layout."""
    return _vae(network)


def controlnet(net: Any, unet: Any) -> Tensors:
    """A ControlNet's tensors in that layout; unet: one that it goes with."""
    places, made = dict(_places(unet)) | UNET, {}
    for name, tensor in net.state_dict().items():
        then = name.replace("controlnet_mid_block", "middle_block_out.0")
        then = re.sub(r"controlnet_down_blocks\.(\d+)", r"zero_convs.\1.0", then)
        then = then.replace("controlnet_cond_embedding.conv_in", "input_hint_block.0")
        then = re.sub(
            r"controlnet_cond_embedding\.blocks\.(\d)", lambda m: f"input_hint_block.{2 * int(m[1]) + 2}", then
        )
        then = then.replace("controlnet_cond_embedding.conv_out", "input_hint_block.14")
        if then == name:
            then = _swapped(name, places)
            assert then != name, name
            then = _swapped(then, RESNET) if ".resnets." in name else then
        made[then] = tensor
    return made


def _vae(vae: Any) -> Tensors:
    last, made = len(vae.decoder.up_blocks) - 1, {}
    for name, tensor in vae.state_dict().items():
        then = re.sub(r"down_blocks\.(\d+)\.resnets\.", r"down.\1.block.", name)
        then = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", then)
        then = re.sub(r"up_blocks\.(\d+)\.resnets\.", lambda m: f"up.{last - int(m[1])}.block.", then)
        then = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{last - int(m[1])}.upsample", then)
        then = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", then)
        then = then.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
        if "mid_block.attentions.0." in then:
            then = _swapped(then.replace("mid_block.attentions.0", "mid.attn_1"), VAE_ATTENTION)
            tensor = tensor[:, :, None, None] if tensor.ndim == 2 else tensor
        made[then] = tensor
    return made


def _clip(encoder: Any) -> Tensors:
    return {f"text_model.{name.removeprefix('text_model.')}": t for name, t in encoder.state_dict().items()}


def _open_clip(encoder: Any) -> Tensors:
    import torch

    state, made = _clip(encoder), {}
    head = {
        "text_model.embeddings.token_embedding.weight": "token_embedding.weight",
        "text_model.embeddings.position_embedding.weight": "positional_embedding",
        "text_model.final_layer_norm.weight": "ln_final.weight",
        "text_model.final_layer_norm.bias": "ln_final.bias",
    }
    made["text_projection"] = state.pop("text_model.text_projection.weight").T
    for name, tensor in state.items():
        layer = re.fullmatch(r"text_model\.encoder\.layers\.(\d+)\.(.+)", name)
        if layer is None:
            made[head[name]] = tensor
        elif layer[2] in ("self_attn.q_proj.weight", "self_attn.q_proj.bias"):
            rest = [state[name.replace("q_proj", part)] for part in ("k_proj", "v_proj")]
            kind = layer[2].rpartition(".")[2]
            made[f"transformer.resblocks.{layer[1]}.attn.in_proj_{kind}"] = torch.cat([tensor, *rest])
        elif not re.match(r"self_attn\.[kv]_proj", layer[2]):
            made[f"transformer.resblocks.{layer[1]}.{_swapped(layer[2], OPEN_CLIP)}"] = tensor
    return made
