"""A prompt that is too long: told, in tokens, by the tokenizer that reads the most of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch

from engines.diffusion.tiny import Tiny
from frisket.engines.diffusion.table import TRAITS
from frisket.engines.diffusion.words import count, tell_cut
from frisket.engines.spec import Degradation, DegradationKind, Silent
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]
Zoo = Callable[[Family], Path]


class Heard(Silent):
    def __init__(self) -> None:
        self.degraded: list[Degradation] = []

    def told(self, degradation: Degradation) -> None:
        self.degraded.append(degradation)


def test_words_that_no_picture_can_show_are_told(zoo_folder: Zoo) -> None:
    tiny = Tiny(zoo_folder, Family.SD15)
    work = tiny.work(Purpose.VARIATION, seeds=(1,), strength=0.4)
    tokenizer = tiny.pipe(tiny.rows[Purpose.VARIATION]).tokenizer
    words = "a"
    while count(tokenizer, words) < 77:
        words += " a"
    heard, long = Heard(), words + " red"
    (fits,) = tiny.run(Purpose.VARIATION, replace(work, prompt=words), heard)
    assert heard.degraded == []
    (same,) = tiny.run(Purpose.VARIATION, replace(work, prompt=long), heard)
    assert (fits == same).all(), "the last word is not seen"
    (told,) = heard.degraded
    assert told.kind is DegradationKind.PROMPT_CUT
    assert f"77 of the {count(tokenizer, long)} tokens of the prompt" in told.detail
    tiny.run(Purpose.VARIATION, replace(work, negative_prompt=long), heard)
    assert "of the negative prompt" in heard.degraded[-1].detail


@pytest.mark.parametrize(
    ("family", "most"),
    [(Family.SDXL, 77), (Family.SD3, 256), (Family.FLUX, 512), (Family.QWEN_IMAGE, 512), (Family.Z_IMAGE, 512)],
    ids=str,
)
def test_the_tokenizer_that_reads_the_most_counts(zoo_folder: Zoo, family: Family, most: int) -> None:
    tiny = Tiny(zoo_folder, family)
    row = tiny.rows[Purpose.INPAINT]
    pipe = tiny.pipe(row)
    for repeated, expected in ((30, 0), (4000, 1)):
        heard = Heard()
        tell_cut(pipe, row, TRAITS[family], tiny.work(Purpose.INPAINT, prompt="a " * repeated), heard)
        assert len(heard.degraded) == expected
    assert f"read {most} of" in heard.degraded[0].detail
    with torch.no_grad():
        short, long = (pipe.encode_prompt(["a " * n + "b"] * 1, **_second(pipe)) for n in (2000, 2001))
    assert all(torch.equal(a, b) for a, b in zip(_tensors(short), _tensors(long), strict=True)), "so the pipelines do"


def _second(pipe: object) -> dict[str, object]:
    """For the classes that want each encoder's words said."""
    import inspect

    wanted = inspect.signature(type(pipe).encode_prompt).parameters  # type: ignore[attr-defined]
    given: dict[str, object] = {name: None for name in ("prompt_2", "prompt_3") if name in wanted}
    return given | ({"do_classifier_free_guidance": False} if "do_classifier_free_guidance" in wanted else {})


def _tensors(made: object) -> list[torch.Tensor]:
    if isinstance(made, torch.Tensor):
        return [made]
    return [t for part in made for t in _tensors(part)] if isinstance(made, list | tuple) else []


def test_kandinskys_words_are_read_by_its_prior(zoo_folder: Zoo) -> None:
    tiny, heard = Tiny(zoo_folder, Family.KANDINSKY22), Heard()
    tiny.run(Purpose.TEXT_TO_LAYER, tiny.work(Purpose.TEXT_TO_LAYER, prompt="a " * 200, seeds=(1,)), heard)
    assert [d.kind for d in heard.degraded] == [DegradationKind.PROMPT_CUT]
