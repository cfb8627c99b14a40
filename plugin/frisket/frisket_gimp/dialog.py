"""The dialog: what to paint, how often, from which seed; the rest folded away."""

from __future__ import annotations

import gi

from frisket.errors import Cancelled

gi.require_version("Gtk", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import GimpUi, Gtk  # noqa: E402


def ask(procedure, config) -> None:
    """Let the user change `config`. Raises Cancelled."""
    GimpUi.init("plug-in-frisket")
    dialog = GimpUi.ProcedureDialog.new(procedure, config, "Fill selection")
    prompt = _words(dialog, "prompt", "_Prompt (empty: continue the surroundings)", 64)
    _words(dialog, "negative-prompt", "_Avoid", 40)
    for name in ("seed", "count", "context", "grow", "feather"):
        dialog.get_widget(name, GimpUi.LabelSpin.__gtype__)
    dialog.set_sensitive("seed", True, config, "random-seed", True)  # greyed while each run gets a new one
    seed = dialog.fill_box("seed-box", ["random-seed", "seed"])
    seed.set_orientation(Gtk.Orientation.HORIZONTAL)
    seed.set_spacing(12)
    dialog.fill_box("main", ["prompt-label", "prompt-scroll", "seed-box", "count", "context"])
    folded = ["negative-prompt-label", "negative-prompt-scroll", "grow", "feather", "sample-merged", "engine", "server"]
    dialog.fill_box("folded-box", folded)
    dialog.get_label("folded-label", "Advanced", False, False)
    dialog.fill_expander("folded", "folded-label", False, "folded-box")
    dialog.fill(["main", "folded"])
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
