"""What an installed model can do, as an EngineSpec: from its record and the table. No torch, no weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from frisket.engines.diffusion.addons import params_of
from frisket.engines.diffusion.schedulers import NATIVE, PRESETS, choices_of
from frisket.engines.diffusion.table import ROWS, TRAITS, Masking, Row, Takes, Traits
from frisket.engines.spec import Channels, EngineSpec, MaskLaw, Param, ParamKind, Task, Value
from frisket.models.families import Family, Purpose
from frisket.models.record import Record
from frisket.raster.sizes import SizeRule

AREA = 2.0  # times the native square: beyond, a model repeats itself, and memory grows with the area or its square
AREA_OF: Mapping[Family, float] = {
    Family.FLUX2_KLEIN: 1.0,  # its classes shrink a larger picture by themselves
    Family.QWEN_IMAGE_EDIT: 1.0,
    Family.DEEPFLOYD_IF: 1.0,
}
MIN_SIDE = 64  # px: below, a U-net has no level left to halve
MOST_STEPS = 150
GUIDANCES = (0.0, 30.0)
MOST_GUIDANCE: Mapping[Family, float] = {Family.FLUX_FILL: 100.0}  # 30 is its usual one
WITH_STRENGTH = frozenset({Purpose.INPAINT, Purpose.OUTPAINT, Purpose.VARIATION})  # tasks that ask for one


def spec_of(record: Record) -> EngineSpec:
    """How the rest of the house sees an installed model: an engine of its own, called as the model is.

    Only what the model's record lists and the table does is offered; a family without rows has no task at all.
    record.defaults: those called as a parameter replace its default, "preset" one of schedulers.PRESETS replaces three,
    "native_px" the side that it was trained at.
    """
    family, rows = record.family, rows_of(record)
    return EngineSpec(
        id=record.id,
        title=record.title,
        summary=f"A diffusion model of the family {family.value}.",
        tasks=frozenset(task_of(purpose) for purpose in rows),
        size=size_rule(family, int(record.defaults.get("native_px", TRAITS[family].native))),
        channels=Channels.RGB,
        mask_law=MaskLaw.SOFT,
        params=_params(family, tuple(rows.values()), record.defaults) if rows else (),
        models=(record.id,),
        devices=("cuda", "cpu"),
        deterministic=True,
        uses_prompt=any(Takes.PROMPT in row.takes for row in rows.values()),
        uses_negative_prompt=bool(rows) and all(Takes.NEGATIVE_PROMPT in row.takes for row in rows.values()),
        uses_strength=all(Takes.STRENGTH in row.takes for purpose, row in rows.items() if purpose in WITH_STRENGTH),
        licence=record.licence.name,
        bleed=TRAITS[family].mask_multiple,
        checks=_has_checker(record),
        trained=True,
        revision=record.commit or record.revision,
        refines=any(Takes.STRENGTH in row.takes and row.masking is not Masking.CONCAT for row in rows.values()),
    )


def rows_of(record: Record) -> Mapping[Purpose, Row]:
    """What the table knows of what the record lists."""
    rows = ROWS.get(record.family, {})
    return {purpose: rows[purpose] for purpose in record.purposes if purpose in rows}


def _has_checker(record: Record) -> bool:
    """Whether a safety checker came with the model, whole: its weights and what prepares pictures for it."""
    paths = {file.path for file in record.files}
    weights = any(path.startswith("safety_checker/") and path.endswith(".safetensors") for path in paths)
    return weights and "feature_extractor/preprocessor_config.json" in paths


def task_of(purpose: Purpose) -> Task:
    """Both say the same, one of models and one of edits."""
    return Task(purpose.value)


def size_rule(family: Family, native: int) -> SizeRule:
    """native: px, the side that the model was trained at."""
    traits: Traits = TRAITS[family]
    area = int(AREA_OF.get(family, AREA) * native * native)
    side = -(-min(MIN_SIDE, native) // traits.multiple) * traits.multiple
    return SizeRule(min_side=side, multiple=traits.multiple, max_pixels=max(area, side * side), native_side=native)


def _params(family: Family, rows: tuple[Row, ...], defaults: Mapping[str, Value]) -> tuple[Param, ...]:
    """What all rows take: a parameter that one task would drop is offered for none."""
    takes = frozenset[Takes].intersection(*(row.takes for row in rows))
    choices = tuple(choices_of(family))
    preset = PRESETS.get(str(defaults.get("preset", "")))
    usual: dict[str, Value] = {
        "steps": preset.steps if preset else rows[0].steps,
        "guidance_scale": preset.guidance if preset else rows[0].guidance,
        "true_cfg_scale": 4.0 if Takes.GUIDANCE in takes else rows[0].guidance,
        "image_guidance_scale": 1.5,
        "scheduler": preset.scheduler if preset and preset.scheduler in choices else NATIVE,
    }
    low, high = GUIDANCES[0], MOST_GUIDANCE.get(family, GUIDANCES[1])
    offered = [
        Param("steps", ParamKind.INT, usual["steps"], "More are slower and finer.", 1, MOST_STEPS, "steps"),
        Param(
            "scheduler",
            ParamKind.CHOICE,
            usual["scheduler"],
            "The way through the noise; native is the model's own. lcm, tcd, lightning and turbo suit models and "
            "add-ons that were trained for a few steps.",
            choices=choices,
            advanced=True,
        ),
    ]
    if Takes.GUIDANCE in takes:
        words = "How closely it follows the prompt; 1 or less is fastest and leaves the negative prompt no say."
        if Takes.TRUE_GUIDANCE in takes or Takes.NEGATIVE_PROMPT not in takes:
            words = "How closely it follows the prompt."
        offered.append(Param("guidance_scale", ParamKind.FLOAT, usual["guidance_scale"], words, low, high))
    if Takes.TRUE_GUIDANCE in takes:
        words = "How closely it follows the prompt, away from the negative prompt; above 1 takes twice the time."
        if Takes.GUIDANCE in takes:
            words = "How far it keeps away from the negative prompt. Counts, and takes twice the time, only with one."
        offered.append(Param("true_cfg_scale", ParamKind.FLOAT, usual["true_cfg_scale"], words, 1.0, high))
    if Takes.IMAGE_GUIDANCE in takes:
        words = "How closely it keeps to the picture."
        offered.append(Param("image_guidance_scale", ParamKind.FLOAT, usual["image_guidance_scale"], words, 1.0, 10.0))
    return tuple(_with_default(param, defaults) for param in (*offered, *params_of(family)))


def _with_default(param: Param, defaults: Mapping[str, Value]) -> Param:
    """The record's default if it has one. Raises ParameterOutOfRange for one that the parameter does not allow."""
    return replace(param, default=param.checked(defaults[param.name])) if param.name in defaults else param
