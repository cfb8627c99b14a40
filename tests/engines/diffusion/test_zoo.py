"""The zoo holds every family, and its pipelines are what published ones are: safetensors, small, always the same."""

# pyright: reportAttributeAccessIssue=false, reportIndexIssue=false
from __future__ import annotations

import json

import pytest

from frisket.engines.diffusion.table import ROWS
from frisket.models.families import Family

pytest.importorskip("torch", reason="the extra `diffusion` is not installed")
pytestmark = [pytest.mark.diffusion]
PIPELINES = {*ROWS, Family.KANDINSKY22_PRIOR}


def test_every_family_that_is_a_pipeline_is_in_the_zoo():
    from engines.diffusion.zoo import MAKERS

    assert set(MAKERS) == PIPELINES
    assert set(ROWS) <= set(MAKERS)


@pytest.mark.parametrize("family", sorted(PIPELINES, key=lambda f: f.value), ids=lambda f: f.value)
def test_a_pipeline_is_saved_as_published_ones_are(family: Family, zoo_folder):
    folder = zoo_folder(family)
    assert json.loads((folder / "model_index.json").read_text())["_class_name"].endswith("Pipeline")
    files = [p for p in folder.rglob("*") if p.is_file()]
    assert not [p for p in files if p.suffix in (".bin", ".pt", ".ckpt")]
    assert [p for p in files if p.suffix == ".safetensors"]
    assert sum(p.stat().st_size for p in files) < 8e6
