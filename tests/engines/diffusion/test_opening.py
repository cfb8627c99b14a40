"""Every pair of the table opens from a folder as exactly its class, without a network; what is not whole does not."""

# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frisket.engines.diffusion.table import ROWS, Row
from frisket.errors import FrisketError, ModelDamaged, ModelFileUnusable, ModelNotInstalled
from frisket.models.families import Family, Purpose

torch = pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
pytestmark = [pytest.mark.diffusion]
PAIRS = [(family, purpose) for family, rows in ROWS.items() for purpose in rows]
Zoo = Callable[[Family], Path]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Whoever asks for a connection or an address fails the test."""
    asked: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> Any:
        asked.append(arguments)
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield asked
    assert not asked


def open_(family: Family, folder: Path, purpose: Purpose | None = None) -> Any:
    from engines.diffusion.zoo import record_of
    from frisket.engines.diffusion.opening import opened

    rows = ROWS[family]
    return opened(folder, record_of(family, folder), rows[purpose] if purpose else next(iter(rows.values())))


def copy_of(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def retyped(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Rewrites a safetensors file after `change` has had its tensors."""
    from safetensors.torch import load_file, save_file

    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata={"format": "pt"})


@pytest.mark.parametrize(("family", "purpose"), PAIRS, ids=lambda value: value.value)
def test_a_pair_opens_as_its_class(family: Family, purpose: Purpose, zoo_folder: Zoo):
    pipe = open_(family, zoo_folder(family), purpose)
    assert type(pipe).__name__ == ROWS[family][purpose].pipeline
    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            assert not part.training
            assert all(not p.is_meta and p.dtype == torch.float32 for p in part.parameters())


def test_a_sibling_shares_the_weights_and_has_its_own_scheduler(zoo_folder: Zoo):
    from frisket.engines.diffusion.opening import sibling

    pipe = open_(Family.SD15, zoo_folder(Family.SD15), Purpose.INPAINT)
    other = sibling(pipe, ROWS[Family.SD15][Purpose.VARIATION])
    assert type(other).__name__ == "StableDiffusionImg2ImgPipeline"
    assert other.unet is pipe.unet
    assert other.vae is pipe.vae
    assert other.scheduler is not pipe.scheduler


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_a_sibling_leaves_the_weights_in_their_precision(name: str, zoo_folder: Zoo, monkeypatch):
    """As on a card: in full they would take twice the room, and give other pictures from the second task on."""
    from frisket.engines.diffusion import opening

    dtype = getattr(torch, name)
    monkeypatch.setattr(opening, "precision", lambda family, device: dtype)
    pipe = open_(Family.SD15, zoo_folder(Family.SD15), Purpose.INPAINT)
    pipe.vae.to(torch.float32)  # one that is kept in full, as some models need
    other = opening.sibling(pipe, ROWS[Family.SD15][Purpose.VARIATION])
    assert (pipe.unet.dtype, pipe.text_encoder.dtype, pipe.vae.dtype) == (dtype, dtype, torch.float32)
    assert other.unet is pipe.unet
    assert other.to(torch.float32).unet.dtype == torch.float32, "it can be moved as any other"


def test_the_checker_of_pictures_is_not_opened(zoo_folder: Zoo):
    pipe = open_(Family.SD15_INPAINT, zoo_folder(Family.SD15_INPAINT))
    assert pipe.safety_checker is None


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_a_missing_tensor_is_told(part: str, zoo_folder: Zoo, tmp_path: Path):
    folder = copy_of(zoo_folder(Family.SD15), tmp_path)
    (path,) = (folder / part).glob("*.safetensors")
    retyped(path, lambda tensors: tensors.pop(sorted(tensors)[-1]))
    with pytest.raises(ModelDamaged, match=part):
        open_(Family.SD15, folder)


