"""What one call of a pipeline is given: the arguments, and the checks that only the call can make. No torch.

Everything is a list with one entry for each picture, the same picture too: with one picture and several generators the
pipelines draw from the first only, and the others' results would depend on how many are made at once.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from frisket.engines.diffusion.table import ONE_BY_ONE, Heard, Masking, Row, Takes
from frisket.engines.spec import Task, Work
from frisket.errors import ParameterOutOfRange
from frisket.raster.geometry import Size

if TYPE_CHECKING:
    from PIL.Image import Image

AFTER_A_PRIOR = frozenset({"KandinskyV22Pipeline", "KandinskyV22Img2ImgPipeline", "KandinskyV22InpaintPipeline"})
SWAPPED = frozenset({"KandinskyV22Img2ImgPipeline"})  # it takes the one for the other (diffusers 0.42)
FREE_SIZE = frozenset({"FluxKontextPipeline", "FluxKontextInpaintPipeline"})  # else: the nearest of the trained sizes
ROUND_UP = ("StableDiffusion3", "Flux", "QwenImage", "ZImage")  # from strength times steps; the others round down
CLOSE = 1e-4  # steps: 0.7 in 32 bits is a little less than 0.7, and is to be 7 of 10 steps
ENDLESS = 1.0  # guidance at which the second look, the one without the prompt, is left out


class Strength(enum.Enum):
    """What a strength means for a run."""

    NOTHING = "nothing"  # the picture stays as it is: no call
    SOME = "some"
    ALL = "all"  # the old content does not count


@dataclass(frozen=True, slots=True)
class Shown:
    """What the pipeline sees. picture: RGB; mask: "L", 255 = repaint, None for those that know of no mask."""

    picture: Image | None
    mask: Image | None
    size: Size


def strength_kind(work: Work, row: Row) -> Strength:
    """Which of the three; rows without a strength always start afresh."""
    if Takes.STRENGTH not in row.takes or work.strength >= 1:
        return Strength.ALL
    return Strength.NOTHING if work.strength <= 0 else Strength.SOME


def strength_of(work: Work, row: Row, most: float = 1.0) -> float:
    """The strength a run gets: the one asked for, at most `most` unless that is less than one step."""
    if Takes.STRENGTH not in row.takes:
        return 1.0
    return min(work.strength, max(most, 1 / int(work.params["steps"])))


def steps_done(steps: int, strength: float) -> int:
    """How many of `steps` are run; below 1 there is nothing to do."""
    return int(steps * strength + CLOSE)


def given_strength(row: Row, steps: int, strength: float) -> float:
    """What the pipeline is told, so that it runs `steps_done`, whichever way it rounds."""
    made = steps_done(steps, strength)
    if made >= steps:
        return 1.0
    return (made + (-0.5 if row.pipeline.startswith(ROUND_UP) else 0.5)) / steps


def checked(work: Work, row: Row, strength: float) -> None:
    """Raises ParameterOutOfRange for values that only together make no sense."""
    steps = int(work.params["steps"])
    if Takes.STRENGTH in row.takes and steps_done(steps, strength) < 1:
        wanted = f"at least {math.ceil(1000 / steps) / 1000:g} with {steps} steps, or 0"
        raise ParameterOutOfRange(name="strength", value=work.strength, wanted=wanted)
    scale = against(row)
    if work.negative_prompt and scale and float(work.params[scale]) <= ENDLESS:
        wanted = "above 1 for the negative prompt to count"
        raise ParameterOutOfRange(name=scale, value=work.params[scale], wanted=wanted)


def against(row: Row) -> str | None:
    """The parameter through which a negative prompt counts, None for those that know none."""
    if Takes.NEGATIVE_PROMPT not in row.takes:
        return None
    return (Takes.TRUE_GUIDANCE if Takes.TRUE_GUIDANCE in row.takes else Takes.GUIDANCE).value


def runs_of(row: Row, seeds: Sequence[int], alone: bool = False) -> list[tuple[int, ...]]:
    """Which pictures are made together; none are if each is to be alone."""
    if alone or row.pipeline in ONE_BY_ONE:
        return [(seed,) for seed in seeds]
    return [tuple(seeds)] if seeds else []


def arguments(row: Row, work: Work, shown: Shown, count: int, strength: float) -> dict[str, Any]:
    """All of a call's arguments except generators and callbacks. count: pictures at once; strength: 0...1, checked."""
    given = _words(row, work, count)
    if row.image:
        given["image"] = shown.picture if row.pipeline in ONE_BY_ONE else [shown.picture] * count
    if shown.mask is not None and row.masking is not Masking.WHOLE:
        given["mask_image"] = shown.mask if row.pipeline in ONE_BY_ONE else [shown.mask] * count
    if Takes.STRENGTH in row.takes:
        given["strength"] = given_strength(row, int(work.params["steps"]), strength)
    if Takes.SIZE in row.takes:
        height, width = shown.size.height, shown.size.width
        if row.pipeline in SWAPPED:
            height, width = width, height
        given |= {"height": height, "width": width}
    if row.pipeline in FREE_SIZE:
        given |= {"max_area": shown.size.area, "_auto_resize": False}
    if row.heard is Heard.LEGACY:
        given["callback_steps"] = 1
    return given | {"num_inference_steps": int(work.params["steps"]), "output_type": "np"}


