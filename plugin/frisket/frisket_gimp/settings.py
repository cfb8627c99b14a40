"""What the user set, as plain values, and the request that it makes. No libgimp: `read` is given GIMP's config."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping

from frisket.edits.requests import (
    PARAMS,
    EditRequest,
    InpaintParams,
    InstructParams,
    MaskDials,
    OutpaintParams,
    Params,
    RestoreFacesParams,
    TextToLayerParams,
    UpscaleParams,
    VariationParams,
)
from frisket.engines.spec import Task
from frisket.errors import ParameterOutOfRange
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box, Size
from frisket_gimp.actions import Action
from frisket_gimp.styles import Style, applied

Settings = Mapping[str, object]
SIDES = ("left", "top", "right", "bottom")


def read(action: Action, config) -> dict:
    """All arguments of the action by name. A text left at its default arrives as None."""
    values = {argument.name: config.get_property(argument.name) for argument in action.arguments}
    return {name: "" if value is None else value for name, value in values.items()}


def draw_seed(action: Action, config) -> None:
    """A new seed where one is wanted; seen in the dialog next time."""
    if any(argument.name == "random-seed" for argument in action.arguments) and config.get_property("random-seed"):
        config.set_property("seed", int.from_bytes(os.urandom(4), "little") >> 1)


def request(
    action: Action, settings: Settings, canvas: Size, fmt: PixelFormat, region: Box, style: Style | None = None
) -> EditRequest:
    """With the style's part in it. Raises ParameterOutOfRange."""
    settings = applied(style, settings) if style else settings
    task = Task(action.task)
    make = MAKERS.get(task)
    return EditRequest(
        canvas=canvas,
        region=region,
        params=make(settings, canvas) if make else PARAMS[task](),
        format=fmt,
        engine=str(settings["engine"]).strip(),
        seed=settings.get("seed", 0),
        count=settings.get("count", 1),
        engine_params=_options(str(settings["options"])),
    )


def added(settings: Settings, canvas: Size) -> dict[str, int]:
    """px to add on each side."""
    aspect = str(settings.get("aspect", "sides"))
    if aspect != "sides":
        wide, high = (int(number) for number in aspect.split(":"))
        return to_ratio(canvas, wide, high, str(settings.get("anchor", "centre")))
    if settings["unit"] != "percent":
        return {side: settings[side] for side in SIDES}
    full = {"left": canvas.width, "top": canvas.height, "right": canvas.width, "bottom": canvas.height}
    return {side: round(settings[side] * full[side] / 100) for side in SIDES}


def to_ratio(canvas: Size, wide: int, high: int, anchor: str) -> dict[str, int]:
    """px to add on each side, so that the canvas gets the ratio wide:high by the least growth, rounded up to whole px.

    anchor: where the picture stays, "centre" or one of the sides; along the side that does not grow it means nothing.
    """
    width = max(canvas.width, -(-canvas.height * wide // high))
    height = max(canvas.height, -(-canvas.width * high // wide)) if width == canvas.width else canvas.height
    left, right = _split(width - canvas.width, anchor, "left", "right")
    top, bottom = _split(height - canvas.height, anchor, "top", "bottom")
    return {"left": left, "top": top, "right": right, "bottom": bottom}


def _split(px: int, anchor: str, low: str, high: str) -> tuple[int, int]:
    before = {low: 0, high: px}.get(anchor, px // 2)
    return before, px - before


def _options(text: str) -> dict:
    """Raises ParameterOutOfRange for what is no JSON object of plain values."""
    if not text.strip():
        return {}
    try:
        options = json.loads(text)
    except ValueError:
        options = None
    if not isinstance(options, dict) or not all(isinstance(v, (bool, int, float, str)) for v in options.values()):
        raise ParameterOutOfRange(name="options", value=text, wanted='a JSON object such as {"quality": 4}')
    return options


def _words(settings: Settings) -> dict[str, str]:
    return {
        "prompt": str(settings.get("prompt", "")).strip(),
        "negative_prompt": str(settings.get("negative-prompt", "")).strip(),
    }


def _dials(settings: Settings) -> MaskDials:
    given = {name: settings.get(name, -1) for name in ("grow", "feather", "context")}
    return MaskDials(**{name: None if px < 0 else px for name, px in given.items()})


def _outpaint(settings: Settings, canvas: Size) -> OutpaintParams:
    sides, clear = added(settings, canvas), bool(settings["transparent"])
    if not clear and not any(sides.values()):
        wanted = "above 0 for at least one of them, or what is transparent is to be filled"
        raise ParameterOutOfRange(name="the growth of each side", value=0, wanted=wanted)
    return OutpaintParams(**sides, **_words(settings), dials=_dials(settings), transparent=clear)


def _variation(settings: Settings, _: Size) -> VariationParams:
    own = {"strength": settings["strength"], "tileable": bool(settings["tileable"])}
    return VariationParams(**own, **_words(settings), dials=_dials(settings))


MAKERS: Mapping[Task, Callable[[Settings, Size], Params]] = {
    Task.INPAINT: lambda settings, _: InpaintParams(**_words(settings), dials=_dials(settings)),
    Task.OUTPAINT: _outpaint,
    Task.VARIATION: _variation,
    Task.RESTORE_FACES: lambda settings, _: RestoreFacesParams(strength=settings["strength"]),
    Task.UPSCALE: lambda settings, _: UpscaleParams(scale=settings["scale"]),
    Task.TEXT_TO_LAYER: lambda settings, _: TextToLayerParams(**_words(settings)),
    Task.INSTRUCT: lambda settings, _: InstructParams(**_words(settings), dials=_dials(settings)),
}
