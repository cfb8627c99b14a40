"""A prompt's field beside typing: the words of earlier runs, by a menu and by keys, and Ctrl+Enter to run."""

from __future__ import annotations

import contextlib

import gi

from frisket.errors import SettingsUnwritable
from frisket_gimp import kept, prompts
from frisket_gimp.languages import _

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
from gi.repository import Gdk, Gtk  # noqa: E402

WIDEST = 70  # characters of an entry of the menu


class PromptField:
    """Of a text view that the dialog has made. `button` is for the line of its label.

    Alt+Down opens the menu, Ctrl+Up goes to an older prompt and Ctrl+Down to a newer one, at last to the one typed.
    """

    def __init__(self, dialog, view, task: str, field: str) -> None:
        self._dialog, self._view, self._task, self._field = dialog, view, task, field
        self._words = prompts.earlier(kept.read(prompts.FILE, {}), task, field)
        self._at, self._typed = -1, ""
        self._menu = Gtk.Menu()
        self.button = Gtk.MenuButton(popup=self._menu, relief=Gtk.ReliefStyle.NONE, tooltip_text=_("Earlier prompts"))
        self.button.get_accessible().set_name(_("Earlier prompts"))
        self._fill()
        view.connect("key-press-event", self._pressed)

    def _fill(self) -> None:
        for text in self._words:
            line = " ".join(text.split())
            item = Gtk.MenuItem(label=line if len(line) <= WIDEST else line[: WIDEST - 1] + "…", tooltip_text=text)
            item.connect("activate", lambda _item, chosen=text: self._choose(chosen))
            self._menu.append(item)
        self._menu.append(Gtk.SeparatorMenuItem())
        clear = Gtk.MenuItem(label=_("Clear History"))
        clear.connect("activate", lambda _item: self._clear())
        self._menu.append(clear)
        self._menu.show_all()
        self.button.set_sensitive(bool(self._words))

    def _choose(self, text: str) -> None:
        replaced = self._text().strip()
        if replaced and replaced not in self._words:
            self._words.insert(0, replaced)
            self._write(prompts.with_run(kept.read(prompts.FILE, {}), self._task, {self._field: replaced}))
        self._show(text)
        self._view.grab_focus()

    def _clear(self) -> None:
        self._words, self._at = [], -1
        self._write(prompts.cleared(kept.read(prompts.FILE, {}), self._task, self._field))
        self.button.set_sensitive(False)

    def _write(self, history: dict) -> None:
        with contextlib.suppress(SettingsUnwritable):  # the next run tells nothing either: a courtesy
            kept.write(prompts.FILE, history)

    def _pressed(self, _view, event) -> bool:
        held = event.state & Gtk.accelerator_get_default_mod_mask()
        control, alt = held == Gdk.ModifierType.CONTROL_MASK, held == Gdk.ModifierType.MOD1_MASK
        if control and event.keyval in (Gdk.KEY_Return, Gdk.KEY_KP_Enter):
            self._dialog.response(Gtk.ResponseType.OK)
        elif control and event.keyval == Gdk.KEY_Up:
            self._walk(1)
        elif control and event.keyval == Gdk.KEY_Down:
            self._walk(-1)
        elif alt and event.keyval == Gdk.KEY_Down and self._words:
            below = (Gdk.Gravity.SOUTH_WEST, Gdk.Gravity.NORTH_WEST)
            self._menu.popup_at_widget(self.button, *below, event)
            self._menu.select_first(False)
        else:
            return False
        return True

    def _walk(self, step: int) -> None:
        if self._at < 0:
            self._typed = self._text()
        at = self._at + step
        if -1 <= at < len(self._words):
            self._at = at
            self._show(self._typed if at < 0 else self._words[at])

    def _text(self) -> str:
        buffer = self._view.get_buffer()
        return buffer.get_text(buffer.get_start_iter(), buffer.get_end_iter(), False)

    def _show(self, text: str) -> None:
        self._view.get_buffer().set_text(text)
