"""Which files of a diffusers repository or folder are the model: no pickles, no duplicates in other formats or sizes.

A repository often holds the same weights five times (.bin, .ckpt, Flax, ONNX, full and half precision). Taken are the
folders that `model_index.json` names, in them the data files, and of their weights one precision: half where it is
there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from frisket.errors import ModelFileUnusable
from frisket.models.catalogue import SUFFIXES, is_plain

INDEX = "model_index.json"
LOCK = "model.lock.json"  # ours, written beside the files (models.record)
PICKLES = frozenset({".bin", ".ckpt", ".pt", ".pth", ".pkl"})
PRECISIONS = ("fp16", "bf16", "")  # the first that a folder has

_WEIGHTS = re.compile(r"[^.]+(?:\.(?P<precision>\w+))?(?:-\d{5}-of-\d{5})?\.safetensors")
_WEIGHTS_INDEX = re.compile(r"[^.]+\.safetensors\.index(?:\.(?P<precision>\w+))?\.json")
_OTHER_INDEX = re.compile(r".*\.(bin|msgpack|h5)\.index(\.\w+)?\.json")


def components(index: bytes, where: str) -> dict[str, str]:
    """Folder -> class, and "" -> the pipeline's class, of a `model_index.json`. Raises ModelFileUnusable."""
    try:
        fields: dict[str, Any] = json.loads(index)
        found = {"": str(fields["_class_name"])}
        for name, value in fields.items():
            if not name.startswith("_") and isinstance(value, list) and len(value) == 2 and value[1] is not None:
                found[name] = str(value[1])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ModelFileUnusable(path=f"{where}/{INDEX}", reason="it is no index of a pipeline") from None
    return found


def choose(paths: Iterable[str], folders: Iterable[str], where: str) -> tuple[str, ...]:
    """The paths to take, sorted, of those in `folders`. "" is the top: of a pipeline only its index is taken there.

    Raises ModelFileUnusable when a folder's weights come only as pickles, or nothing is left.
    """
    paths, wanted = list(paths), set(folders)
    piped = INDEX in paths
    chosen: list[str] = []
    for folder in sorted(wanted):
        inside = [p for p in paths if str(PurePosixPath(p).parent) == (folder or ".")]
        if piped and folder == "":
            chosen.append(INDEX)
            continue
        taken = _of_folder(inside)
        if _has(inside, PICKLES) and not _has(taken, {".safetensors"}):
            reason = "its weights come only as pickles, which could run code; a safetensors version is needed"
            raise ModelFileUnusable(path=f"{where}/{folder}".rstrip("/"), reason=reason)
        chosen += taken
    if not _has(chosen, {".safetensors"}):
        raise ModelFileUnusable(path=where, reason="there are no weights in the safetensors format in it")
    return tuple(sorted(chosen))


def _of_folder(inside: list[str]) -> list[str]:
    data = [p for p in inside if PurePosixPath(p).suffix in SUFFIXES and is_plain(p) and p != LOCK]
    have = {_precision(p) for p in data if p.endswith(".safetensors")}
    best = next((p for p in PRECISIONS if p in have), None)
    weights = [p for p in data if _is_weights(p)]
    rest = [p for p in data if p not in weights and not _OTHER_INDEX.fullmatch(PurePosixPath(p).name)]
    return rest + [p for p in weights if _precision(p) == best]


def _is_weights(path: str) -> bool:
    name = PurePosixPath(path).name
    return name.endswith(".safetensors") or bool(_WEIGHTS_INDEX.fullmatch(name))


def _precision(path: str) -> str | None:
    """ "fp16", "" for the plain one, None for a name of another kind."""
    name = PurePosixPath(path).name
    match = _WEIGHTS.fullmatch(name) or _WEIGHTS_INDEX.fullmatch(name)
    return (match["precision"] or "") if match else None


def _has(paths: Iterable[str], suffixes: Iterable[str]) -> bool:
    wanted = set(suffixes)
    return any(PurePosixPath(p).suffix in wanted for p in paths)
