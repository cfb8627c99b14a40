"""One file in the original layout opens bit-equal to its folder, and only as whole as the file itself is."""

# pyright: reportAttributeAccessIssue=false
from __future__ import annotations

import json
import os
import pickle
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from frisket.engines.diffusion.single import base_of, is_single
from frisket.engines.diffusion.table import ROWS
from frisket.errors import ModelDamaged, ModelFileUnusable, ModelInOneFile, ModelNotInstalled
from frisket.models.families import Family
from frisket.models.record import Record

torch = pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
pytestmark = [pytest.mark.diffusion]
Zoo = Callable[[Family], Path]
NETWORKS = ("unet", "vae", "text_encoder", "text_encoder_2")
# family of the file, family of the folder that lends
LENT = [
    (Family.SD15, Family.SD15),
    (Family.SD15_INPAINT, Family.SD15),
    (Family.SD15, Family.SD15_INPAINT),
    (Family.INSTRUCT_PIX2PIX, Family.SD15),
    (Family.SDXL, Family.SDXL),
    (Family.SDXL_INPAINT, Family.SDXL),
]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch):
    asked: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> Any:
        asked.append(arguments)
        raise OSError("no network here")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert not asked


@pytest.fixture(scope="session")
def whole(zoo_folder: Zoo, tmp_path_factory: pytest.TempPathFactory) -> Zoo:
    """As zoo_folder; an SDXL's two encoders differ in width there as they do in the world: by it diffusers tells them
    apart."""
    made: dict[Family, Path] = {}

    def folder(family: Family) -> Path:
        if family not in (Family.SDXL, Family.SDXL_INPAINT):
            return zoo_folder(family)
        if family not in made:
            made[family] = tmp_path_factory.mktemp("whole") / family.value
            widened(family).save_pretrained(made[family], safe_serialization=True)
        return made[family]

    return folder


def widened(family: Family) -> Any:
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    from engines.diffusion import zoo

    channels = {Family.SDXL: 4, Family.SDXL_INPAINT: 9}[family]
    name = "StableDiffusionXLInpaintPipeline" if channels == 9 else "StableDiffusionXLPipeline"
    pipe = zoo.sdxl(channels, name)
    second = CLIPTextConfig(**pipe.text_encoder_2.config.to_dict() | {"hidden_size": 48, "projection_dim": 48})
    torch.manual_seed(5)
    pipe.register_modules(text_encoder_2=CLIPTextModelWithProjection(second).eval())
    config = dict(pipe.unet.config) | {"cross_attention_dim": 80, "projection_class_embeddings_input_dim": 48 + 48}
    pipe.register_modules(unet=UNet2DConditionModel.from_config(config).eval())
    return pipe


def opened(folder: Path, record: Record) -> Any:
    from frisket.engines.diffusion import opening

    return opening.opened(folder, record, next(iter(ROWS[record.family].values())))


def imported(family: Family, folder: Path, root: Path, model: str = "one") -> tuple[Path, Record]:
    """The pipeline in `folder` as one file, installed in `root`."""
    from engines.diffusion.ldm import save_single
    from engines.diffusion.zoo import install, record_of

    place = root.parent / f"{model}-source"
    place.mkdir()
    save_single(opened(folder, record_of(family, folder)), place / "model.safetensors")
    return root / model, install(family, place, root, model)


def pair(family: Family, base: Family, whole: Zoo, tmp_path: Path) -> tuple[Path, Record]:
    from engines.diffusion.zoo import install

    install(base, whole(base), tmp_path / "models", "base")
    return imported(family, whole(family), tmp_path / "models")


def changed(folder: Path, record: Record, change: Callable[[dict[str, Any]], Any]) -> Record:
    """Rewrites the file after `change` has had its tensors, as if it had been imported so."""
    from safetensors.torch import load_file, save_file

    from engines.diffusion.zoo import record_of

    path = folder / record.files[0].path
    tensors = load_file(path)
    change(tensors)
    save_file({name: tensor.clone() for name, tensor in tensors.items()}, path)
    return record_of(record.family, folder, record.id)


@pytest.mark.parametrize(("family", "base"), LENT, ids=lambda family: family.value)
def test_a_file_opens_bit_equal_to_its_folder(family: Family, base: Family, whole: Zoo, tmp_path: Path):
    from engines.diffusion.zoo import record_of

    folder, record = pair(family, base, whole, tmp_path)
    made, same = opened(folder, record), opened(whole(family), record_of(family, whole(family)))
    assert is_single(record)
    assert type(made) is type(same)
    assert made.tokenizer("a red sofa").input_ids == same.tokenizer("a red sofa").input_ids
    for name in NETWORKS:
        if hasattr(same, name):
            ours, theirs = getattr(made, name).state_dict(), getattr(same, name).state_dict()
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(ours[key], theirs[key]) for key in theirs), name
            assert not getattr(made, name).training


