"""Tiny random-weight pipelines of every family that there is code for, made here and saved as published ones are."""

# pyright: reportCallIssue=false, reportArgumentType=false, reportReturnType=false, reportAttributeAccessIssue=false
# pyright: reportGeneralTypeIssues=false, reportOptionalIterable=false, reportIndexIssue=false, reportOperatorIssue=false
from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from engines.diffusion import zoo_parts as parts
from engines.diffusion.zoo_transformers import flux, flux2_klein, lay_processor, qwen, sd3, z_image
from engines.diffusion.zoo_words import clip_tokenizer, t5_tokenizer
from frisket.engines.vision_ops import make_importable
from frisket.models.catalogue import Commercial, Licence
from frisket.models.choice import LOCK
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Held, Record, write

make_importable()


def sd15(channels: int = 4, name: str = "StableDiffusionPipeline", checker: bool = False):
    import diffusers

    return getattr(diffusers, name)(
        vae=parts.vae(),
        text_encoder=parts.clip_text(),
        tokenizer=clip_tokenizer(),
        unet=parts.unet(channels),
        scheduler=parts.pndm(),
        safety_checker=parts.safety_checker() if checker else None,
        feature_extractor=parts.clip_image_processor() if checker else None,
        requires_safety_checker=checker,
    )


def sdxl(channels: int = 4, name: str = "StableDiffusionXLPipeline"):
    import diffusers

    unet = parts.unet(
        channels,
        cross=64,
        sample=128,
        attention_head_dim=(2, 4),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        transformer_layers_per_block=(1, 2),
        projection_class_embeddings_input_dim=8 * 6 + 32,
    )
    return getattr(diffusers, name)(
        vae=parts.vae(scaling=0.13025, sample=1024),
        text_encoder=parts.clip_text(),
        tokenizer=clip_tokenizer(),
        text_encoder_2=parts.clip_text(projected=True),
        tokenizer_2=clip_tokenizer(pad="!"),
        unet=unet,
        scheduler=parts.euler(),
    )


def kandinsky_prior():
    import diffusers

    torch.manual_seed(10)
    prior = diffusers.PriorTransformer(
        num_attention_heads=2,
        attention_head_dim=16,
        num_layers=1,
        embedding_dim=32,
        num_embeddings=77,
        additional_embeddings=4,
    )
    scheduler = diffusers.UnCLIPScheduler(
        variance_type="fixed_small_log", prediction_type="sample", num_train_timesteps=1000, clip_sample_range=5.0
    )
    return diffusers.KandinskyV22PriorPipeline(
        prior=prior,
        image_encoder=parts.clip_vision(),
        text_encoder=parts.clip_text(projected=True),
        tokenizer=clip_tokenizer(),
        scheduler=scheduler,
        image_processor=parts.clip_image_processor(),
    )


def kandinsky(channels: int = 4, name: str = "KandinskyV22Pipeline"):
    import diffusers

    torch.manual_seed(11)
    unet = diffusers.UNet2DConditionModel(
        in_channels=channels,
        out_channels=8,
        addition_embed_type="image",
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        block_out_channels=(32, 64),
        layers_per_block=1,
        encoder_hid_dim=32,
        encoder_hid_dim_type="image_proj",
        cross_attention_dim=32,
        attention_head_dim=4,
        resnet_time_scale_shift="scale_shift",
    )
    movq = diffusers.VQModel(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 3 + ("AttnDownEncoderBlock2D",),
        up_block_types=("AttnUpDecoderBlock2D",) + ("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        layers_per_block=1,
        norm_num_groups=8,
        norm_type="spatial",
        num_vq_embeddings=12,
        vq_embed_dim=4,
    )
    scheduler = diffusers.DDPMScheduler(
        beta_schedule="linear", beta_start=0.00085, beta_end=0.012, variance_type="learned_range"
    )
    return getattr(diffusers, name)(unet=unet, scheduler=scheduler, movq=movq)


def stable_unclip():
    import diffusers
    from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import StableUnCLIPImageNormalizer

    torch.manual_seed(12)
    scheduler = diffusers.DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        set_alpha_to_one=False,
        steps_offset=1,
    )
    return diffusers.StableUnCLIPImg2ImgPipeline(
        feature_extractor=parts.clip_image_processor(),
        image_encoder=parts.clip_vision(),
        image_normalizer=StableUnCLIPImageNormalizer(embedding_dim=32),
        image_noising_scheduler=diffusers.DDPMScheduler(beta_schedule="squaredcos_cap_v2"),
        tokenizer=clip_tokenizer(),
        text_encoder=parts.clip_text(),
        unet=parts.unet(
            class_embed_type="projection",
            projection_class_embeddings_input_dim=64,
            attention_head_dim=(2, 4),
            use_linear_projection=True,
        ),
        scheduler=scheduler,
        vae=parts.vae(),
    )


