"""The one shape of an engine: a frozen description and one `run`.

An engine sees a crop, a hole, its parameters, seeds and a way to report. It knows nothing of canvases, jobs, files or
users. Its module stays light: heavy imports belong inside `load`.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from frisket.errors import ParameterOutOfRange, ParameterUnknown, did_you_mean
from frisket.raster.sizes import SizeRule

if TYPE_CHECKING:
    import numpy as np

Value = float | int | bool | str


class Task(enum.Enum):
    """What can be asked for."""

    INPAINT = "inpaint"
    OUTPAINT = "outpaint"
    VARIATION = "variation"
    TEXT_TO_LAYER = "text-to-layer"
    INSTRUCT = "instruct"
    RESTORE_FACES = "restore-faces"
    UPSCALE = "upscale"
    SELECT_SUBJECT = "select-subject"
    DETECT_FACES = "detect-faces"
    PARSE_FACES = "parse-faces"  # a help to RESTORE_FACES, never asked for by itself


class ParamKind(enum.Enum):
    FLOAT = "float"
    INT = "int"
    BOOL = "bool"
    CHOICE = "choice"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of an engine: feeds the check, the command line's help, the editor's dialog and the docs.

    `low` and `high` are inclusive and belong to FLOAT and INT; `choices` to CHOICE. `unit` is "px", "steps", "" ...
    """

    name: str
    kind: ParamKind
    default: Value
    help: str
    low: float | None = None
    high: float | None = None
    unit: str = ""
    choices: tuple[str, ...] = ()
    advanced: bool = False

    def checked(self, value: Value) -> Value:
        """`value` in this parameter's type. Raises ParameterOutOfRange."""
        if self.kind is ParamKind.CHOICE:
            if value not in self.choices:
                raise ParameterOutOfRange(name=self.name, value=value, wanted="one of " + ", ".join(self.choices))
            return value
        if self.kind is ParamKind.TEXT:
            return str(value)
        if self.kind is ParamKind.BOOL:
            return bool(value)
        wanted = f"a number from {self.low} to {self.high}"
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ParameterOutOfRange(name=self.name, value=value, wanted=wanted) from None
        too_low = self.low is not None and not number >= self.low
        too_high = self.high is not None and not number <= self.high
        if too_low or too_high or number != number:
            raise ParameterOutOfRange(name=self.name, value=value, wanted=wanted)
        if self.kind is ParamKind.INT:
            if number != int(number):
                raise ParameterOutOfRange(name=self.name, value=value, wanted="a whole number")
            return int(number)
        return number


class Channels(enum.Enum):
    """Which channels an engine takes."""

    ANY = "any"  # 1 to 4, an alpha channel comes last and colour is premultiplied by it
    RGB = "rgb"  # always 3; alpha is kept by the caller


class MaskLaw(enum.Enum):
    """How an engine wants its hole cut when the user leaves the dials on automatic."""

    EXACT = "exact"  # the selection itself: the engine meets the border without a seam
    SOFT = "soft"  # grown and feathered with the selection's size: the engine repaints the transition


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """Everything the rest of the house needs to know about an engine without loading it."""

    id: str  # how requests call it; unique on a server
    title: str  # for people
    summary: str  # one sentence for people
    tasks: frozenset[Task]  # what it can do
    size: SizeRule = field(default_factory=SizeRule)  # at which sizes it works
    channels: Channels = Channels.ANY  # which channels it takes
    mask_law: MaskLaw = MaskLaw.EXACT  # how its hole is cut when the dials are on automatic
    params: tuple[Param, ...] = ()  # its own parameters, in the order in which a dialog shows them
    models: tuple[str, ...] = ()  # ids to choose from, its own first
    devices: tuple[str, ...] = ("cpu",)  # where it can run
    deterministic: bool = True  # same request, same bytes
    uses_prompt: bool = False  # without: a prompt is accepted, has no effect, and the result says so
    uses_negative_prompt: bool = False  # without: one that is given is refused
    uses_strength: bool = True  # without: one other than the task's own default is refused
    uses_tileable: bool = False  # without: a wish for a result whose opposite edges fit together is refused
    uses_sources: bool = False  # without: a mask of where content may be copied from is refused
    licence: str = ""  # of the weights
    trained: bool = False  # paints with a model derived from sampled pictures: results are marked as AI's
    revision: str = ""  # of that model, as its publisher calls it
    checks: bool = False  # it has a safety checker: it is a `Checker` too
    refines: bool = False  # started from a picture with a strength below 1, it keeps its layout and paints its detail
    bleed: int = 0  # px of the working picture: how far beyond the hole what it paints may show
    context_share: float = 0.75  # context beyond the selection's box, as a share of its longer side
    context_min: int = 64  # and at least this many px
    apron: int = 0  # px around a tile of Task.UPSCALE that can still show in it
    rank: int = 0  # among engines of a task the one of the lowest rank answers when none is asked for

    def check_params(self, given: Mapping[str, Value]) -> dict[str, Value]:
        """All parameters with defaults filled in. Raises ParameterUnknown, ParameterOutOfRange."""
        known = {p.name: p for p in self.params}
        for name in given:
            if name not in known:
                raise ParameterUnknown(engine=self.id, name=name, suggestion=did_you_mean(name, list(known)))
        return {name: p.checked(given[name]) if name in given else p.default for name, p in known.items()}


class DegradationKind(enum.Enum):
    """How a result fell short of what was asked for."""

    SMALLER_SIZE = "smaller-size"
    TILED = "tiled"
    OTHER_DEVICE = "other-device"
    LESS_CONTEXT = "less-context"
    ONE_BY_ONE = "one-by-one"
    OFFLOADED = "offloaded"
    PROMPT_CUT = "prompt-cut"


