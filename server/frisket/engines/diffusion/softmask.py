"""Differential diffusion: how much of a picture changes, pixel by pixel, in any pipeline with a step callback.

Levin and Fried, "Differential Diffusion: Giving Each Pixel Its Strength", 2023. The whole picture is diffused; after
each step everything whose hole value is not above a falling threshold is put back as it was, at the noise of the next
step. What has the value v is so repainted during the last v of the run, as if with the strength v; 0 is never, 1 is
always. With a hole of zeros and ones this is the usual blending of latents; it takes the place of the pipeline's own.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from frisket.engines.diffusion import latents as lay
from frisket.engines.diffusion.call import coarse

# Where in what `prepare_latents` answers the noise and the clean latents of the picture stand.
PLACES: Mapping[str, tuple[int, int]] = {"FluxKontextInpaintPipeline": (6, 1)}
PLACE = (1, 2)
OWN_NOISE = 0x9E3779B97F4A7C15  # mixed into the seeds where the pipeline does not hand out its noise


class Blend:
    """For one call of one pipeline. hole: (h, w) float32 0...1, of the picture's size.

    clean: gives the clean latents, laid out as the loop's, for pipelines that do not hand out theirs; `seeds` then make
    the noise.
    """

    def __init__(
        self,
        pipe: Any,
        hole: np.ndarray,
        seeds: Sequence[int],
        clean: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        self._pipe, self._hole, self._seeds, self._clean = pipe, hole, seeds, clean
        self._noise: torch.Tensor | None = None
        self._image: torch.Tensor | None = None
        self._plane: torch.Tensor | None = None
        self.size: tuple[int, int] = hole.shape[0], hole.shape[1]  # height and width that the loop paints, px

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        """While it lasts, what the pipeline prepares is noted, if it is needed."""
        if self._clean is not None:
            yield
            return
        prepare = self._pipe.prepare_latents
        names = inspect.signature(prepare)
        noise_at, image_at = PLACES.get(type(self._pipe).__name__, PLACE)

        def noted(*args: Any, **kwargs: Any) -> Any:
            made = prepare(*args, **kwargs)
            given = names.bind(*args, **kwargs).arguments
            self._noise, self._image = made[noise_at], made[image_at]
            self._lay(made[0], int(given["height"]), int(given["width"]))
            return made

        self._pipe.prepare_latents = noted
        try:
            yield
        finally:
            del self._pipe.prepare_latents

    def after(self, step: int, steps: int, latents: torch.Tensor) -> torch.Tensor:
        """The latents with what is not free yet put back. step: from 0, just done; of `steps` of the loop."""
        if self._plane is None:
            self._start(latents)
        assert self._plane is not None
        assert self._image is not None
        assert self._noise is not None
        left = 1 - (step + 1) / steps  # of the run; what is freed with the next step has a value above it
        original = self._image
        if step < steps - 1:
            times = self._pipe.scheduler.timesteps[-steps:]
            original = noised(self._pipe.scheduler, self._image, self._noise, times[step + 1 : step + 2])
        return torch.where(self._plane > left, latents, original.to(latents.dtype))

    def _start(self, latents: torch.Tensor) -> None:
        """Where the pipeline's are not to be had: our own clean latents and noise."""
        assert self._clean is not None
        self._image = self._clean(latents)
        generators = [torch.Generator("cpu").manual_seed((seed ^ OWN_NOISE) & (2**63 - 1)) for seed in self._seeds]
        shape = latents.shape[1:]
        drawn = [torch.randn(shape, generator=generator, dtype=torch.float32) for generator in generators]
        self._noise = torch.stack(drawn).to(latents.device, latents.dtype)
        self._lay(latents, *self._hole.shape)

    def _lay(self, latents: torch.Tensor, height: int, width: int) -> None:
        hole, self.size = self._hole, (height, width)
        if hole.shape != self.size:
            import cv2

            hole = cv2.resize(hole, (width, height), interpolation=cv2.INTER_LINEAR)
        rows = latents.shape[-2] if latents.ndim > 3 else 2 * lay.grid(latents, height, width).shape[-2]
        self._plane = lay.like(coarse(hole, height // rows), latents, height, width)


def noised(scheduler: Any, clean: torch.Tensor, noise: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
    """clean at the noise of `time` (1,), one of scheduler.timesteps, while a loop is under way."""
    if hasattr(scheduler, "scale_noise"):
        return scheduler.scale_noise(clean, time, noise)
    return scheduler.add_noise(clean, noise, time)


def is_soft(hole: np.ndarray) -> bool:
    """Whether a hole (h, w) asks for a partial change anywhere."""
    return bool(((hole > 0) & (hole < 1)).any())
