"""`frisket vary`."""

from __future__ import annotations

from pathlib import Path

import click

from frisket.cli.editing import carry_out, options, path, picture_argument
from frisket.cli.speak import spoken
from frisket.edits.requests import MaskDials, VariationParams


@click.command()
@picture_argument
@click.option("--mask", type=path, help="White = vary. Without it: the whole picture.")
@click.option("--strength", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="0 = the same picture.")
@click.option("--tileable", is_flag=True, help="Let opposite edges fit together.")
@options()
@spoken
def vary(picture: Path, mask: Path | None, strength: float, tileable: bool, **given) -> None:
    """Other versions of PICTURE, or of its masked part. What is transparent stays transparent.

    \b
    Example:
      frisket vary meadow.png --strength 0.6 --count 4 -o version.png
      frisket vary gravel.png --tileable -o tile.png
    """
    from frisket.cli.edit_files import FileEdit

    dials = MaskDials(given["grow"], given["feather"], given["blend"], given["context"])
    params = VariationParams(strength, given["prompt"], given["negative_prompt"], tileable, dials)
    carry_out(FileEdit.read(picture, mask, given["sources"], whole=True), params, given)
