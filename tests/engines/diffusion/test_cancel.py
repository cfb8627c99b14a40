"""Cancel at every step of ten, in every family: no network works after it, and the next job is as a fresh one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch

from engines.diffusion.tiny import Tiny, Told, fresh
from frisket.engines.diffusion.painting import painted
from frisket.engines.diffusion.table import ROWS, TRAITS, Takes
from frisket.engines.spec import Silent
from frisket.errors import Cancelled, PictureNotFinite
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]
TEN = 10
QUICK = {Family.SD15, Family.FLUX}
FAMILIES = [pytest.param(f, id=f.value, marks=[] if f in QUICK else [pytest.mark.slow]) for f in ROWS]


def networks(*pipes: Any) -> list[torch.nn.Module]:
    parts = [part for pipe in pipes if pipe is not None for part in pipe.components.values()]
    return [part for part in parts if isinstance(part, torch.nn.Module)]


@contextmanager
def counting(modules: list[torch.nn.Module]) -> Iterator[list[str]]:
    """The class of every module that works meanwhile, whole networks and their smallest parts, in order."""
    calls: list[str] = []
    every = {id(m): m for module in modules for m in module.modules()}
    hooks = [m.register_forward_pre_hook(lambda m, _: calls.append(type(m).__name__)) for m in every.values()]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


class Stopper(Told):
    """Raises at a step, and notes how many calls there were."""

    def __init__(self, step: int, calls: list[str]) -> None:
        super().__init__(stop_at_step=step)
        self._calls, self.calls_then = calls, 0

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        self.calls_then = len(self._calls)
        super().__call__(step, total, preview)


@pytest.mark.parametrize("family", FAMILIES)
def test_cancel_at_every_step_of_ten(zoo_folder: Callable[[Family], Path], family: Family) -> None:
    tiny = Tiny(zoo_folder, family)
    purpose = next(iter(tiny.rows))
    row = tiny.rows[purpose]
    strength = 1.0 if Takes.STRENGTH not in row.takes or purpose is not Purpose.VARIATION else 0.99
    work = tiny.work(purpose, seeds=(7,), params={"steps": TEN}, strength=strength)
    prior = tiny.prior()
    told = Told()
    (wanted,) = painted(fresh(tiny.folder, row.pipeline), row, TRAITS[family], work, told, prior)
    steps = told.steps[-1][1]
    assert steps >= TEN - 1
    pipe = fresh(tiny.folder, row.pipeline)
    with counting(networks(pipe, prior)) as calls:
        for step in range(1, steps + 1):
            stopper = Stopper(step, calls)
            with pytest.raises(Cancelled):
                painted(pipe, row, TRAITS[family], work, stopper, prior)
            assert stopper.steps[-1] == (step, steps)
            assert stopper.calls_then > 0
            assert len(calls) == stopper.calls_then, f"after the cancel {calls[stopper.calls_then :][:5]} worked"
            if step in (1, steps // 2, steps):
                (after,) = painted(pipe, row, TRAITS[family], work, Silent(), prior)
                assert (after == wanted).all()
    (after,) = painted(pipe, row, TRAITS[family], work, Silent(), prior)
    assert (after == wanted).all()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_weights_that_are_no_numbers_are_told_at_the_first_step(
    zoo_folder: Callable[[Family], Path], family: Family
) -> None:
    tiny = Tiny(zoo_folder, family)
    purpose = next(iter(tiny.rows))
    row, told = tiny.rows[purpose], Told()
    pipe = fresh(tiny.folder, row.pipeline)
    network = getattr(pipe, "unet", None) or pipe.transformer
    with torch.no_grad():
        next(network.parameters()).fill_(float("nan"))
    with pytest.raises(PictureNotFinite, match=row.pipeline):
        painted(pipe, row, TRAITS[family], tiny.work(purpose, seeds=(1,)), told, tiny.prior())
    assert told.steps == []
