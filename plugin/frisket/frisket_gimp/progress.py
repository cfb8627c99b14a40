"""Work on another thread while GIMP stays alive: a bar, a text, Cancel."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from gi.repository import Gimp, GLib

from frisket.errors import Cancelled

T = TypeVar("T")
TICK = 50  # ms
PATIENCE = 3.0  # seconds between Cancel and leaving, whether or not the server has answered


class Interruptible(Protocol):
    def interrupt(self) -> None: ...


class Progress:
    """`do` runs on GIMP's main thread, what it is given on another; `tell`, `stopped` and `target` are for that one."""

    def __init__(self, title: str, interactive: bool) -> None:
        self._text, self._fraction = "Looking for the Frisket server…", 0.0
        self._stopped_at: float | None = None
        self.target: Interruptible | None = None  # what Cancel interrupts
        self._window = _Window(title, self.stop) if interactive else None
        Gimp.progress_init(self._text)

    def tell(self, text: str, fraction: float | None = None) -> None:
        self._text = text
        if fraction is not None:
            self._fraction = fraction

    def stop(self) -> None:
        if self._stopped_at is None:
            self._stopped_at = time.monotonic()
            self.tell("Cancelling…")

    @property
    def stopped(self) -> bool:
        return self._stopped_at is not None

    def do(self, work: Callable[[], T]) -> T:
        """Run `work` on a thread of its own and return its value, or raise its error. Raises Cancelled."""
        done: list[T] = []
        errors: list[BaseException] = []

        def guarded() -> None:
            try:
                done.append(work())
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=guarded, daemon=True)
        loop = GLib.MainLoop()
        shown: list = [None]

        def tick() -> bool:
            if self.stopped and self.target is not None:
                self.target.interrupt()  # again and again: between two calls it would be lost
            if shown[0] != (self._text, self._fraction):
                shown[0] = (self._text, self._fraction)
                self._show()
            if thread.is_alive() and not self._out_of_patience():
                return True
            loop.quit()
            return False

        thread.start()
        GLib.timeout_add(TICK, tick)
        loop.run()
        if self.stopped or thread.is_alive():
            raise Cancelled()
        if errors:
            raise errors[0]
        return done[0]

    def close(self) -> None:
        Gimp.progress_end()
        if self._window:
            self._window.close()

    def _show(self) -> None:
        Gimp.progress_set_text(self._text)
        Gimp.progress_update(self._fraction)
        if self._window:
            self._window.show(self._text, self._fraction)

    def _out_of_patience(self) -> bool:
        return self._stopped_at is not None and time.monotonic() - self._stopped_at > PATIENCE


class _Window:
    """A small dialog of our own: GIMP's own Cancel would kill this process, and the server would not be told."""

    def __init__(self, title: str, stop: Callable[[], None]) -> None:
        import gi

        gi.require_version("Gtk", "3.0")
        gi.require_version("GimpUi", "3.0")
        from gi.repository import GimpUi, Gtk

        GimpUi.init("plug-in-frisket")
        self._dialog = GimpUi.Dialog(title=title, role="frisket-progress")
        self._dialog.add_button("_Cancel", Gtk.ResponseType.CANCEL)
        self._bar = Gtk.ProgressBar()
        self._bar.set_size_request(360, -1)
        self._label = Gtk.Label(xalign=0.0)
        area = self._dialog.get_content_area()
        area.set_border_width(12)
        area.set_spacing(8)
        area.pack_start(self._label, False, False, 0)
        area.pack_start(self._bar, False, False, 0)
        self._dialog.connect("response", lambda *_: stop())
        self._dialog.connect("delete-event", lambda *_: True)  # the response comes as well
        self._dialog.show_all()

    def show(self, text: str, fraction: float) -> None:
        self._label.set_text(text)
        self._bar.set_fraction(min(1.0, max(0.0, fraction)))

    def close(self) -> None:
        self._dialog.destroy()
