"""`frisket upscale`."""

from __future__ import annotations

from pathlib import Path

import click

from frisket.cli.editing import carry_out, options, picture_argument
from frisket.cli.speak import spoken
from frisket.edits.requests import UpscaleParams


@click.command()
@picture_argument
@click.option("--scale", type=click.Choice(("2", "3", "4")), default="2", show_default=True, help="How much larger.")
@options(picture=False, words=False, chance=False)
@spoken
def upscale(picture: Path, scale: str, **given) -> None:
    """Make PICTURE larger. Depth, transparency and colour profile stay.

    Without a model (`frisket models list`) it is enlarged along its edges and no detail is added; the answer says so.

    \b
    Example:
      frisket upscale photo.png --scale 4 -o big.png
      frisket upscale scan.tif --engine realesr-general-x4v3 --param denoise=0.2 -o big.tif
    """
    from frisket.cli.edit_files import FileEdit

    carry_out(FileEdit.read(picture, None, whole=True), UpscaleParams(int(scale)), given)
