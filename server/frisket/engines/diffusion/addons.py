"""Add-ons that a run asks for: what the parameters say, which installed models they name, what those were made for.

An add-on is an installed model that paints nothing by itself. Its header tells the model that it was made for, before
a tensor of it is read. No torch.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from frisket.engines.diffusion import guard
from frisket.engines.diffusion.configs import check_configs
from frisket.engines.spec import Param, ParamKind, Value
from frisket.errors import (
    AddonUnsuitable,
    FrisketError,
    ModelFileUnusable,
    ModelNotInstalled,
    ParameterOutOfRange,
    did_you_mean,
)
from frisket.models.adopt import ENCODER
from frisket.models.families import Family
from frisket.models.folder import Folder
from frisket.models.record import Record
from frisket.models.safetensors import Tensor, read_header

MOST = 4.0  # weight of an add-on, either way
MANY = 8  # add-ons of one kind


class Control(enum.Enum):
    """What a ControlNet is shown of the picture."""

    LINE = "line"  # thin edges, as Canny finds them
    SCRIBBLE = "scribble"  # thick rough ones
    INPAINT = "inpaint"  # the picture, with the hole marked


class Base(enum.Enum):
    """What add-ons are made for: models that share them."""

    SD1 = "Stable Diffusion 1.x"
    SD2 = "Stable Diffusion 2.x"
    SDXL = "Stable Diffusion XL"
    FLUX = "FLUX.1"
    FLUX2 = "FLUX.2"


@dataclass(frozen=True, slots=True)
class Asked:
    """The add-ons of one run, by their ids; weights -MOST...MOST."""

    loras: tuple[tuple[str, float], ...] = ()
    embeddings: tuple[str, ...] = ()
    controlnet: tuple[str, float] | None = None
    control: Control = Control.LINE
    vae: str = ""
    ip_adapter: tuple[str, float] | None = None


@dataclass(frozen=True, slots=True)
class Addon:
    """One that was looked up: `file` is its weights."""

    folder: Path
    record: Record
    file: Path

    @property
    def stamp(self) -> str:
        """Another one for other bytes."""
        name = self.file.relative_to(self.folder).as_posix()
        return next(held.sha256 for held in self.record.files if held.path == name)


_UNETS = frozenset({Family.SD15, Family.SD15_INPAINT, Family.SDXL, Family.SDXL_INPAINT})
KINDS: Mapping[Family, frozenset[Family]] = {
    Family.LORA: _UNETS
    | {Family.INSTRUCT_PIX2PIX, Family.SD3, Family.FLUX, Family.FLUX_FILL, Family.FLUX_KONTEXT, Family.FLUX2_KLEIN}
    | {Family.QWEN_IMAGE, Family.QWEN_IMAGE_EDIT, Family.Z_IMAGE},
    Family.TEXTUAL_INVERSION: _UNETS | {Family.INSTRUCT_PIX2PIX},
    Family.CONTROLNET: _UNETS,
    Family.IP_ADAPTER: _UNETS,
    Family.VAE: _UNETS | {Family.INSTRUCT_PIX2PIX, Family.SD3, Family.FLUX, Family.FLUX_FILL, Family.FLUX_KONTEXT},
}  # add-on -> the families that it goes with

BASES: Mapping[Family, Base] = {
    Family.SD15: Base.SD1,
    Family.SD15_INPAINT: Base.SD1,
    Family.INSTRUCT_PIX2PIX: Base.SD1,
    Family.SDXL: Base.SDXL,
    Family.SDXL_INPAINT: Base.SDXL,
    Family.FLUX: Base.FLUX,
    Family.FLUX_FILL: Base.FLUX,
    Family.FLUX_KONTEXT: Base.FLUX,
    Family.FLUX2_KLEIN: Base.FLUX2,
}
WIDTHS = {768: Base.SD1, 1024: Base.SD2, 2048: Base.SDXL}  # of the words, as attention takes them
_SINGLE = "single_transformer_blocks."  # of both FLUX
_FUSED = ".to_qkv_mlp_proj."  # in those of FLUX.2
_SPLIT = (".proj_mlp.", ".norm.linear.", ".attn.to_q.")  # in those of FLUX.1

PARAMS: Mapping[Family, tuple[Param, ...]] = {
    Family.LORA: (Param("loras", ParamKind.TEXT, "", "LoRAs by id, with weights: ink:0.8, grain:0.5", advanced=True),),
    Family.TEXTUAL_INVERSION: (
        Param("embeddings", ParamKind.TEXT, "", "Textual inversions by id; the prompt says the id.", advanced=True),
    ),
    Family.CONTROLNET: (
        Param("controlnet", ParamKind.TEXT, "", "A ControlNet by id, with its weight: lines:0.7", advanced=True),
        Param(
            "control",
            ParamKind.CHOICE,
            Control.LINE.value,
            "What the ControlNet follows: the picture's lines, thin or scribbled, or the picture around the hole.",
            choices=tuple(control.value for control in Control),
            advanced=True,
        ),
    ),
    Family.IP_ADAPTER: (
        Param(
            "ip_adapter",
            ParamKind.TEXT,
            "",
            "An IP-Adapter by id, with its weight: look:0.6. It follows the reference, else the picture itself.",
            advanced=True,
        ),
    ),
    Family.VAE: (Param("vae", ParamKind.TEXT, "", "Another VAE by id.", advanced=True),),
}


def params_of(family: Family) -> tuple[Param, ...]:
    """The parameters through which a model of this family is given add-ons."""
    return tuple(param for kind, families in KINDS.items() if family in families for param in PARAMS[kind])


NAMES = frozenset(param.name for params in PARAMS.values() for param in params)


def asked(params: Mapping[str, Value]) -> Asked:
    """What they say; those that an engine does not have are as if empty. Raises ParameterOutOfRange."""
    nets, looks = _weighted(params, "controlnet"), _weighted(params, "ip_adapter")
    for name, found in (("controlnet", nets), ("ip_adapter", looks)):
        if len(found) > 1:
            raise ParameterOutOfRange(name=name, value=params[name], wanted="one id, with its weight")
    ids = _weighted(params, "embeddings")
    vaes = _weighted(params, "vae")
    for name, found in (("embeddings", ids), ("vae", vaes)):
        if any(weight != 1 for _, weight in found) or (name == "vae" and len(found) > 1):
            raise ParameterOutOfRange(name=name, value=params[name], wanted="an id without a weight")
    return Asked(
        loras=tuple(pair for pair in sorted(_weighted(params, "loras")) if pair[1]),
        embeddings=tuple(sorted(id_ for id_, _ in ids)),
        controlnet=nets[0] if nets and nets[0][1] else None,
        control=Control(params.get("control", Control.LINE.value)),
        vae=vaes[0][0] if vaes else "",
        ip_adapter=looks[0] if looks and looks[0][1] else None,
    )


def _weighted(params: Mapping[str, Value], name: str) -> list[tuple[str, float]]:
    """ "a:0.8, b" -> [("a", 0.8), ("b", 1.0)]."""
    wanted = f"ids with weights from -{MOST:g} to {MOST:g}, each once, at most {MANY}: ink:0.8, grain:0.5"
    found: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in str(params.get(name, "")).split(","))):
        id_, _, number = (piece.strip() for piece in part.partition(":"))
        try:
            weight = float(number) if ":" in part else 1.0
        except ValueError:
            weight = float("nan")
        if not id_ or id_ in found or not -MOST <= weight <= MOST or len(found) == MANY:
            raise ParameterOutOfRange(name=name, value=params[name], wanted=wanted)
        found[id_] = weight
    return list(found.items())


def found(root: Path, id_: str, kind: Family, model: Record) -> Addon:
    """The add-on `id_` of the models folder `root`, checked as far as headers go, for use with `model`.

    Raises ModelNotInstalled (with the near misses of that kind), ModelDamaged, ModelFileUnusable, AddonUnsuitable.
    """
    folder = Folder(root)
    if id_ not in folder.ids():
        fitting = [name for name in folder.ids() if _kind(folder, name) is kind]
        what = f"of the kind {kind.value} are installed: {', '.join(fitting) or 'none'}"
        raise ModelNotInstalled(model=id_, suggestion=f"{did_you_mean(id_, fitting)} Models {what}.".strip())
    record, place = folder.record(id_), folder.path(id_)
    if record.family is not kind:
        raise AddonUnsuitable(addon=id_, what=f"a {record.family.value}", wanted=f"a {kind.value}")
    guard.check_files(place, record)
    addon = Addon(place, record, _weights(place, record))
    headers = {file.path: read_header(place / file.path) for file in record.files if file.path.endswith(".safetensors")}
    held = {file.path: len(headers.get(file.path, ())) for file in record.files}
    check_configs(place, {path.rpartition("/")[0] for path in held}, held)
    made_for, base = base_of(headers[addon.file.relative_to(place).as_posix()]), BASES.get(model.family)
    if made_for is not None and made_for is not base:
        raise unsuitable(addon, model, made_for.value)
    return addon


def unsuitable(addon: Addon, model: Record, made_for: str) -> AddonUnsuitable:
    """Made for another model than this one."""
    base = BASES.get(model.family)
    what = f"{model.id}, which is {base.value if base else 'a ' + model.family.value}"
    return AddonUnsuitable(addon=addon.record.id, what=f"made for {made_for}", wanted=f"one for {what}")


def base_of(tensors: Mapping[str, Tensor]) -> Base | None:
    """What an add-on was made for, None where its tensors do not say."""
    if "clip_g" in tensors or "text_encoders_1" in tensors:
        return Base.SDXL
    single = [name for name in tensors if _SINGLE in name]
    if any(_FUSED in name for name in single):
        return Base.FLUX2
    if any(mark in name for name in single for mark in _SPLIT):
        return Base.FLUX
    for name, tensor in tensors.items():
        reads = ("attn2" in name and ("to_k" in name or "to_v" in name) and "lora_B" not in name) or "to_k_ip" in name
        down = "lora" not in name or any(mark in name for mark in ("lora_down", "lora.down", "lora_A", "_lora.down"))
        if (reads and down) or name == "emb_params":
            base = WIDTHS.get(tensor.shape[1]) if len(tensor.shape) > 1 else None
            if base is not None:
                return base
    return None


def _kind(folder: Folder, id_: str) -> Family | None:
    try:
        return folder.record(id_).family
    except FrisketError:
        return None


def _weights(place: Path, record: Record) -> Path:
    """Its one file of weights at the top, or the only one there is."""
    paths = [file.path for file in record.files if file.path.endswith(".safetensors")]
    paths = [path for path in paths if f"/{ENCODER}/" not in f"/{path}"]
    top = [path for path in paths if "/" not in path] or paths
    odd = [file.path for file in record.files if not file.path.endswith((".safetensors", ".json", ".txt", ".md"))]
    if len(top) != 1 or odd:
        reason = f"an add-on is one .safetensors file, {record.id} has {', '.join(odd or top) or 'none'}"
        raise ModelFileUnusable(path=place, reason=reason)
    return place / top[0]
