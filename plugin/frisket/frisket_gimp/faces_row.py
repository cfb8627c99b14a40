"""The line of the dialog that says which faces are meant, and the window where they are chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import gi

from frisket.errors import FrisketError
from frisket.raster.geometry import Box
from frisket_gimp import settings
from frisket_gimp.aside import Aside, in_words
from frisket_gimp.faces import Look
from frisket_gimp.languages import _

gi.require_version("Gtk", "3.0")
from gi.repository import GLib, Gtk  # noqa: E402

A_ROW = 5  # faces beside each other
ROOM = 620, 280  # px for them; more scroll
BAR = 20  # px of a scroll bar


class FacesRow:
    """`box` is for the dialog. The chosen faces lie in the config's `faces`; none = all."""

    def __init__(self, dialog, config, look: Callable[[], Look]) -> None:
        self._dialog, self._config, self._look = dialog, config, look
        self._about = Gtk.Label(xalign=0.0)
        button = Gtk.Button(label=_("Choose _Faces..."), use_underline=True)
        button.connect("clicked", lambda _button: self._choose())
        self.box = Gtk.Box(spacing=12)
        self.box.pack_start(Gtk.Label(label=_("Faces"), xalign=0.0), False, False, 0)
        self.box.pack_start(self._about, True, True, 0)
        self.box.pack_start(button, False, False, 0)
        handler = config.connect("notify::faces", lambda *_given: self._follow())  # the dialog's Reset
        dialog.connect("destroy", lambda _dialog: config.disconnect(handler))
        self._follow()
        self.box.show_all()

    def _follow(self) -> None:
        text = self._config.get_property("faces") or ""
        number = len(text.split())
        self._about.set_text(_("Chosen: {n}").format(n=number) if number else _("All that are found"))

    def _choose(self) -> None:
        chosen = _Window(self._dialog, self._look, self._config.get_property("faces") or "").run()
        if chosen is not None:
            self._config.set_property("faces", settings.faces_as(chosen))


class _Window:
    """chosen: those that were chosen before, as `settings.faces_as` has them."""

    def __init__(self, parent, look: Callable[[], Look], chosen: str) -> None:
        self._begin, self._chosen, self._aside = look, chosen.split(), Aside()
        self._faces: Sequence[Box] = ()
        self._checks: list[Gtk.CheckButton] = []
        self._dialog = Gtk.Dialog(title=_("Choose Faces"), transient_for=parent, modal=True)
        self._dialog.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
        self._ok = self._dialog.add_button(_("_OK"), Gtk.ResponseType.OK)
        self._ok.set_sensitive(False)
        self._dialog.set_default_response(Gtk.ResponseType.OK)
        self._grid = Gtk.Grid(row_spacing=12, column_spacing=12, margin=6)
        self._scroll = Gtk.ScrolledWindow(no_show_all=True, hscrollbar_policy=Gtk.PolicyType.NEVER)
        self._scroll.add(self._grid)
        self._grid.set_focus_vadjustment(self._scroll.get_vadjustment())
        self._about = Gtk.Label(label=_("Looking for faces…"), xalign=0.0, wrap=True, max_width_chars=60)
        area = self._dialog.get_content_area()
        area.set_border_width(12)
        area.set_spacing(12)
        area.pack_start(self._scroll, True, True, 0)
        area.pack_start(self._about, False, False, 0)
        self._dialog.show_all()

    def run(self) -> list[Box] | None:
        """Those that are chosen, none where it is all of them; None when the window was left."""
        GLib.idle_add(self._start)
        answer = self._dialog.run()
        self._aside.leave()
        picked = [face for face, check in zip(self._faces, self._checks, strict=True) if check.get_active()]
        self._dialog.destroy()
        if answer != Gtk.ResponseType.OK:
            return None
        return [] if len(picked) == len(self._faces) else picked

    def _start(self) -> bool:
        """Once the window is there: reading a large picture takes a moment."""
        if not self._aside.gone:
            try:
                look = self._begin()
            except FrisketError as error:
                self._about.set_text(in_words(error))
            else:
                self._aside.do(look.find, lambda found: self._show(look, found))
        return False

    def _show(self, look: Look, found: Sequence[Box] | FrisketError) -> None:
        if isinstance(found, FrisketError):
            self._about.set_text(in_words(found))
            return
        if not found:
            self._about.set_text(_("There is no face, or none that is large and clear enough."))
            return
        self._faces = found
        for number, (face, picture) in enumerate(zip(found, look.pictures(found), strict=True)):
            self._grid.attach(self._check(face, picture), number % A_ROW, number // A_ROW, 1, 1)
        self._grid.show_all()
        wide, high = self._grid.get_preferred_width()[1], self._grid.get_preferred_height()[1]
        self._scroll.set_size_request(min(wide + BAR, ROOM[0]), min(high, ROOM[1]))
        self._scroll.show()
        self._checks[0].grab_focus()
        self._count()

    def _check(self, face: Box, picture) -> Gtk.CheckButton:
        word = settings.faces_as([face])
        check = Gtk.CheckButton(active=not self._chosen or word in self._chosen)
        about = _("{size} px").format(size=face.size)
        check.add(Gtk.Image.new_from_pixbuf(picture) if picture else Gtk.Label(label=about))
        check.set_tooltip_text(about)
        check.get_accessible().set_name(about)
        check.connect("toggled", lambda _check: self._count())
        self._checks.append(check)
        return check

    def _count(self) -> None:
        number = sum(check.get_active() for check in self._checks)
        self._about.set_text(_("{n} of {all}").format(n=number, all=len(self._checks)))
        self._ok.set_sensitive(number > 0)
