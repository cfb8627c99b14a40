"""The colour painter does what it says, by diffusers' own pipeline: other tests rest on it."""

# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false
from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
pytestmark = [pytest.mark.diffusion]


def test_latents_are_the_means_of_blocks():
    from engines.diffusion.analytic import BLOCK, block_vae

    picture = torch.rand(1, 3, 64, 48, generator=torch.Generator().manual_seed(0)) * 2 - 1
    vae = block_vae()
    with torch.no_grad():
        latents = vae.encode(picture).latent_dist.mode()
        back = vae.decode(latents).sample
    means = torch.nn.functional.avg_pool2d(picture, BLOCK)
    assert (latents[:, :3] - means).abs().max() < 2e-3
    assert latents[:, 3].abs().max() < 2e-3
    assert (back - torch.nn.functional.interpolate(means, scale_factor=BLOCK)).abs().max() < 4e-3


@pytest.mark.parametrize("scheduler", ["DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"])
def test_the_hole_gets_the_colour_and_the_rest_its_own(tmp_path, scheduler: str):
    import diffusers
    from PIL import Image

    from engines.diffusion.analytic import BLOCK, colour_painter

    folder = colour_painter(tmp_path, (0.9, 0.3, 0.1))
    pipe = diffusers.StableDiffusionInpaintPipeline.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    pipe.set_progress_bar_config(disable=True)
    pipe.scheduler = getattr(diffusers, scheduler).from_config(pipe.scheduler.config)
    picture = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    hole = np.zeros((64, 64), np.uint8)
    hole[16:40, 24:56] = 255
    out = pipe(
        prompt="red",
        image=Image.fromarray(picture),
        mask_image=Image.fromarray(hole),
        height=64,
        width=64,
        num_inference_steps=4,
        guidance_scale=1.0,
        generator=torch.Generator().manual_seed(0),
        output_type="np",
    ).images[0]
    assert np.abs(out[hole > 0] - (0.9, 0.3, 0.1)).max() < 0.01
    blocks = (picture / 255).reshape(8, BLOCK, 8, BLOCK, 3).mean((1, 3)).repeat(BLOCK, 0).repeat(BLOCK, 1)
    assert np.abs(out - blocks)[hole == 0].max() < 0.01
