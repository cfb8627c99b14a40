"""Repainting part by part: who is asked for what, and what of it shows."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import pytest

from edits.test_inpaint import ask, hole, picture
from fakes.engines import ToyEngine
from fakes.tellers import Listener
from frisket.edits.progress import Progress
from frisket.edits.repaint import Painted, Planes, repainted, rounded
from frisket.edits.results import DegradationKind
from frisket.errors import EngineFailed
from frisket.raster.formats import Layout, PixelFormat, Samples
from frisket.raster.geometry import Box, Size
from frisket.raster.sizes import SizeRule
from frisket.raster.spans import SPAN


def do(image, mask, engine=None, sources=None, **changes) -> list[Painted]:
    request = ask(image, PixelFormat(), **changes)
    return repainted(request, Planes(image, mask, sources), engine or ToyEngine(), Progress(Listener()))


def test_sources_reach_the_engine() -> None:
    image, engine = picture(PixelFormat()), ToyEngine()
    sources = np.zeros((60, 80), np.uint8)
    sources[:, :32] = 255
    sources[15, 24], sources[15, 50] = 127, 128  # the middle decides
    do(image, hole(), engine, sources)
    (work,) = engine.works
    assert work.sources is not None
    crop = Box(30, 20, 15, 11).grown(8).slices
    assert np.array_equal(work.sources, sources[crop] > 127)


def test_a_part_never_sees_its_neighbours_hole() -> None:
    """Two far parts share a crop's corner with nothing; each engine run gets its own hole alone."""
    image, engine = picture(PixelFormat(), 60, 200), ToyEngine(context_min=40)
    mask = np.zeros((60, 200), np.uint8)
    mask[20:30, 30:40] = mask[20:30, 120:130] = 255
    (done,) = do(image, mask, engine)
    assert [int((work.hole > 0).sum()) for work in engine.works] == [100, 100]
    assert (done.mask > 0).sum() == 200


def test_countless_specks_are_few_runs() -> None:
    image, engine = picture(PixelFormat(), 400, 400), ToyEngine(context_share=0.0, context_min=1)
    mask = np.zeros((400, 400), np.uint8)
    mask[::20, ::20] = 255  # 400 specks
    (done,) = do(image, mask, engine)
    assert len(engine.works) <= 32
    assert np.array_equal(done.mask, mask[:381, :381])
    assert (done.pixels[done.mask > 0] == 230).all()


def test_less_context_than_the_law_asks_for_is_told() -> None:
    image = picture(PixelFormat())
    (whole,) = do(image, hole())
    (cut,) = do(image[18:33, 28:47], hole()[18:33, 28:47], canvas=Size(80, 60), region=Box(28, 18, 19, 15))
    assert whole.meta.degraded == ()
    assert [d.kind for d in cut.meta.degraded] == [DegradationKind.LESS_CONTEXT]
    assert cut.meta.box == whole.meta.box
    assert np.array_equal(cut.pixels, whole.pixels)


def test_the_wrong_number_of_pictures_is_the_engines_fault() -> None:
    class Short(ToyEngine):
        def run(self, work, report):
            return super().run(work, report)[1:]

    with pytest.raises(EngineFailed, match="number"):
        do(picture(PixelFormat()), hole(), Short(), count=2)


def test_a_trace_of_change_shows_in_the_mask() -> None:
    alpha = np.array([[0.0, 1e-6, 0.4 / 255, 0.5, 1.0]], np.float32)
    assert rounded(alpha).tolist() == [[0, 1, 1, 128, 255]]


class Questions(Listener):
    """Counts how often each function asked whether to go on, itself or through what it calls."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: Counter[str] = Counter()

    def check(self) -> None:
        frame, names = sys._getframe(1), set()
        while frame is not None:
            names.add(frame.f_code.co_name)
            frame = frame.f_back
        self.asked.update(names)


@pytest.mark.parametrize("layout", [Layout.RGB, Layout.RGBA])
def test_every_step_asks_for_each_piece_of_a_large_crop(layout: Layout) -> None:
    fmt = PixelFormat(Samples.F32, layout)
    image = np.random.default_rng(0).random((1100, 1000, layout.channels), np.float32)
    mask = np.full(image.shape[:2], 255, np.uint8)
    mask[0, 0] = 0
    asking = Questions()
    engine = ToyEngine(size=SizeRule(max_pixels=image[..., 0].size // 2))
    repainted(ask(image, fmt), Planes(image, mask, mask), engine, Progress(asking))
    steps = {"check_finite", "as_mask", "blobs", "bounds", "_only", "cut", "to_work", "apply", "apply_mask", "_fitted"}
    steps |= {"undo", "restore", "show", "every", "rounded", "as_results"}
    few = {step: asking.asked[step] for step in steps if asking.asked[step] < mask.size // SPAN}
    # Regions and resizing know larger pieces, see there; numbers are looked at in the working picture, half as large.
    assert few.keys() <= {"apply", "apply_mask", "undo", "_fitted", "every"}
    assert all(few.values())
