"""What is done while a pipeline works: progress, previews, looks whether to stop and whether numbers are still numbers.

A pipeline tells of its steps by a callback; what is raised in it ends the call at once, and leaves the pipeline usable.
Inside a step, and while texts and pictures are encoded and decoded, every block of every network looks too.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from frisket.engines.diffusion import latents as lay
from frisket.engines.diffusion import taesd
from frisket.engines.diffusion.softmask import Blend
from frisket.engines.diffusion.table import Heard, Row
from frisket.engines.spec import Report, wants_preview
from frisket.errors import PictureNotFinite


class Watch:
    """Over one call of a pipeline, run `number` (from 0) of `runs` of the edit.

    crop: (h, w, 3) float32 and hole: (h, w): what a preview shows around what is painted. engine: for messages.
    blend: puts back what stays, after each step; None where the pipeline does. expected: steps, for the pipelines that
    do not say how many they make.
    """

    def __init__(
        self,
        row: Row,
        report: Report,
        crop: np.ndarray,
        hole: np.ndarray,
        blend: Blend | None,
        expected: int,
        number: int = 0,
        runs: int = 1,
    ) -> None:
        self._row, self._report, self._crop, self._hole = row, report, crop, hole
        self._blend, self._expected, self._number, self._runs = blend, expected, number, runs

    def arguments(self, pipe: Any) -> dict[str, Any]:
        """The callback, as the pipeline takes it."""
        if self._row.heard is Heard.LEGACY:
            return {"callback": lambda step, time, latents: self._told(pipe, step, latents)}
        return {"callback_on_step_end": self._stepped, "callback_on_step_end_tensor_inputs": ["latents"]}

    def _stepped(self, pipe: Any, step: int, time: Any, given: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        latents = given["latents"]
        if self._blend is None:
            self._seen(pipe, step, latents)
            return {}
        latents = self._blend.after(step, int(pipe.num_timesteps), latents)
        self._seen(pipe, step, latents)
        return {"latents": latents}

    def _told(self, pipe: Any, step: int, latents: torch.Tensor) -> None:
        """By a pipeline that takes nothing back: its own latents are changed."""
        if self._blend is not None:
            latents.copy_(self._blend.after(step, self._steps(pipe, step), latents))
        self._seen(pipe, step, latents)

    def _steps(self, pipe: Any, step: int) -> int:
        return max(int(getattr(pipe, "num_timesteps", 0) or self._expected), step + 1)

    def _seen(self, pipe: Any, step: int, latents: torch.Tensor) -> None:
        """Raises PictureNotFinite, Cancelled."""
        check_finite(latents, pipe)
        steps = self._steps(pipe, step)
        preview = None
        if wants_preview(self._report):
            size = self._blend.size if self._blend else self._hole.shape  # some pipelines choose theirs
            preview = preview_of(pipe, latents, self._crop, self._hole, size)
        self._report(self._number * steps + step + 1, self._runs * steps, preview)


def check_finite(values: torch.Tensor, pipe: Any) -> None:
    """Raises PictureNotFinite for NaN or infinity: weights or half precision that do not hold."""
    if not bool(torch.isfinite(values).all()):
        raise PictureNotFinite(what=type(pipe).__name__)


@torch.no_grad()
def preview_of(
    pipe: Any, latents: torch.Tensor, crop: np.ndarray, hole: np.ndarray, painted: tuple[int, ...]
) -> np.ndarray:
    """The first picture so far, (h', w', 3) float32 0...1: its colours, not its detail, of the latents' size.

    With detail and larger where a tiny decoder is installed that fits.

    painted: height and width of what the latents stand for, px.
    """
    import cv2

    values = lay.grid(latents[:1], *painted)
    seen = taesd.shown(pipe, values)
    if seen is None:
        matrix = lay.colours(pipe, values.shape[1])
        seen = np.clip(values[0].float().cpu().permute(1, 2, 0).numpy() @ matrix[:-1] + matrix[-1], 0, 1)
    size = (seen.shape[1], seen.shape[0])
    free = cv2.resize(hole, size, interpolation=cv2.INTER_AREA)[..., None]
    around = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    return (seen * free + around * (1 - free)).astype(np.float32)


@contextlib.contextmanager
def looking(pipe: Any, check: Callable[[], None]) -> Iterator[None]:
    """While it lasts, every block of every network of the pipeline calls `check` before it works."""
    with contextlib.ExitStack() as stack:
        for block in blocks_of(pipe):
            if block._compiled_call_impl is None:
                stack.callback(block.register_forward_pre_hook(lambda *_: check()).remove)
            else:  # a hook would be a part of what is compiled
                stack.enter_context(_looked_before(block, check))
        yield


@contextlib.contextmanager
def _looked_before(block: Any, check: Callable[[], None]) -> Iterator[None]:
    call = block._compiled_call_impl

    def looked(*args: Any, **kwargs: Any) -> Any:
        check()
        return call(*args, **kwargs)

    block._compiled_call_impl = looked
    try:
        yield
    finally:
        block._compiled_call_impl = call


def compiled_blocks(pipe: Any) -> list[Any]:
    """Those that were compiled by themselves."""
    parts: list[Any] = [part for part in pipe.components.values() if isinstance(part, torch.nn.Module)]
    return [block for part in parts for block in part.modules() if block._compiled_call_impl is not None]


def blocks_of(pipe: Any) -> list[Any]:
    """The repeated parts of all networks: members of module lists that are in no other list."""
    found: dict[int, Any] = {}

    def walk(module: torch.nn.Module) -> None:
        for child in module.children():
            if isinstance(child, torch.nn.ModuleList):
                found.update({id(block): block for block in child})
            else:
                walk(child)

    for part in pipe.components.values():
        if isinstance(part, torch.nn.Module):
            walk(part)
    return list(found.values())
