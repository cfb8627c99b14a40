#!/usr/bin/env python3
"""Frisket for GIMP 3: registers the procedures. Everything else is imported when one runs.

So the menu is there whatever is wrong with the rest of the folder, and the user gets a sentence instead of nothing.
"""

from __future__ import annotations

import os
import sys

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Gimp, GLib, GObject  # noqa: E402

FILL = "plug-in-frisket-fill-selection"
READ_WRITE = GObject.ParamFlags.READWRITE
HERE = os.path.dirname(os.path.abspath(__file__))


def run(procedure, run_mode, image, drawables, config, _data):
    try:
        if sys.version_info < (3, 10):  # noqa: UP036 (GIMP chooses the interpreter)
            raise ImportError(f"it needs Python 3.10 or newer, and this GIMP brings {sys.version.split()[0]}")
        # Before this folder: here, `frisket` is this script, there it is the package.
        sys.path.insert(0, os.path.join(HERE, "vendor"))
        from frisket_gimp.procedure import fill_selection
    except Exception as error:
        text = f"Frisket's plug-in cannot be loaded: {error}.\nInstall it again with `frisket plugin install`."
        failure = GLib.Error.new_literal(GLib.quark_from_string("frisket"), text, 0)
        return procedure.new_return_values(Gimp.PDBStatusType.EXECUTION_ERROR, failure)
    return fill_selection(procedure, run_mode, image, drawables, config)


class Frisket(Gimp.PlugIn):
    def do_set_i18n(self, _name):
        return False

    def do_query_procedures(self):
        return [FILL]

    def do_create_procedure(self, name):
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, None)
        procedure.set_image_types("RGB*, GRAY*")
        mask = Gimp.ProcedureSensitivityMask
        procedure.set_sensitivity_mask(mask.DRAWABLE | mask.DRAWABLES | mask.NO_DRAWABLES)
        procedure.set_menu_label("_Fill Selection...")
        procedure.add_menu_path("<Image>/Filters/Frisket")
        procedure.set_documentation(
            "Repaint the selection so that it fits its surroundings",
            "Sends the selection and as much around it as is needed to a Frisket server, and puts what comes back "
            "into a new layer with a mask. Nothing else of the image changes.",
            name,
        )
        procedure.set_attribution("The Frisket project", "The Frisket project", "2026")
        self._add_arguments(procedure)
        return procedure

    def _add_arguments(self, p):
        automatic = "; -1 = automatic"
        p.add_string_argument("prompt", "_Prompt", "What to paint; empty = continue the surroundings", "", READ_WRITE)
        p.add_string_argument("negative-prompt", "_Avoid", "What not to paint", "", READ_WRITE)
        p.add_boolean_argument("random-seed", "_New seed each time", "Otherwise the seed below", True, READ_WRITE)
        p.add_int_argument("seed", "See_d", "The same seed gives the same picture", 0, 2147483647, 0, READ_WRITE)
        p.add_int_argument("count", "_How many", "Pictures to choose from", 1, 8, 1, READ_WRITE)
        about = "Pixels around the selection that the engine sees" + automatic
        p.add_int_argument("context", "Conte_xt (px)", about, -1, 4096, -1, READ_WRITE)
        about = "Pixels repainted beyond the selection" + automatic
        p.add_int_argument("grow", "_Grow (px)", about, -1, 1024, -1, READ_WRITE)
        about = "Pixels over which the repainting fades out" + automatic
        p.add_int_argument("feather", "Fea_ther (px)", about, -1, 1024, -1, READ_WRITE)
        about = "Look at all visible layers together instead of at the selected one"
        p.add_boolean_argument("sample-merged", "Sample _merged", about, False, READ_WRITE)
        p.add_string_argument("engine", "_Engine", "Name of the engine; empty = the server's choice", "", READ_WRITE)
        about = "host:port of a server; empty = the one on this computer"
        p.add_string_argument("server", "Ser_ver", about, "", READ_WRITE)
        p.add_layer_return_value("layer", "Layer", "The new layer, or the first of several", True, READ_WRITE)


Gimp.main(Frisket.__gtype__, sys.argv)
