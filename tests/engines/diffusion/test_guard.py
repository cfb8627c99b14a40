"""What a hostile or broken folder may try: nothing of it runs, and each attempt has an error of ours."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from frisket.engines.diffusion.guard import checked
from frisket.errors import FrisketError, ModelDamaged, ModelFileUnusable
from frisket.models.families import Family

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
pytestmark = [pytest.mark.diffusion]


class Payload:
    """Unpickled, it makes a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.mark),))


@pytest.fixture
def folder(zoo_folder: Callable[[Family], Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(zoo_folder(Family.SD15), tmp_path / "root" / "model"))


def attempt(folder: Path, before: Path | None = None) -> None:
    """Opens the folder, recorded as it is now (an import of it), or as `before` was (changed after its import)."""
    from engines.diffusion.zoo import record_of
    from frisket.engines.diffusion.opening import opened
    from frisket.engines.diffusion.table import ROWS
    from frisket.models.families import Purpose

    record = record_of(Family.SD15, before or folder)
    opened(folder, record, ROWS[Family.SD15][Purpose.INPAINT])


def indexed(folder: Path, **changes: Any) -> None:
    path = folder / "model_index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_the_folder_as_it_is_passes(folder: Path):
    from engines.diffusion.zoo import record_of

    found = checked(folder, record_of(Family.SD15, folder))
    assert found["unet"] == ("diffusers", "UNet2DConditionModel")
    assert "safety_checker" not in found


@pytest.mark.parametrize("component", [
    ["os", "system"],
    ["subprocess", "Popen"],
    ["torch.hub", "load"],
    ["antigravity", "x"],
    ["my_unet", "MyUnet"],
    ["diffusers", "DiffusionPipeline"],
    ["transformers", "AutoModel"],
    ["diffusers.pipelines", "UNet2DConditionModel"],
    [["diffusers"], "UNet2DConditionModel"],
    ["diffusers", None],
    ["diffusers", "UNet2DConditionModel", "more"],
])  # fmt: skip
def test_a_class_on_no_list_is_refused(folder: Path, component: list[Any]):
    (folder / "unet" / "my_unet.py").write_text("raise SystemExit('ran')")
    indexed(folder, unet=component)
    with pytest.raises(ModelFileUnusable):
        attempt(folder)


@pytest.mark.parametrize("name", [["pipeline", "MyPipe"], "MyPipeline", "DiffusionPipeline", "FluxPipeline", None, 3])
def test_a_pipeline_that_the_family_does_not_have_is_refused(folder: Path, name: Any):
    (folder / "pipeline.py").write_text("raise SystemExit('ran')")
    indexed(folder, _class_name=name)
    with pytest.raises(ModelFileUnusable):
        attempt(folder)


@pytest.mark.parametrize("name", ["../evil", "a/b", "unet.py", ""])
def test_a_component_with_a_path_for_a_name_is_refused(folder: Path, name: str):
    indexed(folder, **{name: ["diffusers", "UNet2DConditionModel"]})
    with pytest.raises(ModelFileUnusable):
        attempt(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000])
def test_an_index_that_is_none_is_refused(folder: Path, text: str):
    (folder / "model_index.json").write_text(text)
    with pytest.raises(ModelFileUnusable):
        attempt(folder)


