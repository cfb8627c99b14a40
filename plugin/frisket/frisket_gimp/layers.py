"""Results into the image: new layers with masks, in one undo step. Nothing that was there is touched."""

from __future__ import annotations

import json
from dataclasses import asdict

from gi.repository import Gegl, Gimp

from frisket.errors import ConnectionLost
from frisket.raster.formats import Layout
from frisket_gimp.pixels import Source, native_format

PARASITE = "frisket-request"
LAYER_TYPES = {
    Layout.GRAY: Gimp.ImageType.GRAY_IMAGE,
    Layout.GRAY_ALPHA: Gimp.ImageType.GRAYA_IMAGE,
    Layout.RGB: Gimp.ImageType.RGB_IMAGE,
    Layout.RGBA: Gimp.ImageType.RGBA_IMAGE,
}


# In which values the soft edge is mixed with what lies below, by the last words of a precision's name: in the image's
# own. GIMP's default, linear light, would round what lies outside the mask in float images that are not linear.
COMPOSITE_SPACES = {
    "linear": Gimp.LayerColorSpace.RGB_LINEAR,
    "non-linear": Gimp.LayerColorSpace.RGB_NON_LINEAR,
    "perceptual": Gimp.LayerColorSpace.RGB_PERCEPTUAL,
}


def insert(image, source: Source, pictures, job: str) -> Gimp.Layer:
    """Put the pictures in above the source; several share a group, with the first one shown. Returns the first layer.

    The user's selected layers and selection stay as they are.
    """
    made = [_layer(image, source, picture, job, k) for k, picture in enumerate(pictures)]  # all that can fail
    chosen, channels = image.get_selected_layers(), image.get_selected_channels()
    parent = source.layer.get_parent() if source.layer else None
    position = image.get_item_position(source.layer) if source.layer else 0
    image.undo_group_start()
    try:
        if len(made) > 1:
            group = Gimp.GroupLayer.new(image, "Frisket fill")
            image.insert_layer(group, parent, position)
            parent, position = group, 0
        for k, layer in enumerate(made):
            image.insert_layer(layer, parent, position + k)
        if chosen:
            image.set_selected_layers(chosen)
        elif channels:
            image.set_selected_channels(channels)
    finally:
        image.undo_group_end()
    Gimp.displays_flush()
    return made[0]


def _layer(image, source: Source, picture, job: str, index: int) -> Gimp.Layer:
    size, fmt = picture.box.size, picture.format
    # A wrong length would be taken in silence and leave the layer empty.
    if fmt != source.format or len(picture.pixels) != size.area * fmt.pixel_bytes or len(picture.mask) != size.area:
        raise ConnectionLost(reason=f"The result does not fit its own description ({picture.box}, {fmt})")
    name = f"Frisket fill (seed {picture.seed})"
    kind, mode = LAYER_TYPES[fmt.layout], image.get_default_new_layer_mode()
    layer = Gimp.Layer.new(image, name, size.width, size.height, kind, 100.0, mode)
    if mode == Gimp.LayerMode.NORMAL:  # the legacy mode has its space fixed
        layer.set_composite_space(COMPOSITE_SPACES[image.get_precision().value_nick.split("-", 1)[1]])
    _write(layer, native_format(layer), picture.pixels)
    _add_mask(layer, picture.mask)
    layer.set_offsets(picture.box.x, picture.box.y)
    layer.set_visible(index == 0)
    layer.attach_parasite(_parasite(picture, job, index))
    return layer


def _add_mask(layer, data: bytes) -> None:
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    layer.set_edit_mask(False)  # add_mask leaves the mask being edited: the next brush stroke would go there
    _write(mask, "Y u8", data)


def _write(drawable, fmt: str, data: bytes) -> None:
    rect = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    buffer = drawable.get_buffer()
    buffer.set(rect, fmt, data)
    buffer.flush()
    drawable.update(0, 0, rect.width, rect.height)


def _parasite(picture, job: str, index: int) -> Gimp.Parasite:
    """What made this layer. 7-bit JSON: a larger byte is an error in GIMP's Python."""
    about = {
        "version": 1,
        "request": picture.request_json,
        "seed": picture.seed,
        "job": job,
        "index": index,
        "notes": list(picture.notes),
        "degraded": [d.detail for d in picture.degraded],
        "made_by": asdict(picture.maker) if picture.maker else None,
    }
    flags = Gimp.PARASITE_PERSISTENT | Gimp.PARASITE_UNDOABLE
    return Gimp.Parasite.new(PARASITE, flags, json.dumps(about).encode("ascii"))
