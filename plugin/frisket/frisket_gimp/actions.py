"""The table of actions: what each is called, what it asks for, what it looks at and how its result comes back.

Imports nothing but the standard library, and runs on older Pythons than the rest: the menu is made of it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

PREFIX = "plug-in-frisket-"
MENU = "<Image>/Filters/Frisket"


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


class Selection(enum.Enum):
    """What the selection means to an action."""

    NEEDED = "what is changed"
    OPTIONAL = "what is changed; nothing selected = the whole layer"
    IGNORED = "nothing"


class Result(enum.Enum):
    """What becomes of the answer. Layers always come with the image's own depth and space."""

    MASKED = "a layer with a mask at its place"
    PLAIN = "a layer; with the selection, if there is one, as its mask"
    CANVAS = "the canvas grows, and a layer with a mask covers what is new"
    LARGER = "a larger layer, in a new image or in this one"
    SELECTION = "the mask becomes the selection"


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


@dataclass(frozen=True)
class Action:
    """One menu entry. main, folded: names of arguments, in the order of the dialog; without any `main` it has none.

    noun: in the names of its layers. button: what starts it. wants_layer: it works on the pixels of one layer, or with
    `sample-merged` on what is seen; without, it looks at no pixel. defaults: that differ from the argument's own.
    """

    name: str
    label: str
    blurb: str
    help: str
    task: str  # value of frisket.engines.spec.Task
    noun: str
    selection: Selection
    result: Result
    main: tuple[str, ...] = ()
    folded: tuple[str, ...] = ()
    button: str = "_Run"
    words: str = "_Prompt"  # label of the prompt
    wants_layer: bool = True
    defaults: dict[str, object] = field(default_factory=dict)

    @property
    def procedure(self) -> str:
        return PREFIX + self.name

    @property
    def title(self) -> str:
        return self.label.replace("_", "").replace("...", "")

    @property
    def arguments(self) -> tuple[Argument, ...]:
        return tuple(ARGUMENTS[name] for name in (*self.main, *self.folded, "engine", "options", "server"))

    def default(self, argument: Argument) -> object:
        return self.defaults.get(argument.name, argument.default)


@dataclass(frozen=True)
class Command:
    """A menu entry that is no task of the server's: `run` of `frisket_gimp.<module>` does all of it.

    anywhere: also without an open image. returns_layer: as the actions do.
    """

    name: str
    label: str
    blurb: str
    help: str
    module: str
    arguments: tuple[Argument, ...] = ()
    anywhere: bool = False
    returns_layer: bool = False

    @property
    def procedure(self) -> str:
        return PREFIX + self.name

    @property
    def title(self) -> str:
        return self.label.replace("_", "").replace("...", "")


