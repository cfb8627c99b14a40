"""What a run needs, what there is, and the rungs of the ladder that are known to be needed before it starts.

Weights are counted from the headers of the installed files. Activations are estimates: peaks of full-size networks with
fused attention in bfloat16, worked out on torch's meta device; they grow with the area and the number of pictures.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from frisket.engines.diffusion.ladder import TILE, Reach, Rung, Setting, smaller
from frisket.engines.diffusion.single import is_single
from frisket.errors import FrisketError
from frisket.models.families import Family
from frisket.models.record import Record
from frisket.models.safetensors import read_header
from frisket.raster.geometry import Size
from frisket.raster.sizes import SizeRule

GIB = 1 << 30
# Bytes for each pixel of a picture, bfloat16, guidance's two looks together: SD 1.5 0.13 GiB at 512 px, SDXL 0.31 and
# Flux 0.46 GiB at 1024 px; the others are taken for the dearest of these.
STEP: Mapping[Family, float] = {
    **dict.fromkeys((Family.SDXL, Family.SDXL_INPAINT), 0.31 * GIB / 1024**2),
    **dict.fromkeys((Family.FLUX, Family.FLUX_FILL, Family.FLUX_KONTEXT), 0.46 * GIB / 1024**2),
}
OTHER_STEP = 0.13 * GIB / 512**2
DECODE = 1.5 * GIB / 1024**2  # the VAE's decoder, for each pixel in bfloat16
FULL_DECODE = frozenset({Family.SDXL, Family.SDXL_INPAINT})  # their VAE works in full precision, half overflows
BF16 = 2  # bytes
LAYERS = 1 / 16  # of the largest network is on the card at once, layer by layer with the next one coming: a guess
PROCESSOR_SHARE = 0.9  # of the memory that is free: the system needs some, and ends who takes the last of it
LEAVES = (Rung.SMALLER_SIZE, Rung.MODEL_OFFLOAD, Rung.ONE_BY_ONE, Rung.VAE_TILES, Rung.FREE_CACHES)
STARTS = {
    "model.diffusion_model.": "unet",
    "first_stage_model.": "vae",
    "cond_stage_model.": "text_encoder",
    "conditioner.embedders.0.": "text_encoder",
    "conditioner.embedders.1.": "text_encoder_2",
}  # of the networks in one file, in the original layout
SKIPPED = ("safety_checker", "feature_extractor")


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes. weights: all, encoders: those that read words, largest: of one network; width: bytes of a value.

    step, decode: for each pixel of a picture.
    """

    weights: int
    encoders: int
    largest: int
    width: int
    step: float
    decode: float = DECODE

    def peak(self, setting: Setting, size: Size, count: int, rule: SizeRule) -> int:
        """The most memory that a run of `count` pictures needs at once, of the device that it runs on."""
        if Rung.CPU in setting.rungs:
            return 0
        size = smaller(size, rule, setting.shrunk)
        together = 1 if Rung.ONE_BY_ONE in setting.rungs else count
        tiles = Rung.VAE_TILES in setting.rungs
        looked = min(size.area, TILE * TILE) if tiles else size.area * together
        works = max(self.step * size.area * together, self.decode * looked) * self.width / BF16
        if Rung.GROUP_OFFLOAD in setting.rungs:
            return round(self.largest * LAYERS + works)
        if Rung.MODEL_OFFLOAD in setting.rungs:
            return round(self.largest + works)
        if Rung.FREE_CACHES in setting.rungs:
            return round(max(self.weights, self.weights - self.encoders + works))
        return round(self.weights + works)

    def beside(self, other: Need) -> Need:
        """With another model's weights that are there, too, and work before this one's. Its encoders never rest."""
        return replace(self, weights=self.weights + other.weights, largest=max(self.largest, other.largest))


def need_of(folder: Path, record: Record, width: int) -> Need:
    """Of the model in `folder`. width: bytes of a value as the weights are kept, 2 or 4. Files that cannot be read
    count as they are."""
    parts: dict[str, list[str]] = {}
    for file in record.files:
        part, slash, _ = file.path.partition("/")
        if slash and file.path.endswith(".safetensors") and part not in SKIPPED:
            parts.setdefault(part, []).append(file.path)
    sizes = {file.path: file.size for file in record.files}
    totals = _of_one_file(folder / record.files[0].path, width, record) if is_single(record) else {}
    for part, paths in parts.items():
        plain = [path for path in paths if not any(f".{variant}" in path for variant in ("fp16", "bf16"))]
        totals[part] = sum(_bytes(folder / path, width, sizes[path]) for path in plain or paths)
    encoders = sum(total for part, total in totals.items() if part.startswith("text_encoder"))
    step = STEP.get(record.family, OTHER_STEP)
    decode = DECODE * (2 if record.family in FULL_DECODE and width == BF16 else 1)
    return Need(sum(totals.values()), encoders, max(totals.values(), default=0), width, step, decode)


def plan(need: Need, room: float, reach: Reach, size: Size, count: int, rule: SizeRule, start: Setting) -> Setting:
    """The setting to begin with so that `room` bytes are enough: no rung that is not needed, and never CPU.

    An estimate is no reason to go to the processor: only memory that ran out is.
    """
    if need.peak(start, size, count, rule) <= room:
        return start
    setting = start
    while need.peak(setting, size, count, rule) > room:
        rung = reach.next(setting)
        if rung is None or rung is Rung.CPU:  # not known to help: detail is not given up for that
            return setting.without(Rung.SMALLER_SIZE)
        setting = setting.after(rung)
    # Where only keeping weights apart helps, what was given up before did not: the dearest is taken back first.
    for rung in LEAVES:
        without = setting.without(rung)
        if rung in setting.rungs - start.rungs and need.peak(without, size, count, rule) <= room:
            setting = without
    return setting


def room(device: str, limit: int | None, held: int) -> int | None:
    """Bytes that a model may take, those that it holds already (`held`) among them; None if nobody knows.

    limit: of all models together, in bytes; on a processor a plan only, for nothing there enforces it.
    """
    if device == "cpu":
        free = _free_memory()
        rest = None if free is None else round(free * PROCESSOR_SHARE) + held
        return rest if limit is None else limit if rest is None else min(limit, rest)
    import torch

    free, total = torch.cuda.mem_get_info()
    taken = torch.cuda.memory_allocated() - held  # by the models of this process, less this one
    rest = free + torch.cuda.memory_reserved() - taken
    return max(0, rest if limit is None else min(rest, min(limit, total) - taken))


def enforce(device: str, limit: int | None) -> None:
    """From now on, torch takes no more of the card than the limit in this process."""
    if limit is None or device == "cpu":
        return
    import torch

    _, total = torch.cuda.mem_get_info()
    torch.cuda.set_per_process_memory_fraction(min(1.0, limit / total))


def _bytes(path: Path, width: int, otherwise: int) -> int:
    try:
        return sum(math.prod(tensor.shape) * width for tensor in read_header(path).values())
    except FrisketError:
        return otherwise


def _of_one_file(path: Path, width: int, record: Record) -> dict[str, int]:
    """Bytes of each network, by how the names of its tensors begin; what the file has besides is not opened."""
    totals: dict[str, int] = {}
    try:
        for name, tensor in read_header(path).items():
            part = next((part for start, part in STARTS.items() if name.startswith(start)), None)
            if part is not None:
                totals[part] = totals.get(part, 0) + math.prod(tensor.shape) * width
    except FrisketError:
        return {"unet": record.size}
    return totals


def _free_memory() -> int | None:
    """Bytes of main memory that programs can have."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None
