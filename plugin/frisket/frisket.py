#!/usr/bin/env python3
"""Frisket for GIMP 3: registers the actions. Everything but their table is imported when one runs.

So the menu is there whatever is wrong with the rest of the folder, and the user gets a sentence instead of nothing.
"""

from __future__ import annotations

import importlib
import os
import sys

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gimp, GLib, GObject  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
from frisket_gimp.actions import BY_PROCEDURE, LAYERS_MENU, MENU, OF_LAYERS, Command, Result  # noqa: E402
from frisket_gimp.arguments import Kind  # noqa: E402
from frisket_gimp.languages import _  # noqa: E402

READ_WRITE = GObject.ParamFlags.READWRITE


def run(procedure, run_mode, image, drawables, config, _data):
    try:
        if sys.version_info < (3, 10):  # noqa: UP036 (GIMP chooses the interpreter)
            found = sys.version.split()[0]
            raise ImportError(_("it needs Python 3.10 or newer, and this GIMP brings {found}").format(found=found))
        # Before this folder: here, `frisket` is this script, there it is the package.
        sys.path.insert(0, os.path.join(HERE, "vendor"))
        entry = BY_PROCEDURE[procedure.get_name()]
        room = entry.module if isinstance(entry, Command) else "procedure"
        module = importlib.import_module(f"frisket_gimp.{room}")
    except Exception as error:
        text = _("Frisket's plug-in cannot be loaded: {reason}.\nInstall it again with `frisket plugin install`.")
        text = text.format(reason=error)
        failure = GLib.Error.new_literal(GLib.quark_from_string("frisket"), text, 0)
        return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, failure)
    return module.run(entry, procedure, run_mode, image, drawables, config)


class Frisket(Gimp.PlugIn):
    def do_set_i18n(self, _name):
        return False

    def do_query_procedures(self):
        return list(BY_PROCEDURE)

    def do_create_procedure(self, name):
        entry = BY_PROCEDURE[name]
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_image_types("RGB*, GRAY*")
        mask = Gimp.ProcedureSensitivityMask
        where = mask.DRAWABLE | mask.DRAWABLES | mask.NO_DRAWABLES
        if isinstance(entry, Command):
            where |= mask.NO_IMAGE if entry.anywhere else 0
            has_layer, defaults = entry.returns_layer, {a.name: a.default for a in entry.arguments}
        else:
            has_layer = entry.result is not Result.SELECTION
            defaults = {a.name: entry.default(a) for a in entry.arguments}
        procedure.set_sensitivity_mask(where)
        procedure.set_menu_label(_(entry.label))
        procedure.add_menu_path(MENU)
        if entry.name in OF_LAYERS:
            procedure.add_menu_path(LAYERS_MENU)
        procedure.set_documentation(_(entry.blurb), _(entry.help), name)
        procedure.set_attribution("The Frisket project", "The Frisket project", "2026")
        for argument in entry.arguments:
            _add(procedure, argument, defaults[argument.name])
        if has_layer:
            about = _("The new layer, or the first of several")
            procedure.add_layer_return_value("layer", _("Layer"), about, True, READ_WRITE)
        return procedure


def _add(p, a, default):
    about = (a.name, _(a.label), _(a.about))
    if a.kind is Kind.FLAG:
        p.add_boolean_argument(*about, default, READ_WRITE)
    elif a.kind is Kind.WHOLE:
        p.add_int_argument(*about, a.low, a.high, default, READ_WRITE)
    elif a.kind is Kind.SHARE:
        p.add_double_argument(*about, 0.0, 1.0, default, READ_WRITE)
    elif a.kind is Kind.CHOICE:
        choice = Gimp.Choice.new()
        for number, (word, label) in enumerate(a.choices):
            choice.add(word, number, _(label), "")
        p.add_choice_argument(*about, choice, default, READ_WRITE)
    else:
        p.add_string_argument(*about, default, READ_WRITE)


Gimp.main(Frisket.__gtype__, sys.argv)
