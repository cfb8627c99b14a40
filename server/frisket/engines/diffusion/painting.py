"""From a pipeline and an engine's work to pictures: one run for all pictures that can be made together."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import torch

from frisket.engines.diffusion import latents as lay
from frisket.engines.diffusion.call import (
    AFTER_A_PRIOR,
    Strength,
    arguments,
    blocks,
    checked,
    runs_of,
    shown,
    steps_done,
    strength_kind,
    strength_of,
)
from frisket.engines.diffusion.memo import remembering
from frisket.engines.diffusion.opening import quiet
from frisket.engines.diffusion.prefill import filled, start_of
from frisket.engines.diffusion.prior import embeddings
from frisket.engines.diffusion.schedulers import check_steps, made
from frisket.engines.diffusion.softmask import Blend, is_soft
from frisket.engines.diffusion.table import OWN_SIZE, Heard, Masking, Row, Traits
from frisket.engines.diffusion.watch import Watch, check_finite, looking
from frisket.engines.diffusion.words import tell_cut
from frisket.engines.patch.smooth import pushpull
from frisket.engines.spec import Report, Work
from frisket.errors import EngineFailed


@torch.no_grad()
def painted(
    pipe: Any,
    row: Row,
    traits: Traits,
    work: Work,
    report: Report,
    prior: Any = None,
    alone: bool = False,
    more: Callable[[int], dict[str, Any]] | None = None,
) -> list[np.ndarray]:
    """One picture for each of work.seeds, (h, w, 3) float32 0...1, of the size of work.crop.

    pipe: a pipeline of exactly row.pipeline (with a ControlNet: what table.CONTROLLED says); nobody else uses it
    meanwhile. It is left as it was, whatever happens.
    prior: Kandinsky's first stage, a pipeline too, for the rows that come after one. alone: each picture in a run of
    its own, the same pictures as together. more: arguments besides, for a call that makes so many pictures.
    work: its params are those of capabilities.spec_of, its size one that the spec's rule allows. Outside the hole the
    pictures are near the crop, not equal to it.

    Raises ParameterOutOfRange, PictureNotFinite, EngineFailed, errors.Cancelled, MemoryError, torch's errors.
    """
    if strength_kind(work, row) is Strength.NOTHING:
        return [work.crop.copy() for _ in work.seeds]
    start = start_of(work, row)
    strength = strength_of(work, row, start.strength)
    checked(work, row, strength)
    check_steps(pipe.scheduler, str(work.params["scheduler"]), int(work.params["steps"]))
    tell_cut(prior or pipe, row, traits, work, report)
    report.check()
    work = replace(work, crop=filled(work, start, report))
    pictures: list[np.ndarray] = []
    runs = runs_of(row, work.seeds, alone)
    for number, seeds in enumerate(runs):
        expected = max(steps_done(int(work.params["steps"]), strength), 1)
        blend = _blend(pipe, row, work, seeds)
        watch = Watch(row, report, work.crop, work.hole, blend, expected, number, len(runs))
        pictures += _run(pipe, row, traits, replace(work, seeds=seeds), strength, blend, watch, report, prior, more)
    return pictures


def _run(
    pipe: Any,
    row: Row,
    traits: Traits,
    work: Work,
    strength: float,
    blend: Blend | None,
    watch: Watch,
    report: Report,
    prior: Any,
    more: Callable[[int], dict[str, Any]] | None,
) -> list[np.ndarray]:
    """One call of the pipeline."""
    count = len(work.seeds)
    seen = shown(row, work.crop, work.hole, traits.mask_multiple)
    given = arguments(row, work, seen, count, strength) | watch.arguments(pipe)
    given |= more(count) if more else {}
    given["generator"] = [torch.Generator("cpu").manual_seed(int(seed)) for seed in work.seeds]
    with contextlib.ExitStack() as stack:
        stack.enter_context(quiet())  # a prompt that is too long would be logged
        stack.enter_context(prepared(pipe, str(work.params["scheduler"])))
        stack.enter_context(looking(pipe, report.check))
        stack.enter_context(lay.steady(pipe))
        stack.enter_context(remembering(pipe))
        if blend is not None:
            stack.enter_context(blend.listening())
        if row.pipeline in AFTER_A_PRIOR:
            given |= embeddings(prior, work, seen.picture, report)
        images = pipe(**given).images
    made = [_picture(image, row, work, pipe) for image in _counted(images, count, row)]
    if row.masking is Masking.WHOLE:
        return made
    return [own_beside(image, work.crop, work.hole, traits.mask_multiple) for image in made]


@contextlib.contextmanager
def prepared(pipe: Any, scheduler: str) -> Iterator[None]:
    """While it lasts, the pipeline has a scheduler of its own; afterwards it is as before, offloaded if it was."""
    native = pipe.scheduler
    pipe.scheduler = made(native, scheduler)
    try:
        yield
    finally:
        pipe.scheduler = native
        pipe.maybe_free_model_hooks()  # the only place that puts offloaded parts back, and drops what caches kept


def _blend(pipe: Any, row: Row, work: Work, seeds: Sequence[int]) -> Blend | None:
    """What puts back, step by step, what stays; None where the pipeline does it, or nothing stays."""
    if row.masking is Masking.WHOLE:
        return None
    if row.masking is Masking.BLEND and row.heard is Heard.STEP_END:
        return Blend(pipe, work.hole, seeds)
    if not is_soft(work.hole):
        return None

    def clean(latents: torch.Tensor) -> torch.Tensor:
        picture = torch.from_numpy(np.ascontiguousarray(work.crop)).permute(2, 0, 1)[None] * 2 - 1
        made = lay.encoded(pipe, picture, tokens=latents.ndim == 3).to(latents)
        made = made.flatten(2).transpose(1, 2) if latents.ndim == 3 else made
        return made.expand(len(seeds), *made.shape[1:])

    return Blend(pipe, work.hole, seeds, clean)


def own_beside(image: np.ndarray, crop: np.ndarray, hole: np.ndarray, multiple: int) -> np.ndarray:
    """image (h, w, 3) with the model's version of the old content wherever hole (h, w) is 0.

    A model paints whole squares of `multiple` px. What it painted new in one, beside the hole, is no version of the
    crop there, and the caller, who takes the difference around the hole for a difference in tone, would bend the whole
    fill by it. There the crop is shown instead, with the tone that the model gave to its surroundings.
    """
    touched = blocks(hole, multiple) > 0
    beside = touched & (hole <= 0)
    if not beside.any():
        return image
    tone = pushpull(image - crop, ~touched) if not touched.all() else np.zeros_like(image)
    return np.where(beside[..., None], np.clip(crop + tone, 0, 1), image).astype(np.float32)


def _counted(images: Any, count: int, row: Row) -> np.ndarray:
    """Raises EngineFailed for another number of pictures than asked for."""
    made = np.asarray(images, np.float32)
    if made.ndim != 4 or len(made) != count or made.shape[-1] != 3:
        raise EngineFailed(engine=row.pipeline, reason=f"it made {made.shape} for {count} pictures")
    return made


def _picture(image: np.ndarray, row: Row, work: Work, pipe: Any) -> np.ndarray:
    """Raises EngineFailed for another size than asked for, PictureNotFinite."""
    h, w = work.hole.shape
    check_finite(torch.from_numpy(image), pipe)
    if image.shape[:2] != (h, w):
        if row.pipeline not in OWN_SIZE:
            reason = f"it made {image.shape[1]} x {image.shape[0]} px where {w} x {h} were asked for"
            raise EngineFailed(engine=row.pipeline, reason=reason)
        image = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA if image.size > 3 * h * w else cv2.INTER_CUBIC)
    return np.clip(image, 0, 1)
