"""The built-in upscaler as an engine."""

from __future__ import annotations

import subprocess
import sys
import time

import numpy as np
import pytest

from frisket.engines.registry import Registry
from frisket.engines.spec import Silent, Task, Work
from frisket.engines.upscale import kernels
from frisket.engines.upscale.edges import APRON, ENGINE, SIDE, EdgeUpscaler
from frisket.errors import Cancelled


def test_it_answers_where_no_model_is_installed() -> None:
    assert Registry.installed().for_task(Task.UPSCALE)[-1] is ENGINE
    assert not ENGINE.spec.trained
    assert APRON == kernels.REACH
    assert ENGINE.spec.size.max_pixels == SIDE**2


def test_importing_it_costs_nothing() -> None:
    code = "import sys, frisket.engines.upscale.edges; print({'numba', 'cv2', 'numpy'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_a_run_gives_one_picture_of_any_channels() -> None:
    ENGINE.load()
    for channels in (1, 2, 3, 4):
        crop = np.random.default_rng(channels).random((5, 6, channels), np.float32)
        (made,) = ENGINE.run(Work(Task.UPSCALE, crop, crop[..., 0], {}, (1,), scale=3), Silent())
        assert made.shape == (15, 18, channels)
        assert made.dtype == np.float32


class Late(Silent):
    """Stops at the n-th look, and notes the longest time of the processor between two: others may be busy beside it."""

    def __init__(self, stop: int) -> None:
        self.left, self.last, self.longest = stop, time.process_time(), 0.0

    def check(self) -> None:
        now = time.process_time()
        self.longest, self.last, self.left = max(self.longest, now - self.last), now, self.left - 1
        if self.left <= 0:
            raise Cancelled()


def test_it_stops_when_it_is_told_to() -> None:
    crop = np.zeros((48, 512, 4), np.float32)
    with pytest.raises(Cancelled):
        EdgeUpscaler(1).run(Work(Task.UPSCALE, crop, crop[..., 0], {}, (0,), scale=4), Late(9))


@pytest.mark.slow
def test_it_looks_whether_to_stop_every_tenth_of_a_second() -> None:
    late, crop = Late(10**9), np.random.default_rng(0).random((SIDE, SIDE, 4), np.float32)
    ENGINE.load()
    EdgeUpscaler(1).run(Work(Task.UPSCALE, crop, crop[..., 0], {}, (0,), scale=4), late)
    assert late.longest < 0.1
