"""Which sizes an engine can work at, and which one a crop gets. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SizeRule:
    """Which working sizes an engine takes. `multiple`: both sides are divisible by it. `max_pixels` 0 = no limit.

    `native_side` 0 means that the engine works at any scale; otherwise small crops are scaled up towards it.
    """

    min_side: int = 1
    max_side: int = 1 << 16
    multiple: int = 1
    max_pixels: int = 0
    native_side: int = 0
