"""`frisket inpaint`."""

from __future__ import annotations

from pathlib import Path

import click

from frisket.cli.editing import carry_out, options, path, picture_argument
from frisket.cli.speak import spoken
from frisket.edits.requests import InpaintParams, MaskDials


@click.command()
@picture_argument
@click.option("--mask", type=path, help="White = repaint. Without it: the transparent part.")
@click.option("--strength", type=click.FloatRange(0, 1), default=1.0, show_default=True, help="1 = ignore the old.")
@click.option("--move", type=(int, int), default=(0, 0), metavar="RIGHT DOWN", help="px: move the masked, fill behind.")
@options()
@spoken
def inpaint(picture: Path, mask: Path | None, strength: float, move: tuple[int, int], **given) -> None:
    """Repaint the masked part of PICTURE; every other pixel stays as it was, bit for bit.

    Starts a private server for the length of the command when none runs. With --count above 1 the results are
    OUTPUT, OUTPUT-2, OUTPUT-3 ...

    \b
    Example:
      frisket inpaint photo.png --mask mask.png -o out.png
      frisket inpaint cutout.png -o filled.png --seed 7
      frisket inpaint photo.png --mask ball.png --move 120 0 -o moved.png
    """
    from frisket.cli.edit_files import FileEdit

    dials = MaskDials(given["grow"], given["feather"], given["blend"], given["context"])
    params = InpaintParams(given["prompt"], given["negative_prompt"], strength, dials, move)
    carry_out(FileEdit.read(picture, mask, given["sources"]), params, given)
