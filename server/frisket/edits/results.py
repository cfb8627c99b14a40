"""What comes out of an edit besides pixels: where it lies and what it had to do without. Standard library only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import frisket
from frisket.engines.spec import Degradation, DegradationKind, EngineSpec
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
class Maker:
    """Who painted a picture. software: "Frisket 0.1.0", the program that ran the engine; model and its revision "" when
    there is none; trained: the engine paints with a trained model.
    """

    software: str
    engine: str
    model: str = ""
    revision: str = ""
    trained: bool = False

    @classmethod
    def of(cls, spec: EngineSpec, model: str) -> Maker:
        """model: the one asked for, "" for the engine's own."""
        own = model or next(iter(spec.models), "")
        return cls(f"Frisket {frisket.__version__}", spec.id, own, spec.revision, spec.trained)


@dataclass(frozen=True, slots=True)
class ResultMeta:
    """What is known of one finished picture. box in canvas space: where its pixels and its mask lie.

    maker: None in what an earlier server stored.
    """

    box: Box
    seed: int
    degraded: tuple[Degradation, ...] = ()
    notes: tuple[str, ...] = ()
    maker: Maker | None = None

    def to_json(self) -> str:
        return json.dumps(
            {
                "box": [self.box.x, self.box.y, self.box.width, self.box.height],
                "seed": self.seed,
                "degraded": [[d.kind.value, d.detail] for d in self.degraded],
                "notes": list(self.notes),
                "maker": asdict(self.maker) if self.maker else None,
            }
        )

    @classmethod
    def from_json(cls, text: str) -> ResultMeta:
        fields = json.loads(text)
        maker = fields.get("maker")
        return cls(
            box=Box(*fields["box"]),
            seed=fields["seed"],
            degraded=tuple(Degradation(DegradationKind(kind), detail) for kind, detail in fields["degraded"]),
            notes=tuple(fields["notes"]),
            maker=Maker(**maker) if maker else None,
        )
