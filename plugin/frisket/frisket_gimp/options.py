"""The chosen engine's own parameters as a folded part of the dialog, built from the server's description of them."""

from __future__ import annotations

import json

import gi

from frisket.rpc import convert
from frisket.rpc.stubs.models_pb2 import Engine, Param
from frisket_gimp.languages import _

gi.require_version("Gtk", "3.0")
from gi.repository import Gtk  # noqa: E402


class Options:
    """`expander` is for the dialog. What differs from the defaults lies in the config's `options` as JSON."""

    def __init__(self, config) -> None:
        self._config = config
        self._grid = Gtk.Grid(row_spacing=6, column_spacing=12, margin_start=18, margin_top=6)
        self.expander = Gtk.Expander(use_underline=True)
        self.expander.add(self._grid)
        self.expander.connect("activate", lambda expander: expander.grab_focus())  # so that Tab goes on in it

    def show(self, engine: Engine | None) -> None:
        """Those of this engine; what was set for another one and means nothing to it is dropped."""
        for child in self._grid.get_children():
            self._grid.remove(child)
        params = list(engine.params) if engine else []
        self.expander.set_visible(bool(params))
        if engine is None:
            return
        known = {param.name for param in params}
        self._keep({name: value for name, value in self._options().items() if name in known})
        self.expander.set_label(_("_Options of '{engine}'").format(engine=engine.id))
        for row, param in enumerate(params):
            label = Gtk.Label(label=param.name.replace("_", " ").capitalize(), xalign=0.0, tooltip_text=param.help)
            widget = self._widget(param)
            widget.set_tooltip_text(param.help)
            self._grid.attach(label, 0, row, 1, 1)
            self._grid.attach(widget, 1, row, 1, 1)
            if param.unit:
                self._grid.attach(Gtk.Label(label=param.unit, xalign=0.0), 2, row, 1, 1)
        self._grid.show_all()

    def _widget(self, param: Param) -> Gtk.Widget:
        default = convert.value_from_proto(param.default_value)
        value = self._options().get(param.name, default)
        if param.kind == Param.KIND_BOOL:
            widget, signal = Gtk.CheckButton(active=bool(value)), "toggled"
            read = widget.get_active
        elif param.kind == Param.KIND_CHOICE:
            widget, signal = Gtk.ComboBoxText(), "changed"
            for choice in param.choices:
                widget.append(choice, choice)
            widget.set_active_id(str(value))
            read = widget.get_active_id
        elif param.kind in (Param.KIND_INT, Param.KIND_FLOAT):
            widget, signal, read = self._number(param, value)
        else:
            widget, signal = Gtk.Entry(text=str(value)), "changed"
            read = widget.get_text
        widget.connect(signal, lambda *_: self._set(param.name, read(), default))
        return widget

    def _number(self, param: Param, value) -> tuple:
        whole = param.kind == Param.KIND_INT
        low = param.low if param.HasField("low") else -1e9
        high = param.high if param.HasField("high") else 1e9
        widget = Gtk.SpinButton.new_with_range(low, high, 1 if whole else 0.05)
        widget.set_digits(0 if whole else 2)
        widget.set_value(value if isinstance(value, (int, float)) else 0)
        return widget, "value-changed", (widget.get_value_as_int if whole else widget.get_value)

    def _set(self, name: str, value, default) -> None:
        options = {**self._options(), name: value}
        self._keep({key: kept for key, kept in options.items() if key != name or kept != default})

    def _options(self) -> dict:
        try:
            options = json.loads(self._config.get_property("options") or "{}")
        except ValueError:
            return {}
        return options if isinstance(options, dict) else {}

    def _keep(self, options: dict) -> None:
        text = json.dumps(options, sort_keys=True) if options else ""
        if text != (self._config.get_property("options") or ""):
            self._config.set_property("options", text)
