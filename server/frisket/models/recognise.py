"""Which family a model is of, by its tensors' names and shapes or by its `model_index.json`; None when in doubt.

Only marks that one family alone has are used. FLUX.1 Kontext has the very shapes of FLUX.1 [dev]: as a single file it
is told as FLUX, and the user may say otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from frisket.models.families import Family
from frisket.models.safetensors import Tensor

PIPELINES = {
    "StableDiffusionXLPipeline": Family.SDXL,
    "StableDiffusionXLImg2ImgPipeline": Family.SDXL,
    "StableDiffusionXLInpaintPipeline": Family.SDXL_INPAINT,
    "StableDiffusion3Pipeline": Family.SD3,
    "StableDiffusion3InpaintPipeline": Family.SD3,
    "FluxPipeline": Family.FLUX,
    "FluxFillPipeline": Family.FLUX_FILL,
    "FluxKontextPipeline": Family.FLUX_KONTEXT,
    "Flux2KleinPipeline": Family.FLUX2_KLEIN,
    "QwenImagePipeline": Family.QWEN_IMAGE,
    "QwenImageEditPipeline": Family.QWEN_IMAGE_EDIT,
    "ZImagePipeline": Family.Z_IMAGE,
    "KandinskyV22PriorPipeline": Family.KANDINSKY22_PRIOR,
    "KandinskyV22Pipeline": Family.KANDINSKY22,
    "KandinskyV22InpaintPipeline": Family.KANDINSKY22_INPAINT,
    "StableUnCLIPImg2ImgPipeline": Family.STABLE_UNCLIP,
    "IFPipeline": Family.DEEPFLOYD_IF,
    "StableDiffusionInstructPix2PixPipeline": Family.INSTRUCT_PIX2PIX,
}
UNETS = ("StableDiffusionPipeline", "StableDiffusionInpaintPipeline")  # SD 1.x and 2.x: the UNet says which
SD1_TEXT = 768  # width of the text encoding; 1024 is SD 2.x, which is no family here
COMPONENTS = {"ControlNetModel": Family.CONTROLNET, "AutoencoderKL": Family.VAE, "AutoencoderTiny": Family.TAESD}
TAESD_CHANNELS = (4, 16)

_LDM = "model.diffusion_model."
_LDM_CONV = _LDM + "input_blocks.0.0.weight"
_LDM_TEXT = _LDM + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"  # SD 1.x has attention in its first block
_XL_TEXT = _LDM + "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"

_LORA_STARTS = ("lora_", "lycoris_")
_LORA = (".lora_", "_lora.", ".lora.", "_lora1.", "_lora2.", ".hada_", ".lokr_")  # kinds that nobody opens among them
_CONTROL = ("control_model.", "controlnet_cond_embedding.", "input_hint_block.", "zero_convs.")
_VAE = ("", "first_stage_model.", "vae.")
_EMBEDDINGS = ({"emb_params"}, {"clip_l", "clip_g"}, {"text_encoders_0", "text_encoders_1"})
_WIDTHS = (768, 1024, 1280)  # of words, in the text encoders that words are taught to

_TAESD = (("1.weight", "18.conv.4.weight"), ("decoder.layers.0.weight", "decoder.layers.17.conv.4.weight"))


def family_of_pipeline(name: str, folder: Path) -> Family | None:
    """By the pipeline's class; Stable Diffusion 1.x by its UNet's configuration in `folder`."""
    if name not in UNETS:
        return PIPELINES.get(name)
    unet = _config(folder / "unet" / "config.json")
    if unet.get("cross_attention_dim") != SD1_TEXT:
        return None
    return {4: Family.SD15, 9: Family.SD15_INPAINT}.get(_int(unet.get("in_channels")))


def family_of_component(folder: Path) -> Family | None:
    """Of a folder that holds one network with a `config.json`, such as a ControlNet."""
    return COMPONENTS.get(str(_config(folder / "config.json").get("_class_name")))


def family_of_tensors(tensors: Mapping[str, Tensor]) -> Family | None:
    """Of a single file, in the layouts that such files are passed around in."""
    names = tensors.keys()
    if any(n.startswith("ip_adapter.") for n in names):
        return Family.IP_ADAPTER
    if any(n.startswith(_LORA_STARTS) or any(mark in n for mark in _LORA) for n in names):
        return Family.LORA
    if any(n.startswith(_CONTROL) for n in names):
        return Family.CONTROLNET
    if _is_embedding(tensors):
        return Family.TEXTUAL_INVERSION
    if not any(n.startswith(_LDM) for n in names) and any(_holds_vae(names, start) for start in _VAE):
        return Family.VAE
    if any(_second(tensors.get(name)) in TAESD_CHANNELS and last in names for name, last in _TAESD):
        return Family.TAESD
    return _of_unet(tensors) or _of_transformer(tensors)


def _is_embedding(tensors: Mapping[str, Tensor]) -> bool:
    """By its names, or as diffusers saves one: a single vector or a few, under the word that they are learned for."""
    shapes = [tensor.shape for tensor in tensors.values()]
    lone = len(shapes) == 1 and 0 < len(shapes[0]) <= 2 and shapes[0][-1] in _WIDTHS
    return set(tensors) in _EMBEDDINGS or lone


def _holds_vae(names: Collection[str], start: str) -> bool:
    return f"{start}encoder.conv_in.weight" in names and f"{start}decoder.conv_out.weight" in names


def _of_unet(tensors: Mapping[str, Tensor]) -> Family | None:
    channels = _second(tensors.get(_LDM_CONV))
    if _second(tensors.get(_XL_TEXT)) == 2048:
        return {4: Family.SDXL, 9: Family.SDXL_INPAINT}.get(channels)
    if _second(tensors.get(_LDM_TEXT)) == SD1_TEXT:
        return {4: Family.SD15, 9: Family.SD15_INPAINT, 8: Family.INSTRUCT_PIX2PIX}.get(channels)
    return None


def _of_transformer(tensors: Mapping[str, Tensor]) -> Family | None:
    bare = {name.removeprefix(_LDM): tensor for name, tensor in tensors.items()}
    if "double_blocks.0.img_attn.qkv.weight" in bare and "guidance_in.in_layer.weight" in bare:
        return {64: Family.FLUX, 384: Family.FLUX_FILL}.get(_second(bare.get("img_in.weight")))
    if "joint_blocks.0.x_block.attn.qkv.weight" in bare:
        return Family.SD3
    return None


def _second(tensor: Tensor | None) -> int:
    return tensor.shape[1] if tensor and len(tensor.shape) > 1 else 0


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _config(path: Path) -> dict[str, object]:
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
