"""LoRAs: small matrices beside a network's own, W x + weight * alpha / rank * B A x (Hu et al. 2021).

They are added by hooks for one call. The network itself is never touched, so the next call is that of a fresh one to
the last bit, and no state has to be undone.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import torch
from safetensors import safe_open
from torch.nn.functional import conv2d, linear

from frisket.engines.diffusion.addons import Addon, unsuitable
from frisket.engines.diffusion.lora_layouts import DOWN, METADATA, UP, Scales, translated
from frisket.engines.diffusion.memo import CHANGED
from frisket.errors import ModelDamaged, ModelFileUnusable
from frisket.models.record import Record


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

    Raises AddonUnsuitable for one that was made for other networks or is of another kind, ModelFileUnusable for what is
    no LoRA at all, ModelDamaged for values that are no numbers.
    """
    with safe_open(addon.file, framework="pt") as file:
        names = file.keys()
        tensors = {name: file.get_tensor(name) for name in names}
        told = (file.metadata() or {}).get(METADATA)
    weights, scales = translated(addon, pipe, model, tensors, told)
    deltas = []
    for name in sorted(weights):
        if not name.endswith((DOWN, UP)):
            raise ModelFileUnusable(path=addon.file, reason=f"it is no plain LoRA: it holds {name}")
        if name.endswith(DOWN):
            layer = name.removesuffix(DOWN)
            up = weights.get(layer + UP)
            if up is None:
                raise ModelFileUnusable(path=addon.file, reason=f"{layer} has no second matrix")
            deltas.append(_fitted(addon, pipe, model, layer, weights[name], up, scales))
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


def _fitted(
    addon: Addon, pipe: Any, model: Record, name: str, down: torch.Tensor, up: torch.Tensor, scales: Scales
) -> Delta:
    part, _, layer = name.partition(".")
    network = getattr(pipe, part, None)
    module = _module(network, layer)
    if module is None and part.startswith("text_encoder"):  # a level that some encoders have, and some had
        layer = layer.removeprefix("text_model.") if layer.startswith("text_model.") else f"text_model.{layer}"
        module = _module(network, layer)
    if module is None:
        raise unsuitable(addon, model, f"another model: this one has no {name}")
    if down.ndim < 2 or up.ndim < 2:
        raise ModelFileUnusable(path=addon.file, reason=f"{name} is no pair of matrices")
    if isinstance(module, torch.nn.Conv2d):
        down, up = (matrix[..., None, None] if matrix.ndim == 2 else matrix for matrix in (down, up))
        shapes = ((down.shape[0], module.in_channels, *module.kernel_size), (module.out_channels, down.shape[0], 1, 1))
    elif isinstance(module, torch.nn.Linear):
        down, up = (matrix.flatten(1) if matrix.shape[2:].numel() == 1 else matrix for matrix in (down, up))
        shapes = ((down.shape[0], module.in_features), (module.out_features, down.shape[0]))
    else:
        raise ModelFileUnusable(path=addon.file, reason=f"it changes {name}, which is no layer that a LoRA can change")
    if (tuple(down.shape), tuple(up.shape)) != shapes or not len(down):
        wide = f"{name} of {tuple(down.shape)} and {tuple(up.shape)}, which here are {shapes[0]} and {shapes[1]}"
        raise unsuitable(addon, model, f"another model: {wide}")
    scale = scales.of(name, len(down))
    down, up = (matrix.to(module.weight.device, module.weight.dtype) for matrix in (down, up))
    if not (math.isfinite(scale) and down.isfinite().all() and up.isfinite().all()):
        _damaged(addon, f"{name} holds values that are no numbers")
    return Delta(part, layer, down, up, scale)


def _module(network: Any, layer: str) -> Any:
    if not isinstance(network, torch.nn.Module) or not layer:
        return None
    try:
        return network.get_submodule(layer)
    except AttributeError:
        return None


def _damaged(addon: Addon, findings: str) -> NoReturn:
    suggestion = f"Run `frisket models verify {addon.record.id}`, or remove it and get it again."
    raise ModelDamaged(model=addon.record.id, findings=findings, suggestion=suggestion)
