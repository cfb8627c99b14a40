"""What the house sees of an installed model: tasks, sizes and parameters, from the table and the record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from frisket.engines.diffusion.addons import NAMES
from frisket.engines.diffusion.capabilities import WITH_STRENGTH, rows_of, size_rule, spec_of
from frisket.engines.diffusion.table import ROWS, TRAITS, Takes
from frisket.engines.spec import Channels, MaskLaw, Task
from frisket.errors import ParameterOutOfRange, ParameterUnknown
from frisket.models.catalogue import Commercial, Licence
from frisket.models.families import PURPOSES, Family, Purpose
from frisket.models.record import Record
from frisket.raster.geometry import Size

NOT_SET_BY_PARAMS = {Takes.PROMPT, Takes.NEGATIVE_PROMPT, Takes.STRENGTH, Takes.SIZE}


def record(family: Family, **changes) -> Record:
    licence = Licence("CreativeML", "", Commercial.UNKNOWN)
    made = Record("mine", "Mine", family, PURPOSES.get(family, ()), licence, (), "2026-01-01T00:00:00Z")
    return replace(made, **changes)


@pytest.mark.parametrize("family", ROWS, ids=lambda f: f.value)
def test_each_family_offers_its_purposes_and_only_what_all_its_rows_take(family: Family):
    spec = spec_of(record(family))
    assert {task.value for task in spec.tasks} == {purpose.value for purpose in PURPOSES[family]}
    assert (spec.id, spec.models, spec.licence) == ("mine", ("mine",), "CreativeML")
    assert (spec.trained, spec.revision) == (True, "")
    assert not spec.uses_sources, "a model sees all of its crop"
    assert spec_of(record(family, revision="main", commit="c0ffee")).revision == "c0ffee"
    assert (spec.channels, spec.mask_law, spec.deterministic) == (Channels.RGB, MaskLaw.SOFT, True)
    names = {param.name for param in spec.params}
    for purpose, row in ROWS[family].items():
        settable = {takes.value for takes in row.takes - NOT_SET_BY_PARAMS}
        assert names - NAMES == settable | {"steps", "scheduler"}, "no row drops a parameter, none has one of its own"
        assert not spec.uses_prompt or Takes.PROMPT in row.takes
        assert spec.uses_negative_prompt == (Takes.NEGATIVE_PROMPT in row.takes)
        if purpose in WITH_STRENGTH:
            assert spec.uses_strength == (Takes.STRENGTH in row.takes)
    defaults = spec.check_params({})
    assert defaults == spec.check_params(defaults)
    assert defaults["steps"] == next(iter(ROWS[family].values())).steps


@pytest.mark.parametrize("family", ROWS, ids=lambda f: f.value)
def test_every_size_that_is_planned_is_one_the_pipelines_take(family: Family):
    rule, traits = spec_of(record(family)).size, TRAITS[family]
    for size in (Size(1, 1), Size(37, 500), Size(1024, 1024), Size(5000, 300), Size(4000, 3000)):
        padded = rule.plan(size).padded
        assert padded.width % traits.multiple == padded.height % traits.multiple == 0
        assert padded.area <= 2 * traits.native**2
    assert rule.plan(Size(traits.native, traits.native)).unchanged


def test_the_record_narrows_the_tasks():
    spec = spec_of(record(Family.SD15, purposes=(Purpose.VARIATION,)))
    assert spec.tasks == {Task.VARIATION}
    assert list(rows_of(record(Family.SD15_INPAINT, purposes=(Purpose.VARIATION,)))) == []


def test_the_record_says_other_defaults():
    usual = spec_of(record(Family.SDXL, defaults={"steps": 12, "native_px": 768, "strength": 0.9, "odd": 1}))
    assert usual.check_params({})["steps"] == 12
    assert usual.size.native_side == 768
    quick = spec_of(record(Family.SDXL, defaults={"preset": "lightning"})).check_params({})
    assert (quick["steps"], quick["guidance_scale"], quick["scheduler"]) == (4, 1.0, "lightning")
    with pytest.raises(ParameterOutOfRange):
        spec_of(record(Family.SDXL, defaults={"steps": 0}))


@pytest.mark.parametrize(
    ("family", "params", "error"),
    [
        (Family.SD15, {"image_guidance_scale": 2}, ParameterUnknown),
        (Family.QWEN_IMAGE, {"guidance_scale": 2}, ParameterUnknown),
        (Family.FLUX, {"scheduler": "ddim"}, ParameterOutOfRange),
        (Family.DEEPFLOYD_IF, {"scheduler": "euler"}, ParameterOutOfRange),
        (Family.SD15, {"steps": 0}, ParameterOutOfRange),
    ],
)
def test_what_a_model_cannot_honour_is_refused_by_name(family: Family, params: dict, error: type[Exception]):
    with pytest.raises(error):
        spec_of(record(family)).check_params(params)


def test_a_small_crop_is_padded_to_what_the_networks_need():
    assert size_rule(Family.DEEPFLOYD_IF, 64).plan(Size(3, 3)).padded == Size(64, 64)
    assert size_rule(Family.KANDINSKY22, 768).plan(Size(9, 9)).padded.shorter >= 64
