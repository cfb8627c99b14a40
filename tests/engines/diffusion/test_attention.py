"""Attention as the server was told: in the network, in no other, or an error that names what is missing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")

from diffusers.models import attention_dispatch as theirs

from engines.diffusion import zoo
from engines.diffusion.tiny import Tiny, fresh
from frisket.engines.diffusion.attention import NAMES, ON_CARDS, attend, choosers
from frisket.engines.diffusion.engine import DiffusionEngine
from frisket.engines.diffusion.painting import painted
from frisket.engines.diffusion.residency import Residency
from frisket.engines.diffusion.speed import Attention, Speed
from frisket.engines.diffusion.table import TRAITS
from frisket.engines.spec import Silent
from frisket.errors import SpeedUnusable
from frisket.models.families import Family, Purpose

pytestmark = [pytest.mark.diffusion]
Folder = Callable[[Family], Path]
CHOOSE = [Family.FLUX, Family.FLUX2_KLEIN, Family.QWEN_IMAGE, Family.Z_IMAGE]


def pipe_of(zoo_folder: Folder, family: Family) -> tuple[Tiny, Any]:
    tiny = Tiny(zoo_folder, family)
    return tiny, fresh(tiny.folder, tiny.rows[Purpose.INPAINT].pipeline)


def test_every_kind_has_a_name_that_diffusers_knows_and_none_fetches():
    assert set(NAMES) == set(Attention)
    assert {theirs.AttentionBackendName(name) for name in NAMES.values()}
    assert not [name for name in NAMES.values() if "hub" in name]


@pytest.mark.parametrize("family", CHOOSE, ids=lambda f: f.value)
def test_a_transformer_attends_as_told_and_paints_the_same(
    family: Family, zoo_folder: Folder, monkeypatch: pytest.MonkeyPatch
):
    tiny, pipe = pipe_of(zoo_folder, family)
    row, work = tiny.rows[Purpose.INPAINT], tiny.work(Purpose.INPAINT, seeds=(5,))
    (wanted,) = painted(pipe, row, TRAITS[family], work, Silent())
    kind, calls = theirs.AttentionBackendName(NAMES[Attention.MATH]), []
    backends = theirs._AttentionBackendRegistry._backends
    compute = backends[kind]
    monkeypatch.setitem(backends, kind, lambda *a, **k: calls.append(1) or compute(*a, **k))
    before = theirs._AttentionBackendRegistry.get_active_backend()[0]
    attend(pipe, Attention.MATH, "cpu")
    assert all(processor._attention_backend is kind for processor in choosers(pipe.transformer))
    assert theirs._AttentionBackendRegistry.get_active_backend()[0] is before, "of all other networks"
    (picture,) = painted(pipe, row, TRAITS[family], work, Silent())
    assert len(calls) >= 3
    assert np.abs(picture - wanted).max() <= 1 / 255


@pytest.mark.parametrize(
    ("attention", "package"),
    [
        (Attention.FLASH, "flash-attn"),
        (Attention.FLASH_3, "FA3"),
        (Attention.SAGE, "sageattention"),
        (Attention.XFORMERS, "xformers"),
    ],
)
def test_a_package_that_is_missing_is_named(
    attention: Attention, package: str, zoo_folder: Folder, monkeypatch: pytest.MonkeyPatch
):
    for name in ("FLASH_ATTN", "FLASH_ATTN_3", "SAGE_ATTN", "XFORMERS_ATTN"):
        monkeypatch.setattr(theirs, f"_CAN_USE_{name}", False)
    _, pipe = pipe_of(zoo_folder, Family.FLUX)
    with pytest.raises(SpeedUnusable, match=package) as caught:
        attend(pipe, attention, "cuda")
    assert "without `--attention`" in caught.value.remedy
    assert {processor._attention_backend for processor in choosers(pipe.transformer)} == {None}


@pytest.mark.parametrize("attention", [kind for kind in Attention if kind in ON_CARDS])
def test_without_a_card_what_needs_one_is_refused(attention: Attention, zoo_folder: Folder):
    _, pipe = pipe_of(zoo_folder, Family.FLUX)
    with pytest.raises(SpeedUnusable, match=f"{attention.value} cannot be used: it needs a card"):
        attend(pipe, attention, "cpu")


@pytest.mark.parametrize("family", [Family.SD15, Family.SD3, Family.DEEPFLOYD_IF], ids=lambda f: f.value)
def test_a_network_without_a_choice_is_logged(family: Family, zoo_folder: Folder, caplog: pytest.LogCaptureFixture):
    _, pipe = pipe_of(zoo_folder, family)
    with caplog.at_level(logging.WARNING):
        attend(pipe, Attention.NATIVE, "cpu")
        assert not caplog.records
        attend(pipe, Attention.EFFICIENT, "cpu")
    assert "--attention efficient leaves a" in caplog.text
    assert theirs._AttentionBackendRegistry.get_active_backend()[0] is theirs.AttentionBackendName.NATIVE


def test_an_engine_refuses_each_time_and_keeps_nothing(zoo_folder: Folder, tmp_path: Path):
    record = zoo.install(Family.FLUX, zoo_folder(Family.FLUX), tmp_path, "mine")
    engine = DiffusionEngine(tmp_path / "mine", record, Residency(speed=Speed(Attention.XFORMERS)))
    for _ in range(2):
        with pytest.raises(SpeedUnusable):
            engine.load()
    told = DiffusionEngine(tmp_path / "mine", record, Residency(speed=Speed(Attention.MATH)))
    told.load()
    (pipe,) = told._pipes.values()
    assert {p._attention_backend.value for p in choosers(pipe.transformer)} == {NAMES[Attention.MATH]}
