"""The acts of the ladder on a pipeline: caches freed, tiles, networks at rest, weights here or there. See `ladder`.

What a run turns on ends with it, except where weights are kept apart: those stay so until the model is unloaded.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Any

import torch

from frisket.engines.diffusion import memo
from frisket.engines.diffusion.compiling import plain
from frisket.engines.diffusion.ladder import TILE, Rung, Setting

ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3")
OF_TILES = ("use_tiling", "use_slicing", "tile_")  # how the attributes begin that say how a VAE works


def free(device: str) -> None:
    """Throws away what is kept for speed, and gives memory that nothing uses back to the card."""
    memo.forget()
    gc.collect()
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()


def place(pipe: Any, setting: Setting, device: str) -> None:
    """The pipeline's weights as the setting says; before every run, for a sibling may have had them otherwise.

    Layer by layer, there is no way back for the networks: they are opened anew. Raises MemoryError, torch's errors.
    """
    if Rung.GROUP_OFFLOAD in setting.rungs:
        if not in_groups(pipe):
            plain(pipe)
            pipe.remove_all_hooks()
            pipe.enable_group_offload(
                onload_device=torch.device(device),
                offload_device=torch.device("cpu"),
                offload_type="leaf_level",
                use_stream=torch.device(device).type == "cuda",
                exclude_modules=whole(pipe),
            )
    elif Rung.MODEL_OFFLOAD in setting.rungs:
        pipe.enable_model_cpu_offload(device=device)
    else:
        for part in networks(pipe).values():
            part.to(device)


def whole(pipe: Any) -> list[str]:
    """Names of networks that cannot be moved layer by layer (Kandinsky's VAE): they stay on the card."""
    return [name for name, part in networks(pipe).items() if not getattr(part, "_supports_group_offloading", True)]


def in_groups(pipe: Any) -> bool:
    """Whether the layers are moved by themselves."""
    from diffusers.hooks.group_offloading import _is_group_offload_enabled

    return any(_is_group_offload_enabled(part) for part in networks(pipe).values())


def networks(pipe: Any) -> dict[str, torch.nn.Module]:
    return {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}


def can_tile(pipe: Any) -> bool:
    return hasattr(getattr(pipe, "vae", None), "enable_tiling")


@contextlib.contextmanager
def set_up(pipe: Any, setting: Setting, device: str) -> Iterator[None]:
    """While it lasts, the pipeline works as the setting says; afterwards as before, errors or not."""
    with contextlib.ExitStack() as stack:
        if Rung.VAE_TILES in setting.rungs:
            stack.enter_context(tiled(pipe))
        if Rung.FREE_CACHES in setting.rungs and not setting.apart and device != "cpu":
            stack.enter_context(resting(pipe, device))
        yield


@contextlib.contextmanager
def tiled(pipe: Any) -> Iterator[None]:
    """While it lasts, the VAE works on one picture at a time, in tiles of at most TILE px, whatever its own size is."""
    if not can_tile(pipe):
        yield
        return
    vae = pipe.vae
    before = {name: value for name, value in vars(vae).items() if name.startswith(OF_TILES)}
    vae.enable_tiling()
    if hasattr(vae, "enable_slicing"):
        vae.enable_slicing()
    own = before.get("tile_sample_min_size", 0)
    if own > TILE:
        vae.tile_sample_min_size = TILE
        vae.tile_latent_min_size = max(1, round(TILE * vae.tile_latent_min_size / own))
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(vae, name, value)


@contextlib.contextmanager
def resting(pipe: Any, device: str) -> Iterator[None]:
    """While it lasts, the networks that read words are on `device` only while they read.

    Meanwhile the pipeline seems to have none: it would take the device of the first network for that of all. At the end
    they are in main memory; `place` brings them back.
    """
    encode = getattr(pipe, "encode_prompt", None)
    encoders = {name: part for name, part in networks(pipe).items() if name in ENCODERS}
    if encode is None or not encoders:
        yield
        return

    def read(*args: Any, **kwargs: Any) -> Any:
        try:
            for name, part in encoders.items():
                setattr(pipe, name, part.to(device))
            return encode(*args, **kwargs)
        finally:
            rest()

    def rest() -> None:
        for name, part in encoders.items():
            setattr(pipe, name, None)
            part.to("cpu")
        if torch.device(device).type == "cuda":
            torch.cuda.empty_cache()

    rest()
    pipe.encode_prompt = read
    try:
        yield
    finally:
        vars(pipe).pop("encode_prompt", None)
        for name, part in encoders.items():
            setattr(pipe, name, part)
