"""One test for each lie that a .safetensors file can tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes.weights import raw, safetensors
from frisket.errors import ModelFileUnusable
from frisket.models.safetensors import Tensor, check_folder, read_header


def f32(shape: list[Any], begin: int, end: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}


def test_a_true_header(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(
        safetensors({"w": ("F32", (2, 3)), "b": ("F16", (4,)), "empty": ("F32", (0, 5)), "s": ("F32", ())})
    )
    assert read_header(path) == {
        "w": Tensor("F32", (2, 3), 0, 24),
        "b": Tensor("F16", (4,), 24, 32),
        "empty": Tensor("F32", (0, 5), 32, 32),
        "s": Tensor("F32", (), 32, 36),
    }


LIES = {
    "empty": (b"", "header of 0 bytes"),
    "too short": (b"\0" * 7, "cannot be in a file of 7"),
    "longer than the file": ((1 << 60).to_bytes(8, "little") + b"{}", "cannot be in a file of 10"),
    "truncated": (safetensors({"w": ("F32", (4,))})[:-1], "its tensors take 16 bytes, 15 are there"),
    "bytes behind": (safetensors({"w": ("F32", (4,))}) + b"x", "its tensors take 16 bytes, 17 are there"),
    "a pickle": (b"\x80\x02ctorch\nload\nq\x00." * 9, "cannot be in a file"),
    "no JSON": (raw(b"{nonsense}", b""), "no JSON"),
    "a list": (raw([], b""), "does not begin"),
    "deep": (raw(b'{"a":' * 50_000, b""), "no JSON"),
    "not UTF-8": (raw(b'{"\xff": 1}', b""), "no JSON"),
    "a name twice": (raw(b'{"a": {}, "a": {}}', b""), "twice"),
    "no fields": (raw({"w": {}}, b""), "lacks dtype"),
    "no object": (raw({"w": 5}, b""), "lacks dtype"),
    "hole": (raw({"w": f32([1], 4, 8)}, b"x" * 8), "begins at byte 4 of the data, not at 0"),
    "overlap": (raw({"v": f32([2], 0, 8), "w": f32([1], 4, 8)}, b"x" * 8), "begins at byte 4 of the data, not at 8"),
    "backwards": (raw({"w": f32([1], 8, 4)}, b"x" * 8), "make no sense"),
    "negative": (raw({"w": f32([-1], 0, 4)}, b"x" * 4), "make no sense"),
    "a fraction": (raw({"w": f32([1.0], 0, 4)}, b"x" * 4), "make no sense"),
    "a truth": (raw({"w": f32([True], 0, 4)}, b"x" * 4), "make no sense"),
    "overflow": (raw({"w": f32([1 << 62, 1 << 62], 0, 4)}, b"x" * 4), "which is not its shape"),
    "too many sides": (raw({"w": f32([1] * 65, 0, 4)}, b"x" * 4), "make no sense"),
    "another shape": (raw({"w": f32([2], 0, 4)}, b"x" * 4), "which is not its shape"),
    "an unknown type": (raw({"w": {**f32([1], 0, 4), "dtype": "OBJECT"}}, b"x" * 4), "unknown type"),
    "a huge number": (raw(b'{"w": {"shape": [1' + b"0" * 5000 + b"]}}", b""), "no JSON"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_told(tmp_path: Path, lie: str) -> None:
    data, told = LIES[lie]
    path = tmp_path / "a.safetensors"
    path.write_bytes(data)
    with pytest.raises(ModelFileUnusable) as caught:
        read_header(path)
    assert told in caught.value.cause


def test_shards_have_to_be_there(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t" / "m-1.safetensors").write_bytes(safetensors({"w": ("F32", (4,))}))
    index = tmp_path / "t" / "m.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"w": "m-1.safetensors"}}))
    files = ["t/m-1.safetensors", "t/m.safetensors.index.json"]
    check_folder(tmp_path, files)
    for shard in ("m-2.safetensors", "../../outside.safetensors"):
        index.write_text(json.dumps({"weight_map": {"w": "m-1.safetensors", "v": shard}}))
        with pytest.raises(ModelFileUnusable, match=r"outside|m-2"):
            check_folder(tmp_path, files)
    index.write_text("{}")
    with pytest.raises(ModelFileUnusable, match="no index"):
        check_folder(tmp_path, files)
