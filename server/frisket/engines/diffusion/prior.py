"""Kandinsky's first stage: from words, and a picture, to the embedding of a picture, which the decoder paints from.

The prior is a model of its own, installed beside the decoder.
"""

from __future__ import annotations

import contextlib
from typing import Any

import torch
from PIL.Image import Image

from frisket.engines.diffusion.table import Masking, Row, Takes
from frisket.engines.diffusion.watch import check_finite, looking
from frisket.engines.spec import Report, Task, Work

ROW = Row(
    "KandinskyV22PriorPipeline",
    Masking.WHOLE,
    frozenset({Takes.PROMPT, Takes.NEGATIVE_PROMPT, Takes.GUIDANCE}),
    25,
    4.0,
    image=False,
)
OF_THE_PICTURE = 0.7  # how much of a variation's embedding is the picture's when there are words, too


def embeddings(prior: Any, work: Work, picture: Image | None, report: Report) -> dict[str, torch.Tensor]:
    """The decoder's arguments "image_embeds" and "negative_image_embeds", (n, d) each, one for each of work.seeds.

    picture: what a variation is to be like. Raises PictureNotFinite, errors.Cancelled.
    """
    wanted, unwanted = [], []
    with contextlib.ExitStack() as stack:
        stack.enter_context(looking(prior, report.check))
        stack.callback(prior.maybe_free_model_hooks)
        for seed in work.seeds:
            wanted.append(_wanted(prior, work, picture, int(seed)))
            unwanted.append(_said(prior, work.negative_prompt, int(seed)) if work.negative_prompt else None)
    nothing = prior.get_zero_embed(1)
    made = torch.cat(wanted)
    check_finite(made, prior)
    return {
        "image_embeds": made,
        "negative_image_embeds": torch.cat([nothing if one is None else one for one in unwanted]).to(made.dtype),
    }


def _wanted(prior: Any, work: Work, picture: Image | None, seed: int) -> torch.Tensor:
    if work.task is not Task.VARIATION or picture is None:
        return _said(prior, work.prompt, seed)
    pixels = prior.image_processor(picture, return_tensors="pt").pixel_values
    encoder = prior.image_encoder
    seen = encoder(pixels.to(encoder.device, encoder.dtype))["image_embeds"]
    if not work.prompt:
        return seen
    return OF_THE_PICTURE * seen + (1 - OF_THE_PICTURE) * _said(prior, work.prompt, seed).to(seen.dtype)


def _said(prior: Any, words: str, seed: int) -> torch.Tensor:
    """(1, d)"""
    generator = torch.Generator("cpu").manual_seed(seed)
    steps, guidance = ROW.steps, ROW.guidance
    return prior(words, num_inference_steps=steps, guidance_scale=guidance, generator=generator).image_embeds