def _words(row: Row, work: Work, count: int) -> dict[str, Any]:
    """Prompts and how much they count."""
    params: Mapping[str, Any] = work.params
    given: dict[str, Any] = {}
    if Takes.PROMPT in row.takes and row.pipeline not in AFTER_A_PRIOR:
        given["prompt"] = [work.prompt] * count
    for scale in (Takes.GUIDANCE, Takes.IMAGE_GUIDANCE):
        if scale in row.takes:
            given[scale.value] = float(params[scale.value])
    negative = work.negative_prompt
    if Takes.TRUE_GUIDANCE in row.takes:
        scale = float(params[Takes.TRUE_GUIDANCE.value])
        # Guidance proper takes a second look away from something. Where there is guidance by distillation too, that
        # something must be said; where there is not, it is nothing at all: a blank.
        if Takes.GUIDANCE in row.takes:
            scale = scale if negative else ENDLESS
        elif scale > ENDLESS:
            negative = negative or " "
        given[Takes.TRUE_GUIDANCE.value] = scale
    if Takes.NEGATIVE_PROMPT in row.takes and negative and row.pipeline not in AFTER_A_PRIOR:
        given["negative_prompt"] = [negative] * count
    return given


def blocks(hole: np.ndarray, multiple: int) -> np.ndarray:
    """The largest value of hole (h, w) in each square of `multiple` px, over the whole square: (h, w).

    A model paints squares of the latent picture: one that the hole touches is repainted as a whole, else a hole of a
    few pixels could be lost between them.
    """
    h, w = hole.shape
    return np.repeat(np.repeat(coarse(hole, multiple), multiple, 0), multiple, 1)[:h, :w]


def coarse(hole: np.ndarray, multiple: int) -> np.ndarray:
    """The largest value of hole (h, w) in each square of `multiple` px, (ceil(h / multiple), ceil(w / multiple))."""
    h, w = hole.shape
    padded = np.pad(hole, ((0, -h % multiple), (0, -w % multiple)))
    return padded.reshape(-(-h // multiple), multiple, -(-w // multiple), multiple).max((1, 3))


def shown(row: Row, picture: np.ndarray, hole: np.ndarray, multiple: int) -> Shown:
    """picture: (h, w, 3) float 0...1; hole: (h, w). Pipelines are given 8 bit: so they were trained."""
    from PIL import Image

    size = Size(hole.shape[1], hole.shape[0])
    seen = Image.fromarray(np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)) if row.image else None
    if row.masking is Masking.WHOLE:
        return Shown(seen, None, size)
    if row.masking is Masking.BLEND and row.heard is Heard.STEP_END:
        mask = np.full(hole.shape, 255, np.uint8)  # softmask.Blend puts back what stays, not the pipeline
    else:
        mask = np.where(blocks(hole, multiple) > 0, 255, 0).astype(np.uint8)
    return Shown(seen, Image.fromarray(mask), size)


def asks_for_nothing(work: Work) -> bool:
    """Whether something is to go, and nothing is said to come in its place."""
    return work.task in (Task.INPAINT, Task.OUTPAINT) and not work.prompt.strip()
