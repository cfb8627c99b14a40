"""The table against itself and, where diffusers is installed, against the classes it names."""

from __future__ import annotations

import inspect
import warnings

import pytest

from frisket.engines.diffusion.addons import KINDS
from frisket.engines.diffusion.table import CONTROLLED, ROWS, TRAITS, Heard, Takes, pipelines, row_of
from frisket.engines.registry import MADE_OF
from frisket.models.families import PURPOSES, Family, Purpose

PAIRS = [(family, purpose) for family, rows in ROWS.items() for purpose in rows]
PRIOR = {Family.KANDINSKY22, Family.KANDINSKY22_INPAINT}  # words go to their prior, not to the decoder named here


def test_each_family_does_here_what_the_catalogue_says_of_it():
    assert {family: set(rows) for family, rows in ROWS.items()} == {
        f: set(p) for f, p in PURPOSES.items() if f not in MADE_OF
    }
    assert set(TRAITS) == set(ROWS)


def test_a_pair_that_no_pipeline_does_is_none():
    assert row_of(Family.SD15_INPAINT, Purpose.VARIATION) is None
    assert row_of(Family.LORA, Purpose.INPAINT) is None


@pytest.mark.parametrize(("family", "purpose"), PAIRS, ids=lambda value: value.value)
def test_a_class_takes_what_its_row_says_and_tells_of_its_steps_as_it_says(family: Family, purpose: Purpose):
    diffusers = pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")
    row = ROWS[family][purpose]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = inspect.signature(getattr(diffusers, row.pipeline).__call__).parameters
    words = {Takes.PROMPT, Takes.NEGATIVE_PROMPT} if family in PRIOR else set()
    assert {takes.value for takes in row.takes - words} <= set(arguments)
    left_out = {takes for takes in Takes if takes.value in arguments} - row.takes
    guidances = {Takes.GUIDANCE, Takes.TRUE_GUIDANCE}
    assert left_out <= (guidances if row.takes & guidances else set()), "a user could set more than the row tells"
    assert row.heard.value in arguments
    assert (Heard.STEP_END.value in arguments) == (row.heard is Heard.STEP_END)
    assert ("image" in arguments) or not row.image


@pytest.mark.parametrize(("plain", "name"), CONTROLLED.items())
def test_with_a_controlnet_a_class_takes_what_it_takes_without(plain: str, name: str):
    diffusers = pytest.importorskip("diffusers", reason="the extra `diffusion` is not installed")
    rows = [row for rows in ROWS.values() for row in rows.values() if row.pipeline == plain]
    assert rows
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments = inspect.signature(getattr(diffusers, name).__call__).parameters
        known = inspect.signature(getattr(diffusers, plain).__call__).parameters
    for row in rows:
        assert {takes.value for takes in row.takes} | {row.heard.value} <= set(arguments)
    assert ("mask_image" in arguments) == ("mask_image" in known)
    assert {"controlnet_conditioning_scale", "control_image" if rows[0].image else "image"} <= set(arguments)


def test_controlnets_are_offered_where_every_row_has_such_a_class():
    for family, rows in ROWS.items():
        offered = family in KINDS[Family.CONTROLNET]
        assert offered == all(row.pipeline in CONTROLLED for row in rows.values()), family


def test_no_class_is_open_to_guesses():
    assert all(name.endswith("Pipeline") and "Auto" not in name for name in pipelines())
