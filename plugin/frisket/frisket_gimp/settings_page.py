"""How the server of this computer is started, and what the plug-in remembers: a page of *Frisket Server*."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gi

from frisket.errors import FrisketError, ServerNotRunning
from frisket_gimp import kept, prompts, server, serving
from frisket_gimp.aside import Aside, in_words
from frisket_gimp.languages import _
from frisket_gimp.serving import Serving

gi.require_version("Gtk", "3.0")
from gi.repository import Gtk  # noqa: E402


class SettingsPage:
    """`widget` is for a window. address: of the server that is meant at the moment, empty = this computer's."""

    def __init__(self, address: Callable[[], str]) -> None:
        self._address, self._aside = address, Aside()
        self._serving = serving.of(kept.read(serving.FILE, {}))
        self._models = Gtk.Entry(hexpand=True, placeholder_text=_short(server.home() / "models"), width_chars=30)
        self._memory = Gtk.Entry(placeholder_text=_("all of it; or such as 10GB"))
        self._idle = Gtk.SpinButton.new_with_range(0, serving.MAX_MINUTES, 5)
        self._size = Gtk.SpinButton.new_with_range(1, serving.MAX_MEGAPIXELS, 1)
        self._checker = Gtk.CheckButton.new_with_mnemonic(_("Show nothing that a sa_fety checker has not looked at"))
        self._browse = Gtk.Button(label=_("_Browse..."), use_underline=True)
        self._apply = Gtk.Button(label=_("_Apply"), use_underline=True)
        self._restart = Gtk.Button(label=_("_Restart the Server"), use_underline=True)
        self._state = Gtk.Label(xalign=0.0, wrap=True, max_width_chars=70, selectable=True)
        self._remember = Gtk.CheckButton.new_with_mnemonic(_("Remember _prompts for the next dialog"))
        self._forget = Gtk.Button(label=_("F_orget Earlier Prompts"), use_underline=True)
        self._of_server = Gtk.Grid(row_spacing=8, column_spacing=12)
        self.widget = self._lay_out()
        self._fill()
        self._connect()

    def leave(self) -> None:
        """A restart goes on; nobody looks any more."""
        self._aside.leave()

    def refresh(self) -> None:
        """The page is looked at."""
        startable = not self._address() and server.can_start()
        self._of_server.set_sensitive(startable)
        if not startable:
            text = _("GIMP does not start this server; where it is started, `frisket serve --help` tells its options.")
            self._state.set_text(text)
            return
        self._models.grab_focus()
        self._state.set_text("")
        self._aside.do(lambda: server.reached("").close(), self._runs)

    def _lay_out(self) -> Gtk.Widget:
        rows = (
            (_("Fol_der of models"), self._models, self._browse),
            (_("_Graphics memory"), self._memory, None),
            (_("E_nd without work after"), self._idle, Gtk.Label(label=_("minutes; 0 = never"), xalign=0.0)),
            (_("_Largest region"), self._size, Gtk.Label(label=_("megapixels"), xalign=0.0)),
        )
        for row, (words, widget, beside) in enumerate(rows):
            label = Gtk.Label(label=words, use_underline=True, mnemonic_widget=widget, xalign=0.0)
            self._of_server.attach(label, 0, row, 1, 1)
            self._of_server.attach(widget, 1, row, 1, 1)
            if beside:
                self._of_server.attach(beside, 2, row, 1, 1)
        self._of_server.attach(self._checker, 0, len(rows), 3, 1)
        buttons = Gtk.ButtonBox(layout_style=Gtk.ButtonBoxStyle.START, spacing=8)
        buttons.add(self._apply)
        buttons.add(self._restart)
        self._of_server.attach(buttons, 0, len(rows) + 1, 3, 1)
        own = Gtk.Box(spacing=12)
        own.pack_start(self._remember, True, True, 0)
        own.pack_start(self._forget, False, False, 0)
        page = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=10, border_width=12)
        about = Gtk.Label(label=_("When GIMP starts the server on this computer:"), xalign=0.0)
        for widget in (about, self._of_server, self._state, Gtk.Separator(), own):
            page.pack_start(widget, False, False, 0)
        return page

    def _fill(self) -> None:
        self._models.set_text(self._serving.models)
        self._memory.set_text(self._serving.gpu_memory)
        self._idle.set_value(self._serving.idle_minutes)
        self._size.set_value(self._serving.megapixels)
        self._checker.set_active(self._serving.safety_checker)
        history = kept.read(prompts.FILE, {})
        self._remember.set_active(prompts.remembers(history))
        self._forget.set_sensitive(bool(prompts.forgotten(history) != history))
        self._apply.set_sensitive(False)
        self._restart.set_sensitive(False)

    def _connect(self) -> None:
        for entry in (self._models, self._memory):
            entry.connect("changed", lambda _entry: self._changed())
            entry.connect("activate", lambda _entry: self._keep())
        for spin in (self._idle, self._size):
            spin.connect("value-changed", lambda _spin: self._changed())
        self._checker.connect("toggled", lambda _button: self._changed())
        self._browse.connect("clicked", lambda _button: self._choose_folder())
        self._apply.connect("clicked", lambda _button: self._keep())
        self._restart.connect("clicked", lambda _button: self._start_anew())
        self._remember.connect("toggled", lambda button: self._keep_prompts(prompts.remembering, button.get_active()))
        self._forget.connect("clicked", lambda _button: self._keep_prompts(prompts.forgotten))

    def _set(self) -> Serving:
        return Serving(
            self._models.get_text(),
            self._memory.get_text(),
            self._idle.get_value_as_int(),
            self._size.get_value_as_int(),
            self._checker.get_active(),
        )

    def _changed(self) -> None:
        self._apply.set_sensitive(self._set() != self._serving)

    def _keep(self) -> None:
        try:
            wanted = serving.checked(self._set())
            kept.write(serving.FILE, serving.kept_as(wanted))
        except FrisketError as error:
            self._state.set_text(in_words(error))
            return
        self._serving = wanted
        self._fill()
        self._state.set_text(_("The server is started like this from now on."))
        self._aside.do(lambda: server.reached("").close(), self._runs)

    def _runs(self, found: object) -> None:
        self._restart.set_sensitive(not isinstance(found, ServerNotRunning))

    def _start_anew(self) -> None:
        self._restart.set_sensitive(False)
        self._state.set_text(_("Stopping: the job that runs is ended first…"))
        self._aside.do(server.restart, self._started)

    def _started(self, found: object) -> None:
        if isinstance(found, FrisketError):
            self._state.set_text(in_words(found))
        else:
            self._state.set_text(_("The server runs with these settings."))
        self._restart.set_sensitive(True)

    def _choose_folder(self) -> None:
        asking = Gtk.FileChooserDialog(
            title=_("Folder of Models"),
            transient_for=self.widget.get_toplevel(),
            action=Gtk.FileChooserAction.SELECT_FOLDER,
        )
        asking.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
        asking.add_button(_("_Open"), Gtk.ResponseType.OK)
        asking.set_current_folder(self._models.get_text() or str(server.home()))
        if asking.run() == Gtk.ResponseType.OK:
            self._models.set_text(asking.get_filename() or "")
        asking.destroy()

    def _keep_prompts(self, change: Callable[..., dict[str, object]], *given: object) -> None:
        try:
            kept.write(prompts.FILE, change(kept.read(prompts.FILE, {}), *given))
        except FrisketError as error:
            self._state.set_text(in_words(error))
            return
        history = kept.read(prompts.FILE, {})
        self._forget.set_sensitive(prompts.forgotten(history) != history)


def _short(path: Path) -> str:
    """As it may be typed: ~ is the user's own folder."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)
