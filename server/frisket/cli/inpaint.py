"""`frisket inpaint`."""

from __future__ import annotations

from pathlib import Path

import click

from frisket.cli.connect import a_server, client_of, server_option
from frisket.cli.speak import answer, json_option, spoken
from frisket.edits.requests import InpaintParams, MaskDials

dial = click.IntRange(0, 1024)


@click.command()
@click.argument("picture", type=click.Path(path_type=Path))
@click.option("--mask", type=click.Path(path_type=Path), help="White = repaint. Without it: the transparent part.")
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="Where the result goes.")
@click.option("--layer", type=click.Path(path_type=Path), help="Also write the new pixels alone, as an RGBA PNG.")
@click.option("--prompt", default="", help="What to paint; empty continues the surroundings.")
@click.option("--negative-prompt", default="", help="What to avoid.")
@click.option("--engine", default="", help="Engine id. [default: the built-in patch engine]")
@click.option("--model", default="", help="Model id. [default: the engine's]")
@click.option("--seed", type=click.IntRange(0, (1 << 32) - 1), help="Same seed, same picture. [default: random]")
@click.option("--count", type=click.IntRange(1, 16), default=1, show_default=True, help="How many pictures.")
@click.option("--strength", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="1 = ignore the old.")
@click.option("--grow", type=dial, help="px beyond the mask, at full weight. [default: automatic]")
@click.option("--feather", type=dial, help="px of fading after that. [default: automatic]")
@click.option("--blend", type=dial, help="px of blending at the outer edge. [default: automatic]")
@click.option("--context", type=click.IntRange(0, 4096), help="px around the mask that are seen. [default: automatic]")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the engine.")
@server_option
@json_option
@spoken
def inpaint(picture: Path, mask: Path | None, output: Path, layer: Path | None, **options) -> None:
    """Repaint the masked part of PICTURE; every other pixel stays as it was, bit for bit.

    Starts a private server for the length of the command when none runs. With --count above 1 the results are
    OUTPUT, OUTPUT-2, OUTPUT-3 ...

    \b
    Example:
      frisket inpaint photo.png --mask mask.png -o out.png
      frisket inpaint cutout.png -o filled.png --seed 7
    """
    from frisket.cli.edit_files import FileEdit, parse_params, random_seed

    as_json, count = options["as_json"], options["count"]
    seed = random_seed() if options["seed"] is None else options["seed"]
    words = InpaintParams(
        prompt=options["prompt"],
        negative_prompt=options["negative_prompt"],
        strength=options["strength"],
        dials=MaskDials(options["grow"], options["feather"], options["blend"], options["context"]),
    )
    edit = FileEdit.read(picture, mask).asking(
        words, options["engine"], options["model"], seed, count, parse_params(options["params"])
    )
    with a_server(options["server"], quiet=as_json) as runtime, client_of(runtime) as client:
        done = edit.run(client, show=not as_json)
    written = edit.write(done, output, layer)
    told = [f"  {d.detail}" for d in done[0].degraded] + [f"  {note}" for note in done[0].notes]
    text = "\n".join([*(f"{path}  (seed {p.seed})" for path, p in zip(written, done, strict=True)), *told])
    fields = {
        "outputs": [str(path) for path in written],
        "seeds": [p.seed for p in done],
        "box": [done[0].box.x, done[0].box.y, done[0].box.width, done[0].box.height],
        "degraded": [d.detail for d in done[0].degraded],
        "notes": list(done[0].notes),
    }
    answer(as_json, fields, text)
