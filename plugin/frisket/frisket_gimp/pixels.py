"""Pixels and masks out of GIMP, in the image's own depth and colour space: nothing is converted, nothing is lost."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import gi

from frisket.errors import ImageFormatUnsupported, MaskEmpty, SourceUnsuitable
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Box
from frisket_gimp.actions import Selection
from frisket_gimp.languages import _

gi.require_version("Babl", "0.1")
from gi.repository import Babl, GdkPixbuf, Gegl, Gimp, GLib  # noqa: E402

# GIMP's depths (first word of a precision's name) -> ours. The two that have no equal travel as 32-bit float.
SAMPLES = {
    "u8": Samples.U8,
    "u16": Samples.U16,
    "u32": Samples.F32,
    "half": Samples.F16,
    "float": Samples.F32,
    "double": Samples.F32,
}

SRGB = {  # a bare name means sRGB: GIMP converts from the drawable's own space, and back
    Layout.GRAY: "Y' float",
    Layout.GRAY_ALPHA: "Y'A float",
    Layout.RGB: "R'G'B' float",
    Layout.RGBA: "R'G'B'A float",
}
STRIP = 1 << 20  # px read at once: some 10 ms


@dataclass(frozen=True)
class Source:
    """Where pixels come from. layer: results go above it; None = above everything. merged: what all layers show.

    frame: what a request calls its canvas, in the image's coordinates: the image, or for a whole layer that layer,
    which may reach beyond the image. box: the part of it with pixels, in its own coordinates. corner: of the layer, in
    the image, when this was found; it may move while a server works, and what was selected of it moves along. srgb: its
    pixels travel in sRGB and not in the image's own colour space.
    """

    layer: Gimp.Layer | None
    merged: bool
    frame: Box
    box: Box
    format: PixelFormat
    corner: tuple[int, int] = (0, 0)
    srgb: bool = False

    @property
    def drift(self) -> tuple[int, int]:
        """How far the layer has been moved since. (0, 0) for what all layers show."""
        if self.layer is None or self.merged:
            return 0, 0
        _, x, y = self.layer.get_offsets()
        return x - self.corner[0], y - self.corner[1]


def check_image(image, selection: Selection) -> None:
    """Raises ImageFormatUnsupported, MaskEmpty: what no setting of the dialog could mend."""
    if image.get_base_type() == Gimp.ImageBaseType.INDEXED:
        raise ImageFormatUnsupported(found=_("indexed (see Image > Mode)"))
    if selection is Selection.NEEDED and Gimp.Selection.is_empty(image):
        raise MaskEmpty(width=image.get_width(), height=image.get_height())


def kind_of(image) -> tuple:
    """What must not change between reading and inserting: size, colour model, depth, colour profile."""
    profile = image.get_color_profile()
    space = bytes(profile.get_icc_profile()) if profile else b""
    return image.get_width(), image.get_height(), image.get_base_type(), image.get_precision(), space


def has_own_space(image) -> bool:
    """Whether its numbers mean other colours than those of sRGB."""
    profile = image.get_color_profile()
    gray = image.get_base_type() == Gimp.ImageBaseType.GRAY
    plain = Gimp.ColorProfile.new_d65_gray_srgb_trc() if gray else Gimp.ColorProfile.new_rgb_srgb()
    return profile is not None and not profile.is_equal(plain)


def in_srgb(source: Source) -> Source:
    """The same for an engine that was trained on sRGB: GIMP converts, in floats, so that nothing is cut off."""
    return replace(source, format=PixelFormat(Samples.F32, source.format.layout, Transfer.PERCEPTUAL), srgb=True)


def samples_of(image) -> tuple[Samples, Transfer]:
    """In which its pixels travel."""
    depth, curve = image.get_precision().value_nick.split("-", 1)
    return SAMPLES[depth], Transfer.LINEAR if curve == "linear" else Transfer.PERCEPTUAL


def selects(image, selection: Selection) -> bool:
    """Whether the selection says what is changed."""
    return selection is not Selection.IGNORED and not Gimp.Selection.is_empty(image)


def find_source(image, drawables, merged: bool, whole: bool) -> Source:
    """The layer to work on, or with `merged` what all visible layers show; `whole`: all of that layer is changed.

    Raises SourceUnsuitable.
    """
    if image.get_floating_sel() is not None:
        what = _("There is a floating selection")
        raise SourceUnsuitable(what=what, suggestion=_("Anchor it first (Layer > Anchor Floating Selection)."))
    layers = [Gimp.Layer.from_mask(d) if isinstance(d, Gimp.LayerMask) else d for d in drawables]
    layers = [layer for layer in layers if isinstance(layer, Gimp.Layer)]
    samples, transfer = samples_of(image)
    gray = image.get_base_type() == Gimp.ImageBaseType.GRAY
    canvas = Box(0, 0, image.get_width(), image.get_height())
    if merged:
        layout = Layout.GRAY_ALPHA if gray else Layout.RGBA
        fmt = PixelFormat(samples, layout, transfer)
        return Source(layers[0] if layers else None, True, canvas, canvas, fmt)
    if len(layers) != 1:
        what = _("Several layers are selected") if layers else _("No layer is selected")
        raise SourceUnsuitable(what=what, suggestion=_("Select one layer, or switch on 'Sample merged'."))
    layer = layers[0]
    alpha = layer.has_alpha()
    layout = {(True, True): Layout.GRAY_ALPHA, (True, False): Layout.GRAY, (False, True): Layout.RGBA}.get(
        (gray, alpha), Layout.RGB
    )
    x, y = layer.get_offsets()[1:]
    fmt = PixelFormat(samples, layout, transfer)
    box = Box(x, y, layer.get_width(), layer.get_height())
    if whole:
        return Source(layer, False, box, Box.of(box.size), fmt, (x, y))
    return Source(layer, False, canvas, box.clipped(canvas), fmt, (x, y))


def selected_box(image, source: Source) -> Box:
    """Bounds of the selection where there are pixels. Raises SourceUnsuitable."""
    x0, y0, x1, y1 = Gimp.Selection.bounds(image)[2:]
    box = Box.spanning(x0, y0, x1, y1).clipped(source.box)
    if box.empty:
        name = source.layer.get_name() if source.layer else "image"
        what = _("The selection lies outside the layer '{name}'").format(name=name)
        raise SourceUnsuitable(what=what, suggestion=_("Select another layer, or switch on 'Sample merged'."))
    return box


def read(image, source: Source, region: Box, turn: Callable[[], None] = lambda: None) -> bytes:
    """The pixels of a region of the source's frame, in its format. turn: is called again and again meanwhile.

    Raises ImageFormatUnsupported for a layer that is not what it says.
    """
    region = region.moved(source.frame.x, source.frame.y)
    if source.merged:
        layer = Gimp.Layer.new_from_visible(image, image, "Frisket")  # never inserted: no undo step, not seen
        try:
            data = _bytes_of(layer, region.moved(*_back(layer)), wire_format(layer, source), turn)
        finally:
            layer.delete()
    else:
        x, y = source.corner
        data = _bytes_of(source.layer, region.moved(-x, -y), wire_format(source.layer, source), turn)
    if len(data) != region.area * source.format.pixel_bytes:
        raise ImageFormatUnsupported(found=f"{len(data)} bytes for {region} in {source.format}")
    return data


@contextlib.contextmanager
def unseen(image, items) -> Iterator[None]:
    """Hide these while all layers together are read. GIMP's undo does not notice."""
    hidden = [item for item in items if item.get_visible()]
    image.undo_freeze()
    try:
        for item in hidden:
            item.set_visible(False)
        yield
    finally:
        for item in hidden:
            item.set_visible(True)
        image.undo_thaw()


