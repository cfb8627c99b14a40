"""What the user set, as plain values, and the request that it makes. No libgimp: `read` is given GIMP's config."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from frisket.edits.requests import (
    EditRequest,
    InpaintParams,
    InstructParams,
    MaskDials,
    OutpaintParams,
    Params,
    RestoreFacesParams,
    SelectSubjectParams,
    TextToLayerParams,
    UpscaleParams,
    VariationParams,
)
from frisket.engines.spec import Task
from frisket.errors import ParameterOutOfRange
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box, Size
from frisket_gimp.actions import Action
from frisket_gimp.languages import _
from frisket_gimp.styles import Style, applied

Settings = Mapping[str, Any]  # each of the type that its argument has in the PDB
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
    action: Action, settings: Settings, frame: Box, fmt: PixelFormat, region: Box, style: Style | None = None
) -> EditRequest:
    """With the style's part in it. frame: what is its canvas, in the image. Raises ParameterOutOfRange."""
    settings = applied(style, settings) if style else settings
    task = Task(action.task)
    return EditRequest(
        canvas=frame.size,
        region=region,
        params=MAKERS[task](settings, frame),
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
        raise ParameterOutOfRange(name="options", value=text, wanted=_('a JSON object such as {"quality": 4}'))
    return options


def _words(settings: Settings) -> tuple[str, str]:
    """(prompt, negative prompt)."""
    return str(settings.get("prompt", "")).strip(), str(settings.get("negative-prompt", "")).strip()


def _dials(settings: Settings) -> MaskDials:
    grow, feather, context = (_px(settings.get(name, -1)) for name in ("grow", "feather", "context"))
    return MaskDials(grow=grow, feather=feather, context=context)


def _px(given: int) -> int | None:
    return None if given < 0 else given


def faces_in(text: str) -> tuple[Box, ...]:
    """What `faces_as` made. Raises ParameterOutOfRange."""
    try:
        found = [tuple(int(number) for number in word.split(",")) for word in text.split()]
        boxes = tuple(Box(x, y, width, height) for x, y, width, height in found)
    except ValueError:
        boxes = (Box(0, 0, 0, 0),)
    if any(box.empty for box in boxes):
        raise ParameterOutOfRange(name="faces", value=f"'{text}'", wanted=_("such as 20,30,64,64 200,40,50,50"))
    return boxes


def faces_as(boxes: Iterable[Box]) -> str:
    """One word for each, in the image's coordinates."""
    return " ".join(f"{box.x},{box.y},{box.width},{box.height}" for box in boxes)


def _faces(settings: Settings, frame: Box) -> RestoreFacesParams:
    boxes = faces_in(str(settings.get("faces", "")))
    return RestoreFacesParams(settings["strength"], tuple(box.moved(-frame.x, -frame.y) for box in boxes))


def _outpaint(settings: Settings, frame: Box) -> OutpaintParams:
    sides, clear = added(settings, frame.size), bool(settings["transparent"])
    left, top, right, bottom = (sides[side] for side in SIDES)
    if not clear and not any(sides.values()):
        wanted = _("above 0 for at least one of them, or what is transparent is to be filled")
        raise ParameterOutOfRange(name=_("the growth of each side"), value=0, wanted=wanted)
    return OutpaintParams(left, top, right, bottom, *_words(settings), _dials(settings), transparent=clear)


def _variation(settings: Settings, _frame: Box) -> VariationParams:
    return VariationParams(settings["strength"], *_words(settings), bool(settings["tileable"]), _dials(settings))


MAKERS: Mapping[Task, Callable[[Settings, Box], Params]] = {
    Task.INPAINT: lambda settings, _frame: InpaintParams(*_words(settings), dials=_dials(settings)),
    Task.OUTPAINT: _outpaint,
    Task.VARIATION: _variation,
    Task.RESTORE_FACES: _faces,
    Task.UPSCALE: lambda settings, _frame: UpscaleParams(scale=settings["scale"]),
    Task.TEXT_TO_LAYER: lambda settings, _frame: TextToLayerParams(*_words(settings)),
    Task.INSTRUCT: lambda settings, _frame: InstructParams(*_words(settings), dials=_dials(settings)),
    Task.SELECT_SUBJECT: lambda _settings, _frame: SelectSubjectParams(),
}