def test_a_tensor_that_is_no_number_is_told(zoo_folder: Zoo, tmp_path: Path):
    folder = copy_of(zoo_folder(Family.SD15), tmp_path)
    (path,) = (folder / "unet").glob("*.safetensors")
    retyped(path, lambda tensors: tensors["conv_in.weight"].fill_(float("nan")))
    with pytest.raises(ModelDamaged, match="no numbers"):
        open_(Family.SD15, folder)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16", "float8_e4m3fn"])
def test_one_value_anywhere_is_seen(value: str, dtype: str, zoo_folder: Zoo):
    from engines.diffusion.zoo import record_of
    from frisket.engines.diffusion.opening import check_finite_and_there

    if dtype.startswith("float8") and value != "nan":
        pytest.skip("this format has no infinity")
    record, kind = record_of(Family.SD15, zoo_folder(Family.SD15)), getattr(torch, dtype)
    for at in (0, 12_345, 299_999):
        part = torch.nn.Linear(600, 500).to(kind).requires_grad_(False)
        part.register_buffer("empty", torch.zeros(0).to(kind))
        check_finite_and_there("unet", part, record)
        part.weight.view(-1)[at] = float(value)
        with pytest.raises(ModelDamaged, match=r"unet\.weight holds values that are no numbers"):
            check_finite_and_there("unet", part, record)


def test_what_a_vae_was_trained_to_subtract_must_be_numbers_too(zoo_folder: Zoo, tmp_path: Path):
    """It is no parameter."""
    folder = copy_of(zoo_folder(Family.FLUX2_KLEIN), tmp_path)
    (path,) = (folder / "vae").glob("*.safetensors")
    retyped(path, lambda tensors: tensors["bn.running_mean"].fill_(float("nan")))
    with pytest.raises(ModelDamaged, match=r"vae\.bn\.running_mean holds values that are no numbers"):
        open_(Family.FLUX2_KLEIN, folder)


def test_a_tensor_of_another_shape_is_told(zoo_folder: Zoo, tmp_path: Path):
    folder = copy_of(zoo_folder(Family.SD15), tmp_path)
    (path,) = (folder / "unet").glob("*.safetensors")
    retyped(path, lambda tensors: tensors.update({"conv_in.weight": torch.zeros(16, 7, 3, 3)}))
    with pytest.raises((ModelDamaged, ModelFileUnusable)):
        open_(Family.SD15, folder)


def test_half_precision_files_are_found_by_their_names(zoo_folder: Zoo, tmp_path: Path):
    import diffusers

    pipe = diffusers.StableDiffusionPipeline.from_pretrained(zoo_folder(Family.SD15), local_files_only=True)
    pipe.save_pretrained(tmp_path / "model", variant="fp16", safe_serialization=True)
    assert list((tmp_path / "model" / "unet").glob("*.fp16.safetensors"))
    made = open_(Family.SD15, tmp_path / "model")
    weight = made.unet.conv_in.weight
    assert (weight == pipe.unet.conv_in.weight).all()


def test_weights_in_shards_are_opened(zoo_folder: Zoo, tmp_path: Path):
    import diffusers

    pipe = diffusers.StableDiffusionPipeline.from_pretrained(zoo_folder(Family.SD15), local_files_only=True)
    folder = copy_of(zoo_folder(Family.SD15), tmp_path)
    shutil.rmtree(folder / "unet")
    pipe.unet.save_pretrained(folder / "unet", max_shard_size="300KB", safe_serialization=True)
    assert len(list((folder / "unet").glob("*.safetensors"))) > 1
    assert (open_(Family.SD15, folder).unet.conv_in.weight == pipe.unet.conv_in.weight).all()


