"""What actions ask for: each argument's kind, words and bounds, once for all actions that have it.

Imports nothing but the standard library, and runs on older Pythons than the rest: the menu is made of it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Kind(enum.Enum):
    """Of an argument: its type in the PDB and its widget."""

    WORDS = "several lines of text"
    LINE = "one line of text"
    FLAG = "yes or no"
    WHOLE = "a whole number"
    SHARE = "a number from 0 to 1"
    CHOICE = "one of several words"
    ENGINE = "an engine's id"
    OPTIONS = "JSON: the engine's own parameters"
    STYLE = "a style's name"
    FACES = "places of faces"


@dataclass(frozen=True)
class Argument:
    """`default`, `low`, `high` and `choices` (word, label) as its kind needs them."""

    name: str
    kind: Kind
    label: str
    about: str
    default: object = ""
    low: int = 0
    high: int = 0
    choices: tuple[tuple[str, str], ...] = ()


_RATIOS = ("1:1", "5:4", "4:3", "3:2", "16:9", "2:1", "4:5", "3:4", "2:3", "9:16", "1:2")  # width : height
RATIOS = (("sides", "Larger by the four numbers"), *((ratio, ratio) for ratio in _RATIOS))
_SIDES = (("left", "Left"), ("right", "Right"), ("top", "At the top"), ("bottom", "At the bottom"))
ANCHORS = (("centre", "In the middle"), *_SIDES)
AUTOMATIC = -1  # px: the server chooses
_AUTOMATIC = f"; {AUTOMATIC} = automatic"
_SIDE = "How much is added on this side"
_ALL = (
    Argument("prompt", Kind.WORDS, "_Prompt", "What to paint"),
    Argument("negative-prompt", Kind.WORDS, "_Avoid", "What not to paint"),
    Argument("style", Kind.STYLE, "Sty_le", "Words, and perhaps an engine, around the prompt; empty = none"),
    Argument("random-seed", Kind.FLAG, "_New seed each time", "Otherwise the seed below", True),
    Argument("seed", Kind.WHOLE, "See_d", "The same seed gives the same picture", 0, 0, 2147483647),
    Argument("count", Kind.WHOLE, "_How many", "Pictures to choose from", 1, 1, 8),
    Argument("strength", Kind.SHARE, "Stren_gth", "How far from what is there: 0 = it stays as it is", 0.5),
    Argument(
        "faces",
        Kind.FACES,
        "Faces",
        "Only these: x,y,width,height in pixels of the image, blanks between two faces; empty = all that are found",
    ),
    Argument("tileable", Kind.FLAG, "Opposite edges _fit together", "For patterns", False),
    Argument(
        "aspect",
        Kind.CHOICE,
        "Ma_ke the canvas",
        "To this ratio of width to height, or by the four numbers",
        "sides",
        choices=RATIOS,
    ),
    Argument(
        "anchor",
        Kind.CHOICE,
        "Picture sta_ys",
        "Where the picture lies in a canvas that grows to a ratio",
        "centre",
        choices=ANCHORS,
    ),
    Argument(
        "unit",
        Kind.CHOICE,
        "S_ides in",
        "What the four numbers mean",
        "px",
        choices=(("px", "Pixels"), ("percent", "Percent of the canvas")),
    ),
    Argument("left", Kind.WHOLE, "Le_ft", _SIDE, 0, 0, 32768),
    Argument("right", Kind.WHOLE, "Ri_ght", _SIDE, 0, 0, 32768),
    Argument("top", Kind.WHOLE, "_Top", _SIDE, 0, 0, 32768),
    Argument("bottom", Kind.WHOLE, "_Bottom", _SIDE, 0, 0, 32768),
    Argument(
        "transparent",
        Kind.FLAG,
        "Fill _what is transparent, too",
        "Only what is fully transparent; a soft edge stays",
        False,
    ),
    Argument("scale", Kind.WHOLE, "_Times as large", "2, 3 or 4 times as wide and high", 2, 2, 4),
    Argument(
        "into",
        Kind.CHOICE,
        "Res_ult",
        "Where the larger layer goes",
        "image",
        choices=(("image", "A new image"), ("layer", "A layer of this image, around the same centre")),
    ),
    Argument(
        "operation",
        Kind.CHOICE,
        "_Operation",
        "What becomes of the selection that is there",
        "replace",
        choices=(
            ("replace", "Replace it"),
            ("add", "Add to it"),
            ("subtract", "Subtract from it"),
            ("intersect", "Intersect with it"),
        ),
    ),
    Argument(
        "context",
        Kind.WHOLE,
        "Conte_xt (px)",
        "Pixels around the selection that the engine sees" + _AUTOMATIC,
        AUTOMATIC,
        AUTOMATIC,
        4096,
    ),
    Argument(
        "grow",
        Kind.WHOLE,
        "Gro_w (px)",
        "Pixels repainted beyond the selection" + _AUTOMATIC,
        AUTOMATIC,
        AUTOMATIC,
        1024,
    ),
    Argument(
        "feather",
        Kind.WHOLE,
        "Fea_ther (px)",
        "Pixels over which the repainting fades out" + _AUTOMATIC,
        AUTOMATIC,
        AUTOMATIC,
        1024,
    ),
    Argument(
        "sample-merged",
        Kind.FLAG,
        "Sample _merged",
        "Look at all visible layers together instead of at the selected one",
        False,
    ),
    Argument("engine", Kind.ENGINE, "_Engine", "Name of the engine; empty = the server's choice"),
    Argument("options", Kind.OPTIONS, "Options of the engine", 'Its own parameters as JSON, such as {"quality": 4}'),
    Argument(
        "server",
        Kind.LINE,
        "Ser_ver",
        "host:port of a server, or the line that it printed; empty = the one on this computer",
    ),
)
ARGUMENTS = {argument.name: argument for argument in _ALL}
