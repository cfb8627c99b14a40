"""Another attention than torch's own choice, for a model's U-net or transformer."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import torch
from diffusers.models.attention_dispatch import attention_backend

from frisket.engines.diffusion.opening import quiet
from frisket.engines.diffusion.speed import Attention
from frisket.errors import SpeedUnusable

OPTION = "--attention"
NAMES: Mapping[Attention, str] = {
    Attention.NATIVE: "native",
    Attention.CUDNN: "_native_cudnn",
    Attention.NATIVE_FLASH: "_native_flash",
    Attention.EFFICIENT: "_native_efficient",
    Attention.MATH: "_native_math",
    Attention.FLASH: "flash",
    Attention.FLASH_3: "_flash_3",
    Attention.SAGE: "sage",
    Attention.XFORMERS: "xformers",
}  # as diffusers calls them
ON_CARDS = frozenset({Attention.CUDNN, Attention.FLASH, Attention.FLASH_3, Attention.SAGE, Attention.XFORMERS})

log = logging.getLogger(__name__)


def attend(pipe: Any, attention: Attention, device: str) -> None:
    """From now on the pipeline's U-net or transformer works that way, and so do all that share it.

    Other networks stay as they are: a VAE's heads are wider than some of these take. U-nets and SD3's transformer know
    torch's own choice alone: diffusers would set nothing there and say nothing; here it is logged. Raises SpeedUnusable
    for what this machine does not have.
    """
    if attention is Attention.NATIVE:
        return
    if attention in ON_CARDS and torch.device(device).type != "cuda":
        _refuse(attention, "it needs a card, and there is none")
    network = getattr(pipe, "transformer", None) or pipe.unet
    if not choosers(network):
        log.warning(
            "%s leaves a %s as it is: torch chooses there", f"{OPTION} {attention.value}", type(network).__name__
        )
        return
    with quiet(), attention_backend("native"):  # what is set in it is set for all networks until it ends
        try:
            network.set_attention_backend(NAMES[attention])
        except (RuntimeError, ValueError, ImportError) as error:
            _refuse(attention, " ".join(str(error).split()), error)


def choosers(network: torch.nn.Module) -> list[Any]:
    """The processors of attention in it that can be told which code to use."""
    found = (getattr(module, "processor", None) for module in network.modules())
    return [processor for processor in found if hasattr(processor, "_attention_backend")]


def _refuse(attention: Attention, reason: str, error: Exception | None = None) -> None:
    what = f"Attention by {attention.value} cannot be used"
    raise SpeedUnusable(what=what, reason=reason.rstrip("."), option=OPTION) from error
