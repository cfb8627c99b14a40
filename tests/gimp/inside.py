"""Runs inside GIMP, before a test's own lines: helpers, and `out`, which goes back to the test as JSON at the end."""

import atexit
import json
import os
import time
import warnings

from gi.repository import Gegl, Gimp, Gio  # pyright: ignore[reportMissingImports]

warnings.simplefilter("error")  # a bad property value is only a warning otherwise
NI = Gimp.RunMode.NONINTERACTIVE
D = globals()["D"]  # this GIMP's folder
out = {}


def save_out():
    with open(D + "/out.tmp", "w") as file:
        json.dump(out, file)
    os.replace(D + "/out.tmp", D + "/out.json")


atexit.register(save_out)


def wait_for(name):
    """Until the test has made this file."""
    while not os.path.exists(D + "/" + name):
        time.sleep(0.05)


def signal(name):
    """Tell the test that this point is reached."""
    open(D + "/" + name, "w").close()


def path(name):
    return Gio.File.new_for_path(D + "/" + name)


def load(name="in.png"):
    return Gimp.file_load(NI, path(name))


def raw(drawable, fmt=None):
    """All samples of a drawable, in its own format unless told."""
    rect = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    return drawable.get_buffer().get(rect, 1.0, fmt, Gegl.AbyssPolicy.NONE)


def dump(name, data):
    with open(D + "/" + name + ".raw", "wb") as file:
        file.write(data)


def dump_visible(image, name):
    layer = Gimp.Layer.new_from_visible(image, image, "tmp")
    dump(name, raw(layer))
    layer.delete()


def fill(image, drawables=None, mode=NI, **settings):
    """Fill the selection. (status name, layer or error text)"""
    return act("fill-selection", image, drawables, mode, random_seed=False, **settings)


def act(action, image, drawables=None, mode=NI, **settings):
    """Call an action of the plug-in. (status name, layer or error text)"""
    procedure = Gimp.get_pdb().lookup_procedure("plug-in-frisket-" + action)
    assert procedure, "the plug-in is not registered"
    config = procedure.create_config()
    config.set_property("run-mode", mode)
    config.set_property("image", image)
    for name, value in settings.items():
        config.set_property(name.replace("_", "-"), value)
    chosen = image.get_selected_layers() if drawables is None else drawables
    if chosen:  # an empty array is refused
        config.set_core_object_array("drawables", chosen)
    result = procedure.run(config)
    return result.index(0).value_nick, result.index(1) if result.length() > 1 else None


def state(image):
    """What a user would notice of an image besides its pixels."""
    _, *bounds = Gimp.Selection.bounds(image)
    return {
        "layers": [tree(layer) for layer in image.get_layers()],
        "selected": [layer.get_name() for layer in image.get_selected_layers()],
        "bounds": bounds,
        "foreground": list(Gimp.context_get_foreground().get_rgba()),
    }


def tree(layer):
    _, x, y = layer.get_offsets()
    entry = {
        "name": layer.get_name(),
        "box": [x, y, layer.get_width(), layer.get_height()],
        "visible": layer.get_visible(),
        "mask": layer.get_mask() is not None,
        "edit_mask": bool(layer.get_mask()) and layer.get_edit_mask(),
    }
    if layer.is_group_layer():
        entry["children"] = [tree(child) for child in layer.get_children()]
    return entry
