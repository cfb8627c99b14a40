"""LoRAs: small matrices beside a network's own, W x + weight * alpha / rank * B A x (Hu et al. 2021).

They are added by hooks for one call. The network itself is never touched, so the next call is that of a fresh one to
the last bit, and no state has to be undone. diffusers translates the key formats in which such files are passed around.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.utils.state_dict_utils import DIFFUSERS_OLD_TO_PEFT, UNET_TO_DIFFUSERS, convert_state_dict
from safetensors import safe_open
from torch.nn.functional import conv2d, linear

from frisket.engines.diffusion.addons import Addon, unsuitable
from frisket.engines.diffusion.memo import CHANGED
from frisket.errors import ModelFileUnusable
from frisket.models.record import Record

DOWN, UP = ".lora_A.weight", ".lora_B.weight"
METADATA = "lora_adapter_metadata"  # where newer files keep their alphas


@dataclass(frozen=True, slots=True)
class Delta:
    """What one LoRA adds to one layer: `up` after `down`, times `scale` (alpha / rank)."""

    part: str  # "unet", "text_encoder", ...
    layer: str  # within it
    down: torch.Tensor
    up: torch.Tensor
    scale: float


@dataclass(frozen=True, slots=True)
class Lora:
    """One file. stamp: of its bytes."""

    stamp: str
    deltas: tuple[Delta, ...]


def read(addon: Addon, pipe: Any, model: Record) -> Lora:
    """The LoRA, fitted to the networks of `pipe`, with their devices and precision.

    Raises AddonUnsuitable for one that was made for other networks, ModelFileUnusable for one of a kind unknown here.
    """
    with safe_open(addon.file, framework="pt") as file:
        names = file.keys()
        tensors = {name: file.get_tensor(name) for name in names}
        told = (file.metadata() or {}).get(METADATA)
    if any("dora_scale" in name or "magnitude" in name for name in tensors):
        raise ModelFileUnusable(path=addon.file, reason="it is a DoRA, whose magnitudes are not read here")
    weights, alphas = _translated(addon, pipe, tensors, model)
    alphas |= _told(told)
    deltas = []
    for name in sorted(weights):
        if not name.endswith((DOWN, UP)):
            raise ModelFileUnusable(path=addon.file, reason=f"it is no plain LoRA: it holds {name}")
        if name.endswith(DOWN):
            layer = name.removesuffix(DOWN)
            up = weights.get(layer + UP)
            if up is None:
                raise ModelFileUnusable(path=addon.file, reason=f"{layer} has no second matrix")
            deltas.append(_fitted(addon, pipe, model, layer, weights[name], up, _alpha(alphas, layer)))
    if len(deltas) * 2 != len(weights) or not deltas:
        raise ModelFileUnusable(path=addon.file, reason="its matrices do not come in pairs")
    return Lora(addon.stamp, tuple(deltas))


@contextlib.contextmanager
def added(pipe: Any, loras: Sequence[tuple[Lora, float]]) -> Iterator[None]:
    """While it lasts, the networks work with these LoRAs, each at its weight; 0 is none at all."""
    layers: dict[tuple[str, str], list[tuple[Delta, float]]] = {}
    for lora, weight in loras:
        for delta in lora.deltas if weight else ():
            layers.setdefault((delta.part, delta.layer), []).append((delta, weight))
    changed = [getattr(pipe, part) for part in {part for part, _ in layers}]
    handles = []
    try:
        for network in changed:
            setattr(network, CHANGED, tuple((lora.stamp, weight) for lora, weight in loras))
        for (part, layer), several in layers.items():
            module = getattr(pipe, part).get_submodule(layer)
            handles.append(module.register_forward_hook(_adding(several)))
        yield
    finally:
        for handle in handles:
            handle.remove()
        for network in changed:
            vars(network).pop(CHANGED, None)


def _adding(several: Sequence[tuple[Delta, float]]) -> Callable[[Any, Any, torch.Tensor], torch.Tensor]:
    ready: list[tuple[torch.Tensor, torch.Tensor, float]] = []  # where the layer works, which is known when it does

    def hook(module: Any, given: tuple[torch.Tensor, ...], out: torch.Tensor) -> torch.Tensor:
        if not ready:
            ready.extend((d.down.to(out.device), d.up.to(out.device), weight * d.scale) for d, weight in several)
        for down, up, factor in ready:
            x = given[0].to(down.dtype)
            if isinstance(module, torch.nn.Conv2d):
                strides: Any = (module.stride, module.padding, module.dilation)
                grown = conv2d(conv2d(x, down, None, *strides), up)
            else:
                grown = linear(linear(x, down), up)
            out = out + (grown * factor).to(out.dtype)
        return out

    return hook


def _translated(
    addon: Addon, pipe: Any, tensors: dict[str, torch.Tensor], model: Record
) -> tuple[dict[str, torch.Tensor], dict[str, float]]:
    """Weights by "part.layer.lora_A.weight" and alphas by "part.layer"."""
    settings: dict[str, Any] = {"unet_config": pipe.unet.config} if hasattr(pipe, "unet") else {"return_alphas": True}
    try:
        answer = type(pipe).lora_state_dict(tensors, **settings)
    except (ValueError, KeyError, TypeError, IndexError, NotImplementedError, RuntimeError) as error:
        words = " ".join(str(error).split())[:120]
        raise unsuitable(addon, model, f"another model (its layers cannot be placed: {words})") from error
    weights, alphas = answer if isinstance(answer, tuple) else (answer, None)
    plain = {_layer(name): value for name, value in weights.items()}
    found = {name: float(value) for name, value in plain.items() if name.endswith(".alpha")}
    plain = {name: value for name, value in plain.items() if name not in found}
    found |= {_layer(name): float(value) for name, value in (alphas or {}).items()}
    return plain, {name.removesuffix(".alpha").partition(".lora_A")[0]: value for name, value in found.items()}


def _layer(name: str) -> str:
    """A key in today's format, whichever of the formats of diffusers it is in."""
    mapping = DIFFUSERS_OLD_TO_PEFT if name.startswith("text_encoder") else UNET_TO_DIFFUSERS
    (made,) = convert_state_dict({name: None}, mapping)
    return made


