"""`frisket outpaint`."""

from __future__ import annotations

from pathlib import Path

import click

from frisket.cli.editing import carry_out, options, picture_argument
from frisket.cli.speak import spoken
from frisket.edits.requests import MaskDials, OutpaintParams
from frisket.errors import ParameterOutOfRange

SIDES = ("left", "top", "right", "bottom")


def _px(name: str, text: str, full: int) -> int:
    """ "120" px or "25%" of the picture's width or height."""
    try:
        return round(float(text[:-1]) * full / 100) if text.endswith("%") else int(text)
    except (ValueError, OverflowError):
        raise ParameterOutOfRange(name=name, value=text, wanted="a number of px or a share such as 25%") from None


@click.command()
@picture_argument
@click.option("--left", default="0", metavar="PX|%", help="How much to add on the left.")
@click.option("--top", default="0", metavar="PX|%", help="... at the top.")
@click.option("--right", default="0", metavar="PX|%", help="... on the right.")
@click.option("--bottom", default="0", metavar="PX|%", help="... at the bottom.")
@click.option("--transparent", is_flag=True, help="Also fill what is fully transparent; soft alpha stays as it is.")
@options(dials=False)
@spoken
def outpaint(picture: Path, transparent: bool, **given) -> None:
    """Make PICTURE larger and continue it there; the old pixels stay as they were, bit for bit.

    \b
    Example:
      frisket outpaint photo.png --left 25% --right 25% -o wide.png
      frisket outpaint rotated.png --transparent -o whole.png
    """
    from frisket.cli.edit_files import FileEdit

    edit = FileEdit.read(picture, None, given["sources"], whole=True)
    full = {"left": edit.size.width, "top": edit.size.height, "right": edit.size.width, "bottom": edit.size.height}
    sides = {side: _px(side, given[side], full[side]) for side in SIDES}
    dials = MaskDials(context=given["context"])
    words = {"prompt": given["prompt"], "negative_prompt": given["negative_prompt"]}
    params = OutpaintParams(**sides, **words, dials=dials, transparent=transparent)
    carry_out(edit.of_its_gaps() if transparent else edit, params, given)