def thumbnail(source: Source, region: Box, width: int, height: int):
    """That region of the source's frame as a pixbuf of that size; None where it would take long."""
    if source.layer is None or source.merged:
        return None
    return _small(source.layer, region.moved(source.frame.x, source.frame.y), width, height)


@contextlib.contextmanager
def thumbnails(image, source: Source) -> Iterator[Callable[[Box, int, int], object]]:
    """`thumbnail` of many regions, also of what all layers show."""
    seen = Gimp.Layer.new_from_visible(image, image, "Frisket") if source.merged else None
    try:
        layer = seen or source.layer
        yield lambda region, *size: _small(layer, region.moved(source.frame.x, source.frame.y), *size)
    finally:
        if seen:
            seen.delete()


def _small(layer, region: Box, width: int, height: int):
    """region: in the image. By its bytes: `get_sub_thumbnail` frees its memory twice, in GIMP 3.0.4 and 3.2.6."""
    own = region.moved(*_back(layer))
    data, wide, high, bpp = layer.get_sub_thumbnail_data(own.x, own.y, own.width, own.height, width, height)
    if not data:
        return None
    if bpp < 3:  # gray, perhaps with alpha
        data = GLib.Bytes.new(bytes(value for value in data.get_data()[::bpp] for _channel in range(3)))
        bpp = 3
    return GdkPixbuf.Pixbuf.new_from_bytes(data, GdkPixbuf.Colorspace.RGB, bpp == 4, 8, wide, high, wide * bpp)


def read_selection(image, region: Box, turn: Callable[[], None] = lambda: None) -> bytes:
    """8-bit coverage, 255 = selected. "Y u8" is its own meaning; "Y' u8" would bend a feathered edge."""
    return _bytes_of(image.get_selection(), region, "Y u8", turn)


def read_mask(layer) -> bytes | None:
    """8-bit coverage of all of the layer by its mask, 255 = shown. None when it has none."""
    mask = layer.get_mask()
    return _bytes_of(mask, Box(0, 0, mask.get_width(), mask.get_height()), "Y u8") if mask else None


def native_format(drawable) -> str:
    """The format of the drawable's own samples in its own colour space; float where ours has no equal.

    A bare name such as "R'G'B' u8" would mean sRGB, and convert an image that has another profile.
    """
    own = drawable.get_format()
    encoding = Babl.format_get_encoding(own)
    for wide in (" double", " u32"):
        encoding = encoding.replace(wide, " float")
    return Babl.get_name(Babl.format_with_space(encoding, Babl.format_get_space(own)))


def wire_format(drawable, source: Source) -> str:
    """In which the pixels of a drawable like the source's layer travel."""
    return SRGB[source.format.layout] if source.srgb else native_format(drawable)


def _back(drawable) -> tuple[int, int]:
    """From the image's coordinates to the drawable's own."""
    _, x, y = drawable.get_offsets()
    return -x, -y


def _bytes_of(drawable, region: Box, fmt: str, turn: Callable[[], None] = lambda: None) -> bytes:
    """region: in the drawable's own coordinates. turn: is called between strips of it."""
    buffer, strips = drawable.get_buffer(), []
    rows = max(1, STRIP // max(1, region.width))
    for y in range(region.y, region.bottom, rows):
        rect = Gegl.Rectangle.new(region.x, y, region.width, min(rows, region.bottom - y))
        strips.append(buffer.get(rect, 1.0, fmt, Gegl.AbyssPolicy.NONE))
        turn()
    return b"".join(strips)
