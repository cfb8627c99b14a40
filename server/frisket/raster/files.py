"""Pictures and masks as files: PNG, JPEG, TIFF and WebP, in their own depth, with their profile and EXIF.

A picture is held as it is to be looked at: the orientation that EXIF asks for is applied on reading and reset. Values
are perceptual, unless the file's colour profile has a straight curve. EXIF is kept for PNG, JPEG and WebP. XMP is read
and written for every kind.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from frisket.errors import FileUnreadable, FileUnwritable, ImageFormatUnsupported, PictureTooLarge
from frisket.raster import png, provenance, tiff
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Size
from frisket.raster.pixels import LUMA, check_finite, check_pixels, from_work, to_work

MOST_PIXELS = 1 << 28  # 268 megapixels: four times the largest canvas a server takes; more is a mistake or a bomb
JPEG_QUALITY = 95
ORIENTATION = 0x0112  # the EXIF tag
APP1_XMP = b"http://ns.adobe.com/xap/1.0/\0"  # begins a JPEG's segment of XMP
MOST_SEGMENT = 65533  # bytes that a JPEG's segment can hold

LAYOUTS = {"L": Layout.GRAY, "LA": Layout.GRAY_ALPHA, "RGB": Layout.RGB, "RGBA": Layout.RGBA}
FOREIGN = {
    "1": "a 1-bit picture",
    "P": "an indexed picture (palette)",
    "PA": "an indexed picture (palette)",
    "CMYK": "CMYK",
    "LAB": "CIE L*a*b*",
    "YCbCr": "YCbCr",
}
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
KINDS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WebP"}
WORDS = {
    Layout.GRAY: "gray",
    Layout.GRAY_ALPHA: "gray with transparency",
    Layout.RGB: "colour",
    Layout.RGBA: "colour with transparency",
}
DEPTHS = {Samples.U8: "8 bit", Samples.U16: "16 bit", Samples.F16: "half floats", Samples.F32: "floats"}
HOLDS = {  # samples and layouts that each kind of file is written with
    "PNG": ({Samples.U8, Samples.U16}, set(Layout)),
    "JPEG": ({Samples.U8}, {Layout.GRAY, Layout.RGB}),
    "TIFF": ({Samples.U8, Samples.U16, Samples.F32}, set(Layout)),
    "WebP": ({Samples.U8}, {Layout.RGB, Layout.RGBA}),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """What a file holds. pixels: (h, w, c) of `format`; icc: colour profile, exif: EXIF block, xmp: packet (UTF-8), b""
    when there is none; source: the path it was read from, "" for a new one.
    """

    pixels: np.ndarray
    format: PixelFormat
    icc: bytes = b""
    exif: bytes = b""
    source: str = ""
    xmp: bytes = b""

    @property
    def size(self) -> Size:
        return Size(self.pixels.shape[1], self.pixels.shape[0])


def read_picture(path: str | Path) -> Picture:
    """The picture in a file: gray or RGB, with or without alpha; 8 bit, 16 bit (PNG, TIFF) or float32 (TIFF).

    Raises FileUnreadable (missing, broken, cut off, not a picture, too many pixels), ImageFormatUnsupported (palette,
    CMYK, 1 bit, animation ...).
    """
    return _read(path, loose=False)


def read_mask(path: str | Path, from_alpha: bool = False) -> np.ndarray:
    """A mask as (h, w) uint8, 255 = change: the luma of a picture, of any depth, also with a palette or 1 bit.

    With `from_alpha` it is what is transparent: 255 - alpha. Raises as `read_picture`, ImageNotFinite for a float file.
    """
    picture = _read(path, loose=True)
    work = to_work(picture.pixels, replace(picture.format, transfer=Transfer.PERCEPTUAL))
    layout = picture.format.layout
    if from_alpha:
        if not layout.has_alpha:
            raise ImageFormatUnsupported(found="without transparency, so there is no mask in it")
        mask = 1 - work[..., -1]
    else:
        mask = work[..., 0] if layout.colors == 1 else work[..., :3] @ LUMA
    check_finite(mask)
    return from_work(mask[..., None], PixelFormat(Samples.U8, Layout.GRAY))[..., 0]


def write_picture(path: str | Path, picture: Picture) -> None:
    """Write a file of the kind that the name's ending says; it appears under its name complete or not at all.

    PNG, TIFF and WebP are lossless; JPEG has quality 95 without chroma subsampling. What a packet of
    `provenance.packet` tells is also in a PNG's text. XMP of more than 64 KiB is left out of a JPEG. Raises
    FileUnwritable for an unknown ending, a kind that cannot hold the picture, or a place that cannot be written.
    """
    path = Path(path)
    check_pixels(picture.pixels, picture.format)
    data = _encoded(path, picture)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise FileUnwritable(path=path, reason=_system_words(error)) from error


# --- reading ---------------------------------------------------------------------------------------------------------


def _read(path: str | Path, loose: bool) -> Picture:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FileUnreadable(path=path, reason=_system_words(error)) from error
    with _blaming(path):
        read = _read_tiff if data[:4] in TIFF_STARTS else _read_other
        return replace(read(data, loose), source=str(path))


@contextmanager
def _blaming(path: str | Path) -> Iterator[None]:
    """Whatever decoders raise becomes one of ours, here and nowhere else."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # decoders warn of what is checked here, or of odd metadata
            yield
    except tiff.TiffForeign as foreign:
        raise ImageFormatUnsupported(found=foreign) from foreign
    except UnidentifiedImageError as error:
        raise FileUnreadable(path=path, reason="it is no sound PNG, JPEG, TIFF or WebP") from error
    except (png.PngBroken, tiff.TiffBroken) as error:
        raise FileUnreadable(path=path, reason=error) from error
    except (_TooLarge, Image.DecompressionBombError) as error:
        raise PictureTooLarge(path=path, limit=MOST_PIXELS >> 20) from error
    except (OSError, SyntaxError, ValueError, EOFError, struct.error) as error:
        raise FileUnreadable(path=path, reason="it is broken or cut off") from error


