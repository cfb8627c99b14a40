"""How the server of this computer is started: what the user set, as options of `frisket serve`. Pure."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from frisket.errors import ParameterOutOfRange
from frisket_gimp.languages import _

FILE = "serving"
MAX_MINUTES = 10080  # a week
MAX_MEGAPIXELS = 4096
_MEMORY = re.compile(r"\d+(\.\d+)? ?[MG]i?B", re.IGNORECASE)


@dataclass(frozen=True)
class Serving:
    """models: folder of them, empty = in Frisket's own. gpu_memory: such as 10GB, empty = all. idle_minutes: without
    work after which it ends, 0 = never. megapixels: of the largest region that it takes."""

    models: str = ""
    gpu_memory: str = ""
    idle_minutes: int = 0
    megapixels: int = 128
    safety_checker: bool = False


DEFAULT = Serving()


def of(told: Mapping[str, object]) -> Serving:
    """As it was kept; what is missing, of another type or cannot be used is as at first."""
    known = {f.name: told[f.name] for f in fields(Serving) if type(told.get(f.name)) is type(getattr(DEFAULT, f.name))}
    try:
        return checked(Serving(**known))  # type: ignore[arg-type]
    except ParameterOutOfRange:
        return DEFAULT


def kept_as(serving: Serving) -> dict[str, object]:
    """What `of` reads."""
    return asdict(serving)


def checked(serving: Serving) -> Serving:
    """Without blanks around. Raises ParameterOutOfRange for what `frisket serve` would refuse."""
    models, memory = os.path.expanduser(serving.models.strip()), serving.gpu_memory.strip()
    if models and (not os.path.isabs(models) or (os.path.exists(models) and not os.path.isdir(models))):
        raise ParameterOutOfRange(name="models", value=f"'{models}'", wanted=_("empty or the whole path of a folder"))
    if memory and (not _MEMORY.fullmatch(memory) or not re.search("[1-9]", memory)):
        raise ParameterOutOfRange(name="gpu-memory", value=f"'{memory}'", wanted=_("empty, or such as 10GB or 512MiB"))
    for name, value, low, high in (
        ("idle-exit", serving.idle_minutes, 0, MAX_MINUTES),
        ("max-megapixels", serving.megapixels, 1, MAX_MEGAPIXELS),
    ):
        if not low <= value <= high:
            raise ParameterOutOfRange(
                name=name, value=value, wanted=_("from {low} to {high}").format(low=low, high=high)
            )
    return Serving(models, memory, serving.idle_minutes, serving.megapixels, serving.safety_checker)


def options(serving: Serving) -> list[str]:
    """What is added to the command that starts it: only what is not as at first."""
    words: list[str] = []
    if serving.models:
        words += ["--models", serving.models]
    if serving.gpu_memory:
        words += ["--gpu-memory", serving.gpu_memory]
    if serving.idle_minutes:
        words += ["--idle-exit", str(serving.idle_minutes * 60)]
    if serving.megapixels != DEFAULT.megapixels:
        words += ["--max-megapixels", str(serving.megapixels)]
    if serving.safety_checker:
        words.append("--safety-checker")
    return words
