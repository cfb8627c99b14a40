"""Families x purposes -> pipeline: which class of diffusers does what, and what it honours. Data, no torch.

`AutoPipelineFor...` is not asked: it does not know several inpaint classes, and opens a model for a task that then
fails in the call. What is said here is held against the real classes' signatures by a test.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

from frisket.models.families import Family, Purpose


class Masking(enum.Enum):
    """How a pipeline learns of the hole."""

    BLEND = "blend"  # any model: after each step what lies outside the hole is put back, at the step's noise
    CONCAT = "concat"  # the model was trained to see the hole and the picture without it
    WHOLE = "whole"  # it repaints the whole crop; the hole only counts when the result is pasted


class Heard(enum.Enum):
    """How a pipeline tells of a finished step."""

    STEP_END = "callback_on_step_end"  # and takes latents back
    LEGACY = "callback"  # only tells


class Takes(enum.Enum):
    """An argument of a pipeline's call that the user can set. Its value is the argument's name."""

    PROMPT = "prompt"
    NEGATIVE_PROMPT = "negative_prompt"
    GUIDANCE = "guidance_scale"
    TRUE_GUIDANCE = "true_cfg_scale"
    IMAGE_GUIDANCE = "image_guidance_scale"
    STRENGTH = "strength"
    SIZE = "height"  # and width; without it the size is the picture's


@dataclass(frozen=True, slots=True)
class Row:
    """One pair of the table.

    pipeline: a class of diffusers. steps, guidance: what its authors advise. `guidance` is the scale that the family
    really uses: TRUE_GUIDANCE where there is one and no other. heard: see Heard. image: whether it is shown the crop.
    """

    pipeline: str
    masking: Masking
    takes: frozenset[Takes]
    steps: int
    guidance: float
    heard: Heard = Heard.STEP_END
    image: bool = True


@dataclass(frozen=True, slots=True)
class Traits:
    """What all pairs of a family share. multiple: of both sides in px; native: the side it was trained at, px.

    mask_multiple: px of the picture for one of the latent picture. tokens: of a prompt. latents: channels.
    """

    multiple: int
    native: int
    tokens: int
    latents: int
    mask_multiple: int = 8


# Classes for which a list of pictures is one call's references, or that are written for one picture at a time.
ONE_BY_ONE = frozenset(
    {"Flux2KleinPipeline", "Flux2KleinInpaintPipeline", "QwenImageEditPipeline", "QwenImageEditInpaintPipeline"}
    | {"KandinskyV22InpaintPipeline", "StableUnCLIPImg2ImgPipeline"}
)
OWN_SIZE = frozenset({"QwenImageEditInpaintPipeline"})  # paints 1 MP of the same aspect, whatever is asked for

# With a ControlNet, the same paint as these.
CONTROLLED: Mapping[str, str] = {
    f"{name}{task}Pipeline": f"{name}ControlNet{task}Pipeline"
    for name in ("StableDiffusion", "StableDiffusionXL")
    for task in ("", "Img2Img", "Inpaint")
}

_PROMPT = frozenset({Takes.PROMPT, Takes.NEGATIVE_PROMPT, Takes.GUIDANCE})
_STRENGTH = frozenset({Takes.STRENGTH})
_SIZE = frozenset({Takes.SIZE})
_FLUX = frozenset({Takes.PROMPT, Takes.NEGATIVE_PROMPT, Takes.GUIDANCE, Takes.TRUE_GUIDANCE})
_KLEIN = frozenset({Takes.PROMPT, Takes.GUIDANCE})
_QWEN = frozenset({Takes.PROMPT, Takes.NEGATIVE_PROMPT, Takes.TRUE_GUIDANCE})
_LEGACY = Heard.LEGACY
_WHOLE, _BLEND, _CONCAT = Masking.WHOLE, Masking.BLEND, Masking.CONCAT


def _four(name: str, takes: frozenset[Takes], steps: int, guidance: float, sized: bool) -> dict[Purpose, Row]:
    """A text-to-image family with its two siblings. sized: whether its image-to-image class takes a size."""
    inpaint = Row(f"{name}InpaintPipeline", _BLEND, takes | _STRENGTH | _SIZE, steps, guidance)
    return {
        Purpose.INPAINT: inpaint,
        Purpose.OUTPAINT: inpaint,
        Purpose.VARIATION: Row(
            f"{name}Img2ImgPipeline", _WHOLE, takes | _STRENGTH | (_SIZE if sized else frozenset()), steps, guidance
        ),
        Purpose.TEXT_TO_LAYER: Row(f"{name}Pipeline", _WHOLE, takes | _SIZE, steps, guidance, image=False),
    }


def _fill(name: str, takes: frozenset[Takes], steps: int, guidance: float) -> dict[Purpose, Row]:
    """A family that was trained to fill holes, and does nothing else."""
    row = Row(name, _CONCAT, takes | _SIZE, steps, guidance)
    return {Purpose.INPAINT: row, Purpose.OUTPAINT: row}


def _edit(fill: str, edit: str, takes: frozenset[Takes], steps: int, guidance: float) -> dict[Purpose, Row]:
    """A family that edits by instruction; its inpaint class paints in the hole only."""
    row = Row(fill, _BLEND, takes | _STRENGTH | _SIZE, steps, guidance)
    whole = Row(edit, _WHOLE, takes | _SIZE, steps, guidance)
    return {Purpose.INPAINT: row, Purpose.OUTPAINT: row, Purpose.INSTRUCT: whole}


_KANDINSKY = frozenset({Takes.PROMPT, Takes.NEGATIVE_PROMPT, Takes.GUIDANCE})  # the first two through the prior
_KANDINSKY_FILL = Row("KandinskyV22InpaintPipeline", _CONCAT, _KANDINSKY | _SIZE, 50, 4.0)
_IF_FILL = Row("IFInpaintingPipeline", _BLEND, _PROMPT | _STRENGTH, 50, 7.0, _LEGACY)

ROWS: Mapping[Family, Mapping[Purpose, Row]] = {
    Family.SD15: _four("StableDiffusion", _PROMPT, 25, 7.5, sized=False),
    Family.SD15_INPAINT: _fill("StableDiffusionInpaintPipeline", _PROMPT | _STRENGTH, 25, 7.5),
    Family.SDXL: _four("StableDiffusionXL", _PROMPT, 30, 6.0, sized=False),
    Family.SDXL_INPAINT: _fill("StableDiffusionXLInpaintPipeline", _PROMPT | _STRENGTH, 30, 7.5),
    Family.SD3: _four("StableDiffusion3", _PROMPT, 28, 7.0, sized=True),
    Family.FLUX: _four("Flux", _FLUX, 28, 3.5, sized=True),
    Family.FLUX_FILL: _fill("FluxFillPipeline", _KLEIN | _STRENGTH, 28, 30.0),
    Family.FLUX_KONTEXT: _edit("FluxKontextInpaintPipeline", "FluxKontextPipeline", _FLUX, 28, 3.5),
    Family.FLUX2_KLEIN: {
        **_edit("Flux2KleinInpaintPipeline", "Flux2KleinPipeline", _KLEIN, 4, 1.0),
        Purpose.TEXT_TO_LAYER: Row("Flux2KleinPipeline", _WHOLE, _KLEIN | _SIZE, 4, 1.0, image=False),
    },
    Family.QWEN_IMAGE: _four("QwenImage", _QWEN, 30, 4.0, sized=True),
    Family.QWEN_IMAGE_EDIT: _edit("QwenImageEditInpaintPipeline", "QwenImageEditPipeline", _QWEN, 30, 4.0),
    Family.Z_IMAGE: _four("ZImage", _PROMPT, 9, 1.0, sized=True),
    Family.KANDINSKY22: {
        Purpose.VARIATION: Row("KandinskyV22Img2ImgPipeline", _WHOLE, _KANDINSKY | _STRENGTH | _SIZE, 50, 4.0),
        Purpose.TEXT_TO_LAYER: Row("KandinskyV22Pipeline", _WHOLE, _KANDINSKY | _SIZE, 50, 4.0, image=False),
    },
    Family.KANDINSKY22_INPAINT: {Purpose.INPAINT: _KANDINSKY_FILL, Purpose.OUTPAINT: _KANDINSKY_FILL},
    Family.STABLE_UNCLIP: {
        Purpose.VARIATION: Row("StableUnCLIPImg2ImgPipeline", _WHOLE, _PROMPT | _SIZE, 20, 10.0, _LEGACY)
    },
    Family.DEEPFLOYD_IF: {
        Purpose.INPAINT: _IF_FILL,
        Purpose.TEXT_TO_LAYER: Row("IFPipeline", _WHOLE, _PROMPT | _SIZE, 50, 7.0, _LEGACY, image=False),
    },
    Family.INSTRUCT_PIX2PIX: {
        Purpose.INSTRUCT: Row(
            "StableDiffusionInstructPix2PixPipeline", _WHOLE, _PROMPT | {Takes.IMAGE_GUIDANCE}, 50, 7.5
        )
    },
}

TRAITS: Mapping[Family, Traits] = {
    Family.SD15: Traits(8, 512, 77, 4),
    Family.SD15_INPAINT: Traits(8, 512, 77, 4),
    Family.INSTRUCT_PIX2PIX: Traits(8, 512, 77, 4),
    Family.SDXL: Traits(8, 1024, 77, 4),
    Family.SDXL_INPAINT: Traits(8, 1024, 77, 4),
    Family.SD3: Traits(16, 1024, 256, 16),
    Family.FLUX: Traits(16, 1024, 512, 16),
    Family.FLUX_FILL: Traits(16, 1024, 512, 16),
    Family.FLUX_KONTEXT: Traits(16, 1024, 512, 16),
    Family.FLUX2_KLEIN: Traits(16, 1024, 512, 32, mask_multiple=16),
    Family.QWEN_IMAGE: Traits(16, 1328, 512, 16),
    Family.QWEN_IMAGE_EDIT: Traits(16, 1024, 512, 16),
    Family.Z_IMAGE: Traits(16, 1024, 512, 16),
    Family.KANDINSKY22: Traits(64, 768, 77, 4),
    Family.KANDINSKY22_INPAINT: Traits(64, 768, 77, 4),
    Family.STABLE_UNCLIP: Traits(8, 768, 77, 4),
    Family.DEEPFLOYD_IF: Traits(8, 64, 77, 3, mask_multiple=1),
}


def row_of(family: Family, purpose: Purpose) -> Row | None:
    """None for a pair that no pipeline does."""
    return ROWS.get(family, {}).get(purpose)


def pipelines() -> frozenset[str]:
    """Every class that may be opened for an edit."""
    return frozenset(row.pipeline for rows in ROWS.values() for row in rows.values())
