"""The dialog: what to paint, how often, from which seed, by which engine; the rest folded away."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import gi

from frisket.errors import Cancelled, FrisketError

gi.require_version("Gtk", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import GimpUi, GLib, Gtk  # noqa: E402

T = TypeVar("T")
SETTLED = 300  # ms without a change after which the server is asked
CHANGES_THE_PLAN = ("count", "context", "grow", "feather", "sample-merged", "engine", "server")


def ask(
    procedure, config, estimate: Callable[[], Callable[[], str]], engines: Callable[[], Callable[[], list[str]]]
) -> None:
    """Let the user change `config`. Raises Cancelled.

    estimate: called here with the settings as they are, gives what is run off the main thread to get a line to show.
    engines: likewise, for the names to choose from.
    """
    GimpUi.init("plug-in-frisket")
    dialog = GimpUi.ProcedureDialog.new(procedure, config, "Fill Selection")
    prompt = _words(dialog, "prompt", "_Prompt (empty: continue the surroundings)", 64)
    _words(dialog, "negative-prompt", "_Avoid", 40)
    for name in ("seed", "count", "context", "grow", "feather"):
        dialog.get_widget(name, GimpUi.LabelSpin.__gtype__)
    dialog.set_sensitive("seed", True, config, "random-seed", True)  # greyed while each run gets a new one
    seed = dialog.fill_box("seed-box", ["random-seed", "seed"])
    seed.set_orientation(Gtk.Orientation.HORIZONTAL)
    seed.set_spacing(12)
    dialog.fill_box("main", ["prompt-label", "prompt-scroll", "seed-box", "count", "context"])
    folded = ["negative-prompt-label", "negative-prompt-scroll", "grow", "feather", "sample-merged", "server"]
    dialog.fill_box("folded-box", folded)
    dialog.get_label("folded-label", "Advanced", False, False)
    dialog.fill_expander("folded", "folded-label", False, "folded-box")
    dialog.fill(["main", "folded"])
    _add_engines(dialog, config, engines)
    _add_estimate(dialog, config, estimate)
    dialog.set_ok_label("_Fill")
    prompt.grab_focus()  # else the button has it, and the first blank of a prompt presses it
    accepted = dialog.run()
    dialog.destroy()
    if not accepted:
        raise Cancelled()


def _words(dialog, name: str, title: str, height: int):
    """A text field of several lines, with a label."""
    view = dialog.get_widget(name, Gtk.TextView.__gtype__)
    view.set_wrap_mode(Gtk.WrapMode.WORD_CHAR)
    view.set_accepts_tab(False)
    dialog.get_label(f"{name}-label", title, False, True).set_xalign(0)
    scroll = dialog.fill_scrolled_window(f"{name}-scroll", name)
    scroll.set_shadow_type(Gtk.ShadowType.IN)
    scroll.set_size_request(420, height)
    return view


def _add_engines(dialog, config, engines: Callable[[], Callable[[], list[str]]]) -> None:
    """A name to type or to choose, among those that the server has told; empty = the server's choice."""
    combo = Gtk.ComboBoxText.new_with_entry()
    entry = combo.get_child()
    entry.set_text(config.get_property("engine") or "")
    entry.set_placeholder_text("the server's choice")
    completion = Gtk.EntryCompletion(model=combo.get_model(), inline_completion=True, popup_completion=False)
    completion.set_text_column(0)
    entry.set_completion(completion)
    label = Gtk.Label(label="_Engine", use_underline=True, mnemonic_widget=entry)
    row = Gtk.Box(spacing=12, margin_start=12, margin_end=12)
    row.pack_start(label, False, False, 0)
    row.pack_start(combo, True, True, 0)
    dialog.get_content_area().pack_start(row, False, False, 0)
    row.show_all()
    gone: list[bool] = []

    def show(names: list[str]) -> bool:
        for name in [] if gone else names:
            combo.append_text(name)
        return False

    def typed(_) -> None:
        if entry.get_text() != (config.get_property("engine") or ""):
            config.set_property("engine", entry.get_text())

    def changed(*_) -> None:  # by the dialog's Reset
        if entry.get_text() != (config.get_property("engine") or ""):
            entry.set_text(config.get_property("engine") or "")

    def leave(*_) -> None:
        gone.append(True)
        config.disconnect(handler)

    entry.connect("changed", typed)
    handler = config.connect("notify::engine", changed)
    dialog.connect("destroy", leave)
    work = engines()
    threading.Thread(target=lambda: GLib.idle_add(show, _quietly(work, [])), daemon=True).start()


def _add_estimate(dialog, config, estimate: Callable[[], Callable[[], str]]) -> None:
    """A line about what the server would do, asked for again whenever a setting that matters was changed."""
    label = Gtk.Label(xalign=0.0, wrap=True, margin_start=12, margin_end=12)
    dialog.get_content_area().pack_start(label, False, False, 0)
    label.show()
    waiting: list[int] = []
    gone: list[bool] = []

    def show(text: str) -> bool:
        if not gone:
            label.set_text(text)
        return False

    def ask_server() -> bool:
        waiting.clear()
        try:
            work = estimate()
        except FrisketError as error:
            return show(error.cause)
        threading.Thread(target=lambda: GLib.idle_add(show, _quietly(work, "")), daemon=True).start()
        return False

    def later(*_) -> None:
        stop_waiting()
        waiting.append(GLib.timeout_add(SETTLED, ask_server))

    def stop_waiting() -> None:
        while waiting:
            GLib.source_remove(waiting.pop())

    handlers = [config.connect(f"notify::{name}", later) for name in CHANGES_THE_PLAN]

    def leave(*_) -> None:
        gone.append(True)
        stop_waiting()
        for handler in handlers:
            config.disconnect(handler)

    dialog.connect("destroy", leave)
    later()


def _quietly(work: Callable[[], T], otherwise: T) -> T:
    """What is shown is a courtesy: what goes wrong is told when it matters."""
    try:
        return work()
    except FrisketError:
        return otherwise
