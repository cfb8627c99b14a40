"""Upscale tile by tile: every format, the same as in one piece, alpha that bleeds nowhere."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from fakes.tellers import Listener
from frisket.edits import upscale
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import EditRequest, UpscaleParams
from frisket.edits.tasks import TASKS, admit
from frisket.engines.registry import Registry
from frisket.engines.spec import Channels, Engine, EngineSpec, Report, Silent, Task, Work
from frisket.engines.upscale.edges import ENGINE
from frisket.errors import Cancelled, EngineFailed, ImageNotFinite
from frisket.raster import pixels
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Box, Size
from frisket.raster.sizes import SizeRule

FORMATS = [PixelFormat(s, l, t) for s in Samples for l in Layout for t in Transfer]
MASK = np.zeros((0, 0), np.uint8)  # is not looked at
rng = np.random.default_rng(3)


class Repeater:
    """Repeats each pixel, and notes what it was shown. `give` makes of that what it hands back."""

    def __init__(self, side: int = 0, apron: int = 0, give=None, **changes) -> None:
        fields = {"id": "repeater", "title": "Repeater", "summary": "Repeats.", "tasks": frozenset({Task.UPSCALE})}
        rule = SizeRule(max_pixels=side * side, multiple=changes.pop("multiple", 1))
        self.spec = EngineSpec(**fields, size=rule, apron=apron, **changes)
        self.works: list[Work] = []
        self.give = give or (lambda made: [made])

    def load(self, model: str) -> None:
        pass

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        report(0, 1)
        self.works.append(work)
        return self.give(np.repeat(np.repeat(work.crop, work.scale, 0), work.scale, 1))


class Small:
    """The built-in engine with tiles of `side` px."""

    def __init__(self, side: int, apron: int = ENGINE.spec.apron) -> None:
        rule = SizeRule(max_pixels=side * side)
        self.spec = EngineSpec("small", "Small", "", ENGINE.spec.tasks, size=rule, apron=apron)

    def load(self, model: str) -> None:
        pass

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        return ENGINE.run(work, report)


def ask(image: np.ndarray, fmt: PixelFormat, scale: int = 2, at: tuple[int, int] = (0, 0), **changes) -> EditRequest:
    box = Box(*at, image.shape[1], image.shape[0])
    return EditRequest(Size(box.right + 3, box.bottom + 4), box, UpscaleParams(scale), fmt, **changes)


def do(
    image: np.ndarray, fmt=PixelFormat(), engine: Engine = ENGINE, scale=2, listener=None, **changes
) -> list[Painted]:
    progress = Progress(listener or Listener())
    return upscale.run(ask(image, fmt, scale, **changes), Planes(image, MASK), engine, progress)


def picture(fmt: PixelFormat, size: tuple[int, int] = (13, 11)) -> np.ndarray:
    """Noise whose alpha is 0, 1 and between."""
    work = rng.random((*size, fmt.layout.channels)).astype(np.float32)
    if fmt.layout.has_alpha:
        work[..., -1] = np.clip(work[..., -1] * 3 - 1, 0, 1)
    return pixels.from_work(work, fmt)


def test_the_task_is_in_the_table_and_has_an_engine() -> None:
    assert TASKS[Task.UPSCALE].crew == ()
    image = picture(PixelFormat())
    assert admit(ask(image, PixelFormat()), Registry.installed())[1].id == "edge-lanczos"


@pytest.mark.parametrize("channels", Channels)
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_pixels_that_are_repeated_keep_their_samples_in_every_format(fmt: PixelFormat, channels: Channels) -> None:
    image, engine = picture(fmt), Repeater(channels=channels)
    (done,) = do(image, fmt, engine, 3, at=(5, 7))
    assert (done.meta.box, done.meta.scale) == (Box(15, 21, 33, 39), 3)
    assert (done.mask.shape, (done.mask == 255).all()) == ((39, 33), True)
    assert (done.pixels.dtype, done.pixels.shape) == (image.dtype, (39, 33, fmt.layout.channels))
    assert engine.works[0].crop.shape[2] == (3 if channels is Channels.RGB else fmt.layout.channels)
    wanted = np.repeat(np.repeat(image, 3, 0), 3, 1)
    if channels is Channels.RGB and fmt.layout.has_alpha:  # its alpha is enlarged by the engine that can
        alpha = np.ascontiguousarray(pixels.to_work(image, fmt)[..., -1:])
        work = Work(Task.UPSCALE, alpha, MASK, {}, (0,), scale=3)
        enlarged = pixels.from_work(ENGINE.run(work, Silent())[0], PixelFormat(fmt.samples, Layout.GRAY))
        assert np.array_equal(done.pixels[..., -1:], enlarged)
        wanted[wanted[..., -1] == 0] = done.pixels[wanted[..., -1] == 0]
        wanted[..., -1] = done.pixels[..., -1]
    if fmt.samples.is_float:
        assert np.allclose(done.pixels.astype(float), wanted.astype(float), rtol=2e-3, atol=1e-4)
    else:
        assert np.abs(done.pixels.astype(int) - wanted).max() <= 1


TILED = (
    PixelFormat(),
    PixelFormat(Samples.U16, Layout.RGBA),
    PixelFormat(Samples.F32, Layout.GRAY_ALPHA, Transfer.LINEAR),
)


@pytest.mark.parametrize("fmt", TILED, ids=str)
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_tiles_are_bit_for_bit_the_whole(fmt: PixelFormat, scale: int) -> None:
    image = picture(fmt, (70, 66))
    engine = Small(60)
    assert len(upscale.tiles_of(Size(66, 70), engine.spec)) == 4
    (tiled,), (whole,) = (do(image, fmt, e, scale) for e in (engine, ENGINE))
    assert np.array_equal(tiled.pixels, whole.pixels)


def test_an_opaque_picture_is_worked_on_without_its_alpha_and_stays_opaque() -> None:
    fmt = PixelFormat(Samples.U8, Layout.RGBA)
    image = picture(fmt)
    image[..., 3] = 255
    engine = Repeater()
    (done,) = do(image, fmt, engine)
    assert engine.works[0].crop.shape[2] == 3
    assert (done.pixels[..., 3] == 255).all()
    (solid,), (opaque,) = do(np.ascontiguousarray(image[..., :3])), do(image, fmt)
    assert np.array_equal(opaque.pixels[..., :3], solid.pixels)


def test_what_is_hidden_does_not_bleed_into_what_is_seen() -> None:
    """Red, next to green that nobody sees: no green and no dark edge comes out."""
    fmt = PixelFormat(Samples.U8, Layout.RGBA)
    image = np.zeros((16, 16, 4), np.uint8)
    image[:, :8], image[:, 8:] = (255, 0, 0, 255), (0, 255, 0, 0)
    for channels in Channels:
        engine = ENGINE if channels is Channels.ANY else Plain()
        (done,) = do(image, fmt, engine, 4)
        seen = done.pixels[..., 3] > 0
        assert seen[:, :32].all()
        assert not seen[:, 36:].any()
        assert (done.pixels[seen][:, :3] == (255, 0, 0)).all()
        assert (done.pixels[:, 60:, :3] == (0, 255, 0)).all(), "hidden colours stay what they were"


class Plain(Repeater):
    """Sees no alpha, and blurs over 5 px."""

    def __init__(self) -> None:
        super().__init__(channels=Channels.RGB, give=lambda made: [cv2.blur(made, (5, 5))])


def test_values_beyond_0_and_1_stay_where_they_are() -> None:
    fmt = PixelFormat(Samples.F32, Layout.RGB, Transfer.LINEAR)
    image = picture(fmt) * 40 - 10
    (done,) = do(image, fmt, scale=4)
    assert done.pixels.min() >= image.min() - 1e-3
    assert done.pixels.max() <= image.max() + 1e-3
    assert np.abs(cv2.resize(done.pixels, (11, 13), interpolation=cv2.INTER_AREA) - image).mean() < 3
    image[3, 4, 1] = np.nan
    with pytest.raises(ImageNotFinite):
        do(image, fmt)


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (2, 3)])
def test_odd_sizes(size: tuple[int, int]) -> None:
    image = picture(PixelFormat(), size)
    for scale in (2, 3, 4):
        (done,) = do(image, scale=scale)
        assert done.pixels.shape == (size[0] * scale, size[1] * scale, 3)


def test_pictures_of_all_seeds_are_one() -> None:
    engine = Repeater()
    done = do(picture(PixelFormat()), engine=engine, seed=7, count=3)
    assert [d.meta.seed for d in done] == [7, 8, 9]
    assert len(engine.works) == 1
    assert done[0].pixels is done[2].pixels
    assert "without a model" in done[0].meta.notes[0]
    trained = Repeater(trained=True, licence="S-Lab")
    assert "S-Lab" in do(picture(PixelFormat()), engine=trained)[0].meta.notes[0]


def test_progress_previews_and_an_end_between_tiles() -> None:
    image, engine = picture(PixelFormat(), (200, 100)), Repeater(100)
    listener = Listener()
    do(image, engine=engine, listener=listener)
    assert listener.fractions == sorted(listener.fractions)
    assert listener.fractions[-1] == 1
    assert listener.previews[0][1] == (0, 0, 100, 100)
    engine.works.clear()
    with pytest.raises(Cancelled):
        do(image, engine=engine, listener=Listener(cancel_at=0.5))
    assert len(engine.works) == 1


@pytest.mark.parametrize(
    "give", [lambda made: [made[1:]], lambda made: [], lambda made: [made, made], lambda made: [made * np.nan]]
)
def test_an_engine_that_breaks_its_word_is_named(give) -> None:
    with pytest.raises(EngineFailed, match="repeater"):
        do(picture(PixelFormat()), engine=Repeater(give=give))
