"""A pipeline whose weights are set by hand: it paints what it is told to, so that a test can know the right answer.

The VAE encodes the mean of each block of 8 x 8 px and decodes blocks of one colour. The UNet (9 channels, as inpaint
models have) predicts the finished latents: those of the picture outside the hole, one colour inside. No training.

Group norms are undone by making every group (s, -s, K, -K): its mean is 0, its deviation K / sqrt 2 up to s^2 / K^2.
SiLU is the identity where its argument is large, so OFF is added before it and taken away after.
"""

# pyright: reportCallIssue=false, reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportOptionalIterable=false, reportIndexIssue=false, reportOperatorIssue=false, reportOptionalSubscript=false
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from engines.diffusion.zoo_parts import clip_text
from engines.diffusion.zoo_words import clip_tokenizer

K, OFF = 100.0, 20.0
BLOCK = 8  # px


def _silent(network: nn.Module) -> None:
    """Residual blocks and attention add nothing."""
    from diffusers.models.attention_processor import Attention
    from diffusers.models.resnet import ResnetBlock2D
    from diffusers.models.transformers.transformer_2d import Transformer2DModel

    for module in network.modules():
        if isinstance(module, ResnetBlock2D):
            nn.init.zeros_(module.conv2.weight)
            nn.init.zeros_(module.conv2.bias)
        if isinstance(module, Attention):
            nn.init.zeros_(module.to_out[0].weight)
            nn.init.zeros_(module.to_out[0].bias)
        if isinstance(module, Transformer2DModel):
            nn.init.zeros_(module.proj_out.weight)
            nn.init.zeros_(module.proj_out.bias)


def _zeroed(conv: nn.Conv2d) -> tuple[torch.Tensor, torch.Tensor, int]:
    assert conv.bias is not None
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(conv.bias)
    return conv.weight, conv.bias, conv.kernel_size[0] // 2


def _lift(conv: nn.Conv2d, mixes: Sequence[Mapping[int, float]]) -> None:
    """Output group c becomes (s, -s, K, -K), s the mix of input channels that mixes[c] says."""
    weight, bias, middle = _zeroed(conv)
    for c, mix in enumerate(mixes):
        for channel, share in mix.items():
            weight[4 * c, channel, middle, middle] = share
            weight[4 * c + 1, channel, middle, middle] = -share
        bias[4 * c + 2], bias[4 * c + 3] = K, -K


def _lower(norm: nn.GroupNorm, conv: nn.Conv2d, channels: int) -> None:
    """The way back: s of each group."""
    nn.init.zeros_(norm.weight)
    nn.init.zeros_(norm.bias)
    weight, bias, middle = _zeroed(conv)
    for c in range(channels):
        norm.weight[4 * c] = K / 2**0.5
        norm.bias[4 * c] = OFF
        weight[c, 4 * c, middle, middle] = 1.0
        bias[c] = -OFF


def _identity(conv: nn.Conv2d) -> None:
    weight, _, middle = _zeroed(conv)
    for c in range(min(weight.shape[:2])):
        weight[c, c, middle, middle] = 1.0


@torch.no_grad()
def block_vae():
    """AutoencoderKL: latents 0...2 are the means of red, green and blue (-1...1) of each block, 3 is 0."""
    from diffusers import AutoencoderKL

    width = 12
    vae = AutoencoderKL(
        block_out_channels=(width,) * 4,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=3,
        scaling_factor=1.0,
        sample_size=512,
    ).eval()
    _silent(vae)
    _lift(vae.encoder.conv_in, [{c: 1.0} for c in range(3)])
    _lower(vae.encoder.conv_norm_out, vae.encoder.conv_out, 3)
    vae.encoder.conv_out.bias[4:] = -30.0  # log variance: hardly any noise
    for block in vae.encoder.down_blocks:
        for down in block.downsamplers or []:
            weight, _, _ = _zeroed(down.conv)
            for c in range(width):
                weight[c, c, :2, :2] = 0.25
    _identity(vae.quant_conv)
    _identity(vae.post_quant_conv)
    _lift(vae.decoder.conv_in, [{c: 1.0} for c in range(3)])
    _lower(vae.decoder.conv_norm_out, vae.decoder.conv_out, 3)
    for block in vae.decoder.up_blocks:
        for up in block.upsamplers or []:
            _identity(up.conv)
    return vae


def _unet(channels: int):
    from diffusers import UNet2DConditionModel

    unet = UNet2DConditionModel(
        block_out_channels=(16,),
        layers_per_block=1,
        in_channels=channels,
        out_channels=4,
        down_block_types=("CrossAttnDownBlock2D",),
        up_block_types=("CrossAttnUpBlock2D",),
        mid_block_type=None,
        cross_attention_dim=32,
        norm_num_groups=4,
        attention_head_dim=4,
        sample_size=64,
    ).eval()
    _silent(unet)
    return unet


@torch.no_grad()
def colour_unet(colour: Sequence[float]):
    """UNet of an inpaint model: the latents of the picture without the hole (gray there), plus mask times `colour`."""
    unet = _unet(9)
    # channels in: 0-3 the noisy latents, 4 the mask, 5-8 the latents of the picture without the hole
    _lift(unet.conv_in, [{5 + c: 1.0, 4: colour[c] if c < 3 else 0.0} for c in range(4)])
    for block in unet.up_blocks:
        for resnet in block.resnets:
            _identity(resnet.conv_shortcut)
    _lower(unet.conv_norm_out, unet.conv_out, 4)
    return unet


@torch.no_grad()
def plain_unet(colour: Sequence[float]):
    """UNet of a model that was not trained to fill holes: whatever it sees, it predicts one colour everywhere."""
    unet = _unet(4)
    _lift(unet.conv_in, [{}] * 4)
    for block in unet.up_blocks:
        for resnet in block.resnets:
            _identity(resnet.conv_shortcut)
    _lower(unet.conv_norm_out, unet.conv_out, 4)
    unet.conv_out.bias[:3] += torch.tensor(colour)
    return unet


def colour_painter(folder: Path, colour: Sequence[float] = (0.9, 0.1, 0.1)) -> Path:
    """Saves a StableDiffusionInpaintPipeline that paints `colour` (RGB, 0...1) in every hole; gives `folder` back."""
    return _saved("StableDiffusionInpaintPipeline", colour_unet([2 * c - 1 for c in colour]), folder)


def plain_painter(folder: Path, colour: Sequence[float] = (0.9, 0.1, 0.1)) -> Path:
    """Saves a StableDiffusionPipeline that paints `colour` (RGB, 0...1) everywhere; gives `folder` back."""
    return _saved("StableDiffusionPipeline", plain_unet([2 * c - 1 for c in colour]), folder)


def _saved(name: str, unet: nn.Module, folder: Path) -> Path:
    import diffusers

    scheduler = diffusers.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="sample",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )
    pipeline = getattr(diffusers, name)(
        vae=block_vae(),
        text_encoder=clip_text(),
        tokenizer=clip_tokenizer(),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder
