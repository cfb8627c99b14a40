"""What a user asked for, as frozen values: one `EditRequest` decides the picture completely.

Standard library only, because an editor's plug-in builds requests too. A request is stored, sent to workers and kept
with the editor's layer as JSON (`to_json`, `from_json`); storing the request is storing the job.
"""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from frisket.engines.spec import Task, Value
from frisket.errors import ParameterOutOfRange, RegionInvalid, RequestInvalid
from frisket.raster.formats import Layout, PixelFormat, Samples, Transfer
from frisket.raster.geometry import Box, Size

MAX_COUNT = 16
MAX_PROMPT = 20_000  # characters
MAX_DIAL = 1024  # px
MAX_PARAMS = 256
MAX_CONTEXT = 4096  # px
MAX_MOVE = 1 << 20  # px
MAX_EXTENSION = 1 << 15  # px on one side
SEED_END = 1 << 32
PROMPTED = frozenset({Task.TEXT_TO_LAYER, Task.INSTRUCT})  # tasks that are nothing without words


class Plane(enum.Enum):
    """What is sent beside a request; each covers its region. The values name them in the store and for the worker."""

    PIXELS = "pixels"  # in the request's format
    MASK = "mask"  # 8-bit gray, 255 = change
    SOURCES = "sources"  # 8-bit gray, above 127 = content may be copied from here


# The planes without which a task is refused. A mask that may be missing and is stands for all of the region.
NEEDS: Mapping[Task, frozenset[Plane]] = {
    Task.INPAINT: frozenset({Plane.PIXELS, Plane.MASK}),
    Task.OUTPAINT: frozenset({Plane.PIXELS}),
    Task.VARIATION: frozenset({Plane.PIXELS}),
    Task.TEXT_TO_LAYER: frozenset(),
    Task.INSTRUCT: frozenset({Plane.PIXELS}),
    Task.RESTORE_FACES: frozenset({Plane.PIXELS}),
    Task.UPSCALE: frozenset({Plane.PIXELS}),
    Task.DETECT_FACES: frozenset({Plane.PIXELS}),
    Task.SELECT_SUBJECT: frozenset({Plane.PIXELS}),
}


def _within(name: str, value: float | None, low: float, high: float) -> None:
    if value is not None and not low <= value <= high:
        raise ParameterOutOfRange(name=name, value=value, wanted=f"a number from {low} to {high}")


def _check_words(params: Worded) -> None:
    for name in ("prompt", "negative_prompt"):
        if len(getattr(params, name)) > MAX_PROMPT:
            raise ParameterOutOfRange(name=name, value="too long", wanted=f"at most {MAX_PROMPT} characters")
    if params.task in PROMPTED and not params.prompt.strip():
        raise ParameterOutOfRange(name="prompt", value="empty", wanted="words that say what to do")


@dataclass(frozen=True, slots=True)
class MaskDials:
    """The masked-edit law's dials in px of canvas space; None = automatic (`edits.plan.resolve_dials`).

    grow: how far the repainted area reaches beyond the selection. feather: over how many px its weight then falls to 0.
    blend: over how many px the result fades into the old picture at the outer edge. context: how much around the
    selection's box the engine sees.
    """

    grow: int | None = None
    feather: int | None = None
    blend: int | None = None
    context: int | None = None

    def __post_init__(self) -> None:
        for name in ("grow", "feather", "blend"):
            _within(name, getattr(self, name), 0, MAX_DIAL)
        _within("context", self.context, 0, MAX_CONTEXT)


@dataclass(frozen=True, slots=True)
class InpaintParams:
    """Repaint the selection. An empty prompt continues the surroundings. strength 0...1, 1 = ignore the old content.

    move: (right, down) px; other than (0, 0) what is selected goes there first, and the place it left is repainted.
    """

    task: ClassVar[Task] = Task.INPAINT
    prompt: str = ""
    negative_prompt: str = ""
    strength: float = 1.0
    dials: MaskDials = MaskDials()
    move: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        _within("strength", self.strength, 0.0, 1.0)
        for px in self.move:
            _within("move", px, -MAX_MOVE, MAX_MOVE)
        _check_words(self)


@dataclass(frozen=True, slots=True)
class OutpaintParams:
    """Extend the picture by px on each side, and with `transparent` over those pixels of it whose alpha is 0.

    Of the dials only `context` means something: the old pixels stay. So do those of soft alpha (between 0 and 1).
    """

    task: ClassVar[Task] = Task.OUTPAINT
    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0
    prompt: str = ""
    negative_prompt: str = ""
    dials: MaskDials = MaskDials()
    transparent: bool = False

    def __post_init__(self) -> None:
        _check_words(self)
        for name in ("left", "top", "right", "bottom"):
            _within(name, getattr(self, name), 0, MAX_EXTENSION)
        for name in ("grow", "feather", "blend"):
            if getattr(self.dials, name):
                raise ParameterOutOfRange(name=name, value=getattr(self.dials, name), wanted="unset: old pixels stay")


