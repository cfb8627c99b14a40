"""Which ways through the noise a user can choose. Data; diffusers is imported where a scheduler is made.

A pipeline keeps its own scheduler; each run gets a fresh object made from that one's settings, so that what a cancelled
run left behind, or another run beside it, counts for nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from frisket.errors import ParameterOutOfRange
from frisket.models.families import Family

NATIVE = "native"


@dataclass(frozen=True, slots=True)
class Choice:
    """A class of diffusers and what it changes of the pipeline's settings. Without a class: the pipeline's own."""

    name: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Preset:
    """Settings that belong together: those of a model, or of an add-on, that was trained to need few steps."""

    scheduler: str
    steps: int
    guidance: float


CHOICES: Mapping[str, Choice] = {
    NATIVE: Choice(),
    "ddim": Choice("DDIMScheduler"),
    "euler": Choice("EulerDiscreteScheduler"),
    "euler-a": Choice("EulerAncestralDiscreteScheduler"),
    "dpm++": Choice("DPMSolverMultistepScheduler"),
    "dpm++-karras": Choice("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
    "unipc": Choice("UniPCMultistepScheduler"),
    "lcm": Choice("LCMScheduler"),
    "tcd": Choice("TCDScheduler"),
    "lightning": Choice("EulerDiscreteScheduler", {"timestep_spacing": "trailing"}),
    "turbo": Choice("EulerAncestralDiscreteScheduler", {"timestep_spacing": "trailing"}),
}
FLOW: Mapping[str, Choice] = {  # the flow matching families: other schedulers do not solve their equation
    NATIVE: Choice(),
    "euler": Choice("FlowMatchEulerDiscreteScheduler"),
}
OWN: Mapping[str, Choice] = {NATIVE: Choice()}  # made for one scheduler

PRESETS: Mapping[str, Preset] = {
    "lcm": Preset("lcm", 4, 1.0),  # Luo et al. 2023, LCM-LoRA: 4 steps, guidance 1 to 2
    "tcd": Preset("tcd", 4, 1.0),
    "lightning": Preset("lightning", 4, 1.0),  # Lin et al. 2024: trained at trailing time steps, without guidance
    "turbo": Preset("turbo", 4, 1.0),  # Sauer et al. 2023: 1 to 4 steps, without guidance
}

_NOISE = {Family.SD15, Family.SD15_INPAINT, Family.SDXL, Family.SDXL_INPAINT, Family.INSTRUCT_PIX2PIX}
_FLOW = {
    Family.SD3, Family.FLUX, Family.FLUX_FILL, Family.FLUX_KONTEXT, Family.FLUX2_KLEIN, Family.QWEN_IMAGE,
    Family.QWEN_IMAGE_EDIT, Family.Z_IMAGE,
}  # fmt: skip


def choices_of(family: Family) -> Mapping[str, Choice]:
    """What can be chosen for a family, the default first."""
    return CHOICES if family in _NOISE or family is Family.STABLE_UNCLIP else FLOW if family in _FLOW else OWN


def made(native: Any, choice: str) -> Any:
    """A fresh scheduler of diffusers. native: the pipeline's own, not changed; choice: a name of `choices_of`."""
    import diffusers

    # The one name that both tables know means another class for a model that matches flows.
    flows = type(native).__name__.startswith("FlowMatch")
    chosen = (FLOW if flows else CHOICES)[choice]
    cls = getattr(diffusers, chosen.name) if chosen.name else type(native)
    return cls.from_config(native.config, **chosen.changes)


def check_steps(native: Any, choice: str, steps: int) -> None:
    """Raises ParameterOutOfRange for more steps than there are to choose from.

    LCM and TCD choose theirs among those of the model that they were distilled from, 50 for all published ones.
    """
    scheduler = made(native, choice)
    most = int(scheduler.config.get("original_inference_steps", steps))
    # Settings of another class are kept in the config, too: only one that the class has counts.
    if "original_inference_steps" in inspect.signature(type(scheduler).__init__).parameters and steps > most:
        raise ParameterOutOfRange(name="steps", value=steps, wanted=f"at most {most} with the scheduler {choice}")
