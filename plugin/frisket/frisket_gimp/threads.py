"""Threads beside GIMP's main one, and the rule that they never give up what belongs to it.

A widget or a layer whose last reference goes on another thread takes the whole process down. So what a thread was given
is kept to the end of the process, which is short, and Python looks for garbage only when the main thread says so.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable

gc.disable()
EVERY = 10.0  # s between looks for garbage
_kept: dict[threading.Thread, Callable[[], object]] = {}
_looked = [time.monotonic()]


def start(work: Callable[[], object]) -> threading.Thread:
    """Run `work` beside the main thread. It is given up with the process, or by `finished`."""
    thread = threading.Thread(target=work, daemon=True)
    _kept[thread] = work
    thread.start()
    return thread


def finished(thread: threading.Thread) -> None:
    """Give up what a thread that has ended was given, which may be large. On the main thread."""
    if not thread.is_alive():
        _kept.pop(thread, None)


def tidy() -> None:
    """Look for garbage now and then. On the main thread; called from what ticks there."""
    if time.monotonic() - _looked[0] > EVERY:
        _looked[0] = time.monotonic()
        gc.collect()
