"""Of a repository that holds the same weights five times, the ones to take."""

from __future__ import annotations

import json

import pytest

from fakes.weights import CHOSEN, pipeline
from frisket.errors import ModelFileUnusable
from frisket.models.choice import choose, components


def test_half_precision_once_and_no_pickle() -> None:
    files = pipeline()
    folders = components(files["model_index.json"], "acme/paint")
    assert folders == {
        "": "StableDiffusionInpaintPipeline",
        "unet": "UNet2DConditionModel",
        "vae": "AutoencoderKL",
        "scheduler": "PNDMScheduler",
    }
    assert list(choose(files, folders, "acme/paint")) == CHOSEN


def test_shards_come_with_the_index_of_their_precision() -> None:
    plain = [f"t/model-0000{n}-of-00002.safetensors" for n in (1, 2)] + ["t/model.safetensors.index.json"]
    half = ["t/model.fp16-00001-of-00001.safetensors", "t/model.safetensors.index.fp16.json"]
    rest = ["model_index.json", "t/config.json"]
    other = ["t/pytorch_model.bin.index.json", "t/flax_model.msgpack.index.json"]
    assert list(choose([*rest, *plain, *other], ["", "t"], "x")) == sorted(rest + plain)
    assert list(choose([*rest, *plain, *half, *other], ["", "t"], "x")) == sorted(rest + half)


def test_a_repository_of_one_network() -> None:
    files = ["config.json", "diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin", "images/a.txt"]
    assert list(choose(files, [""], "x")) == files[:2]


def test_hostile_paths_and_our_own_lock_are_left_out() -> None:
    bad = ["../a.json", "/etc/a.json", "..\\a.json", "model.lock.json", ".hidden.json"]
    assert list(choose([*bad, "a.safetensors"], ["", "..", "/etc"], "x")) == ["a.safetensors"]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (["model_index.json", "unet/config.json", "unet/w.bin", "vae/w.safetensors"], "x/unet: its weights come only"),
        (["model_index.json", "unet/config.json"], "no weights"),
        (["README.md"], "no weights"),
        (["w.ckpt"], "come only as pickles"),
    ],
)
def test_without_safetensors_it_is_refused(files: list[str], told: str) -> None:
    with pytest.raises(ModelFileUnusable) as caught:
        choose(files, ["", "unet", "vae"], "x")
    assert told in caught.value.cause


@pytest.mark.parametrize(
    "index", [b"", b"[]", b"{}", b"\xff", json.dumps({"unet": ["a", "b"]}).encode(), b"[" * 100_000]
)
def test_an_index_that_is_none(index: bytes) -> None:
    with pytest.raises(ModelFileUnusable):
        components(index, "x")
