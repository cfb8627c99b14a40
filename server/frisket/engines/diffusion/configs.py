"""What the configurations in a model's folder ask for, held against its weights before anything is built from them.

diffusers and transformers do what `config.json` says: fetch an attention kernel and run it, read weights under another
name (pickles too), add an adapter's, make a million layers for a file that has twelve.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from frisket.errors import ModelFileUnusable

NAME = "config.json"
MOST: Mapping[str, int] = {  # of any whole number: tables of positions, or of noise, are as long as it says
    NAME: 10**8,
    "scheduler_config.json": 10**6,
}
ADAPTER = "adapter_config.json"  # beside a network it is taken for a part of it, with any weights that it comes with
ELSEWHERE = frozenset({"transformers_weights"})  # names another file of weights
KERNELS = frozenset({
    "attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation",
})  # fmt: skip
BUILT_IN = (None, "eager", "sdpa")  # kernels that come with torch; others are fetched from a hub
LAYERS = frozenset({
    "num_hidden_layers", "num_layers", "num_single_layers", "num_decoder_layers", "num_refiner_layers",
    "num_attention_layers", "encoder_layers", "n_layers", "n_refiner_layers", "depth",
})  # fmt: skip
PER_BLOCK = ("layers_per_block", "num_res_blocks")  # how the names end
INNER = "transformer_layers_per_block"
BLOCKS = ("block_types", "block_out_channels", "dim_mult")

Leaf = tuple[str, Any]


def check_configs(folder: Path, components: Iterable[str], held: Mapping[str, int]) -> None:
    """Of each of `components`, folders in `folder` ("" is itself). held: path of a file -> tensors in it.

    Raises ModelFileUnusable for one that asks for code, for weights besides its own, or for more than those can fill.
    """
    for name in components:
        start = f"{name}/" if name else ""
        if f"{start}{ADAPTER}" in held:
            _refuse(folder / start / ADAPTER, "it adds the weights of an adapter to a network, unasked")
        for kind in MOST:
            if f"{start}{kind}" in held:
                inside = sum(count for path, count in held.items() if path.startswith(start))
                _check(folder / start / kind, inside)


def fields_of(path: Path) -> dict[str, Any]:
    """A JSON object. Raises ModelFileUnusable."""
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise ModelFileUnusable(path=path, reason="it cannot be read") from None
    if not isinstance(fields, dict):
        raise ModelFileUnusable(path=path, reason="it is no JSON object")
    return fields


def _check(path: Path, tensors: int) -> None:
    lengths, per_block, inner = [1], [1], [1]
    for key, value in _walk(fields_of(path)):
        if key in ELSEWHERE and value is not None:
            _refuse(path, f"its {key} names weights that are not its own: {value!r:.60}")
        if key in KERNELS:
            _check_kernels(path, value)
        if isinstance(value, list) and key.endswith(BLOCKS):
            lengths.append(len(value))
        if type(value) is not int:
            continue
        if value > MOST[path.name]:
            _refuse(path, f"its {key:.60} is more than {MOST[path.name]}")
        if key in LAYERS and value > tensors:
            _refuse(path, f"its {key} is {value}, and its weights are {tensors} tensors")
        if key.endswith(INNER):
            inner.append(value)
        elif key.endswith(PER_BLOCK):
            per_block.append(value)
    layers = max(lengths) * max(per_block) * max(inner)
    if layers > max(tensors, 1):  # one, where nothing was said
        _refuse(path, f"it asks for {layers} layers, and its weights are {tensors} tensors")


def _check_kernels(path: Path, value: Any) -> None:
    for name in value.values() if isinstance(value, dict) else (value,):
        if name not in BUILT_IN:
            _refuse(path, f"it asks for a kernel that does not come with torch: {name!r:.60}")


def _walk(fields: Mapping[str, Any]) -> Iterator[Leaf]:
    """Every value under its name, however deep; the members of a list under the list's."""
    left: list[Leaf] = list(fields.items())
    while left:
        key, value = left.pop()
        yield key, value
        if isinstance(value, dict):
            left += value.items()
        elif isinstance(value, list):
            left += [(key, member) for member in value]


def _refuse(path: Path, reason: str) -> None:
    raise ModelFileUnusable(path=path, reason=reason)
