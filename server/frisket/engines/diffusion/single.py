"""A checkpoint of one file, in the layout that Stable Diffusion was trained in: weights alone.

What such a file lacks, configurations and tokenizers, comes from an installed folder of its kin. Only those are
borrowed, never a weight: diffusers would take networks that the file lacks from the folder without a word.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from frisket.engines.diffusion import guard
from frisket.engines.diffusion.table import Row
from frisket.errors import ModelDamaged, ModelInOneFile, ModelNotInstalled
from frisket.models import record as records
from frisket.models.choice import INDEX
from frisket.models.families import Family
from frisket.models.record import Record

# Families that differ in the channels of their U-net alone; the first is what `frisket models pull` calls it, too.
KIN = (
    (Family.SD15, Family.SD15_INPAINT, Family.INSTRUCT_PIX2PIX),
    (Family.SDXL, Family.SDXL_INPAINT),
)
PLAIN = frozenset({".json", ".txt"})  # configurations and vocabularies
LEFT_OUT = ("safety_checker", "feature_extractor", "image_encoder")


def is_single(record: Record) -> bool:
    """Whether a model is one file of weights and nothing else."""
    return len(record.files) == 1 and record.files[0].path.endswith(".safetensors")


def base_of(folder: Path, record: Record) -> tuple[Path, Record]:
    """The installed folder that lends its configurations: of the same family where there is one, else of its kin.

    Raises ModelInOneFile for a family that is not opened from one file, ModelNotInstalled.
    """
    kin = next((kin for kin in KIN if record.family in kin), None)
    if kin is None:
        raise ModelInOneFile(model=record.id, family=record.family.value)
    found = []
    for place in sorted(folder.parent.iterdir()):
        with contextlib.suppress(ModelDamaged):
            other = records.read(place, place.name)
            if other.family in kin and any(file.path == INDEX for file in other.files):
                found.append((other.family is not record.family, place, other))
    if not found:
        suggestion = f"{record.id} is one file and borrows its tokenizer: `frisket models pull {kin[0].value}`."
        raise ModelNotInstalled(model=f"folder of {kin[0].value}", suggestion=suggestion)
    _, place, other = min(found, key=lambda entry: (entry[0], entry[1].name))
    return place, other


@contextlib.contextmanager
def frame(folder: Path, record: Record, row: Row) -> Iterator[Path]:
    """A folder in diffusers' layout without a weight, for row.pipeline and record's U-net; gone afterwards.

    Raises as `base_of` and `guard.checked` do.
    """
    place, base = base_of(folder, record)
    components = guard.checked(place, base)
    lent = {name: pair for name, pair in components.items() if name not in LEFT_OUT}
    with tempfile.TemporaryDirectory(prefix="frisket-frame-") as name:
        made = Path(name)
        for file in base.files:
            path = Path(file.path)
            if path.parts[0] in lent and path.suffix in PLAIN and ".index." not in path.name:
                (made / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(place / path, made / path)
        index = json.loads((place / INDEX).read_text(encoding="utf-8"))
        settings = {key: value for key, value in index.items() if not isinstance(value, list)}
        fields = settings | {name: list(pair) for name, pair in lent.items()} | {"_class_name": row.pipeline}
        (made / INDEX).write_text(json.dumps(fields), encoding="utf-8")
        unet = made / "unet" / "config.json"
        channels = {"in_channels": guard.CHANNELS[record.family]}
        unet.write_text(json.dumps(json.loads(unet.read_text(encoding="utf-8")) | channels), encoding="utf-8")
        yield made