@dataclass(frozen=True, slots=True)
class VariationParams:
    """New versions of a layer or selection. strength 0...1: 0 = the same picture."""

    task: ClassVar[Task] = Task.VARIATION
    strength: float = 0.5
    prompt: str = ""
    negative_prompt: str = ""
    tileable: bool = False
    dials: MaskDials = MaskDials()

    def __post_init__(self) -> None:
        _check_words(self)
        _within("strength", self.strength, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class TextToLayerParams:
    """A new picture of what the prompt says, as large as the request's region. Raises ParameterOutOfRange without."""

    task: ClassVar[Task] = Task.TEXT_TO_LAYER
    prompt: str
    negative_prompt: str = ""

    def __post_init__(self) -> None:
        _check_words(self)


@dataclass(frozen=True, slots=True)
class InstructParams:
    """The layer or selection, changed as the prompt says ("make it winter"). Raises ParameterOutOfRange without."""

    task: ClassVar[Task] = Task.INSTRUCT
    prompt: str
    negative_prompt: str = ""
    dials: MaskDials = MaskDials()

    def __post_init__(self) -> None:
        _check_words(self)


@dataclass(frozen=True, slots=True)
class RestoreFacesParams:
    """Restore faces. strength 0...1: 0 = unchanged. upscale: 1, 2 or 4.

    faces: canvas boxes, a found face is done that overlaps one of them by half; empty = all that are found. With a mask
    only those whose middle is selected. detector, upscaler: ids of engines, empty = the server's default.
    """

    task: ClassVar[Task] = Task.RESTORE_FACES
    strength: float = 0.7
    faces: tuple[Box, ...] = ()
    upscale: int = 1
    detector: str = ""
    upscaler: str = ""

    def __post_init__(self) -> None:
        _within("strength", self.strength, 0.0, 1.0)
        if self.upscale not in (1, 2, 4):
            raise ParameterOutOfRange(name="upscale", value=self.upscale, wanted="1, 2 or 4")


@dataclass(frozen=True, slots=True)
class UpscaleParams:
    """The picture `scale` times as wide and high: 2, 3 or 4."""

    task: ClassVar[Task] = Task.UPSCALE
    scale: int = 2

    def __post_init__(self) -> None:
        if self.scale not in (2, 3, 4):
            raise ParameterOutOfRange(name="scale", value=self.scale, wanted="2, 3 or 4")


@dataclass(frozen=True, slots=True)
class DetectFacesParams:
    """Where the faces are; paints nothing."""

    task: ClassVar[Task] = Task.DETECT_FACES


@dataclass(frozen=True, slots=True)
class SelectSubjectParams:
    """A mask of what the picture is of; paints nothing. With a mask: of the thing that is roughly selected."""

    task: ClassVar[Task] = Task.SELECT_SUBJECT


Worded = InpaintParams | OutpaintParams | VariationParams | TextToLayerParams | InstructParams
Params = Worded | RestoreFacesParams | UpscaleParams | DetectFacesParams | SelectSubjectParams
PARAMS: Mapping[Task, type[Params]] = {
    p.task: p
    for p in (
        InpaintParams,
        OutpaintParams,
        VariationParams,
        TextToLayerParams,
        InstructParams,
        RestoreFacesParams,
        UpscaleParams,
        DetectFacesParams,
        SelectSubjectParams,
    )
}
# Of the tasks whose strength an engine is asked for; the others are done at 1.
DEFAULT_STRENGTH: Mapping[Task, float] = {p.task: p().strength for p in (InpaintParams, VariationParams)}


def strength_of(params: Params) -> float:
    """0...1; 1 for a task that has none."""
    return getattr(params, "strength", 1.0)


@dataclass(frozen=True, slots=True)
class EditRequest:
    """One edit. Picture k (from 0) of `count` uses the seed (seed + k) mod 2**32.

    canvas: size of the editor's whole picture. region: the canvas box that the sent pixels cover. format: of the sent
    pixels and of the results. engine, model: ids, empty = the server's default. engine_params: the engine's own.
    Raises ParameterOutOfRange, RegionInvalid.
    """

    canvas: Size
    region: Box
    params: Params
    format: PixelFormat = PixelFormat()
    engine: str = ""
    model: str = ""
    seed: int = 0
    count: int = 1
    engine_params: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _within("seed", self.seed, 0, SEED_END - 1)
        _within("count", self.count, 1, MAX_COUNT)
        if len(self.engine_params) > MAX_PARAMS:
            raise ParameterOutOfRange(
                name="engine_params", value=len(self.engine_params), wanted=f"{MAX_PARAMS} at most"
            )
        for name, value in self.engine_params.items():
            if isinstance(value, int):
                _within(name, value, -(1 << 63), (1 << 63) - 1)
        if self.canvas.area < 1 or not (self.region.empty or Box.of(self.canvas).holds(self.region)):
            raise RegionInvalid(region=self.region, width=self.canvas.width, height=self.canvas.height)

    @property
    def task(self) -> Task:
        return self.params.task

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple((self.seed + k) % SEED_END for k in range(self.count))


def to_json(request: EditRequest) -> str:
    """One line of ASCII JSON, keys sorted: equal requests give equal text."""
    fields = asdict(request)
    fields["task"] = request.task.value
    fields["format"] = [request.format.samples.value, request.format.layout.value, request.format.transfer.value]
    return json.dumps(fields, sort_keys=True, separators=(",", ":"))


def from_json(text: str) -> EditRequest:
    """The request that `to_json` wrote. Raises RequestInvalid for anything else."""
    try:
        fields: dict[str, Any] = json.loads(text)
        params = dict(fields["params"])
        if "dials" in params:
            params["dials"] = MaskDials(**params["dials"])
        if "move" in params:
            params["move"] = tuple(params["move"])
        if "faces" in params:
            params["faces"] = tuple(Box(**face) for face in params["faces"])
        samples, layout, transfer = fields["format"]
        return EditRequest(
            canvas=Size(**fields["canvas"]),
            region=Box(**fields["region"]),
            params=PARAMS[Task(fields["task"])](**params),
            format=PixelFormat(Samples(samples), Layout(layout), Transfer(transfer)),
            engine=fields["engine"],
            model=fields["model"],
            seed=fields["seed"],
            count=fields["count"],
            engine_params=fields["engine_params"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RequestInvalid(detail=f"A stored request cannot be read ({error})") from error