def test_half_precision_files_in_shards_are_opened(zoo_folder: Zoo, tmp_path: Path):
    import diffusers

    pipe = diffusers.StableDiffusionPipeline.from_pretrained(zoo_folder(Family.SD15), local_files_only=True)
    folder = copy_of(zoo_folder(Family.SD15), tmp_path)
    for name, most in (("unet", "300KB"), ("text_encoder", "50KB")):
        for path in (folder / name).glob("*.safetensors"):
            path.unlink()
        getattr(pipe, name).save_pretrained(folder / name, max_shard_size=most, variant="fp16")
        assert len(list((folder / name).glob("*.fp16-*-of-*.safetensors"))) > 1
    made = open_(Family.SD15, folder)
    for name in ("unet", "text_encoder"):
        ours, theirs = getattr(made, name).state_dict(), getattr(pipe, name).state_dict()
        assert all((ours[key] == theirs[key]).all() for key in theirs)


def test_old_layouts_are_opened(zoo_folder: Zoo, tmp_path: Path):
    """As models of 2022 were published: names of the text model and of attention, tokenizer files, class names."""
    from engines.diffusion.zoo_words import write_old_clip_tokenizer

    folder = copy_of(zoo_folder(Family.SD15_INPAINT), tmp_path)
    new = open_(Family.SD15_INPAINT, zoo_folder(Family.SD15_INPAINT))
    shutil.rmtree(folder / "tokenizer")
    write_old_clip_tokenizer(folder / "tokenizer")

    def old_text(tensors: dict[str, Any]) -> None:
        for name in list(tensors):
            if not name.startswith("text_model."):
                tensors[f"text_model.{name}"] = tensors.pop(name)
        tensors["text_model.embeddings.position_ids"] = torch.arange(77)[None]

    def old_attention(tensors: dict[str, Any]) -> None:
        names = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
        for name in list(tensors):
            for now, then in names.items():
                if f"attentions.0.{now}." in name:
                    tensors[name.replace(now, then)] = tensors.pop(name)

    retyped(next((folder / "text_encoder").glob("*.safetensors")), old_text)
    retyped(next((folder / "vae").glob("*.safetensors")), old_attention)
    index = json.loads((folder / "model_index.json").read_text())
    index["feature_extractor"] = ["transformers", "CLIPFeatureExtractor"]
    index["_diffusers_version"] = "0.6.0"
    (folder / "model_index.json").write_text(json.dumps(index))
    old = open_(Family.SD15_INPAINT, folder)
    assert old.tokenizer("a red sofa").input_ids == new.tokenizer("a red sofa").input_ids
    for name in ("text_encoder", "vae"):
        ours, theirs = getattr(old, name).state_dict(), getattr(new, name).state_dict()
        assert all((ours[key] == theirs[key]).all() for key in theirs if "position_ids" not in key)


def test_a_prior_is_found_beside_its_decoder(zoo_folder: Zoo, tmp_path: Path):
    from engines.diffusion.zoo import install
    from frisket.engines.diffusion.opening import prior_of

    decoder = install(Family.KANDINSKY22, zoo_folder(Family.KANDINSKY22), tmp_path)
    with pytest.raises(ModelNotInstalled, match="`frisket models pull kandinsky22-prior`"):
        prior_of(tmp_path / decoder.id, decoder)
    prior = install(Family.KANDINSKY22_PRIOR, zoo_folder(Family.KANDINSKY22_PRIOR), tmp_path)
    place, found = prior_of(tmp_path / decoder.id, decoder)
    assert place == tmp_path / prior.id
    assert found.family is Family.KANDINSKY22_PRIOR


def test_what_cannot_be_opened_has_words(zoo_folder: Zoo, tmp_path: Path):
    folder = copy_of(zoo_folder(Family.SD15), tmp_path)
    (folder / "unet" / "config.json").write_text('{"in_channels": 4, "block_out_channels": "what"}')
    with pytest.raises(FrisketError) as caught:
        open_(Family.SD15, folder)
    assert isinstance(caught.value, ModelFileUnusable)
    assert np.isscalar(str(caught.value))


def test_rows_name_only_classes_that_exist():
    import diffusers

    assert all(
        isinstance(row, Row) and hasattr(diffusers, row.pipeline) for rows in ROWS.values() for row in rows.values()
    )
