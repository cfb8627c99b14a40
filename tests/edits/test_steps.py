"""cut, paint, settle, restore: what an engine is shown in each layout, and what comes back of it."""

from __future__ import annotations

import numpy as np
import pytest

from edits.test_inpaint import FORMATS, ask, picture
from fakes.engines import SoftEngine, ToyEngine
from fakes.tellers import Listener
from frisket.edits.progress import Progress
from frisket.edits.requests import InpaintParams, OutpaintParams, VariationParams
from frisket.edits.steps import Cut, cut, paint, restore, settle
from frisket.engines.spec import Channels, MaskLaw, Report, Work
from frisket.errors import EngineFailed
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.sizes import SizeRule

RGBA = PixelFormat(layout=Layout.RGBA)
RGB_ONLY = ToyEngine(channels=Channels.RGB)
ANY = ToyEngine()


def square(h: int = 12, w: int = 16) -> np.ndarray:
    """A hole of 4 x 4 at (4, 4)."""
    hole = np.zeros((h, w), np.float32)
    hole[4:8, 4:8] = 1
    return hole


def small(fmt: PixelFormat, see_through: bool = False) -> np.ndarray:
    """16 x 12 px; `see_through`: half transparent on the right."""
    image = picture(fmt, 12, 16)
    if see_through:
        image[:, 8:, -1] = image[0, 0, -1] // 2
    return image


@pytest.mark.parametrize("engine", [ANY, RGB_ONLY], ids=["any", "rgb"])
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_there_and_back_gives_the_documents_samples(fmt: PixelFormat, engine: ToyEngine) -> None:
    """An opaque picture, cut and restored without a change, is the same: to the bit in 8 bit, else to a rounding."""
    image = small(fmt)
    made = cut(image, square(), ask(image, fmt), engine.spec)
    back = restore(made.image, made, fmt)
    assert (back.dtype, back.shape) == (image.dtype, image.shape)
    if fmt.samples is Samples.U8:
        assert np.array_equal(back, image)
    elif not fmt.samples.is_float:
        assert np.abs(back.astype(int) - image.astype(int)).max() <= 1
    else:
        assert np.abs(back.astype(float) - image.astype(float)).max() < 2e-3  # half floats near 0.6 lie 5e-4 apart


SHOWN = [
    (Layout.GRAY, False, ANY, 1, False),
    (Layout.GRAY, False, RGB_ONLY, 3, False),
    (Layout.RGB, False, ANY, 3, False),
    (Layout.GRAY_ALPHA, False, ANY, 1, False),
    (Layout.GRAY_ALPHA, True, ANY, 2, True),
    (Layout.GRAY_ALPHA, True, RGB_ONLY, 3, False),
    (Layout.RGBA, False, ANY, 3, False),
    (Layout.RGBA, True, ANY, 4, True),
    (Layout.RGBA, True, RGB_ONLY, 3, False),
]


@pytest.mark.parametrize(("layout", "see_through", "engine", "channels", "paints_alpha"), SHOWN)
def test_what_an_engine_is_shown(layout, see_through, engine, channels, paints_alpha) -> None:
    fmt = PixelFormat(layout=layout)
    image = small(fmt, see_through)
    made = cut(image, square(), ask(image, fmt), engine.spec)
    assert made.image.shape == (12, 16, channels)
    assert made.paints_alpha is paints_alpha
    assert (made.alpha is None) is (paints_alpha or not layout.has_alpha)
    if paints_alpha:
        colour = image[..., :-1] / 255 * (image[..., -1:] / 255)
        assert np.allclose(made.image[..., :-1], colour, atol=1e-6), "premultiplied"


def test_what_counts_as_opaque_depends_on_the_task() -> None:
    """The hole's own transparency is to be filled by an inpaint, and kept by a variation."""
    image = small(RGBA)
    image[4:8, 4:8] = 0
    filled = cut(image, square(), ask(image, RGBA), ANY.spec)
    varied = cut(image, square(), ask(image, RGBA, VariationParams()), ANY.spec)
    assert filled.image.shape[2] == 3
    assert filled.alpha is not None
    assert (filled.alpha == 1).all()
    assert varied.image.shape[2] == 4


def test_an_engine_of_colour_alone_leaves_alpha_alone() -> None:
    image = small(RGBA, see_through=True)
    made = cut(image, square(), ask(image, RGBA), RGB_ONLY.spec)
    back = restore(np.zeros_like(made.image), made, RGBA)
    assert np.array_equal(back[..., 3], image[..., 3])
    assert (back[..., :3] == 0).all()


def test_gray_comes_back_from_colour_as_its_luma() -> None:
    fmt = PixelFormat(layout=Layout.GRAY)
    image = small(fmt)
    made = cut(image, square(), ask(image, fmt), RGB_ONLY.spec)
    fill = np.zeros_like(made.image)
    fill[..., 1] = 1  # green
    assert (restore(fill, made, fmt) == round(0.7152 * 255)).all()  # BT.709


def test_float_pictures_keep_values_above_white() -> None:
    fmt = PixelFormat(Samples.F32)
    image = small(fmt)
    image[0, 0] = 7.5
    made = cut(image, square(), ask(image, fmt), ANY.spec)
    assert np.allclose(restore(made.image, made, fmt)[0, 0], 7.5, rtol=1e-5)


class EightBitEngine(ToyEngine):
    """Repeats what it is shown as far as it lies in 0...1, and paints `level` into the hole: what a model does."""

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        return [np.clip(fill, 0, 1) for fill in super().run(work, report)]


