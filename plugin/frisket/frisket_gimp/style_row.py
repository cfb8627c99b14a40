"""The line of the dialog where a style is chosen, kept under a name or deleted."""

from __future__ import annotations

import json
from collections.abc import Callable

import gi

from frisket.errors import FrisketError
from frisket_gimp import kept, styles
from frisket_gimp.languages import _, words_of

gi.require_version("Gtk", "3.0")
from gi.repository import Gtk  # noqa: E402


class StyleRow:
    """`box` is for the dialog. The name of the chosen style lies in the config's `style`."""

    def __init__(self, dialog, config) -> None:
        self._dialog, self._config = dialog, config
        self._folder = kept.folder() / "styles"
        self._styles: list[styles.Style] = []
        self._combo = Gtk.ComboBoxText()
        self._about = Gtk.Label(xalign=0.0, wrap=True, max_width_chars=60, no_show_all=True)
        self._delete = Gtk.MenuItem(label=_("Delete Style"))
        row = Gtk.Box(spacing=12)
        label = Gtk.Label(label=_("Sty_le"), use_underline=True, mnemonic_widget=self._combo)
        row.pack_start(label, False, False, 0)
        row.pack_start(self._combo, True, True, 0)
        row.pack_start(self._menu_button(), False, False, 0)
        self.box = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=3)
        self.box.pack_start(row, False, False, 0)
        self.box.pack_start(self._about, False, False, 0)
        self._fill()
        self._combo.connect("changed", lambda _combo: self._chosen())
        handler = config.connect("notify::style", lambda *_given: self._follow())  # the dialog's Reset
        dialog.connect("destroy", lambda _dialog: config.disconnect(handler))
        self.box.show_all()

    def _menu_button(self) -> Gtk.MenuButton:
        menu = Gtk.Menu()
        save = Gtk.MenuItem(label=_("Save as Style..."))
        save.connect("activate", lambda _item: self._told(self._save))
        self._delete.connect("activate", lambda _item: self._told(self._remove))
        for item in (save, self._delete):
            menu.append(item)
        menu.show_all()
        button = Gtk.MenuButton(popup=menu, relief=Gtk.ReliefStyle.NONE, tooltip_text=_("Save or delete a style"))
        button.get_accessible().set_name(_("Save or delete a style"))
        return button

    def _name(self) -> str:
        return (self._config.get_property("style") or "").strip()

    def _fill(self) -> None:
        """Also a name that means nothing any more: it is to be seen why a run is refused."""
        self._styles = styles.known(self._folder)
        self._combo.remove_all()
        self._combo.append("", _("None"))
        for style in self._styles:
            self._combo.append(style.name.casefold(), style.name)
        name = self._name()
        if name and not any(style.name.casefold() == name.casefold() for style in self._styles):
            self._combo.append(name.casefold(), name)
        self._follow()

    def _follow(self) -> None:
        self._combo.set_active_id(self._name().casefold())
        style = self._current()
        self._about.set_text(styles.summary(style) if style else "")
        self._about.set_visible(style is not None)
        self._delete.set_sensitive(style is not None and style.own)

    def _chosen(self) -> None:
        wanted = self._combo.get_active_id()
        if wanted is not None and wanted != self._name().casefold():
            self._config.set_property("style", self._combo.get_active_text() if wanted else "")

    def _current(self) -> styles.Style | None:
        return next((style for style in self._styles if style.name.casefold() == self._name().casefold()), None)

    def _save(self) -> None:
        """The settings as they are, with those of the style that is chosen in them."""
        name = self._asked_name()
        if not name:
            return
        names = ("prompt", "negative-prompt", "engine", "options")
        values = {key: self._config.get_property(key) or "" for key in names}
        style = self._current()
        if style:
            values = styles.applied(style, {**values, "prompt": styles.template(str(values["prompt"]))})
        try:
            options = json.loads(str(values["options"]) or "{}")
        except ValueError:
            options = {}
        prompt, avoid = styles.template(str(values["prompt"])), str(values["negative-prompt"]).strip()
        styles.save(styles.Style(name, prompt, avoid, str(values["engine"]).strip(), options), self._folder)
        self._config.set_property("style", name)
        self._config.set_property("prompt", "")  # it is in the style now, and would be said twice
        self._fill()

    def _remove(self) -> None:
        style = self._current()
        if style:
            styles.delete(style)
            self._config.set_property("style", "")
            self._fill()

    def _asked_name(self) -> str:
        asking = Gtk.Dialog(title=_("Save as Style"), transient_for=self._dialog, modal=True)
        asking.add_button(_("_Cancel"), Gtk.ResponseType.CANCEL)
        asking.add_button(_("_Save"), Gtk.ResponseType.OK)
        asking.set_default_response(Gtk.ResponseType.OK)
        entry = Gtk.Entry(activates_default=True, width_chars=30)
        row = Gtk.Box(spacing=12, margin=12)
        row.pack_start(Gtk.Label(label=_("_Name"), use_underline=True, mnemonic_widget=entry), False, False, 0)
        row.pack_start(entry, True, True, 0)
        asking.get_content_area().add(row)
        row.show_all()
        answer = asking.run()
        name = entry.get_text().strip()
        asking.destroy()
        return name if answer == Gtk.ResponseType.OK else ""

    def _told(self, work: Callable[[], None]) -> None:
        try:
            work()
        except FrisketError as error:
            note = Gtk.MessageDialog(transient_for=self._dialog, modal=True, buttons=Gtk.ButtonsType.CLOSE)
            title, cause, remedy = words_of(error)
            note.set_property("text", title)
            note.format_secondary_text(f"{cause}\n{remedy}")
            note.run()
            note.destroy()