def _told(metadata: str | None) -> dict[str, float]:
    """Alphas by "part.layer", as a file's metadata gives them."""
    try:
        fields: Mapping[str, Any] = json.loads(metadata or "{}")
        found = {}
        for name, value in fields.items():
            part, _, field = name.partition(".")
            if field == "alpha_pattern":
                found |= {f"{part}.{layer}": float(alpha) for layer, alpha in value.items()}
            elif field == "lora_alpha":
                found[part] = float(value)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
    return found


def _alpha(alphas: Mapping[str, float], layer: str) -> float | None:
    """The layer's own, else that of its network."""
    return alphas.get(layer, alphas.get(layer.partition(".")[0]))


def _fitted(
    addon: Addon, pipe: Any, model: Record, name: str, down: torch.Tensor, up: torch.Tensor, alpha: float | None
) -> Delta:
    part, _, layer = name.partition(".")
    network = getattr(pipe, part, None)
    module = _module(network, layer)
    if module is None and layer.startswith("text_model."):  # a level that some encoders have, and some had
        layer = layer.removeprefix("text_model.")
        module = _module(network, layer)
    if module is None:
        raise unsuitable(addon, model, f"another model: this one has no {name}")
    if isinstance(module, torch.nn.Conv2d):
        down, up = (matrix[..., None, None] if matrix.ndim == 2 else matrix for matrix in (down, up))
        shapes = ((down.shape[0], module.in_channels, *module.kernel_size), (module.out_channels, down.shape[0], 1, 1))
    elif isinstance(module, torch.nn.Linear):
        down, up = (matrix.flatten(1) if matrix.shape[2:].numel() == 1 else matrix for matrix in (down, up))
        shapes = ((down.shape[0], module.in_features), (module.out_features, down.shape[0]))
    else:
        raise ModelFileUnusable(path=addon.file, reason=f"it changes {name}, which is no layer that a LoRA can change")
    if (tuple(down.shape), tuple(up.shape)) != shapes:
        wide = f"{name} of {tuple(down.shape)} and {tuple(up.shape)}, which here are {shapes[0]} and {shapes[1]}"
        raise unsuitable(addon, model, f"another model: {wide}")
    weight = module.weight
    scale = (alpha if alpha is not None else down.shape[0]) / down.shape[0]
    return Delta(part, layer, down.to(weight.device, weight.dtype), up.to(weight.device, weight.dtype), scale)


def _module(network: Any, layer: str) -> Any:
    if not isinstance(network, torch.nn.Module) or not layer:
        return None
    try:
        return network.get_submodule(layer)
    except AttributeError:
        return None