def deepfloyd_if():
    import diffusers

    torch.manual_seed(14)
    unet = diffusers.UNet2DConditionModel(
        sample_size=64,
        layers_per_block=1,
        block_out_channels=(32, 64),
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        in_channels=3,
        out_channels=6,
        cross_attention_dim=32,
        encoder_hid_dim=32,
        attention_head_dim=8,
        addition_embed_type="text",
        addition_embed_type_num_heads=2,
        cross_attention_norm="group_norm",
        resnet_time_scale_shift="scale_shift",
        act_fn="gelu",
    )
    scheduler = diffusers.DDPMScheduler(
        beta_schedule="squaredcos_cap_v2",
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=1.5,
        variance_type="learned_range",
    )
    return diffusers.IFPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=parts.t5(),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    )


MAKERS: Mapping[Family, Callable[[], Any]] = {
    Family.SD15: sd15,
    Family.SD15_INPAINT: lambda: sd15(9, "StableDiffusionInpaintPipeline", checker=True),
    Family.INSTRUCT_PIX2PIX: lambda: sd15(8, "StableDiffusionInstructPix2PixPipeline"),
    Family.SDXL: sdxl,
    Family.SDXL_INPAINT: lambda: sdxl(9, "StableDiffusionXLInpaintPipeline"),
    Family.SD3: sd3,
    Family.FLUX: flux,
    # 16 of the latents, 16 of the picture without the hole and 64 of the hole for each of 4 px
    Family.FLUX_FILL: lambda: flux(16 + 16 + 256, 16, "FluxFillPipeline"),
    Family.FLUX_KONTEXT: lambda: flux(name="FluxKontextPipeline"),
    Family.FLUX2_KLEIN: flux2_klein,
    Family.QWEN_IMAGE: qwen,
    Family.QWEN_IMAGE_EDIT: lambda: qwen("QwenImageEditPipeline"),
    Family.Z_IMAGE: z_image,
    Family.KANDINSKY22_PRIOR: kandinsky_prior,
    Family.KANDINSKY22: kandinsky,
    Family.KANDINSKY22_INPAINT: lambda: kandinsky(9, "KandinskyV22InpaintPipeline"),
    Family.STABLE_UNCLIP: stable_unclip,
    Family.DEEPFLOYD_IF: deepfloyd_if,
}


def make(family: Family, folder: Path) -> Path:
    """Saves a pipeline of that family in `folder`, weights as safetensors, and gives `folder` back. 0.1 s, 0.4-6 MB."""
    MAKERS[family]().save_pretrained(folder, safe_serialization=True)
    if family is Family.QWEN_IMAGE_EDIT:
        lay_processor(folder)
    return folder


def quicken(family: Family) -> None:
    """In this process Qwen-Image-Edit paints some 64 x 64 px where it would paint 1 MP, which takes seconds here."""
    if family is not Family.QWEN_IMAGE_EDIT:
        return
    from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_inpaint

    for module in (pipeline_qwenimage_edit, pipeline_qwenimage_edit_inpaint):
        real = module.calculate_dimensions
        module.calculate_dimensions = lambda _, ratio, real=real: real(64 * 64, ratio)


def record_of(family: Family, folder: Path, model: str = "") -> Record:
    """What an import of `folder` would have recorded: every file with its size and hash."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.name != LOCK)
    files = tuple(
        Held(p.relative_to(folder).as_posix(), p.stat().st_size, hashlib.sha256(p.read_bytes()).hexdigest())
        for p in paths
    )
    licence = Licence("test", "", Commercial.UNKNOWN)
    name = model or f"tiny-{family.value}"
    return Record(name, name, family, PURPOSES.get(family, ()), licence, files, "2026-01-01T00:00:00Z", source="test")


def install(family: Family, made: Path, root: Path, model: str = "") -> Record:
    """Puts a copy of the pipeline in `made` into the models folder `root`, as an imported model."""
    record = record_of(family, made, model)
    folder = root / record.id
    shutil.copytree(made, folder)
    write(folder, record)
    return record
