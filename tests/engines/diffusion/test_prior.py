"""Kandinsky's first stage: what the decoder is told to paint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import numpy as np
import torch
from PIL import Image

from engines.diffusion.tiny import Tiny, Told
from frisket.engines.diffusion.prior import embeddings
from frisket.engines.spec import Silent, Task
from frisket.errors import Cancelled
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]
Folder = Callable[[Family], Path]


@torch.no_grad()
def test_words_make_an_embedding_for_each_seed(zoo_folder: Folder) -> None:
    tiny = Tiny(zoo_folder, Family.KANDINSKY22)
    prior, work = tiny.prior(), tiny.work(Purpose.TEXT_TO_LAYER)
    two = embeddings(prior, work, None, Silent())
    assert two["image_embeds"].shape == two["negative_image_embeds"].shape == (2, 32)
    assert not torch.equal(two["image_embeds"][0], two["image_embeds"][1])
    assert torch.equal(two["negative_image_embeds"][0], two["negative_image_embeds"][1]), "nothing said: nothing"
    one = embeddings(prior, replace(work, seeds=(6,)), None, Silent())
    assert torch.equal(one["image_embeds"][0], two["image_embeds"][1])
    other = embeddings(prior, replace(work, prompt="a blue car"), None, Silent())
    assert not torch.equal(other["image_embeds"], two["image_embeds"])
    against = embeddings(prior, replace(work, negative_prompt="dogs"), None, Silent())
    assert torch.equal(against["image_embeds"], two["image_embeds"])
    assert not torch.equal(against["negative_image_embeds"], two["negative_image_embeds"])


@torch.no_grad()
def test_a_variation_is_like_the_picture_and_a_little_like_the_words(zoo_folder: Folder) -> None:
    tiny = Tiny(zoo_folder, Family.KANDINSKY22)
    prior = tiny.prior()
    work = replace(tiny.work(Purpose.VARIATION), prompt="", seeds=(1,))
    assert work.task is Task.VARIATION
    dark, light = (Image.fromarray(np.full((64, 64, 3), v, np.uint8)) for v in (20, 230))
    of = {name: embeddings(prior, work, picture, Silent())["image_embeds"] for name, picture in
          {"dark": dark, "light": light}.items()}  # fmt: skip
    assert not torch.allclose(of["dark"], of["light"])
    said = embeddings(prior, replace(work, task=Task.TEXT_TO_LAYER, prompt="a cat"), None, Silent())["image_embeds"]
    both = embeddings(prior, replace(work, prompt="a cat"), dark, Silent())["image_embeds"]
    assert torch.allclose(both, 0.7 * of["dark"] + 0.3 * said, atol=1e-5)


@torch.no_grad()
def test_it_can_be_cancelled(zoo_folder: Folder) -> None:
    tiny = Tiny(zoo_folder, Family.KANDINSKY22)
    with pytest.raises(Cancelled):
        embeddings(tiny.prior(), tiny.work(Purpose.TEXT_TO_LAYER), None, Told(stop_at_look=20))
