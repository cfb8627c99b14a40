"""Latent pictures: the layouts against the pipelines' own, encoding that does not draw, colours that fit."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch

from engines.diffusion.analytic import block_vae
from engines.diffusion.tiny import Tiny, fresh
from frisket.engines.diffusion import latents as lay
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]


class Bare:
    """As much of a pipeline as is looked at."""

    def __init__(self, vae: torch.nn.Module) -> None:
        self.vae = vae


def test_tokens_are_laid_out_as_the_pipelines_do():
    from diffusers import Flux2KleinInpaintPipeline, FluxInpaintPipeline

    latents = torch.arange(2 * 4 * 6 * 8, dtype=torch.float32).reshape(2, 4, 6, 8)
    packed = FluxInpaintPipeline._pack_latents(latents, 2, 4, 6, 8)
    assert torch.equal(lay.grid(packed, 48, 64), torch.nn.functional.pixel_unshuffle(latents, 2))
    patched = Flux2KleinInpaintPipeline._patchify_latents(latents)
    assert torch.equal(lay.grid(Flux2KleinInpaintPipeline._pack_latents(patched), 48, 64), patched)
    plane = latents[0, 0].numpy()
    same = FluxInpaintPipeline._pack_latents(latents[:1, :1].expand(1, 4, 6, 8), 1, 4, 6, 8)
    assert torch.equal(lay.like(plane, packed, 48, 64), same)
    assert torch.equal(lay.like(plane, latents, 48, 64)[0, 0], latents[0, 0])


@pytest.mark.parametrize(
    "family",
    [Family.SD15, Family.SD3, Family.FLUX, Family.FLUX2_KLEIN, Family.QWEN_IMAGE, Family.Z_IMAGE],
    ids=lambda f: f.value,
)
def test_encoding_is_the_pipelines_own(zoo_folder: Callable[[Family], Path], family: Family):
    tiny = Tiny(zoo_folder, family)
    pipe = tiny.pipe(tiny.rows[Purpose.INPAINT])
    picture = torch.rand(1, 3, 64, 80, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.no_grad(), lay.steady(pipe):
        five = picture.unsqueeze(2) if family is Family.QWEN_IMAGE else picture
        if family is Family.Z_IMAGE:
            config = pipe.vae.config
            theirs = (pipe.vae.encode(picture).latents - config.shift_factor) * config.scaling_factor
        else:
            theirs = pipe._encode_vae_image(five, torch.Generator())
    with torch.no_grad():
        ours = lay.encoded(pipe, picture, tokens=family is Family.FLUX2_KLEIN)
    assert torch.allclose(lay.grid(theirs, 64, 80), ours, atol=1e-5)


def test_encoding_does_not_draw_and_happens_once(zoo_folder: Callable[[Family], Path]):
    tiny = Tiny(zoo_folder, Family.SD15)
    vae = fresh(tiny.folder, "StableDiffusionPipeline").vae
    one, two = torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32)
    calls = []
    vae.encoder.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad(), lay.steady(Bare(vae)):
        first, other, again = (vae.encode(picture).latents for picture in (one, two, one.clone()))
        again += 1  # what is handed out is nobody else's
        assert torch.equal(vae.encode(one).latents, first)
    assert len(calls) == 2
    assert not torch.equal(first, other)
    assert "encode" not in vars(vae)
    with torch.no_grad():
        assert torch.allclose(vae.encode(one).latent_dist.mode(), first)


def test_colours_are_fitted_to_the_models_own_vae():
    pipe = Bare(block_vae())
    matrix = lay.colours(pipe, 4)
    assert matrix.shape == (5, 3)
    wanted = np.vstack([np.eye(3) / 2, np.zeros((1, 3)), np.full((1, 3), 0.5)])  # its latents are RGB, -1...1
    assert np.abs(matrix - wanted).max() < 0.01
    assert lay.colours(pipe, 4) is matrix


@torch.no_grad()
def test_a_vae_that_overflows_in_half_precision_works_in_full_and_is_put_back():
    vae: Any = block_vae()
    next(vae.encoder.down_blocks.children()).downsamplers[0].conv.weight *= 1e4  # the group norms undo it
    vae.half()
    picture = torch.zeros(1, 3, 16, 16)
    assert not torch.isfinite(vae.encode(picture.half()).latent_dist.mode()).all()
    assert vae.config["force_upcast"]
    with lay.steady(Bare(vae)):
        assert torch.isfinite(lay.encoded(Bare(vae), picture, tokens=False)).all()
    assert np.isfinite(lay.colours(Bare(vae), 4)).all()
    assert vae.dtype == torch.float16
    with lay.steady(Bare(vae)):
        vae.float()  # a pipeline decodes, and is stopped before it has put it back
    assert vae.dtype == torch.float16
