"""The table of actions: what each is called, what it asks for, what it looks at and how its result comes back.

Imports nothing but the standard library, and runs on older Pythons than the rest: the menu is made of it.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from frisket_gimp.arguments import ARGUMENTS, Argument, Kind

PREFIX = "plug-in-frisket-"
MENU = "<Image>/Filters/Frisket"
LAYERS_MENU = "<Layers>/Frisket"  # the context menu of the list of layers


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
        main=("strength", "faces"),
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
# Also in the context menu of the list of layers: what works on a layer as it is.
OF_LAYERS = {
    "layer-variations",
    "restore-faces",
    "upscale-layer",
    "edit-by-instruction",
    "again",
    "again-new-seed",
    "choose-version",
}
BY_PROCEDURE: dict[str, Action | Command] = {entry.procedure: entry for entry in (*ACTIONS, *COMMANDS)}
