"""Checkpoints of face models in their published formats, with weights that only a seed decides.

GFPGAN's size is fixed: its file has 349 MB and takes seconds. So each is made once a session (`conftest.checkpoint`)
and installed as a second name of the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import torch

from frisket.engines.vision_ops import make_importable
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Held, Record, write

NAMES = {
    Family.GFPGAN: "GFPGANv1.4.pth",
    Family.RESTOREFORMER: "RestoreFormer.pth",
    Family.CODEFORMER: "codeformer.pth",
    Family.PARSENET: "parsing_parsenet.pth",
}


def make(family: Family, folder: Path, seed: int = 1) -> Path:
    """Writes the checkpoint of `family` into `folder`, under the name that its publisher gives it."""
    torch.manual_seed(seed)
    network = {
        Family.GFPGAN: gfpgan,
        Family.RESTOREFORMER: restoreformer,
        Family.CODEFORMER: codeformer,
        Family.PARSENET: parsenet,
    }[family]()
    path = folder / NAMES[family]
    if family is Family.PARSENET:  # published bare, and in the format before 1.6
        torch.save(network.state_dict(), path, _use_new_zipfile_serialization=False)
    else:
        torch.save({"params_ema": network.state_dict()}, path)
    return path


def install(family: Family, made: Path, root: Path, model: str = "") -> Record:
    """Puts the checkpoint at `made` into the models folder `root`, as an import would have."""
    record = record_of(family, made, model)
    folder = root / record.id
    folder.mkdir(parents=True)
    os.link(made, folder / made.name)
    write(folder, record)
    return record


def record_of(family: Family, made: Path, model: str = "") -> Record:
    digest = hashlib.sha256(made.read_bytes()).hexdigest()
    held = (Held(made.name, made.stat().st_size, digest),)
    licence = Licence("test", "", Commercial.UNKNOWN)
    name = model or f"random-{family.value}"
    return Record(name, name, family, PURPOSES[family], licence, held, "2026-01-01T00:00:00Z", source="test")


def gfpgan() -> Any:
    """With noise that shows, as trained ones have it."""
    make_importable()
    from spandrel.architectures.GFPGAN import GFPGAN

    network = GFPGAN()
    for weight in network.parameters():
        if weight.shape == (1,):  # how much noise each convolution of the generator adds
            torch.nn.init.constant_(weight, 0.1)
    return network


def restoreformer() -> Any:
    make_importable()
    from spandrel.architectures.RestoreFormer import RestoreFormer

    network = RestoreFormer()
    torch.nn.init.normal_(network.quantize.embedding.weight)
    return network


def codeformer() -> Any:
    from frisket.engines.faces.codeformer import CodeFormer

    network = CodeFormer()
    torch.nn.init.normal_(network.position_emb)
    return network


def parsenet() -> Any:
    from frisket.engines.faces.parsenet import ParseNet

    return ParseNet()
