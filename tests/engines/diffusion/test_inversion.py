"""Learned words: what a prompt with one becomes, and that nothing of it stays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

import torch

from engines.diffusion.addon_maker import installed
from engines.diffusion.tiny import Tiny, fresh
from frisket.engines.diffusion.inversion import Meaning, check_said, known, read
from frisket.engines.diffusion.memo import forget
from frisket.engines.diffusion.painting import painted
from frisket.engines.diffusion.table import TRAITS
from frisket.engines.diffusion.words import tell_cut
from frisket.engines.spec import Degradation, Silent
from frisket.errors import AddonUnsuitable, ModelDamaged, ModelFileUnusable, ParameterOutOfRange
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]

Folder = Callable[[Family], Path]


def tensors(family: Family, count: int, seed: int = 1) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(seed)
    names = ("clip_l", "clip_g") if family is Family.SDXL else ("emb_params",)
    return {name: torch.randn(count, 32, generator=draw) for name in names}


class Counted(Silent):
    def __init__(self) -> None:
        self.heard: list[Degradation] = []

    def told(self, degradation: Degradation) -> None:
        self.heard.append(degradation)


class Case:
    def __init__(self, zoo_folder: Folder, family: Family) -> None:
        self.tiny = Tiny(zoo_folder, family)
        self.row = self.tiny.rows[Purpose.TEXT_TO_LAYER]
        self.pipe: Any = self.tiny.pipe(self.row)

    def meaning(self, root: Path, id_: str, count: int, seed: int = 1) -> Meaning:
        family = self.tiny.family
        addon = installed(root, id_, Family.TEXTUAL_INVERSION, tensors(family, count, seed))
        return read(addon, self.pipe, self.tiny.record)

    def run(self, prompt: str, *meanings: Meaning, pipe: Any = None) -> np.ndarray:
        work = self.tiny.work(Purpose.TEXT_TO_LAYER, prompt=prompt, seeds=(3,), params={"steps": 2})
        pipe = pipe or self.pipe
        with known(pipe, meanings):
            return painted(pipe, self.row, TRAITS[self.tiny.family], work, Silent())[0]


@pytest.mark.parametrize("family", [Family.SD15, Family.SDXL], ids=lambda f: f.value)
def test_a_learned_word_shows_as_diffusers_reads_it(zoo_folder: Folder, tmp_path: Path, family: Family):
    case = Case(zoo_folder, family)
    meaning = case.meaning(tmp_path, "my-style", 2)
    plain = case.run("a chair in my-style")
    changed = case.run("a chair in my-style", meaning)
    assert np.abs(changed - plain).max() > 0.02
    pipe = fresh(case.tiny.folder, case.row.pipeline)
    for suffix, (name, vectors) in zip(("", "_2"), tensors(family, 2).items(), strict=False):
        encoder, tokenizer = getattr(pipe, f"text_encoder{suffix}"), getattr(pipe, f"tokenizer{suffix}")
        own = {"emb_params": vectors} if name == "emb_params" else vectors
        pipe.load_textual_inversion(own, token="my-style", text_encoder=encoder, tokenizer=tokenizer)
    assert np.abs(case.run("a chair in my-style", pipe=pipe) - changed).max() < 1e-5
    assert (case.run("a chair in my-style") == plain).all(), "nothing stays"


def test_layouts_of_files(zoo_folder: Folder, tmp_path: Path):
    small, large = Case(zoo_folder, Family.SD15), Case(zoo_folder, Family.SDXL)
    (vectors,) = tensors(Family.SD15, 2).values()
    for id_, made, wanted in (
        ("named", {"<my-cat>": vectors}, vectors),
        ("alone", {"<my-cat>": vectors[0]}, vectors[:1]),
    ):
        meaning = read(installed(tmp_path, id_, Family.TEXTUAL_INVERSION, made), small.pipe, small.tiny.record)
        assert torch.equal(meaning.vectors[0], wanted)
    first, second = tensors(Family.SDXL, 2).values()
    for number, names in enumerate((("clip_l", "clip_g"), ("text_encoders_0", "text_encoders_1"))):
        made = dict(zip(names, (first, second), strict=True))
        meaning = read(
            installed(tmp_path, f"two{number}", Family.TEXTUAL_INVERSION, made), large.pipe, large.tiny.record
        )
        assert torch.equal(meaning.vectors[0], first)
        assert torch.equal(meaning.vectors[1], second)


def test_the_vectors_stand_where_the_word_stood(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SD15)
    ink, grain = case.meaning(tmp_path, "ink", 2, 1), case.meaning(tmp_path, "grain", 1, 2)
    own = case.pipe.text_encoder.get_input_embeddings()
    with known(case.pipe, [ink, grain]):
        tokenizer = case.pipe.tokenizer
        said = case.pipe.maybe_convert_prompt(["pink Ink, a grain", "inks grain-free ink_2"], tokenizer)
        assert said == ["pink <ink:0> <ink:1>, a <grain:0>", "inks grain-free ink_2"]
        ids = torch.tensor(tokenizer(said[0]).input_ids)
        vectors = case.pipe.text_encoder.get_input_embeddings()(ids)
        new = ids >= own.weight.shape[0]
        assert torch.equal(vectors[new], torch.cat([*ink.vectors, *grain.vectors]))
        assert torch.equal(vectors[~new], own(ids[~new]))
    assert case.pipe.text_encoder.get_input_embeddings() is own
    assert "maybe_convert_prompt" not in vars(case.pipe)
    assert len(case.pipe.tokenizer) == own.weight.shape[0]


def test_all_its_vectors_count_when_a_prompt_is_too_long(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SD15)
    meaning, told = case.meaning(tmp_path, "ink", 74), Counted()
    work = case.tiny.work(Purpose.TEXT_TO_LAYER, prompt="ink ink")
    tell_cut(case.pipe, case.row, TRAITS[Family.SD15], work, told)
    assert not told.heard
    with known(case.pipe, [meaning]):
        tell_cut(case.pipe, case.row, TRAITS[Family.SD15], work, told)
    assert "77 of the 150 tokens" in told.heard[0].detail


def test_words_read_before_are_not_taken_for_the_new_ones(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SD15)
    one, two = case.meaning(tmp_path / "1", "ink", 1, 1), case.meaning(tmp_path / "2", "ink", 1, 2)
    first, second = case.run("ink", one), case.run("ink", two)
    assert np.abs(first - second).max() > 0.01, "the same word with other bytes is another"
    forget()
    assert (case.run("ink", one) == first).all()


def test_the_end_is_found_with_old_configurations(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SDXL)
    meaning = case.meaning(tmp_path, "ink", 1)
    encoder = case.pipe.text_encoder_2
    part = next(part for part in encoder.modules() if hasattr(part, "eos_token_id"))
    end = part.eos_token_id
    wanted = case.run("ink on paper", meaning)
    try:
        part.eos_token_id = 2
        forget()
        assert (case.run("ink on paper", meaning) == wanted).all()
        assert part.eos_token_id == 2
    finally:
        part.eos_token_id = end


def test_what_does_not_fit_is_refused(zoo_folder: Folder, tmp_path: Path):
    case = Case(zoo_folder, Family.SD15)
    record = case.tiny.record
    wide = installed(tmp_path, "wide", Family.TEXTUAL_INVERSION, {"emb_params": torch.ones(1, 64)})
    with pytest.raises(AddonUnsuitable, match="wide is made for text encoders of widths 64, here 32"):
        read(wide, case.pipe, record)
    both = installed(tmp_path, "both", Family.TEXTUAL_INVERSION, tensors(Family.SDXL, 1))
    with pytest.raises(AddonUnsuitable, match="widths 32, 32, here 32"):
        read(both, case.pipe, record)
    for id_, made in {
        "two": {"a": torch.ones(1, 32), "b": torch.ones(1, 32)},
        "deep": {"emb_params": torch.ones(1, 1, 32)},
        "many": {"emb_params": torch.ones(99, 32)},
    }.items():
        with pytest.raises(ModelFileUnusable, match=id_):
            read(installed(tmp_path, id_, Family.TEXTUAL_INVERSION, made), case.pipe, record)
    nan = installed(tmp_path, "nan", Family.TEXTUAL_INVERSION, {"emb_params": torch.full((2, 32), torch.nan)})
    with pytest.raises(ModelDamaged, match="no numbers"):
        read(nan, case.pipe, record)
    with pytest.raises(ParameterOutOfRange, match="ink is in neither prompt"):
        check_said([case.meaning(tmp_path, "ink", 1)], "pink inks", "")
    check_said([case.meaning(tmp_path / "b", "ink", 1)], "a chair", "no INK!")
