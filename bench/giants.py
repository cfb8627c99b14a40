"""Diffusion models of their real sizes with random weights, saved once as a hub would hand them out (half precision).

Speed and memory do not depend on what the weights say, so none need to be downloaded. Sizes are those of the published
configurations; the tokenizer is a small one of the right layout, which changes nothing that takes time.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportMissingImports=false
from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DONE = "made.json"  # written last: a folder that has it is whole


def sd15_inpaint() -> Any:
    import diffusers

    unet = diffusers.UNet2DConditionModel(
        in_channels=9,
        out_channels=4,
        block_out_channels=(320, 640, 1280, 1280),
        layers_per_block=2,
        cross_attention_dim=768,
        attention_head_dim=8,
        sample_size=64,
    )
    return diffusers.StableDiffusionInpaintPipeline(
        vae=_vae(0.18215, 512),
        text_encoder=_text(768, 3072, 12, 12),
        tokenizer=_tokenizer(),
        unet=unet,
        scheduler=_euler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def sdxl_inpaint() -> Any:
    import diffusers

    unet = diffusers.UNet2DConditionModel(
        in_channels=9,
        out_channels=4,
        sample_size=128,
        block_out_channels=(320, 640, 1280),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        transformer_layers_per_block=(1, 2, 10),
        attention_head_dim=(5, 10, 20),
        cross_attention_dim=2048,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=256,
        projection_class_embeddings_input_dim=2816,
    )
    return diffusers.StableDiffusionXLInpaintPipeline(
        vae=_vae(0.13025, 1024),
        text_encoder=_text(768, 3072, 12, 12),
        tokenizer=_tokenizer(),
        text_encoder_2=_text(1280, 5120, 32, 20, projected=True),
        tokenizer_2=_tokenizer(),
        unet=unet,
        scheduler=_euler(),
    )


def flux_fill() -> Any:
    import diffusers
    from transformers import T5Config, T5EncoderModel

    _tests_path()
    from engines.diffusion.zoo_words import t5_tokenizer

    t5 = T5EncoderModel(
        T5Config(
            vocab_size=32128, d_model=4096, d_kv=64, d_ff=10240, num_layers=24, num_heads=64,
            feed_forward_proj="gated-gelu",
        )
    )  # fmt: skip
    return diffusers.FluxFillPipeline(
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0),
        vae=_vae(0.3611, 1024, latents=16, shift=0.1159),
        text_encoder=_text(768, 3072, 12, 12),
        tokenizer=_tokenizer(),
        text_encoder_2=t5,
        tokenizer_2=t5_tokenizer(),
        transformer=diffusers.FluxTransformer2DModel(in_channels=384, out_channels=64, guidance_embeds=True),
    )


MAKERS: Mapping[str, Callable[[], Any]] = {
    "sd15-inpaint": sd15_inpaint,
    "sdxl-inpaint": sdxl_inpaint,
    "flux-fill": flux_fill,
}


def giant(name: str, folder: Path) -> Path:
    """The folder of that model below `folder`, made when it is not there: 2, 7 or 34 GB, tens of seconds to minutes."""
    import torch

    place = folder / name
    if (place / DONE).exists():
        return place
    torch.manual_seed(0)
    pipe = MAKERS[name]().to(torch.bfloat16 if name == "flux-fill" else torch.float16)
    pipe.save_pretrained(place, safe_serialization=True)
    (place / DONE).write_text(json.dumps({"model": name}))
    return place


def _vae(scaling: float, sample: int, latents: int = 4, shift: float | None = None) -> Any:
    import diffusers

    return diffusers.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=latents,
        norm_num_groups=32,
        scaling_factor=scaling,
        shift_factor=shift,
        use_quant_conv=shift is None,
        use_post_quant_conv=shift is None,
        sample_size=sample,
    )


def _text(width: int, inner: int, layers: int, heads: int, projected: bool = False) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    tokenizer = _tokenizer()
    config = CLIPTextConfig(
        vocab_size=49408,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        projection_dim=width,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def _tokenizer() -> Any:
    _tests_path()
    from engines.diffusion.zoo_words import clip_tokenizer

    return clip_tokenizer()


def _tests_path() -> None:
    """The tokenizers are the tests' own."""
    if str(ROOT / "tests") not in sys.path:
        sys.path.append(str(ROOT / "tests"))


def _euler() -> Any:
    import diffusers

    return diffusers.EulerDiscreteScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        timestep_spacing="leading",
    )
