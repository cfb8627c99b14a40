"""Instruct with a toy engine: the words reach it, it sees the context, and of what it paints the selection is taken."""

from __future__ import annotations

import numpy as np
import pytest

from edits.test_inpaint import ask, hole, picture
from fakes.engines import PainterEngine, SoftEngine
from fakes.tellers import Listener
from frisket.edits import instruct
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes
from frisket.edits.requests import InstructParams, MaskDials
from frisket.engines.spec import Channels, MaskLaw, Task
from frisket.errors import MaskEmpty
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box

WINTER = InstructParams("make it winter, with snow on every roof", "people")  # 39 and 6 characters: 33 %
DIM = 84  # 33 % of 255


def do(params, image, mask, fmt=PixelFormat(), engine=None, **changes) -> list[Painted]:
    request = ask(image, fmt, params, engine_params={}, **changes)
    return instruct.run(request, Planes(image, mask), engine or PainterEngine(), Progress(Listener()))


def test_only_the_selection_is_taken_of_a_picture_that_changed_everywhere() -> None:
    image, engine = picture(PixelFormat()), PainterEngine()
    (done,) = do(WINTER, image, hole(), engine=engine)
    (work,) = engine.works
    assert (work.task, work.prompt, work.negative_prompt, work.strength) == (
        Task.INSTRUCT,
        WINTER.prompt,
        WINTER.negative_prompt,
        1.0,
    )
    assert work.hole.size > (work.hole > 0).sum() == 15 * 11, "it sees the context"
    assert done.meta.box == Box(30, 20, 15, 11)
    assert (done.pixels == DIM).all()


@pytest.mark.parametrize("fmt", [PixelFormat(), PixelFormat(Samples.U16, Layout.GRAY_ALPHA)], ids=str)
@pytest.mark.parametrize("law", MaskLaw)
def test_what_the_mask_leaves_out_is_the_old_picture_bit_for_bit(fmt: PixelFormat, law: MaskLaw) -> None:
    image = picture(fmt)
    engine = PainterEngine(mask_law=law, channels=Channels.RGB)
    (done,) = do(InstructParams("x" * 90, dials=MaskDials(feather=4)), image, hole(), fmt, engine)
    untouched = done.mask == 0
    assert untouched.any()
    assert np.array_equal(done.pixels[untouched], image[done.meta.box.slices][untouched])


def test_a_full_mask_means_the_layer_and_transparent_stays_transparent() -> None:
    fmt = PixelFormat(layout=Layout.RGBA)
    image = picture(fmt)
    image[:20, :, 3] = 0
    engine = PainterEngine(channels=Channels.RGB)
    (done,) = do(WINTER, image, np.full((60, 80), 255, np.uint8), fmt, engine)
    assert done.meta.box == Box(0, 0, 80, 60)
    assert (engine.works[0].hole == 1).all()
    assert (done.pixels[20:, :, :3] == DIM).all()
    assert np.array_equal(done.pixels[..., 3], image[..., 3])


def test_a_working_size_of_its_own() -> None:
    engine = PainterEngine(size=SoftEngine().spec.size)
    done = do(WINTER, picture(PixelFormat()), hole(), engine=engine, count=2, seed=7)
    assert engine.works[0].crop.shape[:2] == (56, 64)
    assert [d.meta.seed for d in done] == [7, 8]
    assert all((d.pixels == DIM).all() for d in done)


def test_an_empty_selection_is_refused() -> None:
    with pytest.raises(MaskEmpty):
        do(WINTER, picture(PixelFormat()), np.zeros((60, 80), np.uint8))
