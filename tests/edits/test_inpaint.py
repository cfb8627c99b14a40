"""Inpaint with toy engines: which pixels change, which do not, in every format."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.engines import BrokenEngine, SoftEngine, ToyEngine
from fakes.tellers import Listener
from frisket.edits import inpaint
from frisket.edits.progress import Progress
from frisket.edits.repaint import Planes
from frisket.edits.requests import EditRequest, InpaintParams, MaskDials, Params
from frisket.edits.results import DegradationKind
from frisket.engines.spec import Engine
from frisket.errors import Cancelled, EngineFailed, ImageNotFinite, MaskEmpty, MoveLeavesNothing
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Box, Size
from frisket.raster.pixels import DTYPES

FORMATS = [PixelFormat(s, l, t) for s in Samples for l in Layout for t in Transfer if s.is_float or t.name[0] == "P"]


def picture(fmt: PixelFormat, h: int = 60, w: int = 80, seed: int = 1) -> np.ndarray:
    """Noise around 0.4 in the document's samples, opaque."""
    values = 0.4 + 0.2 * np.random.default_rng(seed).random((h, w, fmt.layout.channels))
    if fmt.layout.has_alpha:
        values[..., -1] = 1
    dtype = DTYPES[fmt.samples]
    return values.astype(dtype) if fmt.samples.is_float else np.rint(values * np.iinfo(dtype).max).astype(dtype)


def ask(image: np.ndarray, fmt: PixelFormat, params: Params | None = None, **changes) -> EditRequest:
    size = Size(image.shape[1], image.shape[0])
    fields = {"canvas": size, "region": Box.of(size), "params": params or InpaintParams(), "format": fmt}
    fields |= {"engine_params": {"level": 0.9}} | changes
    return EditRequest(**fields)


def paint(request: EditRequest, image, mask, engine: Engine | None = None, tell: Listener | None = None):
    return inpaint.run(request, Planes(image, mask), engine or ToyEngine(), Progress(tell or Listener()))


def hole(h: int = 60, w: int = 80) -> np.ndarray:
    mask = np.zeros((h, w), np.uint8)
    mask[20:30, 30:45] = 255
    mask[30, 30:45] = 100  # a soft edge
    return mask


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_paints_the_hole_in_the_documents_own_format(fmt: PixelFormat) -> None:
    image, mask = picture(fmt), hole()
    before = image.copy()
    (done,) = paint(ask(image, fmt), image, mask)
    assert done.meta.box == Box(30, 20, 15, 11)
    assert done.pixels.dtype == image.dtype
    assert done.pixels.shape == (11, 15, fmt.layout.channels)
    assert np.array_equal(done.mask, mask[20:31, 30:45])
    assert np.array_equal(image, before), "the input was written to"
    colors = done.pixels[..., : fmt.layout.colors].astype(np.float64)
    full = 1 if fmt.samples.is_float else np.iinfo(image.dtype).max
    wanted = 0.9 if fmt.transfer is Transfer.PERCEPTUAL else 0.7874
    assert np.abs(colors / full - wanted).max() < 2e-3
    if fmt.layout.has_alpha:
        assert (done.pixels[..., -1] == full).all()


def test_the_pixels_under_a_mask_of_zero_are_the_old_ones() -> None:
    fmt = PixelFormat()
    image, mask = picture(fmt), np.zeros((60, 80), np.uint8)
    mask[10:20, 10:20] = 255
    mask[12, 12] = 0
    (done,) = paint(ask(image, fmt), image, mask)
    assert done.mask[2, 2] == 0
    assert np.array_equal(done.pixels[2, 2], image[12, 12])


def test_far_parts_are_painted_apart_into_one_result() -> None:
    fmt, tell, engine = PixelFormat(), Listener(), ToyEngine()
    image = picture(fmt, 200, 300)
    mask = np.zeros((200, 300), np.uint8)
    mask[10:20, 10:20] = mask[180:190, 280:290] = 255
    (done,) = paint(ask(image, fmt), image, mask, engine, tell)
    assert [w.crop.shape[:2] for w in engine.works] == [(20, 20), (20, 20)]
    assert done.meta.box == Box(10, 10, 280, 180)
    assert (done.pixels[done.mask > 0] == 230).all()
    untouched = done.mask == 0
    assert np.array_equal(done.pixels[untouched], image[10:190, 10:290][untouched])
    assert tell.fractions == sorted(tell.fractions)
    assert tell.fractions[-1] == 1.0


def test_one_picture_for_each_seed() -> None:
    fmt, engine = PixelFormat(), ToyEngine()
    image = picture(fmt)
    done = paint(ask(image, fmt, seed=2**32 - 1, count=3), image, hole(), engine)
    assert [d.meta.seed for d in done] == [2**32 - 1, 0, 1]
    assert engine.works[0].seeds == (2**32 - 1, 0, 1)


def test_the_region_lies_where_the_request_says() -> None:
    fmt = PixelFormat()
    image = picture(fmt)
    request = ask(image, fmt, canvas=Size(500, 400), region=Box(100, 50, 80, 60))
    (done,) = paint(request, image, hole())
    assert done.meta.box == Box(130, 70, 15, 11)


def test_a_prompt_without_effect_is_told() -> None:
    fmt = PixelFormat()
    image = picture(fmt)
    (done,) = paint(ask(image, fmt, InpaintParams(prompt="a barn")), image, hole())
    assert "no effect" in done.meta.notes[0]
    (silent,) = paint(ask(image, fmt), image, hole())
    assert silent.meta.notes == ()


