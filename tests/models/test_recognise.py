"""Families by the marks that they alone have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from frisket.models.families import Family
from frisket.models.recognise import family_of_component, family_of_pipeline, family_of_tensors
from frisket.models.safetensors import Tensor

UNET = "model.diffusion_model."
CONV = UNET + "input_blocks.0.0.weight"
TEXT = UNET + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
XL_TEXT = UNET + "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"
FLUX = {"double_blocks.0.img_attn.qkv.weight": (9216, 3072), "guidance_in.in_layer.weight": (3072, 256)}


@pytest.mark.parametrize(
    ("shapes", "family"),
    [
        ({CONV: (320, 4, 3, 3), TEXT: (320, 768)}, Family.SD15),
        ({CONV: (320, 9, 3, 3), TEXT: (320, 768)}, Family.SD15_INPAINT),
        ({CONV: (320, 8, 3, 3), TEXT: (320, 768)}, Family.INSTRUCT_PIX2PIX),
        ({CONV: (320, 9, 3, 3), TEXT: (320, 1024)}, None),  # SD 2
        ({CONV: (320, 4, 3, 3), XL_TEXT: (640, 2048)}, Family.SDXL),
        ({CONV: (320, 9, 3, 3), XL_TEXT: (640, 2048)}, Family.SDXL_INPAINT),
        ({CONV: (320, 5, 3, 3), TEXT: (320, 768)}, None),
        ({**FLUX, "img_in.weight": (3072, 64)}, Family.FLUX),
        ({**FLUX, "img_in.weight": (3072, 384)}, Family.FLUX_FILL),
        ({UNET + "joint_blocks.0.x_block.attn.qkv.weight": (1, 1)}, Family.SD3),
        ({"lora_unet_down.lora_up.weight": (4, 4)}, Family.LORA),
        ({"unet.to_q.lora_A.weight": (4, 4)}, Family.LORA),
        ({"unet.mid_block.attentions.0.to_q.lora.down.weight": (4, 4)}, Family.LORA),
        ({"mid_block.attn1.processor.to_q_lora.down.weight": (4, 4)}, Family.LORA),
        ({"double_blocks.0.processor.qkv_lora1.down.weight": (16, 3072)}, Family.LORA),
        ({"lycoris_down_blocks_0.hada_w1_a": (4, 4)}, Family.LORA),
        ({"diffusion_model.layers.0.attention.to_q.lokr_w1": (4, 4)}, Family.LORA),
        ({"input_hint_block.0.weight": (16, 3, 3, 3), "zero_convs.0.0.weight": (4, 4)}, Family.CONTROLNET),
        ({"control_model.input_blocks.0.0.weight": (4, 4)}, Family.CONTROLNET),
        ({"ip_adapter.1.to_k_ip.weight": (4, 4)}, Family.IP_ADAPTER),
        ({"ip_adapter.0.to_k_lora.down.weight": (4, 4), "image_proj.proj.0.weight": (4, 4)}, Family.IP_ADAPTER),
        ({"emb_params": (4, 768)}, Family.TEXTUAL_INVERSION),
        ({"clip_l": (4, 768), "clip_g": (4, 1280)}, Family.TEXTUAL_INVERSION),
        ({"text_encoders_0": (2, 768), "text_encoders_1": (2, 1280)}, Family.TEXTUAL_INVERSION),
        ({"<my-cat>": (768,)}, Family.TEXTUAL_INVERSION),
        ({"<my-cat>": (3, 768)}, Family.TEXTUAL_INVERSION),
        ({"some.bias": (320,)}, None),
        ({"encoder.conv_in.weight": (4, 3), "decoder.conv_out.weight": (3, 4)}, Family.VAE),
        (
            {"first_stage_model.encoder.conv_in.weight": (4, 3), "first_stage_model.decoder.conv_out.weight": (3, 4)},
            Family.VAE,
        ),
        (
            {
                "first_stage_model.encoder.conv_in.weight": (4, 3),
                "first_stage_model.decoder.conv_out.weight": (3, 4),
                CONV: (320, 4, 3, 3),
                TEXT: (320, 768),
            },
            Family.SD15,
        ),
        (
            {
                "first_stage_model.encoder.conv_in.weight": (4, 3),
                "first_stage_model.decoder.conv_out.weight": (3, 4),
                CONV: (320, 4, 3, 3),
                TEXT: (320, 1024),
            },
            None,
        ),
        ({"1.weight": (64, 16, 3, 3), "18.conv.4.weight": (64, 64, 3, 3)}, Family.TAESD),
        ({"decoder.layers.0.weight": (64, 4, 3, 3), "decoder.layers.17.conv.4.weight": (64, 64, 3, 3)}, Family.TAESD),
        ({"1.weight": (64, 4, 3, 3)}, None),
        ({"0.weight": (64, 3, 3, 3), "1.weight": (64,), "18.conv.4.weight": (64, 64, 3, 3)}, None),
        ({"anything": (1,)}, None),
        ({}, None),
    ],
)
def test_single_files(shapes: dict[str, tuple[int, ...]], family: Family | None) -> None:
    assert family_of_tensors({name: Tensor("F16", shape, 0, 0) for name, shape in shapes.items()}) is family


@pytest.mark.parametrize(
    ("config", "family"),
    [
        ({"in_channels": 9, "cross_attention_dim": 768}, Family.SD15_INPAINT),
        ({"in_channels": 4, "cross_attention_dim": 768}, Family.SD15),
        ({"in_channels": 4, "cross_attention_dim": 1024}, None),
        ({"in_channels": "4", "cross_attention_dim": 768}, None),
        ([], None),
    ],
)
def test_stable_diffusion_folders_by_their_unet(tmp_path: Path, config: object, family: Family | None) -> None:
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").write_text(json.dumps(config))
    assert family_of_pipeline("StableDiffusionPipeline", tmp_path) is family


def test_other_folders_by_their_class(tmp_path: Path) -> None:
    assert family_of_pipeline("FluxKontextPipeline", tmp_path) is Family.FLUX_KONTEXT
    assert family_of_pipeline("MyOwnPipeline", tmp_path) is None
    assert family_of_component(tmp_path) is None
    (tmp_path / "config.json").write_text('{"_class_name": "ControlNetModel"}')
    assert family_of_component(tmp_path) is Family.CONTROLNET
    (tmp_path / "config.json").write_text('{"_class_name": "AutoencoderTiny"}')
    assert family_of_component(tmp_path) is Family.TAESD
