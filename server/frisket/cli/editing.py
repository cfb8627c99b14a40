"""What the commands that edit a picture have in common: their options, the way there and the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from frisket.cli.connect import a_server, client_of, server_option
from frisket.cli.made_by import keep_prompt_option
from frisket.cli.speak import answer, json_option
from frisket.edits.requests import MAX_CONTEXT, MAX_COUNT, MAX_DIAL, SEED_END, Params

if TYPE_CHECKING:
    from frisket.cli.edit_files import FileEdit
    from frisket.client.client import Client, Picture

path = click.Path(path_type=Path)
dial = click.IntRange(0, MAX_DIAL)

picture_argument = click.argument("picture", type=path)
_OUTPUT = (click.option("-o", "--output", type=path, required=True, help="Where the result goes."),)
_LAYER = (click.option("--layer", type=path, help="Also write the new pixels alone, as a PNG with transparency."),)
_PROMPT = (click.option("--prompt", default="", help="What to paint; empty continues what is there."),)
_AVOID = (click.option("--negative-prompt", default="", help="What to avoid; an engine that cannot refuses it."),)
_CHOICE = (
    click.option("--engine", default="", help="Engine id. [default: the server's first that does this]"),
    click.option("--model", default="", help="Model id. [default: the engine's]"),
)
_CHANCE = (
    click.option("--seed", type=click.IntRange(0, SEED_END - 1), help="Same seed, same picture. [default: random]"),
    click.option("--count", type=click.IntRange(1, MAX_COUNT), default=1, show_default=True, help="How many pictures."),
)
_REST = (
    click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the engine."),
    keep_prompt_option,
    server_option,
    json_option,
)
_DIALS = (
    click.option("--grow", type=dial, help="px beyond the mask, at full weight. [default: automatic]"),
    click.option("--feather", type=dial, help="px of fading after that. [default: automatic]"),
    click.option("--blend", type=dial, help="px of blending at the outer edge. [default: automatic]"),
)
_CONTEXT = (
    click.option("--context", type=click.IntRange(0, MAX_CONTEXT), help="px around it that are seen. [default: auto]"),
)
_SOURCES = (click.option("--sources", type=path, help="A second mask: white = content may be copied from here."),)


def options(
    dials: bool = True, prompt: bool = True, picture: bool = True, words: bool = True, chance: bool = True
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """All of them as one decorator. dials: also the mask's; prompt: as an option; picture: those for an old one; words:
    those of tasks that paint something new, as prompt and context are; chance: those of tasks that could paint another
    picture the next time."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        old = (_DIALS if dials else (), _CONTEXT, _SOURCES) if picture and words else ()
        said = (_PROMPT if prompt else (), _AVOID) if words else ()
        groups = (_OUTPUT, _LAYER if picture else (), *said, *old, _CHOICE, _CHANCE if chance else (), _REST)
        for option in reversed([option for group in groups for option in group]):
            command = option(command)
        return command

    return add


def carry_out(edit: FileEdit, params: Params | Callable[[Client], Params], given: dict[str, Any]) -> None:
    """Ask a server, write the results, answer. given: the values of `options`. params: or what asks the server first
    and makes them then."""
    from frisket.cli.edit_files import parse_params, random_seed

    seed, layer = random_seed() if given.get("seed") is None else given["seed"], given.get("layer")
    engine_params = parse_params(given["params"])
    as_json = given["as_json"]
    edit.check_targets(given["output"], layer)
    with a_server(given["server"], quiet=as_json) as runtime, client_of(runtime) as client:
        asked = params(client) if callable(params) else params
        edit = edit.asking(asked, given["engine"], given["model"], seed, given.get("count", 1), engine_params)
        done = edit.run(client, show=not as_json)
    written = edit.write(done, given["output"], layer, given["keep_prompt"])
    report(written, done, given["output"], as_json)


def report(written: Sequence[Path], done: Sequence[Picture], output: Path, as_json: bool) -> None:
    """Say which files were written, and what the results tell."""
    first = done[0]
    faces = [f"Face {number}: {face.trouble}" for number, face in enumerate(first.faces, 1) if face.trouble]
    notes = [*first.notes, *faces, *_lossy(output)]
    told = [f"  {words}" for words in (*(d.detail for d in first.degraded), *notes)]
    text = "\n".join([*(f"{path}  (seed {p.seed})" for path, p in zip(written, done, strict=True)), *told])
    fields = {
        "outputs": [str(path) for path in written],
        "seeds": [p.seed for p in done],
        "box": [first.box.x, first.box.y, first.box.width, first.box.height],
        "degraded": [d.detail for d in first.degraded],
        "notes": notes,
    }
    if first.faces:
        fields["faces"] = [{**asdict(face), "number": number} for number, face in enumerate(first.faces, 1)]
    if first.scale > 1:
        fields["scale"] = first.scale
    answer(as_json, fields, text)


def _lossy(output: Path) -> list[str]:
    if output.suffix.lower() not in (".jpg", ".jpeg"):
        return []
    return ["JPEG stores every pixel anew: all of them differ a little from the result. Write .png to keep them."]
