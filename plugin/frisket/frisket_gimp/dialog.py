"""The dialog of an action, from its row in the table; the engine's own parameters as the server describes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import gi

from frisket.errors import Cancelled, FrisketError
from frisket.raster.geometry import Size
from frisket.rpc.stubs.models_pb2 import Engine
from frisket_gimp import settings, threads
from frisket_gimp.actions import Action
from frisket_gimp.arguments import AUTOMATIC, Argument, Kind
from frisket_gimp.faces import Look
from frisket_gimp.faces_row import FacesRow
from frisket_gimp.languages import _, plain, words_of
from frisket_gimp.options import Options
from frisket_gimp.prompt_field import PromptField
from frisket_gimp.style_row import StyleRow

gi.require_version("Gtk", "3.0")
gi.require_version("Gdk", "3.0")
gi.require_version("GimpUi", "3.0")
from gi.repository import Gdk, GimpUi, GLib, GObject, Gtk  # noqa: E402

T = TypeVar("T")
SETTLED = 300  # ms without a change after which the server is asked
OTHER_PARTS = 270  # px of a dialog that are not scrolled: its title, the lines about the plan, the buttons
EXTENT = ("aspect", "anchor", "unit", *settings.SIDES)
PLANS_NOTHING = ("negative-prompt", "random-seed", "seed", "into", "operation")


def ask(
    action: Action,
    procedure,
    config,
    canvas: Size,
    estimate: Callable[[], Callable[[], str]],
    engines: Callable[[], Callable[[], list[Engine]]],
    look: Callable[[], Look],
) -> None:
    """Let the user change `config`. Raises Cancelled.

    estimate: called here with the settings as they are, gives what is run off the main thread to get a line to show.
    engines: likewise, for those to choose from, the server's own choice first. look: for the faces in the picture.
    """
    GimpUi.init("plug-in-frisket")
    dialog = GimpUi.ProcedureDialog.new(procedure, config, plain(_(action.label)))
    shown: dict[str, Any] = {argument.name: _widget(dialog, action, argument) for argument in action.arguments}
    boxes = _lines(dialog, config, shown, action.task)
    dialog.fill_box("main", [*(boxes[name] for name in action.main if boxes[name])])
    dialog.fill_box("folded-box", [*(boxes[name] for name in (*action.folded, "server") if boxes[name])])
    dialog.get_label("folded-label", _("Advanced"), False, False)
    dialog.fill_expander("folded", "folded-label", False, "folded-box")
    everything = dialog.fill_box("everything", ["main", "folded"])
    _scrolled(dialog, everything)
    if "faces" in shown:
        row = FacesRow(dialog, config, look).box
        everything.pack_start(row, False, False, 0)
        everything.reorder_child(row, 1)  # before what is folded
    _add_engines(dialog, everything, config, engines)
    if "aspect" in shown:
        _add_extent(dialog, config, shown, canvas)
    _add_estimate(dialog, action, config, estimate)
    dialog.set_ok_label(_(action.button))
    dialog.set_default_response(Gtk.ResponseType.OK)
    if "prompt" in action.main:
        shown["prompt"].grab_focus()  # else the button has it, and the first blank of a prompt presses it
    accepted = dialog.run()
    dialog.destroy()
    if not accepted:
        raise Cancelled()


def _widget(dialog, action: Action, argument: Argument):
    """The argument's widget, made known to the dialog under its name; None for what has one of its own."""
    if argument.kind is Kind.WORDS:
        label, height = (_(action.words), 64) if argument.name == "prompt" else (_(argument.label), 40)
        return _words(dialog, argument.name, label, height)
    if argument.kind is Kind.WHOLE:
        widget = dialog.get_widget(argument.name, GimpUi.LabelSpin.__gtype__)
        if argument.low == AUTOMATIC:
            _say_automatic(widget)
        return widget
    if argument.kind is Kind.SHARE:
        return dialog.get_scale_entry(argument.name, 1.0)
    if argument.kind is Kind.CHOICE:
        return dialog.get_widget(argument.name, GObject.TYPE_NONE)  # GIMP's own choice
    return None


def _say_automatic(widget) -> None:
    """The number's field says what it means where it is the one that stands for automatic."""
    spin = next(child for child in widget.get_children() if isinstance(child, Gtk.SpinButton))

    def show(_spin) -> bool:
        if spin.get_value_as_int() != AUTOMATIC:
            return False
        if spin.get_text() != _("automatic"):
            spin.set_text(_("automatic"))
        return True

    spin.set_numeric(False)  # else it takes no letters
    spin.set_update_policy(Gtk.SpinButtonUpdatePolicy.IF_VALID)  # the word is no number: the value stays
    spin.set_width_chars(10)
    spin.connect("output", show)
    spin.update()


def _scrolled(dialog, everything) -> None:
    """So that nothing lies beyond a small screen, whatever is unfolded."""
    scroll = dialog.fill_scrolled_window("everything-scroll", "everything")
    screen = Gdk.Display.get_default().get_monitor(0).get_workarea()
    scroll.set_policy(Gtk.PolicyType.NEVER, Gtk.PolicyType.AUTOMATIC)
    scroll.set_propagate_natural_height(True)
    limit = screen.height - OTHER_PARTS
    scroll.set_max_content_height(limit)

    def fit() -> bool:  # what is unfolded is seen, as far as there is room
        scroll.set_min_content_height(min(everything.get_preferred_height()[1], limit))
        return False

    everything.connect("size-allocate", lambda *_given: GLib.idle_add(fit))
    everything.set_focus_vadjustment(scroll.get_vadjustment())  # Tab brings what it comes to into sight
    dialog.fill(["everything-scroll"])


