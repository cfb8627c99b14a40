"""Where an edit is painted, as a worker process sees it. Standard library only at import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np


class Teller(Protocol):
    """How a running edit tells where it is. Every call raises errors.Cancelled once the job was cancelled.

    It may have `wants_preview() -> bool`, too: whether somebody sees previews. Without it, each is wanted.
    """

    def progress(self, fraction: float) -> None:
        """fraction: 0...1 of the whole job. Cheap; calls that follow each other too quickly are left out."""
        ...

    def preview(self, jpeg: bytes, box: tuple[int, int, int, int]) -> None:
        """jpeg: what is there so far, at most 512 px a side. box: x, y, width, height of it on the canvas."""
        ...

    def check(self) -> None:
        """Only look whether to stop. About a microsecond; call it inside long steps."""
        ...


@dataclass(frozen=True, slots=True)
class Finished:
    """One finished picture. meta: JSON, opaque to jobs and workers. planes: C-contiguous arrays or bytes, any dtype."""

    meta: str
    planes: tuple[np.ndarray | bytes, ...]


class Easel(Protocol):
    """Runs stored requests, one at a time, in the process that holds the engines."""

    def warm(self) -> None:
        """Do ahead what the first request would wait for: imports, compilation, the default engine's weights."""
        ...

    def run(self, request: str, planes: Mapping[str, memoryview], tell: Teller) -> list[Finished]:
        """One picture or more.

        request: JSON, edits.requests. planes: read-only bytes by plane name; they are only valid during the call.
        Raises FrisketError: errors.Cancelled from `tell`, errors.OutOfMemory, errors.EngineFailed and the like.
        """
        ...
