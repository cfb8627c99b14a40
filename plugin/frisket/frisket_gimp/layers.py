"""Results into the image: layers with masks, or the selection, in one undo step. No pixel that was there changes."""

from __future__ import annotations

from gi.repository import Gegl, Gimp

from frisket.errors import ConnectionLost
from frisket.raster.formats import Layout
from frisket.raster.geometry import Size
from frisket_gimp import parasite
from frisket_gimp.actions import Action, Result
from frisket_gimp.parasite import Origin
from frisket_gimp.pixels import Source, wire_format
from frisket_gimp.settings import Settings, added

LONGEST_NAME = 40  # characters of a prompt
LAYER_TYPES = {
    Layout.GRAY: Gimp.ImageType.GRAY_IMAGE,
    Layout.GRAY_ALPHA: Gimp.ImageType.GRAYA_IMAGE,
    Layout.RGB: Gimp.ImageType.RGB_IMAGE,
    Layout.RGBA: Gimp.ImageType.RGBA_IMAGE,
}
OPERATIONS = {
    "replace": Gimp.ChannelOps.REPLACE,
    "add": Gimp.ChannelOps.ADD,
    "subtract": Gimp.ChannelOps.SUBTRACT,
    "intersect": Gimp.ChannelOps.INTERSECT,
}

# In which values the soft edge is mixed with what lies below, by the last words of a precision's name: in the image's
# own. GIMP's default, linear light, would round what lies outside the mask in float images that are not linear.
COMPOSITE_SPACES = {
    "linear": Gimp.LayerColorSpace.RGB_LINEAR,
    "non-linear": Gimp.LayerColorSpace.RGB_NON_LINEAR,
    "perceptual": Gimp.LayerColorSpace.RGB_PERCEPTUAL,
}


def place(
    action: Action, image, source: Source, pictures, job: str, values: Settings, origin: Origin
) -> Gimp.Layer | None:
    """What the action's table says, in one undo step. Returns the first new layer, None when there is none.

    The user's layers and which of them are selected stay as they are; the selection, too, but where it is the result.
    """
    if action.result is Result.SELECTION:
        return _select(image, source, pictures[0], OPERATIONS[values["operation"]])
    if action.result is Result.LARGER and values["into"] == "image":
        return _new_image(action, image, source, pictures[0], job, origin)
    sides = added(values, source.frame.size) if action.result is Result.CANVAS else {}
    shift = (sides.get("left", 0), sides.get("top", 0))
    made = new_layers(action, image, source, pictures, job, origin, shift if any(sides.values()) else source.drift)
    image.undo_group_start()
    try:
        if any(sides.values()):
            size = source.frame.size
            wide = size.width + sides["left"] + sides["right"]
            image.resize(wide, size.height + sides["top"] + sides["bottom"], *shift)
        _insert(image, source.layer, made, name_of(action, origin.words))
    finally:
        image.undo_group_end()
    Gimp.displays_flush()
    return made[0]


def new_layers(
    action: Action, image, source: Source, pictures, job: str, origin: Origin, shift: tuple[int, int]
) -> list[Gimp.Layer]:
    """All that can fail of placing results. The layers are at their places, but not yet in the image; the first is
    visible. shift: of the source since the pixels were read. Raises ConnectionLost."""
    made = []
    for index, picture in enumerate(pictures):
        layer = _layer(image, source, picture, job, index, action, origin)
        layer.set_offsets(*_corner(action, source, picture, shift))
        made.append(layer)
    return made


def _insert(image, above: Gimp.Layer | None, made: list, name: str) -> None:
    """Above that layer, or above all; several share a group, with the first one shown."""
    chosen, channels = image.get_selected_layers(), image.get_selected_channels()
    parent = above.get_parent() if above else None
    position = image.get_item_position(above) if above else 0
    if len(made) > 1:
        parent, position = new_group(image, name, parent, position), 0
    for k, layer in enumerate(made):
        image.insert_layer(layer, parent, position + k)
    if chosen:
        image.set_selected_layers(chosen)
    elif channels:
        image.set_selected_channels(channels)


def new_group(image, name: str, parent, position: int) -> Gimp.GroupLayer:
    """For several results, in the image."""
    group = Gimp.GroupLayer.new(image, name)
    group.set_mode(Gimp.LayerMode.PASS_THROUGH)  # a result looks the same in it as without it
    parasite.mark_group(group)
    image.insert_layer(group, parent, position)
    return group


def name_of(action: Action, words: str) -> str:
    """Of a result, or of a group of them: after the prompt, if there was one."""
    words = " ".join(words.split())
    return (words if len(words) <= LONGEST_NAME else f"{words[: LONGEST_NAME - 1]}…") or f"Frisket {action.noun}"


