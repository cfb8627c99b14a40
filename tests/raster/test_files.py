"""Files: every kind there and back, orientation, profiles, masks, and files that are no pictures."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageCms

from frisket.errors import (
    FileUnreadable,
    FileUnwritable,
    ImageFormatUnsupported,
    ImageNotFinite,
    PictureTooLarge,
    RequestInvalid,
)
from frisket.raster import png, tiff
from frisket.raster.files import MOST_PIXELS, Picture, read_mask, read_picture, write_picture
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Size
from frisket.raster.pixels import DTYPES
from frisket.raster.provenance import IPTC, MadeBy, Source, packet, text_of

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LOSSLESS = [
    *((".png", s, layout) for s in (Samples.U8, Samples.U16) for layout in Layout),
    *((".tiff", Samples.U8, layout) for layout in Layout),
    *((".tif", s, layout) for s in (Samples.U16, Samples.F32) for layout in (Layout.GRAY, Layout.RGB, Layout.RGBA)),
    *((".webp", Samples.U8, layout) for layout in (Layout.RGB, Layout.RGBA)),
]
REFUSED = [
    *((".png", s, Layout.RGB) for s in (Samples.F16, Samples.F32)),
    *((".jpg", s, Layout.RGB) for s in (Samples.U16, Samples.F32)),
    *((".jpeg", Samples.U8, layout) for layout in (Layout.GRAY_ALPHA, Layout.RGBA)),
    *((".tiff", s, Layout.GRAY_ALPHA) for s in (Samples.U16, Samples.F32)),
    (".tiff", Samples.F16, Layout.RGB),
    (".webp", Samples.U8, Layout.GRAY),
    (".webp", Samples.U16, Layout.RGB),
    (".gif", Samples.U8, Layout.RGB),
    ("", Samples.U8, Layout.RGB),
]
# 2 x 3 pixels, upright, and the array that a file with each orientation holds of them (EXIF 2.32, tag 0112)
UPRIGHT = np.array([[10, 20], [30, 40], [50, 60]], np.uint8)
STORED = {
    1: [[10, 20], [30, 40], [50, 60]],
    2: [[20, 10], [40, 30], [60, 50]],
    3: [[60, 50], [40, 30], [20, 10]],
    4: [[50, 60], [30, 40], [10, 20]],
    5: [[10, 30, 50], [20, 40, 60]],
    6: [[20, 40, 60], [10, 30, 50]],
    7: [[60, 40, 20], [50, 30, 10]],
    8: [[50, 30, 10], [60, 40, 20]],
}


def noise(fmt: PixelFormat, height: int = 19, width: int = 31) -> np.ndarray:
    values = np.random.default_rng(7).random((height, width, fmt.layout.channels))
    if not fmt.samples.is_float:
        values = values * np.iinfo(DTYPES[fmt.samples]).max
    return values.astype(DTYPES[fmt.samples])


def saved(path: Path, image: Image.Image, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


# --- there and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ending", "samples", "layout"), LOSSLESS, ids=str)
def test_lossless_files_come_back_bit_for_bit(tmp_path, ending, samples, layout):
    fmt = PixelFormat(samples, layout)
    pixels = noise(fmt)
    path = tmp_path / f"picture{ending}"
    write_picture(path, Picture(pixels, fmt, SRGB))
    got = read_picture(path)
    assert got.format == fmt
    assert got.pixels.tobytes() == pixels.tobytes()
    assert got.pixels.shape == pixels.shape
    assert got.icc == SRGB
    assert got.source == str(path)
    assert got.size == Size(31, 19)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]  # nothing is left beside it


@pytest.mark.parametrize("layout", [Layout.GRAY, Layout.RGB])
def test_jpeg_comes_back_nearly(tmp_path, layout):
    ys, xs = np.mgrid[:64, :96]
    planes = [(128 + 90 * np.sin(xs / 17 + k) * np.cos(ys / 13)) for k in range(layout.channels)]
    pixels = np.stack(planes, axis=2).astype(np.uint8)
    write_picture(tmp_path / "a.JPG", Picture(pixels, PixelFormat(Samples.U8, layout), SRGB))
    got = read_picture(tmp_path / "a.JPG")
    assert got.format.layout is layout
    assert got.icc == SRGB
    assert np.abs(got.pixels.astype(int) - pixels).max() <= 4


def test_a_file_appears_whole_and_replaces_the_old_one(tmp_path):
    fmt = PixelFormat(Samples.U8, Layout.GRAY)
    path = tmp_path / "a.png"
    path.write_bytes(b"old")
    write_picture(str(path), Picture(noise(fmt), fmt))
    assert read_picture(str(path)).pixels.tobytes() == noise(fmt).tobytes()


@pytest.mark.parametrize(("ending", "samples", "layout"), REFUSED, ids=str)
def test_what_a_kind_cannot_hold_is_refused_and_nothing_is_written(tmp_path, ending, samples, layout):
    fmt = PixelFormat(samples, layout)
    with pytest.raises(FileUnwritable):
        write_picture(tmp_path / f"a{ending}", Picture(noise(fmt), fmt))
    assert not list(tmp_path.iterdir())


def test_a_place_that_cannot_be_written(tmp_path):
    fmt = PixelFormat(Samples.U8, Layout.GRAY)
    with pytest.raises(FileUnwritable) as caught:
        write_picture(tmp_path / "no" / "a.png", Picture(noise(fmt), fmt))
    assert caught.value.data["reason"].startswith("there is no folder")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(FileUnwritable):
        write_picture(tmp_path / "folder.png", Picture(noise(fmt), fmt))
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]


def test_pixels_that_are_not_of_their_format_are_refused(tmp_path):
    with pytest.raises(RequestInvalid):
        write_picture(tmp_path / "a.png", Picture(np.zeros((2, 2, 3), np.uint8), PixelFormat(Samples.U16)))


# --- where it comes from ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ending", "samples", "layout"), [*LOSSLESS, (".jpg", Samples.U8, Layout.RGB)], ids=str)
def test_every_kind_tells_who_made_it(tmp_path, ending, samples, layout):
    """Found by Pillow where the kind has its place for XMP, with the same pixels, profile and EXIF as without."""
    fmt, path = PixelFormat(samples, layout), tmp_path / f"made{ending}"
    plain = Picture(noise(fmt), fmt, SRGB, EXIF)
    write_picture(path, plain)
    before = read_picture(path)
    assert before.xmp == b""
    write_picture(path, replace(plain, xmp=packet(MADE)))
    got = read_picture(path)
    assert got.xmp == packet(MADE)
    assert got.pixels.tobytes() == before.pixels.tobytes()
    assert (got.format, got.icc, got.exif) == (before.format, SRGB, before.exif)
    if (samples, ending) != (Samples.F32, ".tif"):  # which Pillow opens for gray alone
        assert xmp_by_pillow(path) == packet(MADE)
        (source,) = ElementTree.fromstring(xmp_by_pillow(path)).iter(f"{{{IPTC}}}DigitalSourceType")
        assert source.text == MADE.source.uri


EXIF = b"Exif\0\0" + b"II*\0\x08\0\0\0" + b"\x01\0" + struct.pack("<HHII", 0x0112, 3, 1, 1) + bytes(4)
MADE = MadeBy("Frisket 0.1.0", Source.COMPOSITE_TRAINED, "sd15", "inpaint", 7, "ab" * 32, "sd15", "c0ffee")


def xmp_by_pillow(path: Path) -> bytes:
    with Image.open(path) as image:
        image.load()
        if image.format == "TIFF":
            return image.tag_v2[700]  # type: ignore[attr-defined]
        return image.info["xmp"]


@pytest.mark.parametrize("samples", [Samples.U8, Samples.U16])
def test_a_png_tells_it_in_text_too(tmp_path, samples):
    fmt = PixelFormat(samples)
    made = replace(MADE, engine="größe", prompt="a secret garden")
    write_picture(tmp_path / "a.png", Picture(noise(fmt), fmt, xmp=packet(made)))
    with Image.open(tmp_path / "a.png") as image:
        text = dict(image.text)  # type: ignore[attr-defined]
    del text["XML:com.adobe.xmp"]
    assert text == text_of(made)
    assert text["frisket:engine"] == "größe"
    assert "secret" not in str(text)


def test_a_strangers_packet_is_kept_as_it_is_and_makes_no_text(tmp_path):
    fmt = PixelFormat()
    write_picture(tmp_path / "a.png", Picture(noise(fmt), fmt, xmp=b"<x/>"))
    with Image.open(tmp_path / "a.png") as image:
        assert dict(image.text) == {"XML:com.adobe.xmp": "<x/>"}  # type: ignore[attr-defined]
    assert read_picture(tmp_path / "a.png").xmp == b"<x/>"


def test_a_packet_too_large_for_a_jpeg_is_left_out(tmp_path):
    fmt = PixelFormat()
    for size, there in ((65504, True), (65505, False)):
        write_picture(tmp_path / "a.jpg", Picture(noise(fmt), fmt, xmp=b"x" * size))
        assert (read_picture(tmp_path / "a.jpg").xmp == b"x" * size) is there


def test_odd_metadata_of_a_tiff_is_no_reason_to_refuse_it(tmp_path):
    path, fmt = tmp_path / "a.tif", PixelFormat()
    data = tiff.write(noise(fmt), fmt.layout, xmp=b"\xff" * 64)
    as_bytes, as_shorts = (struct.pack("<HHI", 700, kind, count) for kind, count in ((1, 64), (3, 32)))
    assert data.count(as_bytes) == 1
    path.write_bytes(data.replace(as_bytes, as_shorts))
    assert read_picture(path).xmp == b""


# --- orientation, profile, transparency ------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", [".png", ".webp", ".tiff"])
def test_orientation_is_applied_and_reset(tmp_path, ending, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "maker"
    stored = np.array(STORED[orientation], np.uint8)
    image = Image.fromarray(np.dstack([stored] * 3))
    options = {"lossless": True} if ending == ".webp" else {}
    path = saved(tmp_path / f"a{ending}", image, exif=exif, **options)
    got = read_picture(path)
    assert got.pixels[..., 0].tolist() == UPRIGHT.tolist()
    if ending != ".tiff":
        again = Image.Exif()
        again.load(got.exif)
        assert again[0x0112] == 1
        assert again[0x010F] == "maker"
    write_picture(path, got)
    assert read_picture(path).pixels[..., 0].tolist() == UPRIGHT.tolist()


def test_orientation_of_sixteen_bit_files(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = np.array(STORED[6], np.uint16)[..., None] * 257
    (tmp_path / "a.png").write_bytes(b"".join(png.write(stored, exif=exif.tobytes())))
    assert read_picture(tmp_path / "a.png").pixels[..., 0].tolist() == (UPRIGHT * np.uint16(257)).tolist()
    data = bytearray(tiff.write(stored, Layout.GRAY))
    entry = data.index(struct.pack("<HHI", 274, 3, 1))
    data[entry + 8] = 6
    (tmp_path / "a.tif").write_bytes(data)
    assert read_picture(tmp_path / "a.tif").pixels[..., 0].tolist() == (UPRIGHT * np.uint16(257)).tolist()


def profile_with_curve(curve: bytes) -> bytes:
    return bytes(128) + struct.pack(">I", 1) + b"rTRC" + struct.pack(">II", 144, len(curve)) + curve


@pytest.mark.parametrize(
    ("curve", "transfer"),
    [
        (b"curv" + bytes(4) + struct.pack(">I", 0), Transfer.LINEAR),
        (b"curv" + bytes(4) + struct.pack(">IH", 1, 256), Transfer.LINEAR),
        (b"para" + bytes(4) + struct.pack(">HHI", 0, 0, 1 << 16), Transfer.LINEAR),
        (b"curv" + bytes(4) + struct.pack(">IH", 1, 563), Transfer.PERCEPTUAL),
        (b"curv" + bytes(4) + struct.pack(">IHH", 2, 256, 9), Transfer.PERCEPTUAL),
        (b"para" + bytes(4) + struct.pack(">HHI", 0, 0, 144179), Transfer.PERCEPTUAL),
        (b"", Transfer.PERCEPTUAL),
    ],
)
def test_a_straight_curve_in_the_profile_means_linear(tmp_path, curve, transfer):
    pixels = noise(PixelFormat(Samples.F32))
    (tmp_path / "a.tiff").write_bytes(tiff.write(pixels, Layout.RGB, profile_with_curve(curve)))
    assert read_picture(tmp_path / "a.tiff").format.transfer is transfer


def test_srgb_is_perceptual_and_so_is_no_profile(tmp_path):
    for icc in (SRGB, b""):
        (tmp_path / "a.tiff").write_bytes(tiff.write(noise(PixelFormat(Samples.F32)), Layout.RGB, icc))
        assert read_picture(tmp_path / "a.tiff").format.transfer is Transfer.PERCEPTUAL


def test_a_transparent_colour_becomes_alpha(tmp_path):
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    path = saved(tmp_path / "a.png", image, transparency=(4, 5, 6))
    got = read_picture(path)
    assert got.format.layout is Layout.RGBA
    assert got.pixels.tolist() == [[[1, 2, 3, 255], [4, 5, 6, 0]]]
    path = saved(tmp_path / "b.png", Image.fromarray(np.array([[7, 9]], np.uint8)), transparency=7)
    assert read_picture(path).pixels.tolist() == [[[7, 0], [9, 255]]]


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "ending", "words"),
    [
        ("P", ".png", "an indexed picture (palette)"),
        ("1", ".png", "a 1-bit picture"),
        ("CMYK", ".jpg", "CMYK"),
        ("P", ".tiff", "an indexed picture (palette)"),
        ("CMYK", ".tiff", "CMYK"),
        ("LAB", ".tiff", "CIE L*a*b*"),
        ("I", ".tiff", "a TIFF with 32 bits of the sample format 2"),
    ],
)
def test_other_kinds_are_named(tmp_path, mode, ending, words):
    path = saved(tmp_path / f"a{ending}", Image.new(mode, (5, 4)))
    with pytest.raises(ImageFormatUnsupported) as caught:
        read_picture(path)
    assert caught.value.data["found"] == words


def test_animations_are_named(tmp_path):
    frames = [Image.new("RGB", (5, 4), (k, 0, 0)) for k in (1, 99)]
    path = saved(tmp_path / "a.webp", frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(ImageFormatUnsupported) as caught:
        read_picture(path)
    assert caught.value.data["found"] == "an animation"


def reason_of(path: Path) -> str:
    with pytest.raises(FileUnreadable) as caught:
        read_picture(path)
    assert caught.value.data["path"] == str(path)
    return caught.value.data["reason"]


def test_missing_and_folders(tmp_path):
    assert reason_of(tmp_path / "nowhere.png") == "no such file or directory"
    assert reason_of(tmp_path) == "is a directory"


def test_things_that_are_no_pictures(tmp_path):
    path = tmp_path / "a.png"
    for data in (b"", b"hello", bytes(1000)):
        path.write_bytes(data)
        assert "PNG, JPEG, TIFF or WebP" in reason_of(path)
    saved(tmp_path / "a.gif", Image.new("L", (4, 4)))
    assert "PNG, JPEG, TIFF or WebP" in reason_of(tmp_path / "a.gif")


@pytest.mark.parametrize(("ending", "samples", "layout"), [*LOSSLESS, (".jpg", Samples.U8, Layout.RGB)], ids=str)
def test_truncated_files(tmp_path, ending, samples, layout):
    fmt = PixelFormat(samples, layout)
    path = tmp_path / f"a{ending}"
    write_picture(path, Picture(noise(fmt, 90, 80), fmt))
    data = path.read_bytes()
    for end in (3, 30, len(data) // 2, len(data) - 200):
        path.write_bytes(data[:end])
        assert reason_of(path)


@pytest.mark.parametrize(("ending", "samples", "layout"), LOSSLESS, ids=str)
def test_flipped_bytes_never_end_in_a_foreign_error(tmp_path, ending, samples, layout):
    """Any of our errors will do, and a picture too (some bytes are only colour); no other exception."""
    fmt = PixelFormat(samples, layout)
    path = tmp_path / f"a{ending}"
    write_picture(path, Picture(noise(fmt, 8, 9), fmt))
    good = path.read_bytes()
    rng = np.random.default_rng(3)
    for at in rng.integers(0, len(good), 12):
        data = bytearray(good)
        data[at] ^= int(rng.integers(1, 256))
        path.write_bytes(data)
        with suppress(FileUnreadable, ImageFormatUnsupported, PictureTooLarge):
            read_picture(path)


def test_bombs(tmp_path):
    """Small files that claim to be huge are refused before their pixels are unpacked."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    for depth in (8, 16):
        head = chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, depth, 2, 0, 0, 0))
        data = png.SIGNATURE + head + chunk(b"IDAT", zlib.compress(bytes(9))) + chunk(b"IEND", b"")
        (tmp_path / "a.png").write_bytes(data)
        with pytest.raises(PictureTooLarge):
            read_picture(tmp_path / "a.png")
    small = tiff.write(noise(PixelFormat(Samples.U16)), Layout.RGB)
    size = struct.pack("<HHI", 256, 4, 1)
    wide = small.replace(size + struct.pack("<I", 31), size + struct.pack("<I", MOST_PIXELS))
    assert wide != small
    (tmp_path / "a.tiff").write_bytes(wide)
    with pytest.raises(PictureTooLarge):
        read_picture(tmp_path / "a.tiff")