class _TooLarge(ValueError):
    pass


def _check_size(size: Size) -> None:
    if size.area > MOST_PIXELS:
        raise _TooLarge(f"it holds {size} pixels, {MOST_PIXELS >> 20} binary megapixels are the limit")


def _read_other(data: bytes, loose: bool) -> Picture:
    image = Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"])
    _check_size(Size(*image.size))
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # some cameras' JPEG: a preview follows
        raise ImageFormatUnsupported(found="an animation")
    if image.format == "PNG" and png.header(data).depth == 16 and png.header(data).layout is not None:
        pixels, samples = png.read(data), Samples.U16
    else:
        pixels, samples = _array(image, loose), Samples.U8
    icc = image.info.get("icc_profile") or b""
    found = image.getexif()
    exif = image.info.get("exif") or b""
    orientation = found.get(ORIENTATION, 1)
    if orientation != 1:
        found[ORIENTATION] = 1
        exif = found.tobytes()
    layout = next(layout for layout in Layout if layout.channels == pixels.shape[2])
    fmt = PixelFormat(samples, layout, _transfer(icc))
    return Picture(_upright(pixels, orientation), fmt, icc, exif, xmp=_xmp(image))


def _read_tiff(data: bytes, loose: bool) -> Picture:
    try:
        head = tiff.header(data)
    except tiff.TiffForeign:
        if not loose:
            raise
        head = None  # perhaps a palette or 1 bit, which Pillow reads
    if head is not None:
        _check_size(head.size)
    if head is not None and head.samples is not Samples.U8:
        pixels, samples, icc, xmp = tiff.read(data, head), head.samples, head.icc, head.xmp
    else:
        image = Image.open(io.BytesIO(data), formats=["TIFF"])
        _check_size(Size(*image.size))
        pixels, samples, icc = _array(image, loose), Samples.U8, image.info.get("icc_profile") or b""
        xmp = head.xmp if head is not None else b""
    layout = next(layout for layout in Layout if layout.channels == pixels.shape[2])
    return Picture(pixels, PixelFormat(samples, layout, _transfer(icc)), icc, xmp=xmp)


def _xmp(image: Image.Image) -> bytes:
    """Pillow before 11 tells it in other places."""
    found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp") or b""
    if not found:
        segments = [body for name, body in getattr(image, "applist", ()) if name == "APP1"]
        found = next((body.removeprefix(APP1_XMP) for body in segments if body.startswith(APP1_XMP)), b"")
    return found.encode() if isinstance(found, str) else bytes(found)


