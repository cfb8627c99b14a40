"""Work on another thread while GIMP stays alive: what goes on in words, a bar, the picture so far, Cancel."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from gi.repository import Gimp, GLib

from frisket.client.session import Moment, Stage
from frisket.errors import Cancelled
from frisket_gimp import threads
from frisket_gimp.languages import _

T = TypeVar("T")
TICK = 50  # ms
# A thread that handles megabytes gives way to the window's sooner than Python's 5 ms: a tick needs its turn many times.
sys.setswitchinterval(0.0005)
PATIENCE = 3.0  # seconds between Cancel and leaving, whether or not the server has answered
PREVIEW_SECONDS = 0.2  # at least, between two pictures shown
ASIDE = 28  # px: a title and a little more
PICTURE = 320, 240  # px: the picture so far is shown in it, whatever its shape


class Interruptible(Protocol):
    def interrupt(self) -> None: ...


class Progress:
    """`do` runs on GIMP's main thread, what it is given on another.

    `tell`, `stopped` and `target` are for that one, and so is what makes this a listener of frisket.client.session.
    picture: whether there will be something to see before the end.
    """

    def __init__(self, title: str, interactive: bool, picture: bool = True) -> None:
        self._said: str | Moment = _("Looking for the Frisket server…")
        self._since = time.monotonic()  # it was said
        self._fraction = 0.0
        self._jpeg, self._drawn = b"", 0.0
        self._stopped_at: float | None = None
        self.target: Interruptible | None = None  # what Cancel interrupts
        self._window = _Window(title, self.stop, picture) if interactive else None
        self.previews = interactive and picture
        Gimp.progress_init(self._said)

    def tell(self, text: str, fraction: float | None = None) -> None:
        self._say(text, fraction)

    def at(self, moment: Moment) -> None:
        self._say(moment, moment.fraction)

    def show(self, jpeg: bytes) -> None:
        self._jpeg = jpeg

    def begin_with(self, pixbuf) -> None:
        """What is to be worked on: seen until there is more. On the main thread."""
        if self._window and pixbuf is not None:
            self._window.draw(pixbuf)

    def _say(self, said: str | Moment, fraction: float | None) -> None:
        if not self.stopped:
            self._said, self._since = said, time.monotonic()
            self._fraction = self._fraction if fraction is None else fraction

    def stop(self) -> None:
        if self._stopped_at is None:
            self._say(_("Cancelling…"), None)
            self._stopped_at = time.monotonic()

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

        loop = GLib.MainLoop()
        shown: list = [None]

        def tick() -> bool:
            if self.stopped and self.target is not None:
                self.target.interrupt()  # again and again: between two calls it would be lost
            now = self._words(), self._fraction
            if shown[0] != now:
                shown[0] = now
                self._show(*now)
            self._tick()
            threads.tidy()
            if thread.is_alive() and not self._out_of_patience():
                return True
            loop.quit()
            return False

        thread = threads.start(guarded)
        GLib.timeout_add(TICK, tick)
        loop.run()
        threads.finished(thread)
        if self.stopped or thread.is_alive():
            raise Cancelled()
        if errors:
            raise errors[0]
        return done[0]

    def turn(self) -> None:
        """Let the window live while the main thread is at work."""
        if self._window:
            left = 10  # a window that always has something to do must not keep us
            while left and GLib.MainContext.default().iteration(False):
                left -= 1

    def close(self) -> None:
        Gimp.progress_end()
        if self._window:
            self._window.close()
            self.turn()  # it is gone before the result is placed

    def _words(self) -> str:
        said = self._said
        return said if isinstance(said, str) else words(said, time.monotonic() - self._since)

    def _show(self, text: str, fraction: float) -> None:
        Gimp.progress_set_text(text)
        Gimp.progress_update(fraction)
        if self._window:
            self._window.show(text, fraction)

    def _tick(self) -> None:
        """What is shown in our window alone."""
        if self._window is None:
            return
        self._window.show_seconds()
        if self._jpeg and time.monotonic() - self._drawn >= PREVIEW_SECONDS:
            jpeg, self._jpeg = self._jpeg, b""
            self._window.draw(_decoded(jpeg))
            self._drawn = time.monotonic()  # after: what takes long comes less often

    def _out_of_patience(self) -> bool:
        return self._stopped_at is not None and time.monotonic() - self._stopped_at > PATIENCE


def words(moment: Moment, since: float) -> str:
    """What a moment is called. since: s ago that it was told; the time left has run on."""
    if moment.stage is Stage.SENDING:
        return _("Sending the picture…")
    if moment.stage is Stage.WAITING:
        return _("Waiting for its turn (number {place})").format(place=moment.place)
    if moment.stage is Stage.BROKEN:
        return _("The connection broke; trying again…")
    if moment.stage is Stage.FETCHING:
        return _("Fetching the result…")
    left = moment.seconds_left - since
    if left >= 1:
        return _("Working… {time} left").format(time=about(left))
    return _("Working…") if moment.tries < 2 else _("Working… (started again)")


def about(seconds: float) -> str:
    """Seconds as people say them: no more exact than an estimate is."""
    if seconds < 20:
        return _("about {n} s").format(n=round(seconds))
    if seconds < 90:
        return _("about {n} s").format(n=5 * round(seconds / 5))
    return _("about {n} min").format(n=round(seconds / 60))


def _decoded(jpeg: bytes):
    """As a pixbuf that fits into PICTURE; None when it cannot be read: a preview is a courtesy."""
    from gi.repository import GdkPixbuf

    loader = GdkPixbuf.PixbufLoader()
    loader.connect("size-prepared", lambda loader, w, h: loader.set_size(*fitting(w, h)))
    try:
        loader.write(jpeg)
        loader.close()
    except GLib.Error:
        return None
    return loader.get_pixbuf()


def fitting(width: int, height: int, within: tuple[int, int] = PICTURE) -> tuple[int, int]:
    """The size of a picture that was made as large as `within` allows."""
    scale = min(within[0] / max(width, 1), within[1] / max(height, 1))
    return max(1, round(width * scale)), max(1, round(height * scale))


class _Window:
    """A small dialog of our own: GIMP's own Cancel would kill this process, and the server would not be told.

    Its size never changes, whatever is shown.
    """

    def __init__(self, title: str, stop: Callable[[], None], picture: bool) -> None:
        import gi

        gi.require_version("Gtk", "3.0")
        gi.require_version("GimpUi", "3.0")
        from gi.repository import GimpUi, Gtk, Pango

        GimpUi.init("plug-in-frisket")
        self._dialog = GimpUi.Dialog(title=title, role="frisket-progress", resizable=False)
        self._dialog.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
        self._picture = Gtk.Image(width_request=PICTURE[0], height_request=PICTURE[1])
        self._bar = Gtk.ProgressBar(width_request=360)
        self._label = Gtk.Label(xalign=0.0, ellipsize=Pango.EllipsizeMode.END)
        self._clock, self._began = Gtk.Label(xalign=1.0, width_chars=6), time.monotonic()
        line = Gtk.Box(spacing=12)
        line.pack_start(self._label, True, True, 0)
        line.pack_start(self._clock, False, False, 0)
        area = self._dialog.get_content_area()
        area.set_border_width(12)
        area.set_spacing(8)
        for widget in (self._picture, line, self._bar) if picture else (line, self._bar):
            area.pack_start(widget, False, False, 0)
        self._dialog.connect("response", lambda *_: stop())
        self._dialog.connect("delete-event", lambda *_: True)  # the response comes as well
        GimpUi.window_set_transient(self._dialog)  # else a click into GIMP's window hides it
        self._placed = self._dialog.connect("map-event", lambda *_: self._step_aside())
        self._dialog.show_all()

    def _step_aside(self) -> None:
        """Windows of jobs that run at once are all put into the same place."""
        self._dialog.disconnect(self._placed)
        x, y = self._dialog.get_position()
        aside = os.getpid() % 5 * ASIDE
        self._dialog.move(x + aside, y + aside)

    def show(self, text: str, fraction: float) -> None:
        self._label.set_text(text)
        self._label.set_tooltip_text(text)
        self._bar.set_fraction(min(1.0, max(0.0, fraction)))

    def show_seconds(self) -> None:
        minutes, seconds = divmod(int(time.monotonic() - self._began), 60)
        text = f"{minutes}:{seconds:02}"
        if text != self._clock.get_text():
            self._clock.set_text(text)

    def draw(self, pixbuf) -> None:
        """A picture that fits into PICTURE, or None."""
        if pixbuf is not None:
            self._picture.set_from_pixbuf(pixbuf)

    def close(self) -> None:
        self._dialog.destroy()