@pytest.mark.parametrize("beyond", [-5.0, 7.5])
def test_values_that_a_generator_cannot_see_do_not_shift_its_tone(beyond: float) -> None:
    hole, image = square(40, 40), np.full((40, 40, 3), 0.5, np.float32)
    image[::2, :, 0] = beyond
    made, fmt = Cut(image.copy(), hole, None, False), PixelFormat(Samples.F32)
    engine = EightBitEngine(mask_law=MaskLaw.SOFT)
    (fill,) = paint(made, engine, ask(image, fmt, engine_params={"level": 0.5}), Progress(Listener()))
    np.testing.assert_allclose(fill[hole > 0], 0.5, atol=1e-3)
    np.testing.assert_array_equal(made.image, image)  # what is pasted into keeps its values


def run(engine: ToyEngine, made: Cut, params=None, **changes) -> list[np.ndarray]:
    image = np.zeros((*made.hole.shape, 3), np.uint8)
    return paint(made, engine, ask(image, PixelFormat(), params, **changes), Progress(Listener()))


def gray(hole: np.ndarray, sources: np.ndarray | None = None) -> Cut:
    return Cut(np.full((*hole.shape, 3), 0.5, np.float32), hole, None, False, sources)


def test_a_smaller_working_size_comes_back_at_the_crops() -> None:
    engine = ToyEngine(size=SizeRule(max_side=8))
    (fill,) = run(engine, gray(square()))
    assert engine.works[0].crop.shape == (6, 8, 3)
    assert fill.shape == (12, 16, 3)
    assert np.allclose(fill[5:7, 5:7], 0.9, atol=0.05)


def test_a_working_pixel_is_a_source_when_all_of_it_is() -> None:
    sources = np.ones((12, 16), bool)
    sources[0, 0] = False
    engine = ToyEngine(size=SizeRule(max_side=8))
    run(engine, gray(square(), sources))
    fitted = engine.works[0].sources
    assert fitted is not None
    assert not fitted[0, 0]
    assert fitted[:, 2:].all()


@pytest.mark.parametrize(
    ("params", "strength", "tileable"),
    [
        (InpaintParams(strength=0.25), 0.25, False),
        (OutpaintParams(left=1), 1.0, False),
        (VariationParams(0.75, tileable=True), 0.75, True),
    ],
)
def test_wishes_reach_the_engine(params, strength: float, tileable: bool) -> None:
    engine = ToyEngine()
    run(engine, gray(square()), params, seed=7, count=2)
    (work,) = engine.works
    assert (work.strength, work.tileable, work.seeds) == (strength, tileable, (7, 8))


class Liar(ToyEngine):
    """Gives back whatever it was told to."""

    def __init__(self, *fills: np.ndarray) -> None:
        super().__init__()
        self.fills = list(fills)

    def run(self, work, report):
        return self.fills


@pytest.mark.parametrize(
    "fills",
    [[], [np.zeros((12, 16, 3))] * 2, [np.full((12, 16, 3), np.nan)], [np.full((12, 16, 3), np.inf)]],
    ids=["none", "two", "nan", "inf"],
)
def test_an_engine_that_breaks_its_word_is_found_out(fills: list[np.ndarray]) -> None:
    with pytest.raises(EngineFailed, match="toy"):
        run(Liar(*fills), gray(square()))


def test_the_fill_of_an_engine_that_meets_the_border_is_left_alone() -> None:
    made = gray(square())
    fill = made.image + 0.1
    assert settle(fill, made.image, made.hole, ANY.spec) is fill


def test_a_generators_fill_is_bent_to_meet_the_picture() -> None:
    made = gray(square())
    fill = made.image + 0.1
    settled = settle(fill, made.image, made.hole, SoftEngine().spec)
    assert not np.array_equal(settled[made.hole > 0], fill[made.hole > 0])


def test_a_constant_error_of_tone_goes_away() -> None:
    made = gray(square())
    settled = settle(made.image + 0.1, made.image, made.hole, SoftEngine().spec)
    assert np.abs(settled[4:8, 4:8] - 0.5).max() < 1e-3


def test_what_shows_beyond_the_hole_says_nothing_of_a_generators_tone() -> None:
    """It paints in blocks, so its red shows 4 px around the hole; that is no reason to paint less red."""
    image, hole = np.full((40, 40, 3), 0.5, np.float32), np.zeros((40, 40), np.float32)
    hole[14:26, 14:26] = 1
    fill = image.copy()
    fill[10:30, 10:30] = (0.9, 0.1, 0.1)
    bled = settle(fill, image, hole, SoftEngine(bleed=6).spec)
    np.testing.assert_allclose(bled[hole > 0], fill[hole > 0], atol=1e-6)
    assert np.abs(settle(fill, image, hole, SoftEngine().spec) - fill)[hole > 0].max() > 0.1


def test_a_small_selection_on_a_large_grid_keeps_the_generators_colour() -> None:
    """Worked on at twice its size and shrunk again: what is new must not run into what is asked for its tone."""

    class Red(SoftEngine):
        def run(self, work: Work, report: Report) -> list[np.ndarray]:
            red = np.array([0.9, 0.1, 0.1], np.float32)
            return [np.where(work.hole[..., None] > 0, red, work.crop) for _ in work.seeds]

    engine = Red(size=SizeRule(multiple=8, native_side=97), params=())
    image, hole = np.full((41, 53, 3), 0.5, np.float32), np.zeros((41, 53), np.float32)
    hole[12:30, 15:40] = 1
    (fill,) = run(engine, Cut(image, hole, None, False))
    assert np.abs(fill[16:26, 19:36] - (0.9, 0.1, 0.1)).max() < 0.01
