"""Variation with a toy engine: what is selected changes, what is transparent stays so, the dials reach the engine."""

from __future__ import annotations

import numpy as np
import pytest

from edits.test_inpaint import ask, hole, picture
from fakes.engines import EVERY, ToyEngine
from fakes.tellers import Listener
from frisket.edits import variation
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import VariationParams
from frisket.engines.spec import Task
from frisket.errors import MaskEmpty
from frisket.raster.formats import Layout, PixelFormat
from frisket.raster.geometry import Box

TASKS = EVERY.spec.tasks


def do(params, image, mask=None, fmt=PixelFormat(), engine=None, **changes) -> list[Painted]:
    mask = np.full(image.shape[:2], 255, np.uint8) if mask is None else mask
    engine = engine or ToyEngine(tasks=TASKS)
    return variation.run(ask(image, fmt, params, **changes), Planes(image, mask), engine, Progress(Listener()))


def test_variation_of_a_selection_changes_the_selection() -> None:
    image, engine = picture(PixelFormat()), ToyEngine(tasks=TASKS)
    (done,) = do(VariationParams(strength=0.3, tileable=True), image, hole(), engine=engine)
    assert done.meta.box == Box(30, 20, 15, 11)
    assert (done.pixels == 230).all()
    assert (engine.works[0].strength, engine.works[0].tileable) == (0.3, True)
    assert engine.works[0].task is Task.VARIATION


def test_variation_of_a_layer_sees_its_transparency() -> None:
    fmt, engine = PixelFormat(layout=Layout.RGBA), ToyEngine(tasks=TASKS)
    image = picture(fmt)
    image[:20, :, 3] = 0
    do(VariationParams(), image, fmt=fmt, engine=engine)
    crop = engine.works[0].crop
    assert crop.shape[2] == 4
    assert (crop[:20] == 0).all()


def test_without_a_selection_all_of_it_changes() -> None:
    (done,) = do(VariationParams(), picture(PixelFormat()))
    assert done.meta.box == Box(0, 0, 80, 60)
    assert (done.mask == 255).all()
    assert (done.pixels == 230).all()


def test_what_is_transparent_stays_transparent() -> None:
    class Mirror(ToyEngine):
        def run(self, work, report):
            return [work.crop for _ in work.seeds]

    fmt = PixelFormat(layout=Layout.RGBA)
    image = picture(fmt)
    image[:20, :, 3] = 0
    (done,) = do(VariationParams(), image, fmt=fmt, engine=Mirror(tasks=TASKS, params=()), engine_params={})
    assert np.array_equal(done.pixels[..., 3], image[..., 3])
    assert np.array_equal(done.pixels[20:], image[20:]), "an engine that changes nothing changed something"


def test_an_empty_selection_is_refused() -> None:
    with pytest.raises(MaskEmpty):
        do(VariationParams(), picture(PixelFormat()), np.zeros((60, 80), np.uint8))
