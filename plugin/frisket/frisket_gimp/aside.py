"""Short work off the main thread for a window that stays open: its answer comes back on the main thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from gi.repository import GLib

from frisket.errors import FrisketError
from frisket_gimp import threads
from frisket_gimp.languages import words_of

T = TypeVar("T")


class Aside:
    """`do` and `tell` until `leave`; after that no answer comes any more."""

    def __init__(self) -> None:
        self._gone = False

    def leave(self) -> None:
        self._gone = True

    @property
    def gone(self) -> bool:
        return self._gone

    def do(self, work: Callable[[], T], then: Callable[[T | FrisketError], None]) -> None:
        """Run `work` on a thread of its own, then `then` with what it gave or the error that it raised."""

        def guarded() -> None:
            try:
                found: T | FrisketError = work()
            except FrisketError as error:
                found = error
            self.tell(then, found)

        threads.start(guarded)

    def tell(self, then: Callable[[T], None], found: T) -> None:
        """From any thread: call `then` on the main one."""

        def answer() -> bool:
            if not self._gone:
                then(found)
            return False

        GLib.idle_add(answer)


def in_words(error: FrisketError) -> str:
    """Title, cause and remedy, a line each."""
    return "{}.\n{}\n{}".format(*words_of(error))