# --- masks -----------------------------------------------------------------------------------------------------------


def test_masks_of_every_kind(tmp_path):
    gray = np.array([[0, 100, 255]], np.uint8)
    kinds = {
        "gray.png": Image.fromarray(gray),
        "rgb.png": Image.fromarray(np.dstack([gray] * 3)),
        "rgba.png": Image.fromarray(np.dstack([gray, gray, gray, 255 - gray])),
        "rgb.tiff": Image.fromarray(np.dstack([gray] * 3)),
    }
    for name, image in kinds.items():
        got = read_mask(saved(tmp_path / name, image))
        assert got.dtype == np.uint8
        assert got.tolist() == [[0, 100, 255]], name
    bits = Image.fromarray(np.array([[0, 255, 255]], np.uint8)).convert("1")
    palette = Image.new("P", (3, 1))
    palette.putpalette([0, 0, 0, 100, 100, 100, 255, 255, 255])
    palette.putdata([0, 1, 2])
    for ending in (".png", ".tiff"):
        assert read_mask(saved(tmp_path / f"bits{ending}", bits)).tolist() == [[0, 255, 255]]
        assert read_mask(saved(tmp_path / f"palette{ending}", palette)).tolist() == [[0, 100, 255]]


def test_masks_of_sixteen_bit_and_float(tmp_path):
    deep = np.array([[[0], [100 * 257], [65535]]], np.uint16)
    write_picture(tmp_path / "a.png", Picture(deep, PixelFormat(Samples.U16, Layout.GRAY)))
    assert read_mask(tmp_path / "a.png").tolist() == [[0, 100, 255]]
    for values, want in (([[[0.0], [0.5], [7.0]]], [[0, 128, 255]]), ([[[np.nan], [0.5], [1.0]]], None)):
        path = tmp_path / "a.tiff"
        write_picture(path, Picture(np.array(values, np.float32), PixelFormat(Samples.F32, Layout.GRAY)))
        if want is None:
            with pytest.raises(ImageNotFinite):
                read_mask(path)
        else:
            assert read_mask(path).tolist() == want


def test_luma_of_primaries(tmp_path):
    primaries = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert read_mask(saved(tmp_path / "a.png", Image.fromarray(primaries))).tolist() == [[54, 182, 18]]


def test_masks_from_transparency(tmp_path):
    rgba = np.array([[[9, 9, 9, 0], [9, 9, 9, 255], [9, 9, 9, 155]]], np.uint8)
    assert read_mask(saved(tmp_path / "a.png", Image.fromarray(rgba)), from_alpha=True).tolist() == [[255, 0, 100]]
    with pytest.raises(ImageFormatUnsupported):
        read_mask(saved(tmp_path / "b.png", Image.fromarray(rgba[..., :3])), from_alpha=True)
