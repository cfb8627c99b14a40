"""One number for the whole edit, and previews that do not flood."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from fakes.tellers import Listener
from frisket.edits import progress as module
from frisket.edits.progress import PREVIEW_SECONDS, Progress, Unseen
from frisket.engines.spec import Degradation, DegradationKind
from frisket.errors import Cancelled
from frisket.raster.geometry import Box

CROP = Box(3, 4, 20, 10)


class Clock:
    """Stands in for the module's clock; a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(module, "time", made)
    return made


def test_parts_add_up_to_one() -> None:
    tell = Listener()
    progress = Progress(tell)
    for number in range(3):
        with progress.part(number, 3, CROP):
            for step in range(1, 5):
                progress(step, 4)
    assert tell.fractions == sorted(tell.fractions)
    assert tell.fractions[0] == 0
    assert tell.fractions[-1] == 1
    assert tell.fractions[2] == pytest.approx(2 / 12), "the second of twelve steps"


@pytest.mark.parametrize(("step", "total", "fraction"), [(9, 4, 0.5), (0, 0, 0.0), (1, 0, 0.0), (1, 2, 0.25)])
def test_an_engine_that_miscounts_stays_within_its_part(step: int, total: int, fraction: float) -> None:
    tell = Listener()
    progress = Progress(tell)
    with progress.part(0, 2, CROP):
        progress(step, total)
    assert tell.fractions == [0, fraction, 0.5]


def test_previews_are_rationed(clock: Clock) -> None:
    tell = Listener()
    progress = Progress(tell)
    with progress.part(0, 1, CROP):
        for step in range(100):
            progress(step, 100, np.full((10, 20, 3), 0.5, np.float32))
            clock.now += PREVIEW_SECONDS / 10
    assert len(tell.previews) == 10
    assert len(tell.fractions) == 102, "every step is told"


def test_a_preview_is_wanted_when_it_would_be_shown(clock: Clock) -> None:
    tell = Listener()
    progress = Progress(tell)
    wanted = []
    with progress.part(0, 1, CROP):
        for step in range(96):
            wanted.append(progress.wants_preview())
            progress(step, 96, np.full((10, 20, 3), 0.5, np.float32))
            clock.now += PREVIEW_SECONDS / 8
    assert [number for number, want in enumerate(wanted) if want] == list(range(0, 96, 8))
    assert len(tell.previews) == 12


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_preview_is_a_small_jpeg_of_the_crop(clock: Clock, channels: int) -> None:
    """Alpha is premultiplied in an engine's crop: half of 0.5 at an alpha of 0.5 over mid gray shows 0.5."""
    tell = Listener()
    progress = Progress(tell)
    preview = np.full((300, 1200, channels), 0.5, np.float32)
    if channels in (2, 4):
        preview[..., :-1] = 0.25
    with progress.part(0, 1, CROP):
        progress(1, 2, preview)
    ((jpeg, box),) = tell.previews
    assert box == (3, 4, 20, 10)
    shown = np.asarray(Image.open(io.BytesIO(jpeg)))
    assert shown.shape == (128, 512, 3)
    assert np.abs(shown.astype(int) - 128).max() <= 3  # JPEG's rounding


def test_cancelled_reaches_the_engine() -> None:
    progress = Progress(Listener(cancel_at=0.5))
    progress(1, 4)
    progress.check()
    with pytest.raises(Cancelled):
        progress(2, 4)
    with pytest.raises(Cancelled):
        progress.check()


def test_an_edit_within_an_edit_takes_its_share(clock: Clock) -> None:
    tell = Listener()
    progress = Progress(tell)
    within = progress.portion(0.5, 0.75)
    with within.part(1, 2, CROP):
        within(1, 2, np.full((10, 20, 3), 0.5, np.float32))
    assert tell.fractions == [0.625, 0.6875, 0.75]
    assert [box for _, box in tell.previews] == [(3, 4, 20, 10)]
    less = Degradation(DegradationKind.TILED, "smaller")
    within.told(less)
    assert progress.degraded == [less]
    tell.cancel_at = 0.7
    with pytest.raises(Cancelled):
        within.check()


def test_what_is_not_to_be_seen_is_told_without_pictures(clock: Clock) -> None:
    tell = Listener()
    progress = Progress(tell)
    quiet = Unseen(progress)
    quiet(1, 4, np.zeros((2, 512, 512, 3), np.float32))
    quiet.told(Degradation(DegradationKind.TILED, "smaller"))
    quiet.check()
    assert (tell.fractions, tell.previews, len(progress.degraded), quiet.wants_preview()) == ([0.25], [], 1, False)


def test_a_preview_may_name_its_own_box(clock: Clock) -> None:
    tell = Listener()
    progress = Progress(tell)
    for _ in range(2):  # the second one comes too soon
        progress.show(np.full((4, 4, 3), 0.5, np.float32), Box(1, 2, 8, 8))
    assert [box for _, box in tell.previews] == [(1, 2, 8, 8)]


class Audience(Listener):
    """Which may be there or not."""

    there = False

    def wants_preview(self) -> bool:
        return self.there


def test_nothing_is_drawn_that_nobody_sees(clock: Clock) -> None:
    tell = Audience()
    progress = Progress(tell)
    for whole in (progress, progress.portion(0.0, 0.5)):
        tell.there, tell.previews = False, []
        with whole.part(0, 1, CROP):
            clock.now += 1
            assert not whole.wants_preview()
            whole(1, 4, np.zeros((2, 2, 3), np.float32))
            assert not tell.previews
            tell.there = True
            assert whole.wants_preview()
            whole(2, 4, np.zeros((2, 2, 3), np.float32))
            assert len(tell.previews) == 1