def _add_extent(dialog, config, shown, canvas: Size) -> None:
    """A line with the new size; what the chosen ratio makes meaningless is greyed."""
    label = Gtk.Label(xalign=0.0)
    dialog.get_content_area().pack_start(label, False, False, 0)
    label.show()

    def follow(*_given) -> None:
        values = {name: config.get_property(name) for name in EXTENT}
        by_sides = values["aspect"] == "sides"
        for name in EXTENT[1:]:
            shown[name].set_sensitive(by_sides != (name == "anchor"))
        sides = settings.added(values, canvas)
        size = Size(canvas.width + sides["left"] + sides["right"], canvas.height + sides["top"] + sides["bottom"])
        label.set_text(_("The canvas of {old} px becomes {new} px.").format(old=canvas, new=size))

    handlers = [config.connect(f"notify::{name}", follow) for name in EXTENT]
    dialog.connect("destroy", lambda _dialog: [config.disconnect(handler) for handler in handlers])
    follow()


def _lines(dialog, config, shown, task: str) -> dict[str, str]:
    """What is put into the dialog for each argument; two that belong together share a line, under the first one."""
    lines = {name: "" if name in ("style", "faces") else name for name in shown}
    for name in ("prompt", "negative-prompt"):
        if name in shown:
            box = dialog.fill_box(f"{name}-box", [f"{name}-label", f"{name}-scroll"])
            _add_history(dialog, box, shown[name], task, name)
            if name == "prompt" and "style" in shown:
                row = StyleRow(dialog, config).box
                box.pack_start(row, False, False, 0)
                box.reorder_child(row, 0)
            lines[name] = f"{name}-box"
    for first, second in (("random-seed", "seed"), ("left", "right"), ("top", "bottom")):
        if first in shown:
            pair = dialog.fill_box(f"{first}-box", [first, second])
            pair.set_orientation(Gtk.Orientation.HORIZONTAL)
            pair.set_spacing(12)
            lines[first], lines[second] = f"{first}-box", ""
    if "seed" in shown:
        dialog.set_sensitive("seed", True, config, "random-seed", True)  # greyed while each run gets a new one
    return lines


def _add_history(dialog, box, view, task: str, name: str) -> None:
    """Beside the field's label."""
    label = box.get_children()[0]
    box.remove(label)
    line = Gtk.Box()
    line.pack_start(label, True, True, 0)
    line.pack_start(PromptField(dialog, view, task, name).button, False, False, 0)
    box.pack_start(line, False, False, 0)
    box.reorder_child(line, 0)
    line.show_all()


def _words(dialog, name: str, title: str, height: int):
    """A text field of several lines, with a label."""
    view = dialog.get_widget(name, Gtk.TextView.__gtype__)
    view.set_wrap_mode(Gtk.WrapMode.WORD_CHAR)
    view.set_accepts_tab(False)
    # No mnemonic: it has the keyboard at first, and a second letter P would keep the button's from pressing it.
    dialog.get_label(f"{name}-label", plain(title), False, False).set_xalign(0)
    scroll = dialog.fill_scrolled_window(f"{name}-scroll", name)
    scroll.set_shadow_type(Gtk.ShadowType.IN)
    scroll.set_size_request(420, height)
    return view


def _add_engines(dialog, everything, config, engines: Callable[[], Callable[[], list[Engine]]]) -> None:
    """A name to type or to choose, among those that the server has told, and the options of the one chosen; empty = the
    server's choice."""
    combo = Gtk.ComboBoxText.new_with_entry()
    entry = combo.get_child()
    entry.set_text(config.get_property("engine") or "")
    entry.set_placeholder_text(_("the server's choice"))
    entry.set_activates_default(True)
    completion = Gtk.EntryCompletion(model=combo.get_model(), inline_completion=True, popup_completion=False)
    completion.set_text_column(0)
    entry.set_completion(completion)
    label = Gtk.Label(label=_("_Engine"), use_underline=True, mnemonic_widget=entry)
    row = Gtk.Box(spacing=12)
    row.pack_start(label, False, False, 0)
    row.pack_start(combo, True, True, 0)
    options = Options(config)
    everything.pack_start(row, False, False, 0)
    everything.pack_start(options.expander, False, False, 0)
    row.show_all()
    gone: list[bool] = []
    known: list[Engine] = []

    def show(told: list[Engine]) -> bool:
        for engine in [] if gone else told:
            combo.append_text(engine.id)
            known.append(engine)
        chosen()
        return False

    def chosen() -> None:
        wanted = entry.get_text().strip()
        if known and not gone:  # else nothing is known of what an engine takes
            options.show(next((e for e in known if not wanted or e.id == wanted), None))

    def typed(_) -> None:
        if entry.get_text() != (config.get_property("engine") or ""):
            config.set_property("engine", entry.get_text())
        chosen()

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
    threads.start(lambda: GLib.idle_add(show, _quietly(work, [])))


def _add_estimate(dialog, action: Action, config, estimate: Callable[[], Callable[[], str]]) -> None:
    """A line about what the server would do, asked for again whenever a setting that matters was changed."""
    label = Gtk.Label(xalign=0.0, wrap=True)
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
            cause = words_of(error)[1]
            return show(cause[:1].upper() + cause[1:])
        threads.start(lambda: GLib.idle_add(show, _quietly(work, "")))
        return False

    def later(*_) -> None:
        stop_waiting()
        waiting.append(GLib.timeout_add(SETTLED, ask_server))

    def stop_waiting() -> None:
        while waiting:
            GLib.source_remove(waiting.pop())

    names = [argument.name for argument in action.arguments if argument.name not in PLANS_NOTHING]
    handlers = [config.connect(f"notify::{name}", later) for name in names]

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
