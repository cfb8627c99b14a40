"""Ears for an edit's progress."""

from __future__ import annotations

from frisket.errors import Cancelled


class Listener:
    """Notes everything; cancels once progress reaches `cancel_at`."""

    def __init__(self, cancel_at: float = 2.0) -> None:
        self.cancel_at = cancel_at
        self.fractions: list[float] = []
        self.previews: list[tuple[bytes, tuple[int, int, int, int]]] = []

    def progress(self, fraction: float) -> None:
        self.fractions.append(fraction)
        self.check()

    def preview(self, jpeg: bytes, box: tuple[int, int, int, int]) -> None:
        self.previews.append((jpeg, box))
        self.check()

    def check(self) -> None:
        if self.fractions and self.fractions[-1] >= self.cancel_at:
            raise Cancelled()
