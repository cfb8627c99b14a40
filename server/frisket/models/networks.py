"""Models that are networks in one file, not pipelines: by which marks each family is known, and whether a file is one.

A mark is a tensor's name, in some cases with a shape, that files of one family have and no others. Upscalers are of
many architectures: the common ones are known by theirs, and the user may say that another file is one
(`frisket models import --family upscaler`); the engine then asks spandrel, which knows many more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from frisket.errors import ModelFileUnusable
from frisket.models import onnxfile, safetensors, torchfile
from frisket.models.families import FILES, Family
from frisket.models.safetensors import Tensor

PREFIX = "module."  # before every name, where a network was trained on several cards
MARKS: Mapping[Family, tuple[str, ...]] = {  # all of them must be there
    Family.GFPGAN: ("toRGB.0.weight", "stylegan_decoder.style_mlp.1.weight"),
    Family.RESTOREFORMER: ("quantize.embedding.weight", "encoder.conv_in.weight", "decoder.mid.attn_1.norm2.weight"),
    Family.CODEFORMER: ("position_emb", "ft_layers.0.self_attn.in_proj_weight", "fuse_convs_dict.32.scale.0.weight"),
    Family.RETINAFACE: ("ClassHead.0.conv1x1.weight", "BboxHead.0.conv1x1.weight", "LandmarkHead.0.conv1x1.weight"),
    Family.PARSENET: ("out_mask_conv.conv2d.weight", "out_img_conv.conv2d.weight"),
    Family.TRACER: ("ObjectAttention1.conv1.conv.weight", "model.Frequency_Edge_Module1.UAM.bn.weight"),
}
UPSCALERS: tuple[tuple[str, ...], ...] = (  # marks of the common architectures
    ("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight"),  # ESRGAN, as first published
    ("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight"),  # ESRGAN, as published later
    ("conv_first.weight", "body.0.rdb1.conv1.weight"),  # Real-ESRGAN
    ("conv_first.weight", "layers.0.residual_group.blocks.0.norm1.weight"),  # SwinIR, Swin2SR, HAT
    ("conv_first.weight", "before_RG.1.weight"),  # DAT
    ("conv_1.sk.weight", "block_1.c1_r.sk.weight"),  # SPAN
    ("residual_layer.0.residual_layer.0.layer.0.fn.0.weight", "up.0.weight"),  # OmniSR
)
OTHERS = torchfile.SUFFIXES | {".onnx"}
YUNET = frozenset(f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in (8, 16, 32))


def family_of(path: Path) -> Family | None:
    """Of a .pth, .pt, .onnx or .safetensors file, None when none of these networks. Raises ModelFileUnusable."""
    if path.suffix == ".onnx":
        return Family.YUNET if set(onnxfile.read_header(path).outputs) == YUNET else None
    return family_of_tensors(_header(path))


def family_of_tensors(tensors: Mapping[str, Tensor]) -> Family | None:
    """By the marks alone."""
    if tensors and all(name.startswith(PREFIX) for name in tensors):
        tensors = {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}
    for family, marks in MARKS.items():
        if all(mark in tensors for mark in marks):
            return family
    if any(all(mark in tensors for mark in marks) for marks in UPSCALERS) or _is_compact(tensors):
        return Family.UPSCALER
    return None


def check(folder: Path, files: Iterable[str], family: Family) -> None:
    """The headers of all files of a model, and that a network is of its family.

    Raises ModelFileUnusable: a file that `family` does not come as, one whose header does not describe it, another
    family's network.
    """
    files = tuple(files)
    safetensors.check_folder(folder, files)
    for name in files:
        path, suffix = folder / name, PurePosixPath(name).suffix
        if suffix in OTHERS and suffix not in FILES.get(family, ()):
            reason = f"a model of the family {family.value} comes as .safetensors; {suffix} is taken of networks alone"
            raise ModelFileUnusable(path=path, reason=reason)
        if suffix not in FILES.get(family, ()):
            continue
        found = family_of(path)
        if found is not family and (found or family is not Family.UPSCALER):
            looks = f"it is of the family {found.value}" if found else "it has not the marks of one"
            raise ModelFileUnusable(path=path, reason=f"a model of the family {family.value} is wanted, {looks}")


def _header(path: Path) -> Mapping[str, Tensor]:
    return (safetensors if path.suffix == ".safetensors" else torchfile).read_header(path)


def _is_compact(tensors: Mapping[str, Tensor]) -> bool:
    """Real-ESRGAN's small network: convolutions with a slope for each channel between, in one row."""
    first, slope = tensors.get("body.0.weight"), tensors.get("body.1.weight")
    if first is None or slope is None or len(first.shape) != 4:
        return False
    plain = all(name.startswith("body.") and name.count(".") == 2 for name in tensors)
    return plain and first.shape[1:] == (3, 3, 3) and slope.shape == first.shape[:1]
