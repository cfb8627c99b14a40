"""Opening an installed model: a checked folder to a pipeline of one named class, whole and finite.

Loading is by path only, never over a network, never code of the model's; `guard.checked` goes first. Networks open
one by one, for only that way do diffusers and transformers say which tensors were missing; alone, a pipeline with a
missing tensor opens without a word and paints nonsense.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from frisket.engines.diffusion import guard, single, stills
from frisket.engines.diffusion.table import Row
from frisket.errors import FrisketError, ModelDamaged, ModelFileUnusable, ModelNotInstalled
from frisket.models import record as records
from frisket.models.families import Family
from frisket.models.record import Record

HALF = frozenset({Family.SD15, Family.SD15_INPAINT, Family.INSTRUCT_PIX2PIX, Family.SDXL, Family.SDXL_INPAINT,
                  Family.KANDINSKY22, Family.KANDINSKY22_INPAINT, Family.KANDINSKY22_PRIOR, Family.STABLE_UNCLIP,
                  Family.DEEPFLOYD_IF})  # fmt: skip
PRIOR_OF = frozenset({Family.KANDINSKY22, Family.KANDINSKY22_INPAINT})
NEVER = ("safety_checker", "watermarker")  # left out: pictures are the user's own
ELSEWHERE = {
    "StableUnCLIPImageNormalizer": "diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer",
    "StableDiffusionSafetyChecker": "diffusers.pipelines.stable_diffusion.safety_checker",
}  # classes that diffusers does not export
HARMLESS = ("position_ids",)  # buffers that old files have and new classes make themselves, or the other way round


def opened(folder: Path, record: Record, row: Row, device: str = "cpu", apart: bool = False) -> Any:
    """A pipeline of exactly row.pipeline from `folder`, installed as `record` says, on `device` ("cpu", "cuda", ...).

    In full precision on a processor, else in float16 (U-nets) or bfloat16 (transformers). apart: as for `device`, but
    the weights stay in main memory. Raises ModelDamaged, ModelFileUnusable, MemoryError; of a model in one file
    ModelInOneFile and ModelNotInstalled, too.
    """
    opens = _of_one_file if single.is_single(record) else _of_folder
    with quiet(), mapped(record):
        pipe = opens(folder, record, row, precision(record.family, device))
        check_whole(pipe, record)
        return _settled(pipe if apart else _laid_out(pipe.to(device)))


def _of_folder(folder: Path, record: Record, row: Row, dtype: torch.dtype) -> Any:
    components = guard.checked(folder, record)
    kind = getattr(diffusers, row.pipeline)
    taken = set(inspect.signature(kind.__init__).parameters)
    parts = {
        name: _network(folder, record, name, *components[name], dtype)
        for name in components
        if name in taken and name not in NEVER and _is_network(*components[name])
    }
    if stills.FOLDER in taken:
        parts[stills.FOLDER] = stills.processor_of(folder)
    parts |= _unchecked(taken)
    return kind.from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype=dtype, **parts)


def _of_one_file(folder: Path, record: Record, row: Row, dtype: torch.dtype) -> Any:
    kind = getattr(diffusers, row.pipeline)
    parts = _unchecked(set(inspect.signature(kind.__init__).parameters))
    with single.frame(folder, record, row) as frame:
        path = guard.checked_single(folder, record)
        return kind.from_single_file(str(path), config=str(frame), local_files_only=True, dtype=dtype, **parts)


def _unchecked(taken: set[str]) -> dict[str, Any]:
    """What leaves checkers out, of a class that takes such arguments."""
    without: dict[str, Any] = {name: None for name in NEVER if name in taken}
    return without | ({"requires_safety_checker": False} if "requires_safety_checker" in taken else {})


def network(folder: Path, record: Record, name: str) -> Any:
    """One network of a model by itself, on the processor and in full precision. Raises as `opened` does."""
    components = guard.checked(folder, record)
    if name not in components:
        _incomplete(record, f"it has no {name}")
    with quiet(), mapped(record):
        made = _network(folder, record, name, *components[name], torch.float32)
        check_finite_and_there(name, made, record)
        return made


def sibling(pipe: Any, row: Row) -> Any:
    """The same weights as another class of the family, as and where they are, with a scheduler of its own."""
    kind = getattr(diffusers, row.pipeline)
    with quiet(), _staying(kind):
        made = kind.from_pipe(pipe)
        made.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config)
        return _settled(made)


@contextlib.contextmanager
def _staying(kind: type) -> Iterator[None]:
    """While it lasts, pipelines of this class are not moved: `from_pipe` would make the weights of both float32."""
    kind.to = lambda self, *_, **__: self  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del kind.to  # type: ignore[attr-defined]  (the one inherited shows again)


def prior_of(folder: Path, record: Record) -> tuple[Path, Record]:
    """The prior that goes with a Kandinsky decoder: another installed model of the same models folder.

    Raises ModelNotInstalled.
    """
    for place in sorted(folder.parent.iterdir()):
        with contextlib.suppress(ModelDamaged):
            found = records.read(place, place.name)
            if found.family is Family.KANDINSKY22_PRIOR:
                return place, found
    suggestion = f"{record.id} paints from what a prior makes of words: `frisket models pull kandinsky22-prior`."
    raise ModelNotInstalled(model="prior of Kandinsky 2.2", suggestion=suggestion)


def precision(family: Family, device: str) -> torch.dtype:
    """What weights are kept and multiplied in."""
    if torch.device(device).type == "cpu":
        return torch.float32
    return torch.float16 if family in HALF else torch.bfloat16


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Neither bars nor advice on standard error."""
    loggers = [logging.getLogger(name) for name in ("diffusers", "transformers", "accelerate")]
    levels = [logger.level for logger in loggers]
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def mapped(record: Record) -> Iterator[None]:
    """What torch, diffusers, transformers and safetensors raise while a model is opened, in our words."""
    try:
        yield
    except (FrisketError, MemoryError):
        raise
    except torch.OutOfMemoryError as error:
        raise MemoryError(str(error)) from error
    except Exception as error:
        if isinstance(error, RuntimeError) and "out of memory" in str(error).lower():
            raise MemoryError(str(error)) from error
        if isinstance(error, NotImplementedError) and "meta tensor" in str(error):
            _incomplete(record, "it lacks a tensor that one of its networks needs")
        words = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelFileUnusable(path=record.id, reason=f"it cannot be opened: {words}") from error


