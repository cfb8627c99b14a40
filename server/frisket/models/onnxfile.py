"""What an .onnx file says it holds, read from the bytes of its protocol buffer and without a runtime.

Fields and numbers are those of onnx.proto (https://github.com/onnx/onnx/blob/main/onnx/onnx.proto). A file may name
others that its tensors lie in, which whoever opens it would then read: refused, as are graphs within nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from frisket.errors import ModelFileUnusable

LARGEST = 64 << 20  # bytes; the detectors that are read here have less than one million
VERSIONS = range(3, 20)  # of the format, since its graphs have operator sets
_VERSION, _GRAPH, _OPERATORS, _FUNCTIONS = 1, 7, 8, 25  # of a model
_NODE, _TENSOR, _INPUT, _OUTPUT, _SPARSE = 1, 5, 11, 12, 15  # of a graph
_ATTRIBUTE, _NAME = 5, 1  # of a node, of a value
_INNER_TENSOR, _INNER_GRAPH, _INNER_TENSORS, _INNER_GRAPHS = 5, 6, 10, 11  # of an attribute
_ELSEWHERE, _LOCATION = 13, 14  # of a tensor
Value = int | bytes


@dataclass(frozen=True, slots=True)
class Graph:
    """The version of the format, the names of what goes in and of what comes out."""

    version: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class _Unfit(Exception):
    pass


def read_header(path: Path) -> Graph:
    """Raises ModelFileUnusable for whatever is not one whole graph by itself."""
    try:
        if path.stat().st_size > LARGEST:
            _refuse(path, f"it is larger than {LARGEST} bytes")
        raw = path.read_bytes()
    except OSError as error:
        _refuse(path, error.strerror or "cannot be read")
    try:
        return _model(raw)
    except _Unfit as unfit:
        _refuse(path, str(unfit))


def _model(raw: bytes) -> Graph:
    version, graphs, operators = 0, [], 0
    for number, value in _fields(raw):
        if number == _VERSION and isinstance(value, int):
            version = value
        elif number == _GRAPH and isinstance(value, bytes):
            graphs.append(value)
        elif number == _FUNCTIONS:
            raise _Unfit("it defines functions, which no network here needs")
        operators += number == _OPERATORS
    if version not in VERSIONS or len(graphs) != 1 or not operators:
        raise _Unfit("it is no ONNX model")
    return _graph(graphs[0], version)


def _graph(raw: bytes, version: int) -> Graph:
    inputs, outputs = [], []
    for number, value in _fields(raw):
        if number == _INPUT:
            inputs.append(_name(value))
        elif number == _OUTPUT:
            outputs.append(_name(value))
        elif number == _NODE:
            _check_node(_bytes(value))
        elif number == _TENSOR:
            _check_tensor(_bytes(value))
        elif number == _SPARSE:
            raise _Unfit("it holds sparse tensors, which no network here needs")
    return Graph(version, tuple(inputs), tuple(outputs))


def _check_node(raw: bytes) -> None:
    for number, value in _fields(raw):
        if number != _ATTRIBUTE:
            continue
        for inner, part in _fields(_bytes(value)):
            if inner in (_INNER_GRAPH, _INNER_GRAPHS):
                raise _Unfit("it holds graphs within nodes, which no network here needs")
            if inner in (_INNER_TENSOR, _INNER_TENSORS):
                _check_tensor(_bytes(part))


def _check_tensor(raw: bytes) -> None:
    if any(number == _ELSEWHERE or (number == _LOCATION and value) for number, value in _fields(raw)):
        raise _Unfit("its tensors lie in other files")


def _name(value: Value) -> str:
    for number, part in _fields(_bytes(value)):
        if number == _NAME:
            return _bytes(part).decode("utf-8", "replace")
    return ""


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise _Unfit("its fields are of other kinds than an ONNX model's")
    return value


def _fields(raw: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field: an int (kind 0) or its bytes (kinds 1, 2, 5)."""
    at = 0
    while at < len(raw):
        tag, at = _varint(raw, at)
        kind = tag & 7
        if kind == 0:
            value, at = _varint(raw, at)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind, -1)
        if kind == 2:
            size, at = _varint(raw, at)
        if size < 0 or at + size > len(raw):
            raise _Unfit("it is cut off, or no ONNX model")
        yield tag >> 3, raw[at : at + size]
        at += size


def _varint(raw: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(raw):
            break
        value |= (raw[at] & 0x7F) << shift
        at += 1
        if not raw[at - 1] & 0x80:
            return value, at
    raise _Unfit("it is cut off, or no ONNX model")


def _refuse(path: Path, reason: str) -> NoReturn:
    raise ModelFileUnusable(path=path, reason=reason)