def _array(image: Image.Image, loose: bool) -> np.ndarray:
    """A picture of 8 bit (or less, when `loose`) as (h, w, c) uint8. A transparent colour becomes an alpha channel."""
    keyed = "transparency" in image.info
    if loose and image.mode in ("1", "P", "PA"):
        image = image.convert("L" if image.mode == "1" else "RGBA" if keyed or image.mode == "PA" else "RGB")
    elif keyed and image.mode in ("L", "RGB"):
        image = image.convert(image.mode[:1] + "A" if image.mode == "L" else "RGBA")
    if image.mode not in LAYOUTS:
        raise ImageFormatUnsupported(found=FOREIGN.get(image.mode, f"a picture of the kind {image.mode}"))
    return np.array(image).reshape(image.height, image.width, LAYOUTS[image.mode].channels)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Turned and mirrored as EXIF's orientation 1...8 asks for; other numbers mean nothing."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _transfer(icc: bytes) -> Transfer:
    """Linear when the profile's (red or gray) curve is a straight line: ICC.1, `curv` and `para` types."""
    if len(icc) < 132:
        return Transfer.PERCEPTUAL
    for at in range(132, min(132 + 12 * struct.unpack_from(">I", icc, 128)[0], len(icc) - 11), 12):
        if icc[at : at + 4] in (b"rTRC", b"kTRC"):
            start = struct.unpack_from(">I", icc, at + 4)[0]
            curve = icc[start : start + 16]
            identity = curve[:4] == b"curv" and curve[8:12] == bytes(4)
            power_one = curve[:4] == b"curv" and curve[8:14] == b"\0\0\0\1\1\0"
            if identity or power_one or (curve[:4] == b"para" and curve[8:16] == b"\0\0\0\0\0\1\0\0"):
                return Transfer.LINEAR
    return Transfer.PERCEPTUAL


# --- writing ---------------------------------------------------------------------------------------------------------


def check_target(path: Path, fmt: PixelFormat) -> str:
    """The kind of file that `path` names, if it can hold `fmt` and lies in a folder. Raises FileUnwritable."""
    kind = KINDS.get(path.suffix.lower())
    if kind is None:
        raise FileUnwritable(path=path, reason=f"its name must end in {', '.join(KINDS)}")
    samples, layouts = HOLDS[kind]
    if fmt.samples not in samples or fmt.layout not in layouts or (kind == "TIFF" and _no_tiff(fmt)):
        raise FileUnwritable(path=path, reason=f"{kind} cannot hold {WORDS[fmt.layout]} with {DEPTHS[fmt.samples]}")
    if not path.parent.is_dir():
        raise FileUnwritable(path=path, reason=f"there is no folder {path.parent}")
    if path.is_dir():
        raise FileUnwritable(path=path, reason="it is a folder")
    return kind


def _encoded(path: Path, picture: Picture) -> bytes:
    kind, fmt = check_target(path, picture.format), picture.format
    if kind == "PNG":
        made = provenance.read(picture.xmp)
        text = provenance.text_of(made) if made else {}
        return b"".join(png.write(picture.pixels, picture.icc, picture.exif, picture.xmp, text))
    if kind == "TIFF":
        return tiff.write(picture.pixels, fmt.layout, picture.icc, picture.xmp)
    mode = next(mode for mode, layout in LAYOUTS.items() if layout is fmt.layout)
    pixels = picture.pixels[..., 0] if mode == "L" else picture.pixels
    if kind == "JPEG":
        options = {"quality": JPEG_QUALITY, "subsampling": 0, "extra": _app1(picture.xmp)}
    else:
        options = {"lossless": True, "exact": True, "xmp": picture.xmp}
    file = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.save(file, kind.upper(), icc_profile=picture.icc, exif=picture.exif, **options)
    return file.getvalue()


def _app1(xmp: bytes) -> bytes:
    """The segment of a JPEG that holds the packet (XMP specification part 3)."""
    body = APP1_XMP + xmp
    fits = xmp and len(body) <= MOST_SEGMENT
    return b"\xff\xe1" + struct.pack(">H", 2 + len(body)) + body if fits else b""


def _no_tiff(fmt: PixelFormat) -> bool:
    """No reader at hand takes these, so they are not written."""
    return fmt.layout is Layout.GRAY_ALPHA and fmt.samples is not Samples.U8


def _system_words(error: OSError) -> str:
    words = error.strerror or str(error)
    return words[:1].lower() + words[1:]
