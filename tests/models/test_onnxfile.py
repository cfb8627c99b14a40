"""Headers of ONNX files: what a graph takes and gives, and what would reach outside of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from frisket.errors import ModelFileUnusable
from frisket.models import onnxfile
from frisket.models.onnxfile import Graph, read_header


def varint(value: int) -> bytes:
    made = b""
    while value > 0x7F:
        made += bytes([value & 0x7F | 0x80])
        value >>= 7
    return made + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def value(name: str) -> bytes:
    return field(1, name.encode()) + field(2, b"")


TENSOR = field(1, 4) + field(2, 1) + field(8, b"weights") + field(9, bytes(16))
NODE = field(1, b"input") + field(2, b"cls_8") + field(4, b"Conv") + field(5, field(1, b"pads") + field(5, TENSOR))


def model(graph: bytes = b"", version: int = 6, rest: bytes = field(8, field(2, 11))) -> bytes:
    whole = field(1, NODE) + field(5, TENSOR) + field(11, value("input")) + field(12, value("cls_8"))
    return field(1, version) + field(2, b"pytorch") + field(7, whole + graph) + rest


def refused(tmp_path: Path, raw: bytes) -> str:
    (tmp_path / "a.onnx").write_bytes(raw)
    with pytest.raises(ModelFileUnusable) as caught:
        read_header(tmp_path / "a.onnx")
    return caught.value.cause


def test_names_of_what_goes_in_and_out(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(model(field(12, value("obj_8"))))
    assert read_header(tmp_path / "a.onnx") == Graph(6, ("input",), ("cls_8", "obj_8"))


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "no ONNX model"),
        (b"\x80\x02cposix\nsystem\n.", "no ONNX model"),
        (b"\xff" * 40, "no ONNX model"),
        (field(1, 6), "no ONNX model"),
        (model(version=99), "no ONNX model"),
        (model(rest=b""), "no ONNX model"),
        (model() + field(7, b""), "no ONNX model"),
        (model() + field(25, b""), "defines functions"),
        (model(field(15, b"")), "sparse"),
        (model(field(5, TENSOR + field(14, 1))), "other files"),
        (model(field(5, TENSOR + field(13, field(1, b"location") + field(2, b"../../etc/passwd")))), "other files"),
        (model(field(1, field(5, field(5, TENSOR + field(14, 1))))), "other files"),
        (model(field(1, field(5, field(10, TENSOR + field(14, 1))))), "other files"),
        (model(field(1, field(5, field(6, b"")))), "within nodes"),
        (model(field(1, field(5, field(11, b"")))), "within nodes"),
        (model(field(1, 5)), "of other kinds"),
    ],
)
def test_what_is_no_graph_by_itself_is_told(tmp_path: Path, raw: bytes, told: str) -> None:
    assert told in refused(tmp_path, raw)


def test_every_beginning_of_one_is_refused(tmp_path: Path) -> None:
    raw = model()
    for end in range(len(raw)):
        refused(tmp_path, raw[:end])


def test_large_and_missing_files_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxfile, "LARGEST", 10)
    assert "larger than 10" in refused(tmp_path, model())
    with pytest.raises(ModelFileUnusable, match="No such file"):
        read_header(tmp_path / "nothing.onnx")