def test_partly_transparent_surroundings_are_painted_with_their_alpha() -> None:
    fmt, engine = PixelFormat(layout=Layout.RGBA), ToyEngine()
    image = picture(fmt)
    image[:, 40:, 3] = 0
    paint(ask(image, fmt), image, hole(), engine)
    crop = engine.works[0].crop
    assert crop.shape[2] == 4
    assert (crop[..., :3][crop[..., 3] == 0] == 0).all(), "colour must be premultiplied"


def test_opaque_surroundings_make_an_opaque_fill() -> None:
    """Filling the transparent part of a layer: the engine sees colour alone."""
    fmt, engine = PixelFormat(layout=Layout.RGBA), ToyEngine()
    image = picture(fmt)
    image[20:31, 30:45] = 0
    (done,) = paint(ask(image, fmt), image, hole(), engine)
    assert engine.works[0].crop.shape[2] == 3
    assert (done.pixels[..., 3] == 255).all()


def test_an_engine_of_fixed_sizes_gets_one_it_can_hold() -> None:
    fmt, engine = PixelFormat(layout=Layout.GRAY), SoftEngine()
    image = picture(fmt, 300, 400)
    mask = np.zeros((300, 400), np.uint8)
    mask[100:200, 100:300] = 255
    (done,) = paint(ask(image, fmt), image, mask, engine)
    h, w, c = engine.works[0].crop.shape
    assert (h % 8, w % 8, c) == (0, 0, 3)
    assert h * w <= 128 * 128
    assert [d.kind for d in done.meta.degraded] == [DegradationKind.SMALLER_SIZE]
    assert done.meta.box.area > 100 * 200, "the soft law reaches beyond the selection"
    assert (done.mask[mask[done.meta.box.slices] == 255] == 255).all()


def test_dials_reach_beyond_the_selection_and_no_further() -> None:
    fmt = PixelFormat()
    image, mask = picture(fmt), np.zeros((60, 80), np.uint8)
    mask[25:35, 30:50] = 255
    params = InpaintParams(dials=MaskDials(grow=3, feather=4, blend=4))
    (done,) = paint(ask(image, fmt, params), image, mask)
    whole = np.zeros((60, 80), np.uint8)
    whole[done.meta.box.slices] = done.mask
    assert (whole[25:35, 30:50] == 255).all()
    row = whole[30, 50:60]
    assert (row[:3] == 255).all()
    assert (np.diff(row.astype(int)) <= 0).all()
    assert (row[7:] == 0).all()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_are_refused(value: float) -> None:
    fmt = PixelFormat(Samples.F32)
    image = picture(fmt)
    image[3, 4, 1] = value
    with pytest.raises(ImageNotFinite) as caught:
        paint(ask(image, fmt), image, hole())
    assert caught.value.data == {"count": "1"}


def test_an_empty_mask_is_refused() -> None:
    image = picture(PixelFormat())
    with pytest.raises(MaskEmpty):
        paint(ask(image, PixelFormat()), image, np.zeros((60, 80), np.uint8))


def test_an_engine_that_breaks_its_word_is_found_out() -> None:
    image = picture(PixelFormat())
    with pytest.raises(EngineFailed, match="no numbers"):
        paint(ask(image, PixelFormat(), engine_params={"how": "nan"}), image, hole(), BrokenEngine())


def test_cancel_ends_it_at_the_next_report() -> None:
    image, engine = picture(PixelFormat()), ToyEngine()
    with pytest.raises(Cancelled):
        paint(ask(image, PixelFormat()), image, hole(), engine, Listener(cancel_at=0.5))
    assert len(engine.works) <= 1


@pytest.mark.parametrize(("h", "w"), [(1, 1), (1, 50), (50, 1), (2, 2)])
def test_tiny_pictures(h: int, w: int) -> None:
    fmt = PixelFormat()
    image, mask = picture(fmt, h, w), np.zeros((h, w), np.uint8)
    mask[0, 0] = 255
    (done,) = paint(ask(image, fmt), image, mask)
    assert done.meta.box == Box(0, 0, 1, 1)
    assert (done.pixels == 230).all()


def test_move_puts_the_selection_there_and_repaints_where_it_was() -> None:
    image, engine = picture(PixelFormat()), ToyEngine()
    mask = np.zeros((60, 80), np.uint8)
    mask[20:30, 10:20] = 255
    (done,) = paint(ask(image, PixelFormat(), InpaintParams(move=(40, 5))), image, mask, engine)
    assert done.meta.box == Box(10, 20, 50, 15)
    out = image.copy()
    shown = done.mask > 0
    out[done.meta.box.slices][shown] = done.pixels[shown]
    assert np.array_equal(out[25:35, 50:60], image[20:30, 10:20]), "the moved pixels"
    assert (out[20:30, 10:20] == 230).all(), "the place they left"
    shown_at = np.zeros((60, 80), bool)
    shown_at[done.meta.box.slices] = shown
    assert np.array_equal(out[~shown_at], image[~shown_at])
    assert shown_at.sum() == 200
    (work,) = engine.works
    assert work.sources is not None
    moved = Box(50, 25, 10, 10).relative_to(Box(5, 15, 20, 20)).clipped(Box(0, 0, 20, 20))
    assert not work.sources[moved.slices].any(), "a second one could be copied"


def test_a_move_onto_itself_repaints_only_what_it_uncovers() -> None:
    image, engine = picture(PixelFormat()), ToyEngine()
    mask = np.zeros((60, 80), np.uint8)
    mask[20:30, 10:20] = 255
    paint(ask(image, PixelFormat(), InpaintParams(move=(4, 0))), image, mask, engine)
    assert (engine.works[0].hole > 0).sum() == 40


def test_a_move_out_of_the_picture_is_refused() -> None:
    image = picture(PixelFormat())
    with pytest.raises(MoveLeavesNothing):
        paint(ask(image, PixelFormat(), InpaintParams(move=(500, 0))), image, hole())
