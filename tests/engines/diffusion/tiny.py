"""What the tests of painting share: tiny pipelines opened once, and works to run on them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from engines.diffusion import zoo
from frisket.engines.diffusion import prior, stills
from frisket.engines.diffusion.capabilities import rows_of, spec_of, task_of
from frisket.engines.diffusion.painting import painted
from frisket.engines.diffusion.table import TRAITS, Row
from frisket.engines.spec import EngineSpec, Report, Silent, Work
from frisket.models.families import Family, Purpose

torch.set_num_threads(1)  # tiny networks: more only wait for each other
STEPS = 3
TWO_STAGES = {Family.KANDINSKY22, Family.KANDINSKY22_INPAINT}


class Tiny:
    """One family's model: its spec, its rows, and pipelines of them."""

    def __init__(self, folder: Callable[[Family], Path], family: Family) -> None:
        self.family, self.folder, self._folders = family, folder(family), folder
        self.record = zoo.record_of(family, self.folder)
        self.spec: EngineSpec = spec_of(self.record)
        self.rows = rows_of(self.record)

    def pipe(self, row: Row) -> Any:
        return _pipe(self.folder, row.pipeline)

    def work(self, purpose: Purpose, hole: np.ndarray | None = None, **changes: Any) -> Work:
        """A blurred random picture at the family's smallest decent size, two seeds, three steps."""
        row, size = self.rows[purpose], side_of(self.family)
        h, w = size
        picture = cv2.GaussianBlur(np.random.default_rng(1).random((h, w, 3), np.float32), (0, 0), 4)
        if hole is None:
            hole = np.zeros((h, w), np.float32)
            hole[h // 4 : 3 * h // 4, w // 4 : 3 * w // 4] = 1
        if not row.image:
            picture, hole = np.full_like(picture, 0.5), np.ones_like(hole)
        params = {param.name: param.default for param in self.spec.params} | {"steps": STEPS}
        params |= changes.pop("params", {})
        asked: dict[str, Any] = {"prompt": "a red sofa", "seeds": (5, 6)} | changes
        return Work(task_of(purpose), picture, hole, params, **asked)

    def run(self, purpose: Purpose, work: Work, report: Report | None = None) -> list[np.ndarray]:
        row = self.rows[purpose]
        return painted(self.pipe(row), row, TRAITS[self.family], work, report or Silent(), self.prior())

    def prior(self) -> Any:
        """Kandinsky's first stage. As made from nothing it answers zeros: the statistics of its embeddings are."""
        if self.family not in TWO_STAGES:
            return None
        pipe = _pipe(self._folders(Family.KANDINSKY22_PRIOR), prior.ROW.pipeline)
        pipe.prior.clip_std.data.fill_(1)
        return pipe


def side_of(family: Family) -> tuple[int, int]:
    """Height and width, px."""
    if family in TWO_STAGES:
        return 64, 128
    return (64, 64) if family is Family.DEEPFLOYD_IF else (64, 80)


@cache
def _pipe(folder: Path, name: str) -> Any:
    return fresh(folder, name)


def fresh(folder: Path, name: str) -> Any:
    """A pipeline that no other test has used."""
    import diffusers

    extra: dict[str, Any] = {"safety_checker": None} if name.startswith("StableDiffusionInpaint") else {}
    if (folder / stills.FOLDER).is_dir():
        extra[stills.FOLDER] = stills.processor_of(folder)
    pipe = getattr(diffusers, name).from_pretrained(folder, local_files_only=True, use_safetensors=True, **extra)
    pipe.set_progress_bar_config(disable=True)
    return pipe


class Told(Silent):
    """A Report that remembers, and stops a run at a chosen look."""

    def __init__(self, stop_at_step: int = 0, stop_at_look: int = 0) -> None:
        self.steps: list[tuple[int, int]] = []
        self.previews: list[np.ndarray] = []
        self.looks = 0
        self._step, self._look = stop_at_step, stop_at_look

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        from frisket.errors import Cancelled

        self.steps.append((step, total))
        if preview is not None:
            self.previews.append(preview)
        if step == self._step:
            raise Cancelled()

    def check(self) -> None:
        from frisket.errors import Cancelled

        self.looks += 1
        if self.looks == self._look:
            raise Cancelled()
