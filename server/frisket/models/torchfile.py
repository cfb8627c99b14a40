"""What a .pth or .pt file says it holds, read without torch and without running a word of it.

Two formats, both of torch.save (torch/serialization.py): since 1.6 a zip archive of uncompressed members, NAME/data.pkl
and NAME/data/KEY for each storage; before that pickles one behind another (a magic number, a version, the machine, the
tensors, the storages' keys) and the storages' bytes, each behind its length. A TorchScript archive is a program, and is
refused.
"""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar

from frisket.errors import ModelFileUnusable
from frisket.models.pickled import LONGEST, Pickle, Storage, Unfit, read
from frisket.models.safetensors import Tensor

SUFFIXES = frozenset({".pth", ".pt"})
# Keys that weights are kept under; the first one that is there counts.
WRAPPERS = ("params_ema", "params-ema", "params", "state_dict", "model_state_dict", "model", "net")
MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001
SHARED = 4  # times the bytes of its storages: what tensors that share some may come to in all
_PROGRAM = ("code", "constants.pkl")  # in a TorchScript archive alone
T = TypeVar("T")


def read_header(path: Path) -> Mapping[str, Tensor]:
    """Every tensor by name: of the dict itself, or of the one it keeps under one of `WRAPPERS`.

    Names are as in the file, "module." included. A Tensor's begin and end are bytes within its own storage. Raises
    ModelFileUnusable for whatever is not weights of torch.save, whole and in order.
    """
    try:
        with path.open("rb") as file:
            start = file.read(4)
            file.seek(0)
            found = _zipped(file) if start == b"PK\x03\x04" else _legacy(file)
    except OSError as error:
        _refuse(path, error.strerror or "cannot be read")
    except Unfit as unfit:
        _refuse(path, str(unfit))
    tensors = weights(found.value, lambda value: isinstance(value, Tensor))
    if not tensors:
        _refuse(path, "there are no named tensors in it")
    if sum(t.end - t.begin for t in tensors.values()) > SHARED * sum(s.size for s in found.storages.values()):
        _refuse(path, "its tensors lie over each other, and are larger than the file says")
    return tensors


def weights(value: Any, is_tensor: Callable[[Any], bool]) -> dict[str, Any]:
    """The named tensors in what a file holds, by the rule of `read_header`; empty where there are none."""
    if not isinstance(value, Mapping):
        return {}
    for wrapper in WRAPPERS:
        if isinstance(value.get(wrapper), Mapping):
            value = value[wrapper]
            break
    return {name: tensor for name, tensor in value.items() if isinstance(name, str) and is_tensor(tensor)}


def _zipped(file: IO[bytes]) -> Pickle:
    try:
        with zipfile.ZipFile(file) as archive:
            members = {info.filename: info for info in archive.infolist()}
            root = _root(archive.infolist(), os.fstat(file.fileno()).st_size)
            for name in _PROGRAM:
                if any(n == root + name or n.startswith(f"{root}{name}/") for n in members):
                    raise Unfit("it is a TorchScript program, not weights")
            if f"{root}byteorder" in members and archive.read(f"{root}byteorder") != b"little":
                raise Unfit("its numbers are of a big-endian machine")
            with archive.open(f"{root}data.pkl") as stream:
                found = read(stream)
    except (zipfile.BadZipFile, KeyError, NotImplementedError, RuntimeError, struct.error, EOFError, ValueError):
        raise Unfit("its archive is cut off or damaged") from None
    for storage in found.storages.values():
        member = members.get(f"{root}data/{storage.key}")
        if member is None or member.file_size != storage.size:
            raise Unfit(f"the bytes of its storage {storage.key} are missing or of another length")
    return found


def _root(members: list[zipfile.ZipInfo], size: int) -> str:
    """The folder that all lies in, with "/". Raises Unfit for what torch.save does not write, bombs among it."""
    if len({info.filename for info in members}) != len(members):
        raise Unfit("its archive has two members of one name")
    if any(info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size for info in members):
        raise Unfit("its archive is compressed, which torch's own never is")
    if sum(info.file_size for info in members) > size:
        raise Unfit("the members of its archive overlap")
    roots = [info.filename.removesuffix("data.pkl") for info in members if info.filename.endswith("/data.pkl")]
    if len(roots) != 1 or roots[0].count("/") != 1:
        raise Unfit("it is an archive, but not of torch.save")
    if any(info.filename == f"{roots[0]}data.pkl" and info.file_size > LONGEST for info in members):
        raise Unfit(f"it describes its tensors in more than {LONGEST} bytes")
    return roots[0]


def _legacy(file: IO[bytes]) -> Pickle:
    if read(file).value != MAGIC:
        raise Unfit("it is no file of torch.save")
    if read(file).value != VERSION:
        raise Unfit("it is of a version of torch.save that is unknown here")
    machine = read(file).value
    if not isinstance(machine, dict) or machine.get("little_endian") is not True:
        raise Unfit("its numbers are of a big-endian machine")
    found, keys = read(file), read(file).value
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Unfit("it does not say where its storages lie")
    if sorted(keys) != sorted(found.storages):
        raise Unfit("its storages are not those that its tensors lie in")
    for key in keys:
        _skip(file, found.storages[key])
    if file.read(1):
        raise Unfit("something follows its last storage")
    return found


def _skip(file: IO[bytes], storage: Storage) -> None:
    """Behind one storage: its count (int64) and its bytes."""
    begin, total = file.tell() + 8, os.fstat(file.fileno()).st_size
    if int.from_bytes(file.read(8), "little") != storage.count or begin + storage.size > total:
        raise Unfit(f"the bytes of its storage {storage.key} are missing or of another length")
    file.seek(begin + storage.size)


def _refuse(path: Path, reason: str) -> NoReturn:
    raise ModelFileUnusable(path=path, reason=reason)
