"""Files of torch.save: both formats, what they may hold, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from fakes import torchfiles
from fakes.torchfiles import archive, described, legacy, pickled, storage, tensor, text, zipped
from frisket.errors import ModelFileUnusable
from frisket.models.safetensors import Tensor
from frisket.models.torchfile import WRAPPERS, read_header, weights

SHAPES = {"module.conv.weight": (8, 3, 3, 3), "module.conv.bias": (8,), "steps": ()}
WEIGHTS = Path(__file__).resolve().parents[3] / "shared" / "weights"


def put(tmp_path: Path, raw: bytes) -> Path:
    path = tmp_path / "weights.pth"
    path.write_bytes(raw)
    return path


def refused(tmp_path: Path, raw: bytes) -> str:
    with pytest.raises(ModelFileUnusable) as caught:
        read_header(put(tmp_path, raw))
    return caught.value.cause


@pytest.mark.parametrize("write", [zipped, legacy])
@pytest.mark.parametrize("wrap", ["", *WRAPPERS])
def test_names_and_shapes_of_both_formats(tmp_path: Path, write, wrap: str) -> None:
    found = read_header(put(tmp_path, write(SHAPES, wrap)))
    assert {name: tensor.shape for name, tensor in found.items()} == SHAPES
    assert found["module.conv.weight"] == Tensor("F32", (8, 3, 3, 3), 0, 864)


def test_the_averaged_weights_come_first_and_numbers_beside_them_do_not_count() -> None:
    both = {"params": {"a": 1.0}, "params_ema": {"b": 2.0, "epoch": 7, 3: 3.0}, "epoch": 9}
    assert weights(both, lambda value: isinstance(value, float)) == {"b": 2.0}
    assert weights({"params": 1.0, "a": 2.0}, lambda value: isinstance(value, float)) == {"params": 1.0, "a": 2.0}
    assert weights([1.0], lambda value: True) == {}


@pytest.mark.parametrize("write", [zipped, legacy])
def test_what_is_cut_off_or_has_more_is_refused(tmp_path: Path, write) -> None:
    raw = write(SHAPES)
    for end in (*range(0, 60, 3), len(raw) // 2, len(raw) - 100, len(raw) - 1):
        refused(tmp_path, raw[:end])


def test_a_legacy_file_ends_with_its_last_storage(tmp_path: Path) -> None:
    assert "follows its last storage" in refused(tmp_path, legacy(SHAPES) + b"\0")
    assert "another length" in refused(tmp_path, legacy(SHAPES)[:-4])
    raw = legacy({"a": (2,)})
    assert "another length" in refused(tmp_path, raw[:-16] + (3).to_bytes(8, "little") + raw[-8:])
    assert "not those" in refused(tmp_path, raw.replace(torchfiles.text("0") + b"e", torchfiles.text("1") + b"e"))


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "cut off"),
        (b"\x80\x02K\x01.", "no file of torch.save"),
        (b"cos\nsystem\n(S'true'\ntR.", "never run"),
        (torchfiles.MAGIC + b"\x80\x02K\x01.", "version of torch.save"),
        (torchfiles.MAGIC + torchfiles.VERSION + b"\x80\x02}.", "big-endian"),
        (b"GIF89a" + bytes(100), "no sense"),
        (zipped({}), "no named tensors"),
        (archive({"a/data.pkl": pickled(b"K\x01")}), "no named tensors"),
        (archive({"data.pkl": pickled(b"}")}), "not of torch.save"),
        (archive({"a/b/data.pkl": pickled(b"}")}), "not of torch.save"),
        (archive({"a/data.pkl": pickled(b"}"), "b/data.pkl": pickled(b"}")}), "not of torch.save"),
        (archive({"a.txt": b"hello"}), "not of torch.save"),
        (archive({"a/data.pkl": b"", "a/code/__torch__.py": b"", "a/constants.pkl": b""}), "TorchScript"),
        (archive({"a/data.pkl": described({"w": (9,)}), "a/data/0": bytes(36), "a/byteorder": b"big"}), "big-endian"),
        (archive({"a/data.pkl": described({"w": (9,)})}), "storage 0 are missing"),
        (archive({"a/data.pkl": described({"w": (9,)}), "a/data/0": bytes(35)}), "another length"),
        (archive({"a/data.pkl": described({"w": (9,)}), "b/data/0": bytes(36)}), "missing"),
        (archive({"a/data.pkl": described({"w": (9,)}), "a/data/0": bytes(36)}, zipfile.ZIP_DEFLATED), "compressed"),
    ],
)
def test_what_is_no_weights_is_told(tmp_path: Path, raw: bytes, told: str) -> None:
    assert told in refused(tmp_path, raw)


def test_bombs_are_not_opened(tmp_path: Path) -> None:
    """A packed pickle of zeros that would fill the memory, and members that lie over each other."""
    assert "compressed" in refused(tmp_path, archive({"a/data.pkl": bytes(50 << 20)}, zipfile.ZIP_DEFLATED))
    assert "more than" in refused(tmp_path, archive({"a/data.pkl": bytes(5 << 20)}))
    raw = archive({"a/data.pkl": described({"w": (1000,)}), "a/data/0": bytes(4000), "a/data/1": bytes(4000)})
    first = raw.index(b"PK\x01\x02", 4000)
    entry = raw.index(b"a/data/1", first) - 46 + 42  # where its bytes begin, in the archive's list
    target = raw.index(b"a/data/0") - 30
    crooked = raw[:entry] + target.to_bytes(4, "little") + raw[entry + 4 :]
    beside = raw.index(b"PK\x03\x04", raw.index(b"a/data/0"))
    assert "overlap" in refused(tmp_path, _without(crooked, beside, first))


def _without(raw: bytes, begin: int, end: int) -> bytes:
    """Without the bytes of one member; the list moves up and the archive's tail says so."""
    tail = raw.rindex(b"PK\x05\x06")
    moved = int.from_bytes(raw[tail + 16 : tail + 20], "little") - (end - begin)
    return raw[:begin] + raw[end : tail + 16] + moved.to_bytes(4, "little") + raw[tail + 20 :]


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    raw = archive({"a/data.pkl": described({"w": (1,)}), "a/data/0": bytes(4), "a/data/1": bytes(4)})
    assert "one name" in refused(tmp_path, raw.replace(b"a/data/1", b"a/data/0"))


