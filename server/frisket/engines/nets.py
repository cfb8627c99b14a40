"""The one door to networks that are no pipelines: their weights by path, checked before and after, and spandrel's.

Importing this costs nothing; torch and spandrel come with the first call. What it opens has been read by
`models.torchfile` or `models.safetensors` first, is unpickled by torch's restricted reader alone, fills its network
without a rest, and holds numbers only.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from frisket.engines.diffusion.engine import device, ran_out
from frisket.engines.diffusion.guard import check_files
from frisket.engines.vision_ops import make_importable
from frisket.errors import ModelDamaged, ModelFileUnusable, NetworkPartsMissing
from frisket.models import safetensors, torchfile
from frisket.models.networks import PREFIX
from frisket.models.record import Record

if TYPE_CHECKING:
    import torch
    from spandrel import ImageModelDescriptor

    Net = TypeVar("Net", bound=torch.nn.Module)

PARTS = ("torch", "spandrel", "safetensors")
WEIGHTS = torchfile.SUFFIXES | {".safetensors"}


def check_parts() -> None:
    """Raises NetworkPartsMissing when a package that networks need is not installed. Imports none."""
    missing = [name for name in PARTS if find_spec(name) is None]
    if missing:
        raise NetworkPartsMissing(parts=", ".join(missing))


def parts_there() -> bool:
    """Whether networks can be opened at all."""
    return all(find_spec(name) is not None for name in PARTS)


def weights_file(folder: Path, record: Record) -> Path:
    """The file of weights of a model that has one. Raises ModelFileUnusable for one that has none, or several."""
    paths = [file.path for file in record.files if Path(file.path).suffix in WEIGHTS]
    if len(paths) != 1:
        raise ModelFileUnusable(path=folder, reason=f"it has {len(paths)} files of weights, not one")
    return folder / paths[0]


def state_of(folder: Path, record: Record, path: Path | None = None) -> dict[str, torch.Tensor]:
    """The tensors by name, on the processor, as they are in the file; "module." before all of them is taken off.

    path: of a model with several files of weights, the one that is wanted. Raises NetworkPartsMissing, ModelDamaged
    (it is not as it was installed, or holds values that are no numbers), ModelFileUnusable (it is no weights),
    MemoryError.
    """
    check_parts()
    check_files(folder, record)
    path = path or weights_file(folder, record)
    if path.relative_to(folder).as_posix() not in {file.path for file in record.files}:
        _damaged(record, f"{path.name} is not part of it")
    wanted = (safetensors if path.suffix == ".safetensors" else torchfile).read_header(path)
    state = _opened(path, record)
    if {name: tuple(tensor.shape) for name, tensor in state.items()} != {n: t.shape for n, t in wanted.items()}:
        raise ModelFileUnusable(path=path, reason="it holds other tensors than it says")
    for name, tensor in state.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            _damaged(record, f"{name} holds values that are no numbers")
    if all(name.startswith(PREFIX) for name in state):
        state = {name.removeprefix(PREFIX): tensor for name, tensor in state.items()}
    return state


def filled(network: Net, state: Mapping[str, torch.Tensor], path: Path) -> Net:
    """`network` with exactly these tensors, for use alone. It may have been made on torch's "meta" device.

    Raises ModelFileUnusable when one is missing, has another shape, or has no place in it.
    """
    own = network.state_dict()
    check_names(set(own), set(state), path)
    for name, tensor in own.items():
        if tensor.shape != state[name].shape:
            _misfit(path, f"{name} is {tuple(state[name].shape)}, not {tuple(tensor.shape)}")
    network.load_state_dict({n: t.to(own[n].dtype) for n, t in state.items()}, assign=True)
    return network.eval().requires_grad_(False)


def placed(network: Net) -> Net:
    """`network` where models run on this machine. Raises MemoryError when there is no room for it."""
    try:
        return network.to(device())
    except RuntimeError as error:
        if ran_out(error):
            raise MemoryError(str(error)) from error
        raise


def check_names(wanted: set[str], found: set[str], path: Path) -> None:
    """Raises ModelFileUnusable when a tensor is missing, or one has no place in the network."""
    if wanted - found:
        _misfit(path, f"it lacks {', '.join(sorted(wanted - found)[:3])}")
    if found - wanted:
        _misfit(path, f"{', '.join(sorted(found - wanted)[:3])} has no place in it")


def spandrel_model(folder: Path, record: Record, purpose: str, path: Path | None = None) -> ImageModelDescriptor[Any]:
    """The network in a file as spandrel knows it, in full precision on the processor, for use alone.

    purpose: "SR" or "FaceSR" (spandrel's `ImageModelDescriptor.purpose`). Raises as `state_of` does, and
    ModelFileUnusable for a file that spandrel does not know, or that is for something else.
    """
    state, path = state_of(folder, record, path), path or weights_file(folder, record)
    make_importable()
    import spandrel

    try:
        model = spandrel.ModelLoader(device="cpu").load_from_state_dict(state)
    except spandrel.UnsupportedModelError:
        _misfit(path, "it is of an architecture that spandrel does not know")
    except (RuntimeError, ValueError, KeyError, IndexError, TypeError, AssertionError, ArithmeticError) as error:
        _misfit(path, f"its tensors do not fit together ({type(error).__name__})")
    if not isinstance(model, spandrel.ImageModelDescriptor) or model.purpose != purpose:
        _misfit(path, f"it is a model for {model.purpose} by {model.architecture.name}, not for {purpose}")
    model.model.float().eval().requires_grad_(False)
    return model


def _opened(path: Path, record: Record) -> dict[str, torch.Tensor]:
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        held = torch.load(path, map_location="cpu", weights_only=True)
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:  # a damaged file makes it raise nearly anything
        _damaged(record, f"{path.name} cannot be opened ({type(error).__name__})")
    return torchfile.weights(held, torch.is_tensor)


def _damaged(record: Record, findings: str) -> NoReturn:
    suggestion = f"Run `frisket models verify {record.id}`, or remove it and get it again."
    raise ModelDamaged(model=record.id, findings=findings, suggestion=suggestion)


def _misfit(path: Path, reason: str) -> NoReturn:
    raise ModelFileUnusable(path=path, reason=reason)
