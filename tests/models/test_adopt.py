"""Models that the user has already: copied in as they are, and what is unsafe stays out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fakes.torchfiles import legacy, zipped
from fakes.weights import CHOSEN, UNET, pipeline, safetensors
from frisket.errors import (
    Cancelled,
    ModelAlreadyThere,
    ModelFamilyUnknown,
    ModelFileUnusable,
    ParameterOutOfRange,
)
from frisket.models.adopt import adopt
from frisket.models.catalogue import Commercial, load
from frisket.models.families import Family, Purpose
from frisket.models.folder import Folder
from frisket.models.networks import MARKS


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder as a user would have cloned it, pickles and all."""
    return lay(tmp_path / "My Paint 1.5", pipeline())


def lay(folder: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def test_a_folder(folder: Folder, source: Path) -> None:
    made = adopt(folder, source)
    assert (made.id, made.family) == ("my-paint-1-5", Family.SD15_INPAINT)
    assert made.purposes == (Purpose.INPAINT, Purpose.OUTPAINT)
    assert made.source == str(source)
    files = pipeline()
    path = folder.path("my-paint-1-5")
    assert {f.path: (path / f.path).read_bytes() for f in made.files} == {p: files[p] for p in CHOSEN}
    assert {f.path: f.sha256 for f in made.files} == {p: hashlib.sha256(files[p]).hexdigest() for p in CHOSEN}
    assert folder.verify("my-paint-1-5") == ()
    assert {p.relative_to(source).as_posix() for p in source.rglob("*") if p.is_file()} == set(files), "as it was"


def test_one_file(folder: Folder, tmp_path: Path) -> None:
    data = safetensors({"lora_unet.lora_up.weight": ("F16", (4, 4))})
    (tmp_path / "Style.safetensors").write_bytes(data)
    made = adopt(folder, tmp_path / "Style.safetensors")
    assert (made.id, made.family, made.purposes) == ("style", Family.LORA, ())
    assert (folder.path("style") / "Style.safetensors").read_bytes() == data
    assert folder.verify("style") == ()


def test_a_folder_of_one_network(folder: Folder, tmp_path: Path) -> None:
    files = {"config.json": b'{"_class_name": "ControlNetModel"}', "w.safetensors": safetensors({"w": ("F16", (4,))})}
    assert adopt(folder, lay(tmp_path / "scribble", files)).family is Family.CONTROLNET


def test_an_ip_adapter_comes_with_its_encoder(folder: Folder, tmp_path: Path) -> None:
    files = {
        "ip-adapter_sd15.safetensors": safetensors({"ip_adapter.1.to_k_ip.weight": ("F16", (8, 768))}),
        "image_encoder/model.safetensors": safetensors({"x": ("F16", (1,))}),
        "image_encoder/config.json": b"{}",
        "other/model.safetensors": safetensors({"x": ("F16", (1,))}),
    }
    source = lay(tmp_path / "look", files)
    record = adopt(folder, source)
    assert (record.id, record.family, record.purposes) == ("look", Family.IP_ADAPTER, ())
    assert {file.path for file in record.files} == set(files) - {"other/model.safetensors"}


def test_a_folder_of_several_is_none(folder: Folder, tmp_path: Path) -> None:
    """As hubs lay out IP-Adapters: many, and one encoder for all."""
    look = safetensors({"ip_adapter.1.to_k_ip.weight": ("F16", (4, 4))})
    source = lay(tmp_path / "hub", {"a.safetensors": look, "a-plus.safetensors": look})
    with pytest.raises(ModelFileUnusable, match=r"it holds several: a-plus\.safetensors, a\.safetensors; import one"):
        adopt(folder, source)
    assert not folder.ids()


def test_an_unknown_family_has_to_be_named(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(safetensors({"w": ("F16", (4,))}))
    with pytest.raises(ModelFamilyUnknown) as caught:
        adopt(folder, tmp_path / "x.safetensors")
    assert "sd15-inpaint" in caught.value.remedy
    assert adopt(folder, tmp_path / "x.safetensors", "mine", Family.VAE).family is Family.VAE
    assert folder.ids() == ["mine"]


def test_names(folder: Folder, source: Path) -> None:
    adopt(folder, source, "mine")
    with pytest.raises(ModelAlreadyThere):
        adopt(folder, source, "mine")
    for name in ("../mine", "Mine", "a/b"):
        with pytest.raises(ParameterOutOfRange):
            adopt(folder, source, name)
    assert folder.ids() == ["mine"]


@pytest.mark.parametrize("name", ["model.ckpt", "model.bin", "model", "model.gguf"])
def test_pickles_and_others_are_refused_unread(folder: Folder, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x80\x02cposix\nsystem\nq\x00.")
    with pytest.raises(ModelFileUnusable, match=r"only \.onnx, \.pt, \.pth, \.safetensors"):
        adopt(folder, tmp_path / name, "mine", Family.SD15)


@pytest.mark.parametrize("name", ["model.pth", "model.pt", "model.onnx"])
def test_only_networks_come_as_such_files(folder: Folder, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(zipped({"a": (1,)}))
    for family in (Family.SD15, Family.LORA, Family.VAE):
        with pytest.raises(ModelFileUnusable, match="taken of networks alone"):
            adopt(folder, tmp_path / name, "mine", family)
    assert folder.ids() == []


@pytest.mark.parametrize("write", [zipped, legacy])
def test_a_network_is_known_by_its_tensors(folder: Folder, tmp_path: Path, write: Callable[..., bytes]) -> None:
    raw = write({f"module.{mark}": (2,) for mark in MARKS[Family.RETINAFACE]})
    (tmp_path / "detection_Resnet50_Final.pth").write_bytes(raw)
    made = adopt(folder, tmp_path / "detection_Resnet50_Final.pth")
    assert (made.id, made.family) == ("detection-resnet50-final", Family.RETINAFACE)
    assert made.purposes == (Purpose.DETECT_FACES,)
    assert [file.path for file in made.files] == ["detection_Resnet50_Final.pth"]
    assert (folder.path(made.id) / made.files[0].path).read_bytes() == raw
    assert folder.verify(made.id) == ()


def test_terms_that_all_of_a_family_come_under_are_noted(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "mine.pth").write_bytes(zipped(dict.fromkeys(MARKS[Family.CODEFORMER], (1,))))
    made = adopt(folder, tmp_path / "mine.pth")
    assert made.licence == load()["codeformer"].licence
    assert made.licence.commercial is Commercial.NO


def test_an_unknown_upscaler_must_be_called_one(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "mine.pth").write_bytes(zipped({"conv.weight": (2, 2)}))
    with pytest.raises(ModelFamilyUnknown) as caught:
        adopt(folder, tmp_path / "mine.pth")
    assert "upscaler" in caught.value.remedy
    assert adopt(folder, tmp_path / "mine.pth", family=Family.UPSCALER).family is Family.UPSCALER
    with pytest.raises(ModelFileUnusable, match="a model of the family gfpgan is wanted, it has not the marks of one"):
        adopt(folder, tmp_path / "mine.pth", "other", Family.GFPGAN)


def test_networks_that_belong_together_come_as_a_folder(folder: Folder, tmp_path: Path) -> None:
    files = {"a.pth": zipped({"a": (1,)}), "b.pth": zipped({"b": (1,)}), "README.md": b"read", "evil.ckpt": b"evil"}
    made = adopt(folder, lay(tmp_path / "pair", files), family=Family.UPSCALER)
    assert [file.path for file in made.files] == ["a.pth", "b.pth"]


def test_a_network_that_would_run_something_is_refused(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "gfpgan.pth").write_bytes(b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.")
    for family in (None, Family.GFPGAN):
        with pytest.raises(ModelFileUnusable, match="never run"):
            adopt(folder, tmp_path / "gfpgan.pth", family=family)
    assert not folder.root.exists(), "told before anything is copied"


def test_a_pickle_under_another_name_is_refused(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(b"\x80\x02cposix\nsystem\nq\x00." * 99)
    with pytest.raises(ModelFileUnusable):
        adopt(folder, tmp_path / "m.safetensors", "mine", Family.SD15)
    assert folder.ids() == []


def test_a_folder_whose_unet_is_a_pickle_is_refused(folder: Folder, source: Path) -> None:
    for path in (source / "unet").glob("*.safetensors"):
        path.unlink()
    with pytest.raises(ModelFileUnusable, match="come only as pickles"):
        adopt(folder, source)


def test_missing_things(folder: Folder, tmp_path: Path, source: Path) -> None:
    with pytest.raises(ModelFileUnusable, match="no such file"):
        adopt(folder, tmp_path / "nowhere.safetensors", "mine")
    (source / "vae" / "diffusion_pytorch_model.safetensors").write_bytes(b"cut")
    with pytest.raises(ModelFileUnusable, match="cannot be in a file of 3"):
        adopt(folder, source)
    assert not folder.root.exists(), "told before anything is copied"
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelFileUnusable, match="no weights"):
        adopt(folder, tmp_path / "empty")


def test_a_missing_shard(folder: Folder, source: Path) -> None:
    for path in (source / "unet").glob("*.safetensors"):
        path.unlink()
    (source / "unet" / "m-00001-of-00002.safetensors").write_bytes(safetensors({"w": ("F16", (4,))}))
    index = {"weight_map": {"w": "m-00001-of-00002.safetensors", "v": "m-00002-of-00002.safetensors"}}
    (source / "unet" / "m.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(ModelFileUnusable, match="names m-00002-of-00002"):
        adopt(folder, source)


def test_links_that_leave_the_folder_are_refused(folder: Folder, source: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.json").write_text("{}")
    config = source / "unet" / "config.json"
    config.unlink()
    config.symlink_to(tmp_path / "secret.json")
    with pytest.raises(ModelFileUnusable, match="leaves the folder"):
        adopt(folder, source)
    config.unlink()
    config.symlink_to(source / "vae" / "config.json")  # within it
    assert adopt(folder, source, family=Family.SD15).files
    (tmp_path / "elsewhere").mkdir()
    (source / "tokenizer").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelFileUnusable, match="link to a folder"):
        adopt(folder, source, "again")


def test_a_hubs_cache_with_its_links_to_blobs(folder: Folder, tmp_path: Path) -> None:
    cache = tmp_path / "hub" / "models--acme--paint"
    snapshot = cache / "snapshots" / "0123"
    for number, (path, data) in enumerate(pipeline().items()):
        (cache / "blobs").mkdir(parents=True, exist_ok=True)
        (cache / "blobs" / str(number)).write_bytes(data)
        (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
        (snapshot / path).symlink_to(cache / "blobs" / str(number))
    made = adopt(folder, snapshot, "paint")
    assert [f.path for f in made.files] == CHOSEN
    assert not (folder.path("paint") / UNET).is_symlink()
    assert folder.verify("paint") == ()


def test_a_cancel_leaves_nothing_installed(folder: Folder, source: Path) -> None:
    def stop(done: int, total: int, what: str) -> None:
        if what.startswith("vae"):
            raise Cancelled

    with pytest.raises(Cancelled):
        adopt(folder, source, "mine", report=stop)
    assert folder.ids() == []
    adopt(folder, source, "mine")
    assert folder.verify("mine") == ()
