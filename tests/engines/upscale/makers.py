"""Tiny upscalers of several architectures, as files and as installed models."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from frisket.engines import nets
from frisket.engines.spec import Report, Silent, Task, Work
from frisket.engines.upscale.network import NetworkUpscaler
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import PURPOSES, Family
from frisket.models.record import Held, Record, write

WEIGHTS = Path(__file__).parents[4] / "shared" / "weights"


def compact(scale: int = 2, seed: int = 1, **changes: Any) -> dict[str, torch.Tensor]:
    nets.make_importable()
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(seed)
    sizes: dict[str, Any] = {"num_feat": 8, "num_conv": 2, "upscale": scale}
    return Compact(**sizes | changes).state_dict()


def esrgan(scale: int = 4) -> dict[str, torch.Tensor]:
    nets.make_importable()
    from spandrel.architectures.ESRGAN import ESRGAN

    torch.manual_seed(2)
    network = ESRGAN(num_filters=8, num_blocks=1, scale=scale)
    weight, bias = list(network.parameters())[-2:]
    with torch.no_grad():  # as made it answers nothing but gray
        weight *= 0.2 / network(torch.rand(1, 3, 16, 16)).std()
        bias += 0.5
    return network.state_dict()


def swinir(window: int = 4) -> dict[str, torch.Tensor]:
    nets.make_importable()
    from spandrel.architectures.SwinIR import SwinIR

    torch.manual_seed(3)
    sizes = {"img_size": 16, "embed_dim": 12, "depths": [2], "num_heads": [2], "window_size": window}
    return SwinIR(**sizes, upscale=2, upsampler="pixelshuffle").state_dict()


def installed(root: Path, files: dict[str, Any], model: str = "net") -> tuple[Path, Record]:
    """files: names and what torch.save puts into them, or bytes."""
    folder, held = root / model, []
    folder.mkdir()
    for name, content in files.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            torch.save(content, folder / name)
        raw = (folder / name).read_bytes()
        held.append(Held(name, len(raw), hashlib.sha256(raw).hexdigest()))
    licence, purposes = Licence("test", "", Commercial.UNKNOWN), PURPOSES[Family.UPSCALER]
    record = Record(model, model, Family.UPSCALER, purposes, licence, tuple(held), "2026-01-01T00:00:00Z", source="t")
    write(folder, record)
    return folder, record


def engine(root: Path, state: Any, model: str = "net") -> NetworkUpscaler:
    made = NetworkUpscaler(*installed(root, {f"{model}.pth": state}, model))
    made.load()
    return made


def asked(engine: NetworkUpscaler, crop: Any, scale: int, report: Report | None = None, **params: Any) -> Any:
    work = Work(Task.UPSCALE, crop, crop[..., 0], params, (0,), scale=scale)
    (made,) = engine.run(work, report or Silent())
    return made
