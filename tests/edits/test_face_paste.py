"""The change of a face, laid back: tone kept, edges soft, overlaps as if laid over each other."""

from __future__ import annotations

import numpy as np
import pytest

from frisket.edits.face_paste import FRAME, Patch, aligned, clusters, colour_kept, framed, lay, place_of, softened
from frisket.engines.faces import align
from frisket.raster import pixels
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size

PICTURE = Size(200, 120)
RGB8 = PixelFormat()


def idle() -> None:
    pass


def place(x: float, y: float, scale: float, picture: Size = PICTURE):
    """The template's middle at (x, y), `scale` px of the aligned face for one of the picture."""
    matrix = np.array([[scale, 0, 256 - scale * x], [0, scale, 256 - scale * y]], np.float64)
    side = round(200 / scale)
    return place_of(matrix, Box(round(x - side / 2), round(y - side / 2), side, side), picture)


def patch(where, height: float, full: bool = True) -> Patch:
    change = np.full((512, 512, 3), height, np.float32)
    mask = np.ones((512, 512), np.float32) if full else align.fallback_mask()
    return Patch(where, change, framed(mask))


def laid(patches: list[Patch], strength: float = 1.0, fmt: PixelFormat = RGB8) -> tuple[np.ndarray, np.ndarray]:
    work = np.full((PICTURE.height, PICTURE.width, fmt.layout.channels), 0.5, np.float32)
    layer, mask = pixels.from_work(work, fmt), np.zeros((PICTURE.height, PICTURE.width), np.float32)
    lay(layer, mask, (0, 0), patches, strength, fmt, idle)
    return layer, mask


def test_a_face_is_cut_out_at_the_size_that_it_has_there() -> None:
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None], 120, axis=0)[..., None].repeat(3, axis=2)
    seen = aligned(ramp, RGB8, place(100, 60, 8), idle)
    assert seen[256, 256, 0] * 255 == pytest.approx(100, abs=0.1)
    assert seen[256, 256 + 80, 0] * 255 == pytest.approx(110, abs=0.1)


def test_of_a_large_face_a_strip_is_seen_where_there_is_no_more() -> None:
    size = Size(1200, 2)
    seen = aligned(np.full((2, 1200, 3), 90, np.uint8), RGB8, place(600, 1, 0.2, size), idle)
    assert seen[200:300, 200:300] * 255 == pytest.approx(90, abs=0.5)


@pytest.mark.parametrize("scale", [1.0, 0.5, 0.3, 0.2])
def test_a_large_face_is_reduced_while_it_is_read(scale: float) -> None:
    size = Size(1200, 700)
    y, x = np.mgrid[0 : size.height, 0 : size.width]
    fine = 30 * ((x + y) % 2)  # what 512 px cannot hold
    image = np.rint(60 + x / 12 + fine)[..., None].repeat(3, axis=2).astype(np.uint8)
    seen = aligned(image, RGB8, place(600, 350, scale, size), idle)
    columns = (np.arange(512) - 256) / scale + 600
    inner = (columns > 60) & (columns < 1140)
    assert seen[256, inner, 0] * 255 == pytest.approx(75 + columns[inner] / 12, abs=16 if scale == 1 else 2.5)


def test_tone_goes_and_detail_stays() -> None:
    mask = align.fallback_mask()
    tone = np.broadcast_to(np.array((0.3, -0.1, 0.05), np.float32), (512, 512, 3))
    inner = mask > 0.5
    assert np.abs(colour_kept(np.ascontiguousarray(tone), mask)[inner]).max() < 0.01
    detail = 0.1 * np.sin(np.arange(512) / 4)[None, :, None] * np.ones((512, 1, 3))
    kept = colour_kept((detail + tone).astype(np.float32), mask)
    assert np.abs(kept - detail)[inner].max() < 0.02