def test_tensors_without_a_name_are_no_weights(tmp_path: Path) -> None:
    raw = pickled(b"]" + tensor(storage("0", 1), (1,)) + b"a")
    assert "no named" in refused(tmp_path, archive({"a/data.pkl": raw, "a/data/0": bytes(4)}))
    raw = pickled(b"}K\x01" + tensor(storage("0", 1), (1,)) + b"s")
    assert "no named" in refused(tmp_path, archive({"a/data.pkl": raw, "a/data/0": bytes(4)}))


def test_tensors_that_are_far_more_than_the_file_are_refused(tmp_path: Path) -> None:
    def sharing(times: int) -> bytes:
        names = b"".join(text(f"w{k}") + tensor(storage("0", 10), (10,)) for k in range(times))
        return archive({"a/data.pkl": pickled(b"}(" + names + b"u"), "a/data/0": bytes(40)})

    assert len(read_header(put(tmp_path, sharing(4)))) == 4
    assert "over each other" in refused(tmp_path, sharing(5))


def test_a_dict_in_itself_ends(tmp_path: Path) -> None:
    raw = pickled(b"}q\x00" + text("params") + b"h\x00s")
    assert "no named" in refused(tmp_path, archive({"a/data.pkl": raw}))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelFileUnusable, match="No such file"):
        read_header(tmp_path / "nothing.pth")


@pytest.mark.parametrize(
    ("file", "count", "name", "shape"),
    [
        ("retinaface_mobile0.25.pth", 300, "body.stage1.0.0.weight", (8, 3, 3, 3)),
        ("realesr-general-x4v3.pth", 101, "body.0.weight", (64, 3, 3, 3)),
        ("tracer-efficient-0.pth", 893, "model.Frequency_Edge_Module1.UAM.bn.weight", (24,)),
        ("sinet-portrait.pth", 393, "encoder.level1.conv.weight", (12, 3, 3, 3)),
    ],
)
def test_real_weights(file: str, count: int, name: str, shape: tuple[int, ...]) -> None:
    if not (WEIGHTS / file).is_file():
        pytest.skip(f"real weights are not at {WEIGHTS / file}")
    found = read_header(WEIGHTS / file)
    assert (len(found), found[name].shape) == (count, shape)


@pytest.mark.nets
@pytest.mark.parametrize("zipped", [True, False])
def test_torch_itself_writes_what_is_read_here(tmp_path: Path, zipped: bool) -> None:
    torch = pytest.importorskip("torch", reason="the extra `faces` is not installed")
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8)).half()
    shared = torch.arange(24, dtype=torch.int64).reshape(4, 6)
    state = {**net.state_dict(), "all": shared, "part": shared[1:3, ::2], "turned": shared.T, "kept": net[0].weight}
    for wrap in (net.state_dict(), state, {"params_ema": state, "iter": 5, "lr": [1e-4], "best": None}):
        path = tmp_path / "net.pth"
        torch.save(wrap, path, _use_new_zipfile_serialization=zipped)
        found, wanted = read_header(path), weights(torch.load(path, weights_only=True), torch.is_tensor)
        assert {name: tensor.shape for name, tensor in found.items()} == {n: tuple(t.shape) for n, t in wanted.items()}
        for name, kept in wanted.items():
            assert {"F16": torch.float16, "I64": torch.int64}[found[name].dtype] == kept.dtype
            assert found[name].begin == kept.storage_offset() * kept.element_size()
