"""The layouts in which LoRA files are passed around, brought into one: matrices by "part.layer.lora_A.weight".

diffusers translates most of them; what it leaves half translated, or takes for a LoRA of another model, is told here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers.utils.state_dict_utils import DIFFUSERS_OLD_TO_PEFT, UNET_TO_DIFFUSERS, convert_state_dict

from frisket.engines.diffusion.addons import Addon, unsuitable
from frisket.errors import AddonUnsuitable, ModelFileUnusable
from frisket.models.record import Record

DOWN, UP = ".lora_A.weight", ".lora_B.weight"
METADATA = "lora_adapter_metadata"  # where newer files keep their alphas
PEFT = "base_model.model."  # before each name in files that peft itself saved; they do not name the part
SECOND = ("lora_te2_", "lora_te3_")  # of a transformer's second text encoder; diffusers leaves them out
ODD: Mapping[str, str] = {  # what is found in names -> what is no plain LoRA
    "dora_scale": "a DoRA, whose magnitudes are not read here",
    "magnitude": "a DoRA, whose magnitudes are not read here",
    "hada_": "a LoHa",
    "lokr_": "a LoKr",
    "oft_": "an OFT",
    "lora_mid.": "a LoCon in three matrices (Tucker)",
    "lora_controlnet": "a Control-LoRA, which is a ControlNet in small",
    ".on_input": "an IA3",
    ".a1.weight": "a GLoRA",
}
ENDS: Mapping[str, str] = {  # the same, of how names end
    ".diff": "a file of whole differences of weights",
    ".diff_b": "a file of whole differences of weights",
    ".lora_B.bias": "a LoRA with biases",
    ".lora_up.bias": "a LoRA with biases",
}


@dataclass(slots=True)
class Scales:
    """What the matrices of a layer are multiplied by. Alphas are those of the file by "part.layer"."""

    alphas: dict[str, float] = field(default_factory=dict)
    patterns: dict[str, float] = field(default_factory=dict)  # by "part.the layer's last names"
    parts: dict[str, float] = field(default_factory=dict)  # by part
    stable: set[str] = field(default_factory=set)  # parts that are divided by the root of the rank (rsLoRA, 2023)

    def of(self, layer: str, rank: int) -> float:
        """The layer's own, else what its network's are; without a word alpha is the rank."""
        part, _, inner = layer.partition(".")
        alpha = self.alphas.get(layer)
        for pattern, value in self.patterns.items() if alpha is None else ():
            if pattern.startswith(f"{part}.") and f".{inner}".endswith("." + pattern.removeprefix(f"{part}.")):
                alpha = value
        if alpha is None:
            alpha = self.parts.get(part, float(rank))
        return alpha / (math.sqrt(rank) if part in self.stable else rank)


def translated(
    addon: Addon, pipe: Any, model: Record, tensors: dict[str, torch.Tensor], told: str | None
) -> tuple[dict[str, torch.Tensor], Scales]:
    """The matrices and what they are scaled by. told: the file's metadata under METADATA.

    Raises AddonUnsuitable for what is no plain LoRA, by its kind, and for layers that cannot be placed,
    ModelFileUnusable for alphas that cannot be read.
    """
    check_kind(addon, tensors)
    if any(value.numel() != 1 for name, value in tensors.items() if name.endswith(".alpha")):
        raise ModelFileUnusable(path=addon.file, reason="an alpha of it is no single number")
    if not hasattr(pipe, "unet") and any(name.startswith(SECOND) for name in tensors):
        raise AddonUnsuitable(addon=addon.record.id, what="one that changes a T5, too", wanted="one that does not")
    tensors = _with_parts(pipe, tensors)
    settings: dict[str, Any] = {"unet_config": pipe.unet.config} if hasattr(pipe, "unet") else {"return_alphas": True}
    try:
        answer = type(pipe).lora_state_dict(tensors, **settings)
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RuntimeError) as error:
        words = " ".join(str(error).split())[:120]
        raise unsuitable(addon, model, f"another model (its layers cannot be placed: {words})") from error
    weights, alphas = answer if isinstance(answer, tuple) else (answer, None)
    plain = {_layer(name): value for name, value in _with_parts(pipe, weights).items()}
    found = {name: float(value) for name, value in plain.items() if name.endswith(".alpha")}
    plain = {name: value for name, value in plain.items() if name not in found}
    found |= {_layer(name): float(value) for name, value in (alphas or {}).items()}
    scales = _told(addon, told)
    scales.alphas = {name.removesuffix(".alpha").partition(".lora_A")[0]: value for name, value in found.items()}
    return plain, scales


def check_kind(addon: Addon, tensors: Mapping[str, object]) -> None:
    """Raises AddonUnsuitable for a file of the wider family that is no plain LoRA, by the name of its kind."""
    for name in tensors:
        kinds = [kind for mark, kind in ODD.items() if mark in name]
        kinds += [kind for end, kind in ENDS.items() if name.endswith(end)]
        if kinds:
            raise AddonUnsuitable(addon=addon.record.id, what=kinds[0], wanted="a plain LoRA")


def _with_parts(pipe: Any, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Layers that are in the network that paints, by their names as they are, are said to be of it."""
    part = "unet" if hasattr(pipe, "unet") else "transformer"
    layers = {name for name, _ in getattr(pipe, part).named_children()}
    made = {}
    for name, value in tensors.items():
        bare = name.removeprefix(PEFT)
        made[f"{part}.{bare}" if bare.partition(".")[0] in layers else name] = value
    return made


def _layer(name: str) -> str:
    """A key in today's format, whichever of the formats of diffusers it is in."""
    mapping = DIFFUSERS_OLD_TO_PEFT if name.startswith("text_encoder") else {}
    (made,) = convert_state_dict({name: None}, mapping)
    (made,) = convert_state_dict({made: None}, UNET_TO_DIFFUSERS)
    return made


def _told(addon: Addon, metadata: str | None) -> Scales:
    """What a file's metadata say. Raises ModelFileUnusable for what cannot be read: to guess is to paint otherwise."""
    scales = Scales()
    try:
        fields: Mapping[str, Any] = json.loads(metadata or "{}")
        for name, value in fields.items():
            part, _, setting = name.partition(".")
            if setting == "alpha_pattern":
                scales.patterns |= {f"{part}.{layer}": float(alpha) for layer, alpha in value.items()}
            elif setting == "lora_alpha":
                scales.parts[part] = float(value)
            elif setting == "use_rslora" and value:
                scales.stable.add(part)
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise ModelFileUnusable(path=addon.file, reason="its metadata do not say its alphas") from None
    if any(mark in name for name in scales.patterns for mark in "^$*+?()[]{}|\\"):
        raise ModelFileUnusable(path=addon.file, reason="its metadata name layers by patterns, which are not read here")
    return scales