def check_whole(pipe: Any, record: Record) -> None:
    """Raises ModelDamaged when a network has a tensor that was not in the files, or one that is no number."""
    for name, part in pipe.components.items():
        if isinstance(part, torch.nn.Module):
            check_finite_and_there(name, part, record)


def check_finite_and_there(name: str, part: torch.nn.Module, record: Record) -> None:
    """The same for one network."""
    for tensor_name, tensor in part.state_dict().items():  # parameters, and buffers that are kept in files
        if tensor.is_meta:
            _incomplete(record, f"{name} lacks {tensor_name}")
        if tensor.is_floating_point() and tensor.numel() and not _all_finite(tensor.detach()):
            _incomplete(record, f"{name}.{tensor_name} holds values that are no numbers")


def _all_finite(tensor: torch.Tensor) -> bool:
    """By its extremes, which are NaN if one value is: 0.1 to 0.2 s a GB on two processor cores, a tenth of what
    `isfinite` takes, and it needs no memory."""
    wide = tensor.float() if tensor.itemsize == 1 else tensor  # nothing is computed in eight bits
    return bool(torch.isfinite(torch.stack(torch.aminmax(wide))).all())


def _network(folder: Path, record: Record, name: str, library: str, kind: str, dtype: torch.dtype) -> Any:
    """One network. Raises ModelDamaged for one that its file does not fill."""
    source = {"diffusers": diffusers, "transformers": transformers}.get(library) or import_module(ELSEWHERE[kind])
    settings: Mapping[str, Any] = {"local_files_only": True, "use_safetensors": True, "dtype": dtype}
    network, told = getattr(source, kind).from_pretrained(
        folder / name, output_loading_info=True, **settings, **_variant(record, name)
    )
    missing = [key for key in told["missing_keys"] if not key.endswith(HARMLESS)]
    mismatched = list(told.get("mismatched_keys") or ())
    if missing or mismatched:
        words = ", ".join(sorted(str(key) for key in (missing or mismatched))[:3])
        _incomplete(record, f"{name} lacks {words}" if missing else f"{name} has other shapes: {words}")
    return network.eval()


def _incomplete(record: Record, findings: str) -> None:
    suggestion = f"Run `frisket models remove {record.id}` and get it again."
    raise ModelDamaged(model=record.id, findings=findings, suggestion=suggestion)


def _is_network(library: str, kind: str) -> bool:
    if library == "diffusers":
        return not kind.endswith("Scheduler")
    if library == "transformers":
        return kind.endswith(("Model", "Generation", "Projection", "LM"))
    return kind == "StableUnCLIPImageNormalizer"


def _variant(record: Record, name: str) -> dict[str, str]:
    """{"variant": "fp16"} where a component's weights come under such a name and under no other."""
    paths = [f.path for f in record.files if f.path.startswith(f"{name}/") and f.path.endswith(".safetensors")]
    for variant in ("fp16", "bf16"):
        if paths and all(f".{variant}." in path or f".{variant}-" in path for path in paths):
            return {"variant": variant}
    return {}


def _laid_out(pipe: Any) -> Any:
    """On a card convolutions are fastest with channels last; on a processor they stay as they are."""
    for name in ("unet", "vae"):
        part = getattr(pipe, name, None)
        if part is not None and torch.device(part.device).type == "cuda":
            part.to(memory_format=torch.channels_last)
    return pipe


def _settled(pipe: Any) -> Any:
    pipe.set_progress_bar_config(disable=True)
    return pipe
