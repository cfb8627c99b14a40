"""What a configuration may not ask for: code from a hub, weights of others, layers without weights."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from frisket.engines.diffusion.configs import check_configs
from frisket.errors import ModelFileUnusable
from frisket.models.families import Family, Purpose

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
pytestmark = [pytest.mark.diffusion]
# As published: tensors, and what of the configuration says how many there are.
PUBLISHED: dict[str, tuple[int, dict[str, Any]]] = {
    "SD 1.5 U-net": (686, {"layers_per_block": 2, "block_out_channels": [320, 640, 1280, 1280], "sample_size": 64}),
    "SDXL U-net": (
        1680,
        {"layers_per_block": 2, "transformer_layers_per_block": [1, 2, 10], "block_out_channels": [320, 640, 1280]},
    ),
    "SD VAE": (248, {"layers_per_block": 2, "block_out_channels": [128, 256, 512, 512]}),
    "CLIP L": (196, {"num_hidden_layers": 12, "max_position_embeddings": 77, "vocab_size": 49408}),
    "T5 XXL": (219, {"num_layers": 24, "num_decoder_layers": 24, "vocab_size": 32128}),
    "Qwen 2.5 VL": (
        729,
        {
            "num_hidden_layers": 28,
            "max_position_embeddings": 128000,
            "rope_theta": 1000000.0,
            "_attn_implementation_autoset": True,
            "vision_config": {"depth": 32, "attn_implementation": "sdpa"},
        },
    ),
}


def check(tmp_path: Path, fields: dict[str, Any], tensors: int = 100, name: str = "config.json") -> None:
    (tmp_path / "unet").mkdir(exist_ok=True)
    (tmp_path / "unet" / name).write_text(json.dumps(fields))
    check_configs(tmp_path, ["unet"], {f"unet/{name}": 0, "unet/a.safetensors": tensors, "vae/b.safetensors": 10**9})


@pytest.mark.parametrize("what", PUBLISHED)
def test_published_configurations_pass(what: str, tmp_path: Path):
    tensors, fields = PUBLISHED[what]
    check(tmp_path, fields, tensors)


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "experts_implementation"])
@pytest.mark.parametrize("value", ["evil/kernel", "paged|evil/kernel@main", "flash_attention_2", 7, ["sdpa"]])
def test_a_kernel_from_a_hub_is_refused(key: str, value: Any, tmp_path: Path):
    check(tmp_path, {key: "sdpa", "text_config": {key: None}})
    for fields in ({key: value}, {"text_config": {key: value}}, {"a": [{"b": {key: {"vision_config": value}}}]}):
        with pytest.raises(ModelFileUnusable, match="does not come with torch"):
            check(tmp_path, fields)


@pytest.mark.parametrize("name", ["adapter_model.bin", "../vae/a.safetensors", "b.safetensors"])
def test_weights_under_another_name_are_refused(name: str, tmp_path: Path):
    with pytest.raises(ModelFileUnusable, match="not its own"):
        check(tmp_path, {"transformers_weights": name})


@pytest.mark.parametrize("fields", [
    {"num_hidden_layers": 101},
    {"vision_config": {"depth": 20_000}},
    {"layers_per_block": 101},
    {"layers_per_block": [1, 1, 101]},
    {"layers_per_block": 20, "down_block_types": ["a"] * 6},
    {"layers_per_block": 5, "transformer_layers_per_block": [[1, 21]]},
    {"num_res_blocks": 30, "dim_mult": [1, 2, 4, 4]},
    {"up_block_types": ["a"] * 101},
])  # fmt: skip
def test_more_layers_than_the_weights_can_fill_are_refused(fields: dict[str, Any], tmp_path: Path):
    with pytest.raises(ModelFileUnusable, match="100 tensors"):
        check(tmp_path, fields)


@pytest.mark.parametrize(("name", "key"), [
    ("config.json", "max_position_embeddings"),
    ("scheduler_config.json", "num_train_timesteps"),
    ("config.json", "x" * 10_000),
])  # fmt: skip
def test_tables_without_end_are_refused(name: str, key: str, tmp_path: Path):
    check(tmp_path, {key: 1000}, name=name)
    with pytest.raises(ModelFileUnusable, match="is more than") as caught:
        check(tmp_path, {key: 10**4000}, name=name)
    assert len(str(caught.value)) < 1000


def test_the_folder_itself_can_be_the_network(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"num_layers": 3}')
    check_configs(tmp_path, [""], {"config.json": 0, "a.safetensors": 3})
    with pytest.raises(ModelFileUnusable, match="2 tensors"):
        check_configs(tmp_path, [""], {"config.json": 0, "a.safetensors": 2})


@pytest.mark.parametrize("weights", ["adapter_model.bin", "adapter_model.safetensors"])
def test_an_adapter_beside_a_network_is_not_taken_for_a_part_of_it(
    weights: str, zoo_folder: Callable[[Family], Path], tmp_path: Path
):
    """transformers puts it on unasked, and unpickles where the configuration says so."""
    from engines.diffusion.zoo import record_of
    from frisket.engines.diffusion.opening import opened
    from frisket.engines.diffusion.table import ROWS

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "mark"),))

    folder = Path(shutil.copytree(zoo_folder(Family.SD15), tmp_path / "root" / "model"))
    place = folder / "text_encoder"
    adapter = {"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "base_model_name_or_path": "x"}
    (place / "adapter_config.json").write_text(json.dumps(adapter))
    if weights.endswith(".bin"):
        (place / weights).write_bytes(pickle.dumps(Payload()))
        config = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(config | {"transformers_weights": weights}))
    else:
        shutil.copyfile(place / "model.safetensors", place / weights)
    with pytest.raises(ModelFileUnusable, match="adapter"):
        opened(folder, record_of(Family.SD15, folder), ROWS[Family.SD15][Purpose.INPAINT])
    assert not (tmp_path / "mark").exists()
