"""Previews that show detail: tiny decoders of latent pictures (TAESD, Ollin Boer Bohan 2023), where one is installed.

Which of them goes with a model no file says for sure, so it is tried: the one that brings back what the model's own VAE
makes of a few known pictures is used, if it does so better than the matrix of `latents.colours`. It works on latents
that are thinned first, so that a preview costs less than a tenth of a step: worked out, 0.54 MFLOP for each px that it
shows, against 0.80 TFLOP of one look of the U-net of SD 1.5 at 512 px, the cheapest step there is.
"""

from __future__ import annotations

import logging
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers.models.autoencoders.vae import DecoderTiny
from safetensors.torch import load_file
from torch.nn.functional import interpolate, pixel_shuffle

from frisket.engines.diffusion import latents as lay
from frisket.engines.diffusion.addons import Addon, found
from frisket.engines.diffusion.opening import check_finite_and_there, mapped
from frisket.errors import FrisketError, ModelFileUnusable
from frisket.models.families import Family
from frisket.models.folder import Folder
from frisket.models.record import Record

WIDTH, BLOCKS = 64, (3, 3, 3, 1)  # of every published one
MOST = 2048  # latents of a preview; twice that where a step is two looks, or a transformer's, both of which cost more

log = logging.getLogger(__name__)
_stock: weakref.WeakKeyDictionary[torch.nn.Module, tuple[Path, Record]] = weakref.WeakKeyDictionary()
_fitting: weakref.WeakKeyDictionary[torch.nn.Module, DecoderTiny | None] = weakref.WeakKeyDictionary()


def offered(pipe: Any, root: Path, model: Record) -> None:
    """From now on previews of this pipeline, and of all that share its networks, may use what lies in `root`.

    It is looked through when the first preview is drawn.
    """
    owner = _owner(pipe)
    if owner is not None:
        _stock[owner] = (root, model)
        _fitting.pop(owner, None)


@torch.no_grad()
def shown(pipe: Any, latents: torch.Tensor) -> np.ndarray | None:
    """(1, c, h, w) as `latents.grid` lays them out -> (h', w', 3) float32 0...1; None where no decoder fits.

    A decoder that runs out of memory shows nothing this time: the picture is worth more than its preview.
    """
    decoder = _decoder(pipe, latents.shape[1])
    if decoder is None:
        return None
    values = _unpacked(latents[:1], decoder)
    twice = hasattr(pipe, "transformer") or bool(getattr(pipe, "do_classifier_free_guidance", False))
    try:
        return _drawn(decoder, _thinned(values, MOST * (1 + twice)))
    except torch.OutOfMemoryError:
        return None


def read(addon: Addon) -> DecoderTiny:
    """On the processor, in full precision. Raises ModelFileUnusable, ModelDamaged."""
    with mapped(addon.record):
        tensors = {_today(name): value.float() for name, value in load_file(addon.file).items()}
        tensors = {name: value for name, value in tensors.items() if name.startswith("layers.")}
        first = tensors.get("layers.0.weight")
        if first is None or first.ndim != 4:
            raise ModelFileUnusable(path=addon.file, reason="there is no decoder of latent pictures in it")
        with torch.device("meta"):
            decoder = DecoderTiny(first.shape[1], 3, BLOCKS, (WIDTH,) * len(BLOCKS), 2, "relu", "nearest")
        wanted = decoder.state_dict()
        odd = sorted(n for n in {*wanted, *tensors} if n not in tensors or n not in wanted)
        odd += [name for name in wanted if name not in odd and wanted[name].shape != tensors[name].shape]
        if odd:
            raise ModelFileUnusable(path=addon.file, reason=f"it is not built as TAESD is: {', '.join(odd[:3])}")
        decoder.load_state_dict(tensors, assign=True)
    check_finite_and_there(addon.record.id, decoder, addon.record)
    return decoder.eval().requires_grad_(False)


def _today(name: str) -> str:
    """What diffusers calls a tensor of the decoder. In the original files its layers are numbered from a clamp, which
    diffusers does not count, and nothing else is in them."""
    number, _, rest = name.partition(".")
    return f"layers.{int(number) - 1}.{rest}" if number.isdecimal() else name.removeprefix("decoder.")


def _owner(pipe: Any) -> torch.nn.Module | None:
    """What makes the latents; a VAE may be swapped."""
    return getattr(pipe, "transformer", None) or getattr(pipe, "unet", None)


def _decoder(pipe: Any, channels: int) -> DecoderTiny | None:
    """The one that fits, found once for each model."""
    owner = _owner(pipe)
    if owner is None or owner not in _stock:
        return None
    if owner not in _fitting:
        _fitting[owner] = _best(pipe, channels, *_stock[owner])
    return _fitting[owner]


def _best(pipe: Any, channels: int, root: Path, model: Record) -> DecoderTiny | None:
    if getattr(pipe, "vae", None) is None:  # a picture needs no decoder, and Kandinsky's is another kind
        return None
    pictures, latents = lay.samples(pipe, channels)
    matrix = lay.colours(pipe, channels)
    plain = latents.permute(0, 2, 3, 1) @ torch.from_numpy(matrix[:-1]) + torch.from_numpy(matrix[-1])
    plain = interpolate(plain.permute(0, 3, 1, 2), pictures.shape[-2:], mode="bilinear").clamp(0, 1)
    best, least = None, float((plain - pictures).square().mean())
    for decoder in _installed(root, model):
        if channels not in (_taken(decoder), 4 * _taken(decoder)):
            continue
        drawn = torch.stack([torch.from_numpy(_drawn(decoder, _unpacked(one[None], decoder))) for one in latents])
        seen = drawn.permute(0, 3, 1, 2)
        error = float((seen - pictures).square().mean()) if seen.shape == pictures.shape else least
        if error < least:
            best, least = decoder, error
    return best


def _installed(root: Path, model: Record) -> list[DecoderTiny]:
    """All of them; one that cannot be used is logged, for no edit needs it."""
    folder, decoders = Folder(root), []
    for id_ in folder.ids():
        try:
            if folder.record(id_).family is Family.TAESD:
                decoders.append(read(found(root, id_, Family.TAESD, model)))
        except FrisketError as error:
            log.warning("%s shows no previews: %s", id_, error)
    return decoders


def _taken(decoder: DecoderTiny) -> int:
    """Channels."""
    return decoder.state_dict()["layers.0.weight"].shape[1]


def _unpacked(latents: torch.Tensor, decoder: DecoderTiny) -> torch.Tensor:
    """Of tokens, the four latents that are in each."""
    return latents if latents.shape[1] == _taken(decoder) else pixel_shuffle(latents, 2)


def _thinned(latents: torch.Tensor, most: int) -> torch.Tensor:
    h, w = latents.shape[-2:]
    share = min(1.0, (most / (h * w)) ** 0.5)
    size = max(1, int(h * share)), max(1, int(w * share))
    return latents if size == (h, w) else interpolate(latents.float(), size, mode="bilinear", antialias=True)


def _drawn(decoder: DecoderTiny, latents: torch.Tensor) -> np.ndarray:
    dtype = torch.float32 if latents.device.type == "cpu" else torch.float16
    picture = decoder.to(device=latents.device, dtype=dtype)(latents.to(dtype))
    # A DecoderTiny gives -1...1, as all decoders of diffusers do.
    return ((picture[0].float() + 1) / 2).clamp(0, 1).permute(1, 2, 0).cpu().numpy()
