"""Latent pictures: encoded the same way every time, laid out as the loops hold them, and shown as colours.

Three layouts are in use: (n, c, h, w) as the VAE gives it; tokens (n, h/2 * w/2, 4c) of 2 x 2 latents each; and the
same normalised by statistics that the VAE carries (Flux2). Pixel models (IF) have none: their loop holds the picture.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch.nn.functional import pixel_unshuffle

KEPT = 4  # encodings remembered within a run: the picture, the picture without the hole, a reference
SAMPLES = 96  # px, the side of the pictures to which colours are fitted

_colours: weakref.WeakKeyDictionary[torch.nn.Module, dict[int, np.ndarray]] = weakref.WeakKeyDictionary()


@contextlib.contextmanager
def steady(pipe: Any) -> Iterator[None]:
    """While it lasts, the VAE encodes to the middle of what it could draw, and never the same picture twice.

    So no picture of a batch depends on how many draws the others took, and a batch costs one encoding. Afterwards the
    VAE has its precision back: a run that ends while the VAE worked in full would leave it so.
    """
    vae = getattr(pipe, "vae", None)
    if vae is None:  # IF has none; Kandinsky's does not draw
        yield
        return
    encode, kept, dtype = vae.encode, [], vae.dtype

    def steadily(picture: torch.Tensor, *args: Any, **kwargs: Any) -> SimpleNamespace:
        for known, latents in kept:
            if known.shape == picture.shape and known.dtype == picture.dtype and torch.equal(known, picture):
                return SimpleNamespace(latents=latents.clone())
        made = encode(picture)
        latents = made.latent_dist.mode() if hasattr(made, "latent_dist") else made.latents
        kept.append((picture, latents.clone()))
        del kept[:-KEPT]
        return SimpleNamespace(latents=latents)

    vae.encode = steadily
    try:
        yield
    finally:
        del vae.encode  # the class's own shows again
        if vae.dtype != dtype:
            vae.to(dtype)


@contextlib.contextmanager
def in_full(vae: Any) -> Iterator[None]:
    """While it lasts, a VAE that overflows in half precision (SDXL's) works in full, as the pipelines have it."""
    dtype = vae.dtype
    overflows = dtype == torch.float16 and getattr(vae.config, "force_upcast", False)
    if overflows:
        vae.to(torch.float32)
    try:
        yield
    finally:
        if overflows:
            vae.to(dtype)


def grid(latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Any of the layouts as (n, c, h, w). height, width: of the picture, px."""
    if latents.ndim == 5:
        latents = latents[:, :, 0]
    if latents.ndim == 4:
        return latents
    n, tokens, channels = latents.shape
    rows = round((tokens * height / width) ** 0.5)
    return latents.transpose(1, 2).reshape(n, channels, rows, tokens // rows)


def like(plane: np.ndarray, latents: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """plane (h, w) of the size of the latent picture, laid out as `latents`: its values broadcast over channels.

    height, width: of the picture, px. For tokens the plane has twice their rows and columns.
    """
    values = torch.from_numpy(np.ascontiguousarray(plane, np.float32)).to(latents.device)
    if latents.ndim == 4:
        return values[None, None]
    if latents.ndim == 5:
        return values[None, None, None]
    _, _, channels = latents.shape
    four = pixel_unshuffle(values[None, None], 2)  # (1, 4, h/2, w/2)
    return four.flatten(2).transpose(1, 2).repeat(1, 1, channels // 4)


def encoded(pipe: Any, picture: torch.Tensor, tokens: bool) -> torch.Tensor:
    """picture (n, 3, h, w), -1...1 -> (n, c, h', w'): a clean latent picture as the loop knows it, not noised."""
    vae = getattr(pipe, "vae", None)
    if vae is None:
        movq = getattr(pipe, "movq", None)
        return picture if movq is None else movq.encode(picture.to(movq.device, movq.dtype)).latents
    config, five = vae.config, hasattr(vae.config, "z_dim")
    with in_full(vae):
        picture = picture.to(vae.device, vae.dtype)
        made = vae.encode(picture.unsqueeze(2) if five else picture)
    latents = made.latent_dist.mode() if hasattr(made, "latent_dist") else made.latents
    if five:
        mean, std = (torch.tensor(v).view(1, -1, 1, 1).to(latents) for v in (config.latents_mean, config.latents_std))
        latents = (latents[:, :, 0] - mean) / std
    elif not hasattr(vae, "bn"):
        latents = (latents - (getattr(config, "shift_factor", None) or 0)) * config.scaling_factor
    if tokens:
        latents = pixel_unshuffle(latents, 2)
    if hasattr(vae, "bn"):
        mean, var = (v.view(1, -1, 1, 1).to(latents) for v in (vae.bn.running_mean, vae.bn.running_var))
        latents = (latents - mean) / torch.sqrt(var + config.batch_norm_eps)
    return latents


def in_tokens(pipe: Any, channels: int) -> bool:
    """Whether a loop whose latents have so many channels holds tokens: four latents of the VAE in each."""
    config = getattr(getattr(pipe, "vae", None), "config", None)
    own = getattr(config, "z_dim", None) or getattr(config, "latent_channels", channels)
    return channels == 4 * own


@torch.no_grad()
def colours(pipe: Any, channels: int) -> np.ndarray:
    """(channels + 1, 3) float32: latents and a 1 times this are about RGB, 0...1. channels: of the loop's latents.

    Fitted by least squares to what the model's own VAE makes of ramps and squares; once for each VAE.
    """
    owner = next((m for m in (getattr(pipe, name, None) for name in ("vae", "movq", "unet")) if m is not None), None)
    assert owner is not None
    known = _colours.setdefault(owner, {})
    if channels not in known:
        pictures, latents = samples(pipe, channels)
        small = torch.nn.functional.adaptive_avg_pool2d(pictures, (latents.shape[-2], latents.shape[-1]))
        x = latents.permute(0, 2, 3, 1).reshape(-1, channels).numpy().astype(np.float64)
        y = small.permute(0, 2, 3, 1).reshape(-1, 3).numpy().astype(np.float64)
        x = np.hstack([x, np.ones((len(x), 1))])
        ridge = 1e-4 * np.eye(channels + 1) * max(float(np.square(x).mean()), 1e-12) * len(x)
        known[channels] = np.linalg.solve(x.T @ x + ridge, x.T @ y).astype(np.float32)
    return known[channels]


@torch.no_grad()
def samples(pipe: Any, channels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Pictures (n, 3, SAMPLES, SAMPLES), 0...1, and what the model's VAE makes of them, (n, channels, h, w)."""
    pictures = torch.from_numpy(_samples()).permute(0, 3, 1, 2)
    return pictures, encoded(pipe, pictures * 2 - 1, tokens=in_tokens(pipe, channels)).float().cpu()


def _samples() -> np.ndarray:
    """(3, SAMPLES, SAMPLES, 3) float32, 0...1: ramps of colour, and squares of 16 and 32 px in random colours."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:SAMPLES, 0:SAMPLES] / (SAMPLES - 1)
    ramps = np.stack([x, y, (x + 1 - y) / 2], -1)
    squares = [rng.random((SAMPLES // n, SAMPLES // n, 3)).repeat(n, 0).repeat(n, 1) for n in (16, 32)]
    return np.stack([ramps, *squares]).astype(np.float32)
