"""How often, and after which pauses, something that failed for a while is tried again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from frisket.errors import HubUnreachable

T = TypeVar("T")
SLICE_S = 0.1  # a pause is left this soon after a cancel


class Interrupted(Exception):
    """Worth another try: a cut connection, a server that is busy. `after` are the seconds that the server asks for."""

    def __init__(self, reason: str, after: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.after = reason, after


@dataclass(frozen=True, slots=True)
class Patience:
    """`tries` in a row without progress, pauses of `first` seconds and twice as long each time, at most `longest`."""

    tries: int = 6
    first: float = 1.0
    longest: float = 30.0
    sleep: Callable[[float], None] = time.sleep

    def pause(self, failures: int, asked: float | None, check: Callable[[], None]) -> None:
        """Wait after the `failures`th failure in a row. `check` is called about ten times a second, and may raise."""
        left = min(self.longest, max(asked or 0.0, self.first * 2 ** (failures - 1)))
        while left > 0:
            check()
            self.sleep(min(SLICE_S, left))
            left -= SLICE_S
        check()

    def insist(self, action: Callable[[], T], endpoint: str, check: Callable[[], None] = lambda: None) -> T:
        """`action`, again after each Interrupted. Raises HubUnreachable when all tries are spent."""
        failures = 0
        while True:
            try:
                return action()
            except Interrupted as trouble:
                failures += 1
                if failures >= self.tries:
                    raise HubUnreachable(endpoint=endpoint, reason=trouble.reason, tries=failures) from None
                self.pause(failures, trouble.after, check)
