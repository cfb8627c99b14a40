"""Tiny random-weight pipelines of the families whose network is a transformer."""

# pyright: reportCallIssue=false, reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportOptionalIterable=false, reportIndexIssue=false, reportOperatorIssue=false
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from engines.diffusion import zoo_parts as parts
from engines.diffusion.zoo_words import clip_tokenizer, qwen_tokenizer, t5_tokenizer


def sd3():
    import diffusers

    torch.manual_seed(9)
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=64,
        patch_size=2,
        in_channels=16,
        num_layers=2,
        attention_head_dim=8,
        num_attention_heads=4,
        caption_projection_dim=32,
        joint_attention_dim=64,
        pooled_projection_dim=64,
        out_channels=16,
        pos_embed_max_size=96,
    )
    return diffusers.StableDiffusion3Pipeline(
        transformer=transformer,
        scheduler=parts.flow(shift=3.0),
        vae=parts.vae(16, scaling=1.5305, shift=0.0609, quant=False, sample=1024),
        text_encoder=parts.clip_text(projected=True),
        tokenizer=clip_tokenizer(),
        text_encoder_2=parts.clip_text(projected=True),
        tokenizer_2=clip_tokenizer(pad="!"),
        text_encoder_3=parts.t5(64),
        tokenizer_3=t5_tokenizer(),
    )


def flux(channels: int = 16, out: int | None = None, name: str = "FluxPipeline"):
    import diffusers

    torch.manual_seed(7)
    transformer = diffusers.FluxTransformer2DModel(
        patch_size=1,
        in_channels=channels,
        out_channels=out,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=32,
        pooled_projection_dim=32,
        guidance_embeds=True,
        axes_dims_rope=(4, 4, 8),
    )
    return getattr(diffusers, name)(
        scheduler=parts.flow(use_dynamic_shifting=True, shift=3.0),
        vae=parts.vae(scaling=0.3611, shift=0.1159, quant=False, sample=1024),
        text_encoder=parts.clip_text(),
        tokenizer=clip_tokenizer(),
        text_encoder_2=parts.t5(),
        tokenizer_2=t5_tokenizer(),
        transformer=transformer,
    )


def flux2_klein():
    import diffusers

    torch.manual_seed(8)
    transformer = diffusers.Flux2Transformer2DModel(
        patch_size=1,
        in_channels=16,
        num_layers=1,
        num_single_layers=1,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=48,
        timestep_guidance_channels=32,
        axes_dims_rope=(4, 4, 4, 4),
        guidance_embeds=False,
    )
    vae = diffusers.AutoencoderKLFlux2(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 16, 16),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=64,
    )
    text = parts.qwen3(28, causal=True)  # its hidden layers 9, 18 and 27 are read
    return diffusers.Flux2KleinPipeline(
        scheduler=parts.flow(), vae=vae, text_encoder=text, tokenizer=qwen_tokenizer(), transformer=transformer
    )


def qwen(name: str = "QwenImagePipeline"):
    import diffusers

    torch.manual_seed(18)
    transformer = diffusers.QwenImageTransformer2DModel(
        patch_size=2,
        in_channels=16,
        out_channels=4,
        num_layers=2,
        attention_head_dim=16,
        num_attention_heads=2,
        joint_attention_dim=16,
        guidance_embeds=False,
        axes_dims_rope=(8, 4, 4),
    )
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=8,
        z_dim=4,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * 4,
        latents_std=[1.0] * 4,
    )
    more: dict[str, Any] = {"processor": None} if "Edit" in name else {}  # see lay_processor
    return getattr(diffusers, name)(
        scheduler=parts.flow(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=parts.qwen_vl(),
        tokenizer=qwen_tokenizer(),
        transformer=transformer,
        **more,
    )


def lay_processor(folder: Path) -> None:
    """The processor of an editing pipeline as it is published; to make one as an object needs torchvision."""
    from transformers import Qwen2VLImageProcessorPil

    Qwen2VLImageProcessorPil().save_pretrained(folder / "processor")
    qwen_tokenizer().save_pretrained(folder / "processor")
    for path, named in [
        (folder / "model_index.json", {"processor": ["transformers", "Qwen2VLProcessor"]}),
        (folder / "processor" / "preprocessor_config.json", {"image_processor_type": "Qwen2VLImageProcessorFast"}),
    ]:
        path.write_text(json.dumps(json.loads(path.read_text()) | named, indent=2))


def z_image():
    import diffusers

    torch.manual_seed(19)
    transformer = diffusers.ZImageTransformer2DModel(
        all_patch_size=(2,),
        all_f_patch_size=(1,),
        in_channels=16,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        qk_norm=True,
        cap_feat_dim=16,
        rope_theta=256.0,
        t_scale=1000.0,
        axes_dims=[8, 4, 4],
        axes_lens=[512, 128, 128],
    )
    for name, parameter in transformer.named_parameters():
        if name in ("x_pad_token", "cap_pad_token"):  # the class leaves them as the memory was
            torch.nn.init.normal_(parameter, std=0.02)
    return diffusers.ZImagePipeline(
        scheduler=parts.flow(),
        vae=parts.vae(16, scaling=0.3611, shift=0.1159, quant=False),
        text_encoder=parts.qwen3(2, causal=False),
        tokenizer=qwen_tokenizer(),
        transformer=transformer,
    )
