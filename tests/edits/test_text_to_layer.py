"""Text to layer with a toy engine: what it is shown, and how its picture covers the region in the document's format."""

from __future__ import annotations

import numpy as np
import pytest

from fakes.engines import PainterEngine, SoftEngine
from fakes.tellers import Listener
from frisket.edits import text_to_layer
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import EditRequest, TextToLayerParams
from frisket.edits.results import DegradationKind
from frisket.engines.spec import Channels, MaskLaw, Task
from frisket.errors import Cancelled, EngineFailed
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size
from frisket.raster.pixels import DTYPES

CAT = TextToLayerParams("a cat that sleeps in the morning sun on a wall", "dogs")  # 46 and 4 characters: 42 %
NOWHERE = Planes(np.zeros((0, 0, 3), np.uint8), np.zeros((0, 0), np.uint8))  # neither is looked at
FORMATS = [PixelFormat(s, l) for s in Samples for l in Layout]


def do(region: Box, engine: PainterEngine, fmt=PixelFormat(), **changes) -> list[Painted]:
    request = EditRequest(Size(200, 100), region, CAT, fmt, **changes)
    return text_to_layer.run(request, NOWHERE, engine, Progress(Listener()))


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
@pytest.mark.parametrize("channels", Channels)
def test_a_layer_in_every_format_for_either_sort_of_engine(fmt: PixelFormat, channels: Channels) -> None:
    region, engine = Box(11, 7, 33, 21), PainterEngine(channels=channels)
    (done,) = do(region, engine, fmt)
    (work,) = engine.works
    assert work.crop.shape == (21, 33, 3 if channels is Channels.RGB else fmt.layout.colors)
    assert (done.meta.box, done.meta.degraded) == (region, ())
    assert (done.pixels.shape, done.pixels.dtype) == ((21, 33, fmt.layout.channels), DTYPES[fmt.samples])
    full = 1 if fmt.samples.is_float else np.iinfo(done.pixels.dtype).max
    assert np.abs(done.pixels[..., : fmt.layout.colors] / full - 0.42).max() < 3e-3
    if fmt.layout.has_alpha:
        assert (done.pixels[..., -1] == full).all()
    assert done.mask.shape == (21, 33)
    assert (done.mask == 255).all()


def test_an_engine_is_shown_gray_at_a_size_that_it_likes() -> None:
    engine = PainterEngine(size=SoftEngine().spec.size, mask_law=MaskLaw.SOFT)
    done = do(Box(0, 0, 33, 21), engine, seed=2**32 - 1, count=2)
    (work,) = engine.works
    assert work.crop.shape == (48, 64, 3), "64 x 41, padded to a multiple of 8"
    assert (work.crop == 0.5).all()
    assert (work.hole == 1).all()
    assert (work.task, work.prompt, work.negative_prompt) == (Task.TEXT_TO_LAYER, CAT.prompt, CAT.negative_prompt)
    assert [d.meta.seed for d in done] == [2**32 - 1, 0]
    assert all(d.pixels.shape == (21, 33, 3) and (d.pixels == 107).all() for d in done)


def test_a_size_that_the_engine_cannot_hold_is_told() -> None:
    (done,) = do(Box(0, 0, 200, 100), PainterEngine(size=SoftEngine().spec.size))
    assert [d.kind for d in done.meta.degraded] == [DegradationKind.SMALLER_SIZE]
    assert done.pixels.shape == (100, 200, 3)


def test_an_engine_that_breaks_its_word_is_found_out() -> None:
    class Liar(PainterEngine):
        def run(self, work, report):
            return [work.crop[1:]]

    with pytest.raises(EngineFailed):
        do(Box(0, 0, 9, 9), Liar())


def test_it_can_be_stopped() -> None:
    class Stopped(Listener):
        def progress(self, fraction: float) -> None:
            raise Cancelled()

    request = EditRequest(Size(9, 9), Box(0, 0, 9, 9), CAT)
    with pytest.raises(Cancelled):
        text_to_layer.run(request, NOWHERE, PainterEngine(), Progress(Stopped()))
