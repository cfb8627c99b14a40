"""*Frisket Server*: which one does the work, how it is, and the models that it has or could have."""

from __future__ import annotations

import gi
from gi.repository import Gimp

from frisket.client.link import is_link, parse
from frisket.errors import FrisketError
from frisket_gimp import kept, procedure, server, threads
from frisket_gimp.actions import Command
from frisket_gimp.aside import Aside, in_words
from frisket_gimp.languages import _

gi.require_version("Gtk", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import GimpUi, GLib, Gtk  # noqa: E402

POLL = 3000  # ms between looks at the server


def run(command: Command, called, run_mode, image, drawables, config):
    """GIMP's run function. Without a window: `server` becomes the one that all actions use, empty = this computer's."""

    def work() -> list:
        if run_mode == Gimp.RunMode.INTERACTIVE:
            GimpUi.init("plug-in-frisket")
            _Window().run()
        else:
            choose((config.get_property("server") or "").strip())
        return []

    return procedure.answered(called, work)


def choose(address: str) -> None:
    """Keep it as what actions use when they are told nothing else. Raises LinkInvalid, SettingsUnwritable."""
    if is_link(address):
        parse(address)
    kept.write(kept.SERVER, {"address": address})


class _Window:
    def __init__(self) -> None:
        self._aside, self._loop = Aside(), GLib.MainLoop()
        self._address = kept.server_address("")
        self._dialog = GimpUi.Dialog(title=_("Frisket Server"), role="frisket-server")
        self._dialog.add_button(_("_Close"), Gtk.ResponseType.CLOSE)
        self._here = Gtk.RadioButton.new_with_mnemonic(None, _("On _this computer"))
        self._there = Gtk.RadioButton.new_with_mnemonic_from_widget(self._here, _("On _another one:"))
        self._entry = Gtk.Entry(text=self._address, hexpand=True, activates_default=False)
        self._entry.set_placeholder_text(_("the line that `frisket serve` prints there, or host:port"))
        self._state = Gtk.Label(xalign=0.0, yalign=0.0, wrap=True, max_width_chars=70, width_chars=70, selectable=True)
        self._start = Gtk.Button(label=_("_Start"), use_underline=True)
        self._stop = Gtk.Button(label=_("St_op"), use_underline=True)
        self._lay_out()
        (self._there if self._address else self._here).set_active(True)
        self._connect()
        GimpUi.window_set_transient(self._dialog)
        self._dialog.show_all()
        self._show_which()

    def run(self) -> None:
        self._look()
        timer = GLib.timeout_add(POLL, self._look)
        self._loop.run()
        GLib.source_remove(timer)
        self._aside.leave()
        self._models.leave()
        self._settings.leave()
        self._dialog.destroy()

    def _lay_out(self) -> None:
        from frisket_gimp.models_page import ModelsPage  # they need this module's siblings only, but Gtk first
        from frisket_gimp.settings_page import SettingsPage

        grid = Gtk.Grid(row_spacing=8, column_spacing=12, border_width=12)
        grid.attach(self._here, 0, 0, 2, 1)
        grid.attach(self._there, 0, 1, 1, 1)
        grid.attach(self._entry, 1, 1, 1, 1)
        grid.attach(self._state, 0, 2, 2, 1)
        buttons = Gtk.ButtonBox(layout_style=Gtk.ButtonBoxStyle.START, spacing=8)
        buttons.add(self._start)
        buttons.add(self._stop)
        grid.attach(buttons, 0, 3, 2, 1)
        about = _("It is started when an action needs it, and goes on after GIMP has ended: so do its jobs.")
        self._about = Gtk.Label(label=about, xalign=0.0, wrap=True, max_width_chars=70)
        grid.attach(self._about, 0, 4, 2, 1)
        self._models = ModelsPage(lambda: self._address)
        self._settings = SettingsPage(lambda: self._address)
        book = Gtk.Notebook()
        book.append_page(grid, Gtk.Label.new_with_mnemonic(_("_Server")))
        book.append_page(self._models.widget, Gtk.Label.new_with_mnemonic(_("_Models")))
        book.append_page(self._settings.widget, Gtk.Label.new_with_mnemonic(_("S_ettings")))
        pages = (self._look, self._models.refresh, self._settings.refresh)
        book.connect("switch-page", lambda _book, _page, number: pages[number]())
        area = self._dialog.get_content_area()
        area.set_border_width(12)
        area.pack_start(book, True, True, 0)

    def _connect(self) -> None:
        self._here.connect("toggled", lambda _button: self._show_which())
        self._entry.connect("activate", lambda _entry: self._use(self._entry.get_text().strip()))
        self._entry.connect("changed", lambda _entry: self._typed())
        self._start.connect("clicked", lambda _button: self._start_one())
        self._stop.connect("clicked", lambda _button: self._stop_one())
        self._dialog.connect("response", lambda *_: self._loop.quit())
        self._dialog.connect("delete-event", lambda *_: True)  # the response comes as well

    def _show_which(self) -> None:
        """After one of the two was chosen: this computer's is used at once, another one when its line is there."""
        here = self._here.get_active()
        self._entry.set_sensitive(not here)
        for widget in (self._start, self._stop, self._about):
            widget.set_visible(here)
        self._use("" if here else self._entry.get_text().strip())

    def _typed(self) -> None:
        text = self._entry.get_text().strip()
        if is_link(text):  # pasted whole
            self._use(text)

    def _use(self, address: str) -> None:
        if self._there.get_active() and not address:
            self._state.set_text(_("Run `frisket serve --listen 0.0.0.0:7411` there, and paste the line it prints."))
            return
        try:
            choose(address)
        except FrisketError as error:
            self._state.set_text(in_words(error))
            return
        self._address = address
        self._state.set_text(_("Looking for the Frisket server…"))
        self._models.forget()
        self._look()

    def _look(self) -> bool:
        threads.tidy()
        address = self._address
        if self._here.get_active() or address:
            self._aside.do(lambda: server.report(address), lambda found: self._show(address, found))
        return True

    def _show(self, address: str, found: server.Report | FrisketError) -> None:
        if address != self._address:
            return  # of another one, which is not asked about any more
        if isinstance(found, FrisketError):
            self._state.set_text(in_words(found))
        else:
            self._state.set_text(_words(found))
        alive = isinstance(found, server.Report)
        self._start.set_sensitive(not alive and server.can_start())
        self._stop.set_sensitive(alive and server.can_start())

    def _start_one(self) -> None:
        self._start.set_sensitive(False)
        self._state.set_text(_("Starting the Frisket server…"))
        self._aside.do(server.start, lambda found: self._done(found))

    def _stop_one(self) -> None:
        self._stop.set_sensitive(False)
        self._state.set_text(_("Stopping: the job that runs is ended first…"))
        self._aside.do(server.stop, lambda found: self._done(found))

    def _done(self, found: object) -> None:
        if isinstance(found, FrisketError):
            self._state.set_text(in_words(found))
        else:
            self._look()


def _words(found: server.Report) -> str:
    """A server that answers, in a few lines."""
    lines = [_("Frisket {version} at {address}").format(version=found.version, address=found.address)]
    lines.append(_("Ready.") if found.ready else _("It is warming up; jobs are taken all the same."))
    lines.append(_("Engines: {names}").format(names=", ".join(found.engines)))
    lines += [f"{name}: {why}" for name, why in found.broken.items()]
    lines.append(_("Jobs: {running} running, {waiting} waiting").format(running=found.running, waiting=found.waiting))
    return "\n".join(lines)