def test_the_engine_paints_from_a_file_what_it_paints_from_the_folder(whole: Zoo, tmp_path: Path):
    from engines.diffusion.tiny import Tiny
    from engines.diffusion.zoo import record_of
    from frisket.engines.diffusion.engine import DiffusionEngine
    from frisket.engines.spec import Silent
    from frisket.models.families import Purpose

    folder, record = pair(Family.SD15, Family.SD15, whole, tmp_path)
    engines = [
        DiffusionEngine(folder, record),
        DiffusionEngine(whole(Family.SD15), record_of(Family.SD15, whole(Family.SD15))),
    ]
    work = Tiny(whole, Family.SD15).work(Purpose.VARIATION)
    one, other = (engine.run(work, Silent()) for engine in engines)
    assert len(one) == 2
    assert np.array_equal(one, other)
    assert engines[0].need == engines[1].need


@pytest.mark.parametrize("family", [Family.SD15, Family.SDXL], ids=lambda family: family.value)
def test_what_published_files_hold_besides_does_no_harm(family: Family, whole: Zoo, tmp_path: Path):
    """Half precision, the trainer's own tables and averages, buffers that classes make by themselves now."""

    def published(tensors: dict[str, Any]) -> None:
        for name in tensors:
            tensors[name] = tensors[name].half()
        clip = "conditioner.embedders.0" if family is Family.SDXL else "cond_stage_model"
        tensors[f"{clip}.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
        tensors |= {"alphas_cumprod": torch.zeros(1000), "model_ema.decay": torch.tensor(0.9999)}
        tensors["model_ema.diffusion_modelout2bias"] = torch.zeros(4)
        if family is Family.SDXL:
            tensors["conditioner.embedders.1.model.logit_scale"] = torch.tensor(4.6)

    folder, record = pair(family, family, whole, tmp_path)
    plain = opened(folder, record)
    made = opened(folder, changed(folder, record, published))
    for name in NETWORKS:
        if hasattr(plain, name):
            ours, theirs = getattr(made, name).state_dict(), getattr(plain, name).state_dict()
            assert ours.keys() == theirs.keys()
            assert all(torch.equal(ours[key], theirs[key].half().float()) for key in theirs if theirs[key].ndim), name
            assert {p.dtype for p in getattr(made, name).parameters()} == {torch.float32}


def test_a_frame_holds_no_weights_and_goes_away(whole: Zoo, tmp_path: Path):
    from frisket.engines.diffusion.single import frame

    folder, record = pair(Family.SD15_INPAINT, Family.SD15_INPAINT, whole, tmp_path)
    with frame(folder, record, next(iter(ROWS[record.family].values()))) as made:
        assert {path.suffix for path in made.rglob("*") if path.is_file()} <= {".json", ".txt"}
        assert not (made / "safety_checker").exists()
    assert not made.exists()


def test_no_weight_is_borrowed(whole: Zoo, tmp_path: Path):
    folder, record = pair(Family.SD15, Family.SD15, whole, tmp_path)
    for start in ("first_stage_model.", "cond_stage_model.", "model.diffusion_model."):
        other = Path(shutil.copytree(folder, folder.parent / f"without-{start.split('_')[0].replace('.', '-')}"))

        def without(tensors: dict[str, Any], start: str = start) -> None:
            for name in [name for name in tensors if name.startswith(start)]:
                del tensors[name]

        with pytest.raises(ModelFileUnusable, match="not a whole model"):
            opened(other, changed(other, record, without))


@pytest.mark.parametrize("name", [
    "model.diffusion_model.out.2.bias",
    "first_stage_model.decoder.conv_out.bias",
    "cond_stage_model.transformer.text_model.final_layer_norm.bias",
])  # fmt: skip
def test_a_missing_tensor_is_told(name: str, whole: Zoo, tmp_path: Path):
    folder, record = pair(Family.SD15, Family.SD15, whole, tmp_path)
    with pytest.raises(ModelDamaged, match="lacks"):
        opened(folder, changed(folder, record, lambda tensors: tensors.pop(name)))


def test_a_tensor_that_is_no_number_is_told(whole: Zoo, tmp_path: Path):
    folder, record = pair(Family.SD15, Family.SD15, whole, tmp_path)
    spoilt = changed(folder, record, lambda t: t["model.diffusion_model.out.2.bias"].fill_(float("nan")))
    with pytest.raises(ModelDamaged, match="no numbers"):
        opened(folder, spoilt)


def test_a_tensor_of_another_shape_is_told(whole: Zoo, tmp_path: Path):
    folder, record = pair(Family.SD15, Family.SD15, whole, tmp_path)
    other = changed(folder, record, lambda t: t.update({"model.diffusion_model.out.2.bias": torch.zeros(7)}))
    with pytest.raises(ModelFileUnusable):
        opened(folder, other)


def test_a_file_of_another_family_is_told(whole: Zoo, tmp_path: Path):
    folder, record = pair(Family.SD15_INPAINT, Family.SD15, whole, tmp_path)
    with pytest.raises(ModelFileUnusable, match="has 4 channels, this one has 9"):
        opened(folder, replace(record, family=Family.SD15))


def test_nothing_is_unpickled(whole: Zoo, tmp_path: Path):
    """Neither from the file nor from what lends to it, and no code beside either of them is read."""
    mark = tmp_path / "mark"

    class Payload:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(mark),))

    folder, record = pair(Family.SD15, Family.SD15, whole, tmp_path)
    path = folder / record.files[0].path
    path.write_bytes(pickle.dumps(Payload()))
    from engines.diffusion.zoo import record_of

    with pytest.raises(ModelFileUnusable):
        opened(folder, record_of(Family.SD15, folder, "one"))
    assert not mark.exists()


