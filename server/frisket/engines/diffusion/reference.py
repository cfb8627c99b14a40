"""IP-Adapters: a picture to follow, read by an image encoder and looked at beside the words (Ye et al. 2023).

The U-net gets other attention processors for one call, and its own objects back afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import load_file
from transformers import CLIPVisionModelWithProjection

from frisket.engines.diffusion.addons import Addon, unsuitable
from frisket.engines.diffusion.guard import check_networks
from frisket.engines.diffusion.opening import check_finite_and_there, mapped, quiet
from frisket.errors import AddonUnsuitable, ModelDamaged, ModelFileUnusable
from frisket.models.adopt import ENCODER
from frisket.models.record import Record

FRONT = "encoder_hid_proj"  # where the projection stands in a U-net
FACES = ("proj.0.", "proj.2.", "perceiver_resampler.")  # how what reads a picture begins in those for faces
MEAN = np.array((0.48145466, 0.4578275, 0.40821073), np.float32)  # of CLIP's training pictures, and their deviations
DEVIATION = np.array((0.26862954, 0.26130258, 0.27577711), np.float32)


@dataclass(slots=True)
class Look:
    """An adapter, put together: processors by name, the projection in front of them, the encoder."""

    processors: dict[str, Any]
    projection: torch.nn.Module
    encoder: Any
    fine: bool  # reads the encoder's patches ("plus"), else its summary


def read(addon: Addon, pipe: Any, model: Record) -> Look:
    """Raises AddonUnsuitable, ModelFileUnusable, ModelDamaged."""
    tensors: dict[str, dict[str, torch.Tensor]] = {"image_proj": {}, "ip_adapter": {}}
    for name, value in load_file(addon.file).items():
        part, _, rest = name.partition(".")
        if part not in tensors:
            raise ModelFileUnusable(path=addon.file, reason=f"it is no IP-Adapter: it holds {name}")
        tensors[part][rest] = value
    _check(addon, tensors)
    front, fine = tensors["image_proj"], "latents" in tensors["image_proj"]
    widths = {value.shape[1] for name, value in tensors["ip_adapter"].items() if "to_k_ip" in name}
    wanted = pipe.unet.config.cross_attention_dim
    if widths != {wanted}:
        raise unsuitable(addon, model, f"words of width {', '.join(map(str, sorted(widths)))}, here {wanted}")
    encoder = _encoder(addon)
    seen = encoder.config.hidden_size if fine else encoder.config.projection_dim
    taken = front["proj_in.weight" if fine else "proj.weight"].shape[1]
    if seen != taken:
        raise ModelFileUnusable(path=addon.file, reason=f"it reads {taken} values, its {ENCODER} gives {seen}")
    with _kept(pipe.unet), quiet(), mapped(addon.record):
        pipe.unet._load_ip_adapter_weights([tensors], low_cpu_mem_usage=False)  # whole, or not
        own = {name: part for name, part in pipe.unet.attn_processors.items() if not name.startswith(FRONT)}
        return Look(own, pipe.unet.encoder_hid_proj, encoder, fine)


def _check(addon: Addon, tensors: Mapping[str, Mapping[str, torch.Tensor]]) -> None:
    """Of one of the two kinds that are read, with matrices where they are looked at, of numbers."""
    front, own = tensors["image_proj"], tensors["ip_adapter"]
    if any("lora" in name for name in own) or any(name.startswith(FACES) for name in front):
        raise AddonUnsuitable(addon=addon.record.id, what="an IP-Adapter for faces", wanted="a plain or a plus one")
    first = front.get("proj_in.weight" if "latents" in front else "proj.weight")
    if first is None or first.ndim != 2 or any(value.ndim != 2 for value in own.values()):
        raise ModelFileUnusable(path=addon.file, reason="of IP-Adapters, only plain ones and plus ones are read here")
    for name, value in (*front.items(), *own.items()):
        if not value.isfinite().all():
            suggestion = f"Run `frisket models verify {addon.record.id}`, or remove it and get it again."
            findings = f"{name} holds values that are no numbers"
            raise ModelDamaged(model=addon.record.id, findings=findings, suggestion=suggestion)


@contextlib.contextmanager
def followed(
    pipe: Any, look: Look, picture: np.ndarray, weight: float, guided: bool, device: str = "cpu"
) -> Iterator[Callable[[int], dict[str, Any]]]:
    """While it lasts, the U-net looks at `picture` (h, w, 3) 0...1, too; what a call for n pictures is told of it.

    device: where networks work. guided: whether the call looks a second time, away from the prompt; then away from an
    empty picture, too.
    """
    unet = pipe.unet
    dtype = unet.dtype
    seen, nothing = _read(look, picture, device, dtype)

    def given(count: int) -> dict[str, Any]:
        parts = [nothing, seen] if guided else [seen]
        several = torch.cat([part[None].repeat(count, *[1] * part.ndim) for part in parts])
        return {"ip_adapter_image_embeds": [several]}

    with _kept(unet):
        for processor in look.processors.values():
            if isinstance(processor, torch.nn.Module):
                processor.to(device=unet.device, dtype=dtype)
            if hasattr(processor, "scale"):
                vars(processor)["scale"] = [weight]
        unet.set_attn_processor(dict(look.processors))
        unet.encoder_hid_proj = look.projection.to(device=unet.device, dtype=dtype)
        unet.config.encoder_hid_dim_type = "ip_image_proj"
        yield given


@contextlib.contextmanager
def _kept(unet: Any) -> Iterator[None]:
    """Afterwards the U-net has the parts that it had."""
    processors, front, kind = dict(unet.attn_processors), unet.encoder_hid_proj, unet.config.encoder_hid_dim_type
    try:
        yield
    finally:
        unet.encoder_hid_proj = None  # first: it has processors too
        unet.set_attn_processor(processors)
        unet.encoder_hid_proj = front
        unet.config.encoder_hid_dim_type = kind


@torch.no_grad()
def _read(look: Look, picture: np.ndarray, device: Any, dtype: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """What the encoder makes of a picture, and what stands for none; one picture each."""
    pixels = prepared(picture, look.encoder.config.image_size).to(device=device, dtype=dtype)
    encoder = look.encoder.to(device=device, dtype=dtype)
    if not look.fine:
        seen = encoder(pixels).image_embeds
        return seen, torch.zeros_like(seen)
    both = (encoder(values, output_hidden_states=True).hidden_states[-2] for values in (pixels, pixels * 0))
    seen, nothing = both
    return seen, nothing


def prepared(picture: np.ndarray, side: int) -> torch.Tensor:
    """(h, w, 3) 0...1 as CLIP reads pictures: the middle square, `side` px, (1, 3, side, side), normalised."""
    h, w = picture.shape[:2]
    scale = side / min(h, w)
    size = (max(side, round(w * scale)), max(side, round(h * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(np.ascontiguousarray(picture, np.float32), size, interpolation=way).clip(0, 1)
    top, left = (size[1] - side) // 2, (size[0] - side) // 2
    square = (small[top : top + side, left : left + side] - MEAN) / DEVIATION
    return torch.from_numpy(square).permute(2, 0, 1)[None]


def _encoder(addon: Addon) -> Any:
    place = addon.file.parent / ENCODER
    if not any((addon.folder / file.path).parent == place for file in addon.record.files):
        reason = f"an IP-Adapter needs its {ENCODER}; put both into a folder and import that"
        raise ModelFileUnusable(path=addon.folder, reason=reason)
    check_networks(addon.folder, addon.record, [place.relative_to(addon.folder).as_posix()])
    with quiet(), mapped(addon.record):
        opened: Any = CLIPVisionModelWithProjection.from_pretrained(
            place, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
        network, told = opened
        missing = [key for key in told["missing_keys"] if not key.endswith("position_ids")]
        if missing:
            raise ModelFileUnusable(path=place, reason=f"it lacks {', '.join(sorted(missing)[:3])}")
    check_finite_and_there(addon.record.id, network, addon.record)
    return network.eval().requires_grad_(False)
