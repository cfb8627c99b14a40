"""Aligned faces through a restorer and a parser, some at a time; what fails is tried alone, then left and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from frisket.edits.face_paste import softened
from frisket.edits.requests import EditRequest
from frisket.engines.faces.align import SIDE, fallback_mask
from frisket.engines.spec import Degradation, DegradationKind, Engine, Report, Task, Work
from frisket.errors import Cancelled, EngineFailed, FrisketError

Float32 = NDArray[np.float32]

BATCH = 8  # faces that are held, and shown to an engine, at a time
LEAST_MASK = 0.01  # of an aligned face; a parser that sees less of it as face sees none


@dataclass(slots=True)
class Hands:
    """Who works on the faces of one picture. notes: what is to be told of it, each once; it grows meanwhile. touched:
    whether a change was laid on any."""

    request: EditRequest
    engine: Engine
    parser: Engine | None
    seed: int
    notes: list[str] = field(default_factory=list)
    touched: bool = False

    def restored(self, stack: Float32, frames: np.ndarray, report: Report) -> list[Float32 | Exception]:
        """stack: (n, 512, 512, 3); frames: (n, 2, 3), as in `Work`. For each face what was made of it, or what came in
        the way. Raises Cancelled."""
        try:
            return list(self._run(self.engine, Task.RESTORE_FACES, stack, frames, report))
        except Cancelled:
            raise
        except Exception as error:
            if len(stack) == 1:
                return [error]
            detail = f"{len(stack)} faces at a time failed ({reason_of(error)}): they were restored one by one."
            report.told(Degradation(DegradationKind.ONE_BY_ONE, detail))
        return [made for k in range(len(stack)) for made in self.restored(stack[k : k + 1], frames[k : k + 1], report)]

    def masks(self, faces: Sequence[Float32], report: Report) -> list[Float32]:
        """For each face (512, 512, 3) where it is one, (512, 512) 0...1: as the parser says, else an oval. Raises
        Cancelled."""
        if self.parser is None or not len(faces):
            return [fallback_mask()] * len(faces)
        try:
            found = self._run(self.parser, Task.PARSE_FACES, np.stack(faces), None, report)
        except Cancelled:
            raise
        except Exception as error:
            self.note(f"{self.parser.spec.title} failed ({reason_of(error)}): an oval stands in for what it would say.")
            return [fallback_mask()] * len(faces)
        return [self._mask(mask) for mask in found]

    def _mask(self, mask: Float32) -> Float32:
        assert self.parser is not None
        if mask.mean() >= LEAST_MASK:
            return softened(mask)
        self.note(f"{self.parser.spec.title} saw no face in one that was restored: an oval stands in for it.")
        return fallback_mask()

    def note(self, words: str) -> None:
        if words not in self.notes:
            self.notes.append(words)

    def _run(
        self, engine: Engine, task: Task, stack: Float32, frames: np.ndarray | None, report: Report
    ) -> list[Float32]:
        params = self.request.engine_params if engine is self.engine else engine.spec.check_params({})
        work = Work(task, stack, np.ones((SIDE, SIDE), np.float32), params, (self.seed,), frames=frames)
        shape = (SIDE, SIDE, 3) if task is Task.RESTORE_FACES else (SIDE, SIDE)
        made = [np.asarray(face, np.float32) for face in engine.run(work, report)]
        if len(made) != len(stack) or any(face.shape != shape for face in made):
            raise EngineFailed(engine=engine.spec.id, reason="it gave back another number of faces, or of another size")
        if not all(np.isfinite(face).all() for face in made):
            raise EngineFailed(engine=engine.spec.id, reason="it gave back values that are no numbers")
        return made


def reason_of(error: Exception) -> str:
    """One clause about it, for people."""
    if isinstance(error, FrisketError):
        return error.cause.rstrip(".")
    if isinstance(error, MemoryError):
        return "not enough memory"
    return f"{type(error).__name__}: {error}"
