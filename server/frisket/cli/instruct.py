"""`frisket instruct`."""

from __future__ import annotations

from pathlib import Path

import click

from frisket.cli.editing import carry_out, options, path, picture_argument
from frisket.cli.speak import spoken
from frisket.edits.requests import InstructParams, MaskDials


@click.command()
@picture_argument
@click.argument("instruction")
@click.option("--mask", type=path, help="White = change. Without it: the whole picture.")
@options(prompt=False)
@spoken
def instruct(picture: Path, instruction: str, mask: Path | None, **given) -> None:
    """Change PICTURE, or its masked part, as INSTRUCTION says. What is transparent stays transparent.

    It takes a model that edits by instruction: `frisket models list`.

    \b
    Example:
      frisket instruct street.png "make it winter" -o winter.png
      frisket instruct street.png "paint the door red" --mask door.png -o red.png
    """
    from frisket.cli.edit_files import FileEdit

    dials = MaskDials(given["grow"], given["feather"], given["blend"], given["context"])
    params = InstructParams(instruction, given["negative_prompt"], dials)
    carry_out(FileEdit.read(picture, mask, given["sources"], whole=True), params, given)
