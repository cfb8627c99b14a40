"""What comes out of an edit besides pixels: where it lies and what it had to do without. Standard library only."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

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
    """How an edit would be done. `region` in canvas space: the pixels and the part of the mask to send.

    seconds: about how long it takes, None when nothing like it was done yet.
    """

    region: Box
    pieces: tuple[Piece, ...]
    degraded: tuple[Degradation, ...]
    engine: str
    seconds: float | None = None


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
class Face:
    """One face that was found. box and landmarks in canvas space; score 0...1.

    landmarks: x, y of right eye, left eye, tip of the nose, right and left corner of the mouth (the person's own
    right), or none. trouble: why it was not restored, a sentence; empty = it was, or nobody asked.
    """

    box: Box
    score: float
    landmarks: tuple[tuple[float, float], ...] = ()
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class ResultMeta:
    """What is known of one finished picture. box in canvas space: where its pixels and its mask lie.

    maker: None in what an earlier server stored. scale: above 1 the canvas is to be made so many times larger first;
    box is in that one then. faces: those that were found, in the canvas as it was sent.
    """

    box: Box
    seed: int
    degraded: tuple[Degradation, ...] = ()
    notes: tuple[str, ...] = ()
    maker: Maker | None = None
    scale: int = 1
    faces: tuple[Face, ...] = ()

    def to_json(self) -> str:
        return json.dumps(
            {
                "box": [self.box.x, self.box.y, self.box.width, self.box.height],
                "seed": self.seed,
                "degraded": [[d.kind.value, d.detail] for d in self.degraded],
                "notes": list(self.notes),
                "maker": asdict(self.maker) if self.maker else None,
                "scale": self.scale,
                "faces": [asdict(face) for face in self.faces],
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
            scale=fields.get("scale", 1),
            faces=tuple(_face(face) for face in fields.get("faces", ())),
        )


def _face(fields: dict[str, Any]) -> Face:
    landmarks = tuple((x, y) for x, y in fields["landmarks"])
    return Face(Box(**fields["box"]), fields["score"], landmarks, fields["trouble"])
