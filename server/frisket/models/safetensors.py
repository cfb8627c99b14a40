"""What a .safetensors file says it holds, read without loading a tensor and without believing a word of it.

Format: eight bytes little-endian N, N bytes of JSON {name: {dtype, shape, data_offsets}}, then the tensors' bytes
without holes (https://github.com/huggingface/safetensors#format). Nothing in it can run; it can only lie about lengths.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from frisket.errors import ModelFileUnusable

LONGEST_HEADER = 100_000_000  # bytes, the format's own limit
BITS = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U64": 64, "U32": 32,
    "U16": 16, "U8": 8, "BOOL": 8, "C64": 64, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F6_E3M2": 6,
    "F4": 4,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor of a file: its type by the format's name, its shape, where its bytes begin and end in the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(path: Path) -> dict[str, Tensor]:
    """Every tensor by name. Raises ModelFileUnusable when the header does not describe exactly this file."""
    try:
        with path.open("rb") as file:
            total = os.fstat(file.fileno()).st_size
            length = int.from_bytes(file.read(8), "little")
            if total < 8 or length > min(LONGEST_HEADER, total - 8):
                _refuse(path, f"a header of {length} bytes cannot be in a file of {total}")
            raw = file.read(length)
    except OSError as error:
        _refuse(path, error.strerror or "cannot be read")
    if len(raw) != length or not raw.startswith(b"{"):
        _refuse(path, "it does not begin with a safetensors header")
    try:
        fields = json.loads(raw.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        _refuse(path, "its header is no JSON, or names a tensor twice")
    if not isinstance(fields, dict):
        _refuse(path, "its header is no JSON object")
    tensors = {name: _tensor(path, name, value) for name, value in fields.items() if name != "__metadata__"}
    _check_layout(path, tensors, total - 8 - length)
    return tensors


def check_folder(folder: Path, files: Iterable[str]) -> None:
    """The headers of all .safetensors files, and that every shard an index names is there. Raises ModelFileUnusable."""
    have = set(files)
    for name in sorted(have):
        if name.endswith(".safetensors"):
            read_header(folder / name)
        elif ".safetensors.index" in name and name.endswith(".json"):
            base, _, _ = name.rpartition("/")
            for shard in _shards(folder / name):
                if (f"{base}/{shard}" if base else shard) not in have:
                    _refuse(folder / name, f"it names {shard}, which is not there")


def _shards(path: Path) -> set[str]:
    try:
        shards = json.loads(path.read_text(encoding="utf-8"))["weight_map"].values()
        return {str(shard) for shard in shards}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        _refuse(path, "it is no index of weights")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("twice")
    return found


def _tensor(path: Path, name: str, value: Any) -> Tensor:
    try:
        dtype, shape, (begin, end) = value["dtype"], value["shape"], value["data_offsets"]
    except (TypeError, KeyError, ValueError):
        _refuse(path, f"{name} lacks dtype, shape or data_offsets")
    numbers = [*shape, begin, end] if isinstance(shape, list) and len(shape) <= 64 else [None]
    if not all(type(n) is int and 0 <= n < 1 << 63 for n in numbers) or end < begin:
        _refuse(path, f"{name} has a shape or offsets that make no sense")
    if not isinstance(dtype, str) or dtype not in BITS:
        _refuse(path, f"{name} is of an unknown type")
    if math.prod(shape) * BITS[dtype] != (end - begin) * 8:
        _refuse(path, f"{name} has {end - begin} bytes, which is not its shape")
    return Tensor(dtype, tuple(shape), begin, end)


def _check_layout(path: Path, tensors: Mapping[str, Tensor], data: int) -> None:
    at = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if tensor.begin != at:
            _refuse(path, f"{name} begins at byte {tensor.begin} of the data, not at {at}")
        at = tensor.end
    if at != data:
        _refuse(path, f"its tensors take {at} bytes, {data} are there")


def _refuse(path: Path, reason: str) -> NoReturn:
    raise ModelFileUnusable(path=path, reason=reason)