_RATIOS = ("1:1", "5:4", "4:3", "3:2", "16:9", "2:1", "4:5", "3:4", "2:3", "9:16", "1:2")  # width : height
RATIOS = (("sides", "Larger by the four numbers"), *((ratio, ratio) for ratio in _RATIOS))
_SIDES = (("left", "Left"), ("right", "Right"), ("top", "At the top"), ("bottom", "At the bottom"))
ANCHORS = (("centre", "In the middle"), *_SIDES)
_AUTOMATIC = "; -1 = automatic"
_SIDE = "How much is added on this side"
_ALL = (
    Argument("prompt", Kind.WORDS, "_Prompt", "What to paint"),
    Argument("negative-prompt", Kind.WORDS, "_Avoid", "What not to paint"),
    Argument("style", Kind.STYLE, "Sty_le", "Words, and perhaps an engine, around the prompt; empty = none"),
    Argument("random-seed", Kind.FLAG, "_New seed each time", "Otherwise the seed below", True),
    Argument("seed", Kind.WHOLE, "See_d", "The same seed gives the same picture", 0, 0, 2147483647),
    Argument("count", Kind.WHOLE, "_How many", "Pictures to choose from", 1, 1, 8),
    Argument("strength", Kind.SHARE, "Stren_gth", "How far from what is there: 0 = it stays as it is", 0.5),
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
        -1,
        -1,
        4096,
    ),
    Argument("grow", Kind.WHOLE, "Gro_w (px)", "Pixels repainted beyond the selection" + _AUTOMATIC, -1, -1, 1024),
    Argument(
        "feather", Kind.WHOLE, "Fea_ther (px)", "Pixels over which the repainting fades out" + _AUTOMATIC, -1, -1, 1024
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

_SEED = ("random-seed", "seed")
_DIALS = ("grow", "feather")
_FOUR = ("left", "right", "top", "bottom")
_SENT = "Sends {} to a Frisket server, and puts what comes back into {}. Nothing else of the image changes."

ACTIONS = (
    Action(
        "fill-selection",
        "_Fill Selection...",
        "Repaint the selection so that it fits its surroundings",
        _SENT.format("the selection and as much around it as is needed", "a new layer with a mask"),
        "inpaint",
        "fill",
        Selection.NEEDED,
        Result.MASKED,
        main=("prompt", "style", *_SEED, "count", "context"),
        folded=("negative-prompt", *_DIALS, "sample-merged"),
        button="_Fill",
        words="_Prompt (empty: continue the surroundings)",
    ),
    Action(
        "remove-object",
        "_Remove Selected Object",
        "Let the surroundings of the selection go on over it, without a question",
        _SENT.format("the selection and as much around it as is needed", "a new layer with a mask"),
        "inpaint",
        "removal",
        Selection.NEEDED,
        Result.MASKED,
        folded=(*_SEED, "sample-merged"),
    ),
    Action(
        "expand-canvas",
        "E_xpand Canvas...",
        "Make the canvas larger and continue the picture there",
        _SENT.format("the picture", "a new layer over the new part of a larger canvas"),
        "outpaint",
        "expansion",
        Selection.IGNORED,
        Result.CANVAS,
        main=("aspect", "anchor", "unit", *_FOUR, "transparent", "prompt", "style", *_SEED, "count"),
        folded=("negative-prompt", "context", "sample-merged"),
        button="Ex_pand",
        words="_Prompt (empty: continue the picture)",
        defaults={"sample-merged": True},
    ),
    Action(
        "layer-variations",
        "Layer _Variations...",
        "Other versions of the layer, or of what is selected of it",
        _SENT.format("the layer, or the selection and as much around it as is needed,", "new layers"),
        "variation",
        "variation",
        Selection.OPTIONAL,
        Result.MASKED,
        main=("strength", "count", "prompt", "style", *_SEED),
        folded=("negative-prompt", "tileable", "context", *_DIALS, "sample-merged"),
        button="Var_y",
        words="_Prompt (empty: stay what it is)",
        defaults={"count": 4},
    ),
    Action(
        "restore-faces",
        "Restore F_aces...",
        "Make the faces in the layer clear, or those in the selection",
        _SENT.format("the layer, or the selection and as much around it as is needed,", "a new layer with a mask"),
        "restore-faces",
        "faces",
        Selection.OPTIONAL,
        Result.MASKED,
        main=("strength",),
        folded=("sample-merged",),
        button="Res_tore",
        defaults={"strength": 0.7},
    ),
    Action(
        "upscale-layer",
        "_Upscale Layer...",
        "The layer, larger",
        _SENT.format("the layer", "a new image, or into a new layer"),
        "upscale",
        "enlarged",
        Selection.IGNORED,
        Result.LARGER,
        main=("scale", "into"),
        folded=("sample-merged",),
        button="U_pscale",
    ),
    Action(
        "text-to-layer",
        "_Text to Layer...",
        "Paint a new layer from words, as large as the selection or the canvas",
        _SENT.format("the words", "a new layer"),
        "text-to-layer",
        "text",
        Selection.OPTIONAL,
        Result.PLAIN,
        main=("prompt", "style", *_SEED, "count"),
        folded=("negative-prompt",),
        button="_Paint",
        wants_layer=False,
    ),
    Action(
        "edit-by-instruction",
        "Edit by _Instruction...",
        "Change the layer, or what is selected of it, as a sentence says",
        _SENT.format("the layer, or the selection and as much around it as is needed,", "a new layer with a mask"),
        "instruct",
        "edit",
        Selection.OPTIONAL,
        Result.MASKED,
        main=("prompt", "style", *_SEED, "count"),
        folded=("negative-prompt", "context", *_DIALS, "sample-merged"),
        button="Chan_ge",
        words="_Instruction (such as: make it winter)",
    ),
    Action(
        "select-subject",
        "Select Su_bject",
        "Select what the picture is of; a rough selection says which thing is meant",
        "Sends the picture to a Frisket server, and makes what comes back the selection. No pixel changes.",
        "select-subject",
        "subject",
        Selection.OPTIONAL,
        Result.SELECTION,
        folded=("operation", "sample-merged"),
        defaults={"sample-merged": True},
    ),
)
_SERVER = (ARGUMENTS["server"],)
COMMANDS: tuple[Command, ...] = (
    Command(
        "again",
        "A_gain",
        "The edit that made the selected layer, once more",
        "The same action with the same settings, seed and selection, on the image as it is now.",
        "again",
        _SERVER,
        returns_layer=True,
    ),
    Command(
        "again-new-seed",
        "Again with a _New Seed",
        "The edit that made the selected layer, with another outcome",
        "The same action with the same settings and selection, on the image as it is now, but with a new seed.",
        "again",
        _SERVER,
        returns_layer=True,
    ),
    Command(
        "history",
        "_History...",
        "Results that the server still has, also those of a GIMP that ended too early",
        "Puts the result of a job into the image, at its place; into a new image where it does not suit this one.",
        "history",
        (Argument("job", Kind.LINE, "_Job", "Its number, as `frisket jobs` lists it; empty = the newest"), *_SERVER),
        anywhere=True,
        returns_layer=True,
    ),
    Command(
        "server",
        "Frisket _Server...",
        "Which server does the work, how it is, and which models it has",
        "In a window; without one, `server` becomes the server that all actions use, empty = the one on this computer.",
        "server_window",
        _SERVER,
        anywhere=True,
    ),
    Command(
        "choose-version",
        "_Choose a Version...",
        "Look through the versions in the selected group, keep one or ask for more",
        "Shows the window that comes with several results again.",
        "chooser",
        _SERVER,
    ),
)
BY_PROCEDURE: dict[str, Action | Command] = {entry.procedure: entry for entry in (*ACTIONS, *COMMANDS)}