def _corner(action: Action, source: Source, picture, shift: tuple[int, int]) -> tuple[int, int]:
    """Where the layer goes, in the image's coordinates."""
    box = picture.box
    if action.result is Result.LARGER:  # around the middle of what it was made of, as GIMP scales a layer
        old = source.box.moved(source.frame.x, source.frame.y)
        box = box.moved(old.x - (box.width - old.width) // 2 - box.x, old.y - (box.height - old.height) // 2 - box.y)
    else:
        box = box.moved(source.frame.x, source.frame.y)
    return box.x + shift[0], box.y + shift[1]


def _new_image(action: Action, image, source: Source, picture, job: str, origin: Origin) -> Gimp.Layer:
    """A new image with the picture as its only layer: the same depth and profile, the same size on paper."""
    size = picture.box.size
    new = Gimp.Image.new_with_precision(size.width, size.height, image.get_base_type(), image.get_precision())
    new.undo_disable()  # there is nothing to go back to
    profile = image.get_color_profile()
    if profile is not None:
        new.set_color_profile(profile)
    _, across, down = image.get_resolution()
    new.set_resolution(across * size.width / source.box.width, down * size.height / source.box.height)
    layer = _layer(new, source, picture, job, 0, action, origin)
    new.insert_layer(layer, None, 0)
    new.undo_enable()
    return layer


def _select(image, source: Source, picture, operation: Gimp.ChannelOps) -> None:
    """Make the picture's mask the selection."""
    box = picture.box.moved(source.frame.x, source.frame.y)
    if len(picture.mask) != box.area:
        raise ConnectionLost(reason=f"The result does not fit its own description ({box})")
    # By way of a layer whose alpha it is: undoing a channel that came and went would leave no layer selected.
    gray = image.get_base_type() == Gimp.ImageBaseType.GRAY
    kind = Gimp.ImageType.GRAYA_IMAGE if gray else Gimp.ImageType.RGBA_IMAGE
    layer = Gimp.Layer.new(image, "Frisket", box.width, box.height, kind, 100.0, Gimp.LayerMode.NORMAL)
    clear = bytearray(2 * box.area)
    clear[1::2] = picture.mask
    write(layer, "Y'A u8", bytes(clear))
    layer.set_offsets(box.x, box.y)
    chosen, channels = image.get_selected_layers(), image.get_selected_channels()
    Gimp.context_push()
    image.undo_group_start()
    try:
        Gimp.context_set_feather(False)
        image.insert_layer(layer, None, 0)  # only what is in the image can be selected
        image.select_item(operation, layer)
        image.remove_layer(layer)
        if chosen:
            image.set_selected_layers(chosen)
        elif channels:
            image.set_selected_channels(channels)
    finally:
        image.undo_group_end()
        Gimp.context_pop()
    Gimp.displays_flush()


def _layer(image, source: Source, picture, job: str, index: int, action: Action, origin: Origin) -> Gimp.Layer:
    size, fmt = picture.box.size, picture.format
    # A wrong length would be taken in silence and leave the layer empty.
    if fmt != source.format or len(picture.pixels) != size.area * fmt.pixel_bytes or len(picture.mask) != size.area:
        raise ConnectionLost(reason=f"The result does not fit its own description ({picture.box}, {fmt})")
    seeded = any(argument.name == "seed" for argument in action.arguments)
    name = name_of(action, origin.words) + f" (seed {picture.seed})" * seeded
    layer = bare(image, name, size, fmt.layout)
    if layer.get_mode() == Gimp.LayerMode.NORMAL:  # the legacy mode has its space fixed
        layer.set_composite_space(COMPOSITE_SPACES[image.get_precision().value_nick.split("-", 1)[1]])
    write(layer, wire_format(layer, source), picture.pixels)
    if action.result in (Result.MASKED, Result.CANVAS) or picture.mask.count(255) < len(picture.mask):
        _add_mask(layer, picture.mask)
    layer.set_visible(index == 0)
    parasite.attach(layer, picture, job, index, origin)
    return layer


def bare(image, name: str, size: Size, layout: Layout) -> Gimp.Layer:
    """Empty, not yet in the image."""
    mode = image.get_default_new_layer_mode()
    return Gimp.Layer.new(image, name, size.width, size.height, LAYER_TYPES[layout], 100.0, mode)


def _add_mask(layer, data: bytes) -> None:
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    layer.set_edit_mask(False)  # add_mask leaves the mask being edited: the next brush stroke would go there
    write(mask, "Y u8", data)


def write(drawable, fmt: str, data: bytes) -> None:
    """All of its samples."""
    rect = Gegl.Rectangle.new(0, 0, drawable.get_width(), drawable.get_height())
    buffer = drawable.get_buffer()
    buffer.set(rect, fmt, data)
    buffer.flush()
    drawable.update(0, 0, rect.width, rect.height)