def test_a_mask_ends_before_the_aligned_face_does() -> None:
    mask = framed(np.ones((512, 512), np.float32))
    assert mask[:FRAME].max() == mask[:, -FRAME:].max() == 0
    assert mask[256, 256] == 1
    assert np.abs(np.diff(mask[256])).max() < 0.05, "without a step"
    hard = np.zeros((512, 512), np.float32)
    hard[:, 200:] = 1
    assert np.abs(np.diff(softened(hard)[256])).max() < 0.03


def test_the_change_is_added_as_far_as_strength_says() -> None:
    layer, mask = laid([patch(place(100, 60, 8), 0.2)])
    assert layer[60, 100].tolist() == [179, 179, 179]  # 0.5 is 128 of 255
    assert mask[60, 100] == 1
    assert (layer[mask == 0] == 128).all()
    half, _ = laid([patch(place(100, 60, 8), 0.2)], 0.5)
    assert half[60, 100, 0] in (153, 154)
    none, mask = laid([patch(place(100, 60, 8), 0.2)], 0.0)
    assert (none == 128).all()


def test_the_larger_face_lies_over_the_smaller_one() -> None:
    low, high = place(90, 60, 10), place(110, 60, 8)
    layer, mask = laid([patch(low, -0.3), patch(high, 0.2)])
    alone, share = laid([patch(high, 0.2)])
    assert (layer[share == 1] == alone[share == 1]).all()
    soft = (share > 0.2) & (share < 0.8) & (laid([patch(low, -0.3)])[1] == 1)
    shown = mask[soft] * (layer[soft][:, 0] / 255 - 0.5)
    assert shown == pytest.approx(share[soft] * 0.2 - (1 - share[soft]) * 0.3, abs=0.005), "the `over` rule"
    assert (mask[soft] == 1).all()


def test_groups_are_what_reaches_into_each_other() -> None:
    places = [place(20, 60, 16), place(180, 60, 20), place(40, 60, 16), place(60, 60, 12), place(180, 58, 24)]
    assert clusters(places) == [[0, 2, 3], [4, 1]], "the smallest face first"
    assert clusters([]) == []


def test_gray_takes_the_luma_of_the_change_and_clear_pixels_none() -> None:
    where = place(100, 60, 8)
    change = np.zeros((512, 512, 3), np.float32)
    change[..., 1] = 0.1
    fmt = PixelFormat(Samples.F32, Layout.GRAY_ALPHA)
    work = np.full((120, 200, 2), 0.5, np.float32)
    work[:60, :, 1] = 0
    layer, mask = work.copy(), np.zeros((120, 200), np.float32)
    lay(layer, mask, (0, 0), [Patch(where, change, framed(np.ones((512, 512), np.float32)))], 1.0, fmt, idle)
    assert layer[70, 100] == pytest.approx((0.5 + 0.07152, 0.5), abs=1e-5)
    assert (layer[:60] == work[:60]).all()


def test_nothing_gets_darker_than_black_nor_leaves_what_was_darker() -> None:
    fmt = PixelFormat(Samples.F32, Layout.RGB)
    layer = np.full((120, 200, 3), 0.1, np.float32)
    layer[60:] = -0.2
    lay(layer, np.zeros((120, 200), np.float32), (0, 0), [patch(place(100, 60, 8), -0.3)], 1.0, fmt, idle)
    assert layer[50, 100].tolist() == [0, 0, 0]
    assert layer[70, 100] == pytest.approx(-0.2)


def test_a_layer_that_is_a_piece_of_the_picture_gets_its_piece() -> None:
    where = place(100, 60, 8)
    whole, seen = laid([patch(where, 0.2, full=False)])
    piece = np.full((50, 60, 3), 128, np.uint8)
    mask = np.zeros((50, 60), np.float32)
    box = lay(piece, mask, (80, 40), [patch(where, 0.2, full=False)], 1.0, RGB8, idle)
    assert Box(80, 40, 60, 50).holds(box)
    here = Box(80, 40, 60, 50).slices
    assert (piece == whole[here]).all()
    assert np.abs(mask - seen[here]).max() < 1e-6
