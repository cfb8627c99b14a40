"""Model files of a few kB, in the layouts of real ones, with bytes that only their seed decides."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from typing import Any

ITEM = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8}


def safetensors(tensors: Mapping[str, tuple[str, tuple[int, ...]]], seed: int = 1) -> bytes:
    """A file that holds tensors of these types and shapes."""
    fields: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, (dtype, shape) in tensors.items():
        size = math.prod(shape) * ITEM[dtype]
        fields[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return raw(fields, random.Random(seed).randbytes(at))


def raw(header: object, data: bytes) -> bytes:
    """A file with this header, be it true or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def pipeline(unet_bytes: int = 4000, channels: int = 9, seed: int = 1) -> dict[str, bytes]:
    """A Stable Diffusion 1.x inpainting repository as published: the same weights in many formats, and odds and ends.

    The data of its UNet's file in half precision, which is the one to take, has `unet_bytes` bytes."""
    half = safetensors({"conv_in.weight": ("F16", (unet_bytes // 2,))}, seed)
    index = {
        "_class_name": "StableDiffusionInpaintPipeline",
        "_diffusers_version": "0.6.0",
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "scheduler": ["diffusers", "PNDMScheduler"],
        "safety_checker": [None, None],
    }
    config = {"in_channels": channels, "cross_attention_dim": 768}
    return {
        "model_index.json": json.dumps(index).encode(),
        "unet/config.json": json.dumps(config).encode(),
        "unet/diffusion_pytorch_model.fp16.safetensors": half,
        "unet/diffusion_pytorch_model.safetensors": safetensors({"conv_in.weight": ("F32", (900,))}, seed + 1),
        "unet/diffusion_pytorch_model.non_ema.safetensors": safetensors({"conv_in.weight": ("F32", (9,))}),
        "unet/diffusion_pytorch_model.bin": b"\x80\x02pickle",
        "vae/config.json": b"{}",
        "vae/diffusion_pytorch_model.safetensors": safetensors({"conv.weight": ("F32", (600,))}, seed + 2),
        "scheduler/scheduler_config.json": b"{}",
        "safety_checker/model.safetensors": safetensors({"w": ("F32", (9,))}),
        "sd-v1-5-inpainting.safetensors": safetensors({"w": ("F32", (9,))}),
        "sd-v1-5-inpainting.ckpt": b"\x80\x02pickle",
        "README.md": b"# A model",
        "unet/pipeline.py": b"raise SystemExit",
        ".gitattributes": b"*.bin filter=lfs",
    }


UNET = "unet/diffusion_pytorch_model.fp16.safetensors"
CHOSEN = [
    "model_index.json",
    "scheduler/scheduler_config.json",
    "unet/config.json",
    "unet/diffusion_pytorch_model.fp16.safetensors",
    "vae/config.json",
    "vae/diffusion_pytorch_model.safetensors",
]