def test_what_lends_is_checked_as_if_it_were_opened(whole: Zoo, tmp_path: Path):
    """By us: the class that is on no list, and the link, are refused before diffusers sees them."""
    from engines.diffusion.zoo import record_of
    from frisket.models.record import write

    folder, record = pair(Family.SD15, Family.SD15, whole, tmp_path)
    base = tmp_path / "models" / "base"
    index = base / "model_index.json"
    before = index.read_text()
    index.write_text(json.dumps(json.loads(before) | {"unet": ["os", "system"]}))
    write(base, record_of(Family.SD15, base, "base"))  # as if it had been imported so
    with pytest.raises(ModelFileUnusable, match=r"os\.system, which is on no list"):
        opened(folder, record)
    index.write_text(before)
    write(base, record_of(Family.SD15, base, "base"))
    opened(folder, record)
    lent = base / "tokenizer" / "tokenizer_config.json"
    shutil.move(lent, tmp_path / "outside.json")
    lent.symlink_to(tmp_path / "outside.json")
    with pytest.raises(ModelFileUnusable, match="link that leaves"):
        opened(folder, record)


def test_a_file_that_was_changed_or_is_a_link_out_is_told(whole: Zoo, tmp_path: Path):
    folder, record = pair(Family.SD15, Family.SD15, whole, tmp_path)
    path = folder / record.files[0].path
    shutil.move(path, tmp_path / "outside.safetensors")
    path.symlink_to(tmp_path / "outside.safetensors")
    with pytest.raises(ModelFileUnusable, match="link"):
        opened(folder, record)
    path.unlink()
    path.write_bytes((tmp_path / "outside.safetensors").read_bytes()[:-8])
    with pytest.raises(ModelDamaged):
        opened(folder, record)


def test_without_a_folder_to_borrow_from_it_says_what_to_pull(whole: Zoo, tmp_path: Path):
    (tmp_path / "models").mkdir()
    folder, record = imported(Family.SD15, whole(Family.SD15), tmp_path / "models")
    with pytest.raises(ModelNotInstalled, match="frisket models pull sd15"):
        opened(folder, record)


def test_a_folder_of_the_same_family_lends_before_its_kin(whole: Zoo, tmp_path: Path):
    from engines.diffusion.zoo import install

    folder, record = pair(Family.SD15_INPAINT, Family.SD15, whole, tmp_path)
    assert base_of(folder, record)[0].name == "base"
    install(Family.SD15_INPAINT, whole(Family.SD15_INPAINT), tmp_path / "models", "later")
    assert base_of(folder, record)[0].name == "later"


def test_a_family_that_is_not_opened_from_one_file_says_so(tmp_path: Path):
    from engines.diffusion.zoo import record_of

    (tmp_path / "flux").mkdir()
    (tmp_path / "flux" / "flux.safetensors").write_bytes(b"")
    with pytest.raises(ModelInOneFile, match="flux"):
        opened(tmp_path / "flux", record_of(Family.FLUX, tmp_path / "flux"))
