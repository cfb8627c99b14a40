"""What comes out of an edit besides pixels: where it lies and what it had to do without. Standard library only."""

from __future__ import annotations

import json
from dataclasses import dataclass

from frisket.engines.spec import Degradation, DegradationKind
from frisket.raster.geometry import Box, Size


@dataclass(frozen=True, slots=True)
class Piece:
    """One engine run: `crop` in canvas space, `working` the size at which the engine sees it."""

    crop: Box
    working: Size


@dataclass(frozen=True, slots=True)
class Plan:
    """How an edit would be done. `region` in canvas space: the pixels and the part of the mask to send."""

    region: Box
    pieces: tuple[Piece, ...]
    degraded: tuple[Degradation, ...]
    engine: str


@dataclass(frozen=True, slots=True)
class ResultMeta:
    """What is known of one finished picture. box in canvas space: where its pixels and its mask lie."""

    box: Box
    seed: int
    degraded: tuple[Degradation, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps(
            {
                "box": [self.box.x, self.box.y, self.box.width, self.box.height],
                "seed": self.seed,
                "degraded": [[d.kind.value, d.detail] for d in self.degraded],
                "notes": list(self.notes),
            }
        )

    @classmethod
    def from_json(cls, text: str) -> ResultMeta:
        fields = json.loads(text)
        return cls(
            box=Box(*fields["box"]),
            seed=fields["seed"],
            degraded=tuple(Degradation(DegradationKind(kind), detail) for kind, detail in fields["degraded"]),
            notes=tuple(fields["notes"]),
        )
