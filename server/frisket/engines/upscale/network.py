"""Installed upscalers as engines: whatever spandrel knows, run once or twice and brought to the scale asked for.

How much of a tile's surroundings show in it depends on the network: see `passes.apron_of`. What is known of it only
with its weights open (apron, grid, size of a tile) is in `spec` after `load`.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from frisket.engines import nets
from frisket.engines.diffusion.budget import GIB, room
from frisket.engines.diffusion.engine import device, on_card, ran_out
from frisket.engines.spec import (
    Channels,
    Degradation,
    DegradationKind,
    EngineSpec,
    Param,
    ParamKind,
    Report,
    Task,
    Work,
)
from frisket.engines.upscale import edges
from frisket.errors import FrisketError, ModelFileUnusable, PictureNotFinite
from frisket.models import record as records
from frisket.models.record import Record
from frisket.raster.geometry import Size
from frisket.raster.sizes import SizeRule
from frisket.raster.tiles import tiles

if TYPE_CHECKING:
    import torch

    from frisket.engines.upscale.passes import Network

SHARP, SOFT = "realesr-general-x4v3", "realesr-general-wdn-x4v3"  # that removes noise, and that keeps it
DENOISE = Param("denoise", ParamKind.FLOAT, 0.5, "How much noise to take away: 0 keeps it, 1 takes most.", 0, 1)
TILE = 256  # px, until the network is open
LARGEST = 1024
SMALLEST = 32  # px of a tile where memory is short
BUDGET = GIB  # bytes a tile may take beside the weights


class NetworkUpscaler:
    """Implements `engines.spec.Engine` for Task.UPSCALE with the model in `folder`, installed as `record` says.

    The same tile gives the same bytes on one machine. Values beyond 0...1 go around the network, by the built-in way.
    """

    def __init__(self, folder: Path, record: Record) -> None:
        self._folder, self._record = folder, record
        self._net: Network | None = None
        self._mix: tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]] | None = None
        self._mixed = 1.0
        self._soft = _soft_weights(folder, record)
        self.spec = EngineSpec(
            id=record.id,
            title=record.title,
            summary=_summary(record, self._soft is not None),
            tasks=frozenset({Task.UPSCALE}),
            size=SizeRule(max_pixels=TILE * TILE),
            channels=Channels.RGB,
            params=(DENOISE,) if self._soft else (),
            models=(record.id,),
            devices=("cuda", "cpu"),
            licence=record.licence.name,
            trained=True,
            revision=record.commit or record.revision,
            apron=edges.APRON,
            rank=10,
        )

    def load(self, model: str = "") -> None:
        """Opens the weights and tries them on a small picture.

        Raises NetworkPartsMissing, ModelDamaged, ModelFileUnusable (also for what is no upscaler), PictureNotFinite,
        MemoryError.
        """
        from frisket.engines.upscale.passes import Network, apron_of, grid_of

        path = _own_weights(self._folder, self._record)
        described = nets.spandrel_model(self._folder, self._record, "SR", path)
        if described.scale < 2 or described.input_channels not in (1, 3):
            what = f"{described.input_channels} channels at a scale of {described.scale}"
            raise ModelFileUnusable(path=path, reason=f"it is no upscaler of pictures: {what}")
        self._mix = self._both(described.model, path) if self._soft else None
        self._mixed = 1.0
        net = Network(described, device(), half=on_card() and described.supports_half)
        grid = grid_of(described)
        apron = max(edges.APRON, -(-apron_of(described) // grid) * grid)
        if described.scale < 4:  # a second pass sees half or a third of that besides
            apron = math.ceil(apron * (1 + 1 / described.scale))
        side = math.isqrt(int(self._room() / net.bytes_per_pixel()))
        side = max(SMALLEST, min(side, LARGEST)) // grid * grid
        rule = SizeRule(max_pixels=side * side, multiple=grid)
        self.spec, self._net = replace(self.spec, size=rule, apron=apron), net

    def unload(self) -> None:
        """Gives the weights' memory back; the next `run` opens them anew."""
        if self._net is not None:
            from frisket.engines.faces.stack import free

            self._net = self._mix = None
            free()

    def fits(self) -> bool:
        """Whether there is room for the weights and a tile."""
        if self._net is not None or not nets.parts_there():
            return True
        space = room(device(), None, 0)
        return space is None or self._record.size + BUDGET <= space

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """One picture, (h * work.scale, w * work.scale, 3) float32. Where memory runs out: in smaller tiles, told.

        Raises errors.Cancelled, PictureNotFinite, MemoryError, torch's errors.
        """
        if self._net is None:
            self.load()
        assert self._net is not None
        self._set(float(work.params.get(DENOISE.name, DENOISE.default)))
        inside = np.clip(work.crop, 0, 1)
        made = self._pieces(self._net, inside, work.scale, report)
        if not np.isfinite(made).all():
            raise PictureNotFinite(what=self.spec.id)
        beyond = work.crop - inside
        if beyond.any():
            made += edges.ENGINE.run(replace(work, crop=beyond), report)[0]
        return [made]

    def _pieces(self, net: Network, crop: np.ndarray, scale: int, report: Report) -> np.ndarray:
        """`crop` through the network, in one piece or in as many as memory asks for."""
        from frisket.engines.faces.stack import free

        h, w, c = crop.shape
        side = 0
        while True:
            out = np.empty((h * scale, w * scale, c), np.float32)
            parts = list(tiles(Size(w, h), side, self.spec.apron, self.spec.size.multiple))
            try:
                for number, (kept, seen) in enumerate(parts):
                    report(number, len(parts))
                    made = net.enlarged(np.ascontiguousarray(crop[seen.slices]), scale, report)
                    y, x = (kept.y - seen.y) * scale, (kept.x - seen.x) * scale
                    there = slice(kept.y * scale, kept.bottom * scale), slice(kept.x * scale, kept.right * scale)
                    out[there] = made[y : y + kept.height * scale, x : x + kept.width * scale]
                return out
            except (RuntimeError, MemoryError) as error:
                if not ran_out(error):
                    raise
                free()
                now = side or max(h, w)
                side = max(now // 2, SMALLEST)
                if now <= SMALLEST:
                    raise MemoryError(str(error)) from error
                detail = f"{self.spec.id} worked in tiles of {side} px and their surroundings: memory was short."
                report.told(Degradation(DegradationKind.TILED, detail))

    def _room(self) -> float:
        space = room(device(), None, 0)
        most = BUDGET if device() == "cpu" else 8 * BUDGET
        return most if space is None else min(most, space / 2)

    def _both(self, network: Any, path: Path) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
        """The weights of both networks by name. Raises ModelFileUnusable when they are not of one kind."""
        assert self._soft is not None
        own = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        soft = nets.spandrel_model(self._soft[0], self._soft[1], "SR", self._soft[2]).model.state_dict()
        if {n: t.shape for n, t in soft.items()} != {n: t.shape for n, t in own.items()}:
            raise ModelFileUnusable(path=self._soft[2], reason=f"it does not fit {path.name}, which it is mixed with")
        return own, soft

    def _set(self, denoise: float) -> None:
        """Deep network interpolation (Wang et al., CVPR 2019), as Real-ESRGAN's own -dn: the weights' mean."""
        if self._mix is None or self._net is None or denoise == self._mixed:
            return
        own, soft = self._mix
        self._net.fill({name: own[name] * denoise + soft[name] * (1 - denoise) for name in own})
        self._mixed = denoise


def _own_weights(folder: Path, record: Record) -> Path:
    """Of two files, the one that removes noise. Raises ModelFileUnusable."""
    names = {Path(file.path).stem: file.path for file in record.files}
    if SHARP in names and SOFT in names:
        return folder / names[SHARP]
    return nets.weights_file(folder, record)


def _soft_weights(folder: Path, record: Record) -> tuple[Path, Record, Path] | None:
    """The network that keeps noise, for SHARP: in the same folder, or a model of that name beside it. None without."""
    names = {Path(file.path).stem: file.path for file in record.files}
    if SHARP not in names and record.id != SHARP:
        return None
    if SOFT in names:
        return folder, record, folder / names[SOFT]
    beside = folder.parent / SOFT
    try:
        other = records.read(beside, SOFT)
        return beside, other, nets.weights_file(beside, other)
    except FrisketError:
        return None


def _summary(record: Record, dial: bool) -> str:
    text = "Draws larger pictures with the detail that such pictures mostly have."
    if dial:
        return text + " Its dial says how much noise to take away."
    if record.id == SHARP or any(Path(file.path).stem == SHARP for file in record.files):
        return text + f" It has no dial for noise without {SOFT} beside it."
    return text