def test_code_beside_the_weights_is_never_read(folder: Path, tmp_path: Path):
    mark = tmp_path / "mark"
    for place in (folder, folder / "unet", folder / "text_encoder"):
        for name in ("pipeline.py", "my_unet.py", "modeling.py", "__init__.py"):
            (place / name).write_text(f"import os; os.mkdir({str(mark)!r})")
    config = json.loads((folder / "text_encoder" / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling.Evil", "AutoConfig": "modeling.Evil"}
    (folder / "text_encoder" / "config.json").write_text(json.dumps(config))
    attempt(folder)
    assert not mark.exists()


@pytest.mark.parametrize("beside", [True, False])
def test_pickles_are_not_unpickled(folder: Path, tmp_path: Path, beside: bool):
    mark = tmp_path / "mark"
    evil = pickle.dumps(Payload(mark))
    pickle.loads(evil)
    assert mark.exists()  # it would work
    mark.rmdir()
    for part, name in (("unet", "diffusion_pytorch_model"), ("text_encoder", "pytorch_model"), ("vae", "model")):
        (folder / part / f"{name}.bin").write_bytes(evil)
        (folder / part / f"{name}.ckpt").write_bytes(evil)
        if not beside:
            for path in (folder / part).glob("*.safetensors"):
                path.unlink()
    if beside:
        attempt(folder)
    else:
        with pytest.raises(FrisketError):
            attempt(folder)
    assert not mark.exists()


@pytest.mark.parametrize(("what", "data"), [
    ("a pickle", pickle.dumps({"a": 1})),
    ("a header of 2^60 bytes", struct.pack("<Q", 1 << 60) + b"{}"),
    ("a tensor of 4 TB", (lambda h: struct.pack("<Q", len(h)) + h)(
        b'{"a":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}')),
    ("nothing", b""),
    ("no JSON", struct.pack("<Q", 4) + b"{{{{"),
])  # fmt: skip
def test_weights_that_are_no_safetensors_are_refused(folder: Path, what: str, data: bytes):
    (path,) = (folder / "unet").glob("*.safetensors")
    path.write_bytes(data)
    with pytest.raises(ModelFileUnusable):
        attempt(folder)


def test_weights_cut_short_are_refused(folder: Path):
    (path,) = (folder / "unet").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ModelFileUnusable):
        attempt(folder)


@pytest.mark.parametrize(
    "name", ["../../outside.safetensors", "..\\outside.safetensors", "/etc/passwd", 7, "gone.safetensors"]
)
def test_an_index_of_shards_names_only_what_lies_beside_it(folder: Path, name: Any):
    (path,) = (folder / "unet").glob("*.safetensors")
    shutil.copy(path, folder.parent.parent / "outside.safetensors")
    index = {"metadata": {}, "weight_map": {"conv_in.weight": name}}
    (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelFileUnusable):
        attempt(folder)


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
@pytest.mark.parametrize("name", ["evil.bin", "evil.txt"])
def test_a_shard_that_is_a_pickle_is_not_read(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, name: str
):
    import torch
    from safetensors import safe_open

    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("unpickled"))
    (whole,) = (folder / part).glob("*.safetensors")
    shard = whole.rename(whole.with_name("one-00001-of-00002.safetensors"))
    with safe_open(shard, "pt") as tensors:
        names = list(tensors.keys())
    (folder / part / name).write_bytes(pickle.dumps(Payload(tmp_path / "mark")))
    index = {"metadata": {}, "weight_map": dict.fromkeys(names, shard.name) | {names[0]: name}}
    (folder / part / f"{whole.name}.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelFileUnusable, match="which is no safetensors"):
        attempt(folder)
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize("what", ["unet", "unet/config.json", "model_index.json"])
def test_a_link_that_leaves_the_folder_is_refused(folder: Path, tmp_path: Path, what: str):
    outside = tmp_path / "outside"
    shutil.move(folder / what, outside)
    (folder / what).symlink_to(outside)
    with pytest.raises(FrisketError):
        attempt(folder)


def test_a_model_that_is_itself_a_link_out_of_the_models_folder_is_refused(folder: Path, tmp_path: Path):
    shutil.move(folder, tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    with pytest.raises(ModelFileUnusable, match="leaves the models' folder"):
        attempt(folder)


def test_what_came_after_the_import_is_told(folder: Path, tmp_path: Path):
    before = Path(shutil.copytree(folder, tmp_path / "before"))
    (folder / "unet" / "extra.safetensors").write_bytes(b"x")
    with pytest.raises(ModelDamaged, match=r"unet/extra\.safetensors is not part of it"):
        attempt(folder, before)


def test_what_was_lost_or_cut_after_the_import_is_told(folder: Path, tmp_path: Path):
    before = Path(shutil.copytree(folder, tmp_path / "before"))
    (folder / "scheduler" / "scheduler_config.json").unlink()
    with pytest.raises(ModelDamaged, match="scheduler_config"):
        attempt(folder, before)


def test_a_unet_of_another_kind_is_refused_before_it_is_opened(folder: Path):
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"in_channels": 9}))
    with pytest.raises(ModelFileUnusable, match="has 4 channels, this one has 9"):
        attempt(folder)
