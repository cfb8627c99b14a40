"""What a model's folder may hold, checked before a byte of weights is opened and before diffusers reads a line of it.

`from_pretrained` believes a folder: it imports the classes that `model_index.json` names, takes pickles where it finds
them, follows links. So here the index is read by us, every class must be on a list, every weight must be safetensors,
every file must be one that was recorded when the model was installed, and none may lead out of the folder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from frisket.engines.diffusion.configs import check_configs, fields_of
from frisket.engines.diffusion.table import ROWS
from frisket.errors import ModelDamaged, ModelFileUnusable
from frisket.models.choice import INDEX, LOCK
from frisket.models.families import Family
from frisket.models.folder import LITTER
from frisket.models.record import Record
from frisket.models.safetensors import read_header

DIFFUSERS = frozenset({
    "AutoencoderKL", "AutoencoderKLFlux2", "AutoencoderKLQwenImage", "VQModel", "PriorTransformer",
    "UNet2DConditionModel", "FluxTransformer2DModel", "Flux2Transformer2DModel", "QwenImageTransformer2DModel",
    "SD3Transformer2DModel", "ZImageTransformer2DModel",
    "DDIMScheduler", "DDPMScheduler", "PNDMScheduler", "LMSDiscreteScheduler", "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler", "DPMSolverSinglestepScheduler",
    "HeunDiscreteScheduler", "KDPM2DiscreteScheduler", "UniPCMultistepScheduler", "LCMScheduler", "TCDScheduler",
    "UnCLIPScheduler", "FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler",
    "EDMEulerScheduler", "EDMDPMSolverMultistepScheduler",
})  # fmt: skip
TRANSFORMERS = frozenset({
    "CLIPTextModel", "CLIPTextModelWithProjection", "CLIPVisionModelWithProjection", "T5EncoderModel",
    "Qwen2_5_VLForConditionalGeneration", "Qwen3ForCausalLM", "Qwen3Model",
    "CLIPTokenizer", "CLIPTokenizerFast", "T5Tokenizer", "T5TokenizerFast", "Qwen2Tokenizer", "Qwen2TokenizerFast",
    "CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPImageProcessorPil", "CLIPFeatureExtractor",
    "Qwen2VLProcessor", "Qwen2_5_VLProcessor", "Qwen2VLImageProcessor", "Qwen2VLImageProcessorFast",
    "Qwen2VLImageProcessorPil",
})  # fmt: skip
STABLE = frozenset({"StableDiffusionSafetyChecker", "StableUnCLIPImageNormalizer", "IFSafetyChecker", "IFWatermarker"})
CLASSES: Mapping[str, frozenset[str]] = {
    "diffusers": DIFFUSERS,
    "transformers": TRANSFORMERS,
    "stable_diffusion": STABLE,
    "deepfloyd_if": STABLE,
}
# Classes under which models of a family are published, besides those that the table opens them as.
PUBLISHED: Mapping[Family, frozenset[str]] = {
    Family.SD15_INPAINT: frozenset({"StableDiffusionPipeline"}),
    Family.SDXL_INPAINT: frozenset({"StableDiffusionXLPipeline"}),
    Family.KANDINSKY22_PRIOR: frozenset({"KandinskyV22PriorPipeline"}),
    Family.STABLE_UNCLIP: frozenset({"StableUnCLIPPipeline"}),
    Family.DEEPFLOYD_IF: frozenset({"IFPipeline"}),
}
CHANNELS: Mapping[Family, int] = {  # that the U-net must take
    Family.SD15: 4,
    Family.SD15_INPAINT: 9,
    Family.INSTRUCT_PIX2PIX: 8,
    Family.SDXL: 4,
    Family.SDXL_INPAINT: 9,
    Family.KANDINSKY22: 4,
    Family.KANDINSKY22_INPAINT: 9,
}

# What a file in the original layout must hold: a tensor of each network, by how its name begins.
FIRST_LAYER = "model.diffusion_model.input_blocks.0.0.weight"
ORIGINAL: Mapping[bool, tuple[str, ...]] = {  # by whether it is an SDXL
    False: ("model.diffusion_model.", "first_stage_model.", "cond_stage_model."),
    True: ("model.diffusion_model.", "first_stage_model.", "conditioner.embedders.0.", "conditioner.embedders.1."),
}


def checked(folder: Path, record: Record) -> dict[str, tuple[str, str]]:
    """Component -> (library, class) of the pipeline in `folder`, installed as `record` says.

    Raises ModelDamaged when the files are not those that were recorded, ModelFileUnusable when they could do harm or
    are of another kind.
    """
    check_files(folder, record)
    fields = fields_of(folder / INDEX)
    allowed = {row.pipeline for row in ROWS.get(record.family, {}).values()} | PUBLISHED.get(record.family, frozenset())
    name = fields.get("_class_name")
    if not isinstance(name, str) or name not in allowed:
        raise ModelFileUnusable(path=folder / INDEX, reason=f"a {record.family.value} is no pipeline called {name!r}")
    components = dict(_components(folder, fields))
    check_networks(folder, record, components)
    _check_channels(folder, record.family)
    return components


def check_networks(folder: Path, record: Record, components: Collection[str]) -> None:
    """Weights, indexes of shards and configurations of `components`, folders in `folder` ("" is itself).

    Raises ModelFileUnusable.
    """
    held = {file.path: 0 for file in record.files}
    for path in sorted(held):
        if path.endswith(".safetensors"):
            held[path] = len(read_header(folder / path))
        elif path.endswith(".json") and ".index." in path:
            _check_shards(folder, path, held)
    check_configs(folder, components, held)


def checked_single(folder: Path, record: Record) -> Path:
    """The one file of a model in the original layout, with a tensor of each network and as many channels as its family.

    Raises as `checked` does.
    """
    check_files(folder, record)
    path = folder / record.files[0].path
    tensors = read_header(path)
    for start in ORIGINAL[record.family in (Family.SDXL, Family.SDXL_INPAINT)]:
        if not any(name.startswith(start) for name in tensors):
            raise ModelFileUnusable(path=path, reason=f"it holds nothing called {start}*: it is not a whole model")
    wanted, first = CHANNELS[record.family], tensors.get(FIRST_LAYER)
    found = first.shape[1] if first and len(first.shape) > 1 else None
    if found != wanted:
        raise ModelFileUnusable(
            path=path, reason=f"a {record.family.value} has {wanted} channels, this one has {found}"
        )
    return path


def check_files(folder: Path, record: Record) -> None:
    """Sizes, links and strangers; hashes are for `frisket models verify`."""
    root = folder.resolve()
    if not root.is_relative_to(folder.parent.resolve()):
        raise ModelFileUnusable(path=folder, reason="it is a link that leaves the models' folder")
    for file in record.files:
        path = folder / file.path
        if not path.resolve().is_relative_to(root):
            raise ModelFileUnusable(path=path, reason="it is a link that leaves the model's folder")
        if not path.is_file() or path.stat().st_size != file.size:
            _damaged(record, f"{file.path} is not as it was installed")
    known = {file.path for file in record.files} | {LOCK}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise ModelFileUnusable(path=path, reason="it is a link that leaves the model's folder")
        if path.is_file() and path.relative_to(folder).as_posix() not in known and path.name not in LITTER:
            _damaged(record, f"{path.relative_to(folder).as_posix()} is not part of it")


def _damaged(record: Record, findings: str) -> None:
    suggestion = f"Run `frisket models verify {record.id}`, or remove it and get it again."
    raise ModelDamaged(model=record.id, findings=findings, suggestion=suggestion)


def _components(folder: Path, fields: Mapping[str, Any]) -> Iterable[tuple[str, tuple[str, str]]]:
    for name, value in fields.items():
        if name.startswith("_") or not isinstance(value, list):
            continue
        if not name.isidentifier() or len(value) != 2:
            raise ModelFileUnusable(path=folder / INDEX, reason=f"{name!r} is no component")
        library, kind = value
        if library is None and kind is None:
            continue
        known = CLASSES.get(library, frozenset()) if isinstance(library, str) else frozenset()
        if not isinstance(library, str) or kind not in known:
            reason = f"its {name} is a {library}.{kind}, which is on no list of what may be opened"
            raise ModelFileUnusable(path=folder / INDEX, reason=reason)
        yield name, (library, kind)


def _check_shards(folder: Path, path: str, paths: Collection[str]) -> None:
    """A shard index may name safetensors beside it that were recorded, nothing else: others would be unpickled."""
    shards = fields_of(folder / path).get("weight_map")
    parent = PurePosixPath(path).parent
    names = set(shards.values()) if isinstance(shards, dict) else {None}
    for name in names:
        if not isinstance(name, str) or "/" in name or "\\" in name or (parent / name).as_posix() not in paths:
            raise ModelFileUnusable(path=folder / path, reason=f"it names {name!r}, which is not beside it")
        if not name.endswith(".safetensors"):
            raise ModelFileUnusable(path=folder / path, reason=f"it names {name!r}, which is no safetensors")


def _check_channels(folder: Path, family: Family) -> None:
    wanted, path = CHANNELS.get(family), folder / "unet" / "config.json"
    if wanted is None or not path.exists():
        return
    found = fields_of(path).get("in_channels")
    if found != wanted:
        raise ModelFileUnusable(path=path, reason=f"a {family.value} has {wanted} channels, this one has {found}")