@dataclass(frozen=True, slots=True)
class Degradation:
    """One shortfall, with a sentence that holds the numbers."""

    kind: DegradationKind
    detail: str


class Report(Protocol):
    """How an engine tells where it is. Every call is also a point where the edit can stop."""

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        """Step `step` of `total` is done; `preview` is the crop so far, like `crop`. Raises errors.Cancelled."""
        ...

    def check(self) -> None:
        """Cheap; call it inside long steps. Raises errors.Cancelled."""
        ...

    def told(self, degradation: Degradation) -> None:
        """What this run had to do without; the result will say so, once however often it is told."""
        ...


class Choosy(Protocol):
    """What a Report may have besides. Without it, every preview is wanted."""

    def wants_preview(self) -> bool:
        """Whether one that came now would be shown: where not, none need be drawn. Cheap."""
        ...


def wants_preview(teller: object) -> bool:
    """Whether a preview that came now would be shown. teller: a Report, or what a Report tells in turn."""
    asked = getattr(teller, "wants_preview", None)
    return asked is None or bool(asked())


class Silent:
    """A Report that shows nothing and never stops anything."""

    def __call__(self, step: int, total: int, preview: np.ndarray | None = None) -> None:
        pass

    def check(self) -> None:
        pass

    def told(self, degradation: Degradation) -> None:
        pass


@dataclass(frozen=True, slots=True)
class Work:
    """What one run of an engine gets.

    crop: (h, w, c) float32, perceptual (gamma-encoded) values, 0...1 for integer pictures, unclamped for float ones;
    c is 1 to 4 (Channels.ANY; an alpha channel is last, colour premultiplied) or 3 (Channels.RGB).
    hole: (h, w) float32 0...1, 1 = repaint, values between ask for a partial change; its size is the crop's.
    For Task.TEXT_TO_LAYER the crop is 0.5 and the hole 1 everywhere; for Task.INSTRUCT the prompt says what to do.
    For Task.UPSCALE the crop is a tile and the hole 1. For Task.RESTORE_FACES and Task.PARSE_FACES the crop is a stack
    (n, s, s, 3) of faces aligned to the FFHQ template and the hole (s, s) is 1. `Engine.run` says what each gives back.
    seeds: one picture is made for each, 0 <= seed < 2**32.
    """

    task: Task
    crop: np.ndarray
    hole: np.ndarray
    params: Mapping[str, Value]
    seeds: Sequence[int]
    prompt: str = ""
    negative_prompt: str = ""
    strength: float = 1.0  # 0...1: how far from the old content, 1 = ignore it
    sources: np.ndarray | None = None  # (h, w) bool: where content may be copied from; None = all that is known
    tileable: bool = False  # opposite edges of the result are to fit together
    scale: int = 1  # Task.UPSCALE: 2, 3 or 4
    reference: np.ndarray | None = None  # (h', w', 3) float32 0...1: a picture to follow, of a size of its own
    frames: np.ndarray | None = None  # Task.RESTORE_FACES: (n, 2, 3), canvas (x, y, 1) -> where it lies in the stack


class Engine(Protocol):
    """An engine: a spec, a `load` that does the heavy imports, and `run`."""

    @property
    def spec(self) -> EngineSpec: ...

    def load(self, model: str) -> None:
        """Make ready: import, compile, open weights. May take seconds; called once in a worker before `run`, and
        again after `Leaver.unload`."""
        ...

    def run(self, work: Work, report: Report) -> list[np.ndarray]:
        """One picture for each seed, each like `work.crop`. What lies outside the hole is ignored by the caller.

        For these tasks something else, for one seed:
        UPSCALE         one picture `work.scale` times as wide and high as the crop
        RESTORE_FACES   one picture for each face of the stack, (s, s, 3)
        PARSE_FACES     one mask for each face of the stack, (s, s) float32 0...1, 1 = skin, eyes, mouth ... of the face
        SELECT_SUBJECT  one mask (h, w) float32 0...1, 1 = subject. Where the hole is 0 there is none
        DETECT_FACES    one array (n, 15) float32, a row for each face, best first, as OpenCV's FaceDetectorYN gives it:
                        x, y, width, height of its box; x, y of right eye, left eye, tip of the nose, right and left
                        corner of the mouth (the person's own right: left in the picture), NaN where the detector knows
                        none; score 0...1. In px of the crop, may reach beyond it

        Raises errors.Cancelled (from `report`), errors.NothingToSampleFrom, MemoryError.
        """
        ...


class Leaver(Protocol):
    """What an engine may have besides, if it holds much memory. Without it, it stays loaded for good."""

    def unload(self) -> None:
        """Give that memory back. A later `load` or `run` takes it again."""
        ...

    def fits(self) -> bool:
        """Whether there is room to load it, True if it is loaded. Where it says no, idle engines are unloaded first."""
        ...


class Warmer(Protocol):
    """What an engine may have besides, if a long preparation makes its runs faster."""

    def warm_up(self) -> None:
        """Called once when a worker starts, after `load`, where the user pinned the engine and asked for it."""
        ...


class Checker(Protocol):
    """What an engine with a safety checker has besides (`EngineSpec.checks`)."""

    def unfit(self, pictures: Sequence[np.ndarray]) -> Sequence[bool]:
        """For each picture (`Work.crop` with its hole painted): whether it must not be shown. Called after `run`."""
        ...
