"""What parameters ask for in add-ons, which installed models they find, and what those were made for. No torch."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engines.diffusion.addon_files import install, write_tensors
from frisket.engines.diffusion.addons import (
    KINDS,
    NAMES,
    PARAMS,
    Asked,
    Base,
    Control,
    asked,
    base_of,
    found,
    params_of,
)
from frisket.errors import AddonUnsuitable, ModelDamaged, ModelFileUnusable, ModelNotInstalled, ParameterOutOfRange
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Record
from frisket.models.safetensors import read_header

SD1_LORA = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight"
XL_NET = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight"


def model(family: Family) -> Record:
    from engines.diffusion.addon_files import record_of

    return record_of("mine", family, ())


def test_what_parameters_say():
    assert asked({}) == Asked()
    assert asked({"loras": "ink:0.8, grain , off:0", "steps": 4}).loras == (("grain", 1.0), ("ink", 0.8))
    assert asked({"loras": "grain,ink:.8"}) == asked({"loras": " ink : 0.8 ,grain:1"})
    assert asked({"embeddings": "b, a"}).embeddings == ("a", "b")
    net = asked({"controlnet": "lines:0.7", "control": "scribble"})
    assert (net.controlnet, net.control) == (("lines", 0.7), Control.SCRIBBLE)
    assert asked({"controlnet": "lines:0"}).controlnet is None
    assert asked({"vae": "sharp"}).vae == "sharp"
    assert asked({"ip_adapter": "look:0.6"}).ip_adapter == ("look", 0.6)


@pytest.mark.parametrize(
    ("name", "value"),
    [("loras", "a:x"), ("loras", "a:nan"), ("loras", "a:5"), ("loras", "a,a:2"), ("loras", ":1"), ("loras", "a:"),
     ("loras", ",".join(f"m{i}" for i in range(9))), ("controlnet", "a,b"), ("ip_adapter", "a,b"), ("vae", "a:0.5"),
     ("vae", "a,b"), ("embeddings", "a:0.5")],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_by_name(name: str, value: str):
    with pytest.raises(ParameterOutOfRange) as error:
        asked({name: value})
    assert error.value.data["name"] == name


def test_each_parameter_is_offered_where_it_is_honoured():
    assert {param.name for param in params_of(Family.SD15)} == NAMES
    assert {param.name for param in params_of(Family.Z_IMAGE)} == {"loras"}
    assert params_of(Family.DEEPFLOYD_IF) == ()
    assert all(family in PURPOSES for families in KINDS.values() for family in families), "add-ons paint nothing"
    assert set(PARAMS) == set(KINDS)


@pytest.mark.parametrize(
    ("tensors", "base"),
    [
        ({SD1_LORA: (4, 768), SD1_LORA.replace("down.w", "up.w"): (320, 4)}, Base.SD1),
        ({SD1_LORA.replace("down.w", "up.w"): (320, 1024)}, None),  # an up weight says nothing
        ({SD1_LORA: (4, 2048)}, Base.SDXL),
        ({"unet.up_blocks.0.attentions.0.transformer_blocks.0.attn2.to_v.lora_A.weight": (4, 1024)}, Base.SD2),
        ({"transformer.single_transformer_blocks.0.attn.to_q.lora_A.weight": (4, 3072)}, Base.FLUX),
        ({"transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj.lora_A.weight": (4, 3072)}, Base.FLUX2),
        ({"transformer.single_transformer_blocks.0.attn.to_out.lora_A.weight": (4, 12288)}, None),
        ({"lora_unet_single_blocks_3_linear1.lora_down.weight": (4, 3072)}, None),  # of both, and of others
        ({"emb_params": (3, 768)}, Base.SD1),
        ({"clip_l": (3, 768), "clip_g": (3, 1280)}, Base.SDXL),
        ({XL_NET: (320, 2048)}, Base.SDXL),
        ({"ip_adapter.1.to_k_ip.weight": (320, 768)}, Base.SD1),
        ({"decoder.conv_in.weight": (512, 4, 3, 3)}, None),
    ],
)
def test_what_a_header_says_it_was_made_for(tmp_path: Path, tensors: dict[str, tuple[int, ...]], base: Base | None):
    assert base_of(read_header(write_tensors(tmp_path / "a.safetensors", tensors))) is base


def test_an_addon_for_another_model_is_refused_by_name(tmp_path: Path):
    install(tmp_path, "ink", Family.LORA, {SD1_LORA: (4, 768)})
    assert found(tmp_path, "ink", Family.LORA, model(Family.SD15)).file.name == "ink.safetensors"
    with pytest.raises(AddonUnsuitable) as error:
        found(tmp_path, "ink", Family.LORA, model(Family.SDXL))
    assert "ink is made for Stable Diffusion 1.x" in str(error.value)
    assert "mine, which is Stable Diffusion XL" in str(error.value)
    fused = "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj.lora_A.weight"
    install(tmp_path, "klein", Family.LORA, {fused: (4, 3072)})
    assert found(tmp_path, "klein", Family.LORA, model(Family.FLUX2_KLEIN)).file.name == "klein.safetensors"
    with pytest.raises(AddonUnsuitable, match=r"klein is made for FLUX\.2; .* mine, which is FLUX\.1"):
        found(tmp_path, "klein", Family.LORA, model(Family.FLUX_FILL))
    with pytest.raises(AddonUnsuitable, match="ink is a lora; what is needed is a vae"):
        found(tmp_path, "ink", Family.VAE, model(Family.SD15))


@pytest.mark.parametrize("id_", ["inc", "../ink", "INK", "/etc/passwd", "a/b", "."])
def test_an_unknown_id_is_told_with_what_there_is(tmp_path: Path, id_: str):
    install(tmp_path, "ink", Family.LORA, {SD1_LORA: (4, 768)})
    install(tmp_path, "sharp", Family.VAE, {"decoder.conv_in.weight": (8, 4, 3, 3)})
    with pytest.raises(ModelNotInstalled) as error:
        found(tmp_path, id_, Family.LORA, model(Family.SD15))
    assert "of the kind lora are installed: ink." in error.value.remedy
    assert ("Did you mean" in error.value.remedy) == (id_ in ("inc", "../ink"))


def test_hostile_files_are_refused_unread(tmp_path: Path):
    place = install(tmp_path, "ink", Family.LORA, {SD1_LORA: (4, 768)})
    (place / "pytorch_lora_weights.bin").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    with pytest.raises(ModelDamaged, match=r"pytorch_lora_weights\.bin"):
        found(tmp_path, "ink", Family.LORA, model(Family.SD15))
    place = install(tmp_path, "recorded", Family.LORA, {}, {"weights.bin": b"cos\nsystem\n(S'true'\ntR."})
    with pytest.raises(ModelFileUnusable, match=r"weights\.bin"):
        found(tmp_path, "recorded", Family.LORA, model(Family.SD15))
    outside = write_tensors(tmp_path.parent / "outside.safetensors", {SD1_LORA: (4, 768)})
    place = install(tmp_path, "linked", Family.LORA, {SD1_LORA: (4, 768)})
    (place / "linked.safetensors").unlink()
    (place / "linked.safetensors").symlink_to(outside)
    with pytest.raises(ModelFileUnusable, match="link"):
        found(tmp_path, "linked", Family.LORA, model(Family.SD15))
    place = install(tmp_path, "lying", Family.LORA, {SD1_LORA: (4, 768)})
    raw = (place / "lying.safetensors").read_bytes()
    header = {SD1_LORA: {"dtype": "F32", "shape": [4, 768], "data_offsets": [0, 1 << 40]}}
    text = json.dumps(header).encode()
    (place / "lying.safetensors").write_bytes((len(text).to_bytes(8, "little") + text).ljust(len(raw), b"\0"))
    with pytest.raises(ModelFileUnusable, match="bytes"):
        found(tmp_path, "lying", Family.LORA, model(Family.SD15))
