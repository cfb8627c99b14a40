"""`frisket restore-faces`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from frisket.cli.editing import carry_out, options, path, picture_argument
from frisket.cli.speak import spoken
from frisket.edits.requests import RestoreFacesParams

if TYPE_CHECKING:
    from collections.abc import Sequence

    from frisket.cli.edit_files import FileEdit
    from frisket.client.client import Client
    from frisket.raster.geometry import Box


@click.command("restore-faces")
@picture_argument
@click.option("--mask", type=path, help="White = restore the faces there. Without it: all that are found.")
@click.option("--face", "numbers", type=click.IntRange(1), multiple=True, help="Only that of `frisket faces`.")
@click.option("--strength", type=click.FloatRange(0, 1), default=0.7, show_default=True, help="0 = unchanged.")
@click.option("--upscale", type=click.Choice(("1", "2", "4")), default="1", show_default=True, help="Enlarge it, too.")
@click.option("--detector", default="", help="Who finds the faces. [default: the server's first]")
@click.option("--upscaler", default="", help="Who enlarges. [default: the server's first]")
@options(words=False)
@spoken
def restore_faces(
    picture: Path, mask: Path | None, numbers: tuple[int, ...], strength: float, upscale: str, detector: str,
    upscaler: str, **given,
) -> None:  # fmt: skip
    """Restore the faces in PICTURE; every pixel that is of no face stays as it was, bit for bit.

    Without a model (`frisket models list`) noise, JPEG blocks and some blur are taken out, and the answer says so.

    \b
    Example:
      frisket restore-faces party.jpg -o party.png
      frisket restore-faces party.jpg --face 2 --face 5 --strength 0.5 -o two.png
      frisket restore-faces scan.png --upscale 2 -o large.png
    """
    from frisket.cli.edit_files import FileEdit

    edit = FileEdit.read(picture, mask, whole=True)

    def asked(client: Client) -> RestoreFacesParams:
        boxes = numbered(edit, numbers, detector, client) if numbers else ()
        return RestoreFacesParams(strength, tuple(boxes), int(upscale), detector, upscaler)

    carry_out(edit, asked, given)


def numbered(edit: FileEdit, numbers: Sequence[int], detector: str, client: Client) -> list[Box]:
    """The boxes of the faces that have these numbers, best first from 1. Raises ParameterOutOfRange."""
    from frisket.cli.edit_files import wait
    from frisket.edits.requests import DetectFacesParams
    from frisket.errors import ParameterOutOfRange

    request = edit.asking(DetectFacesParams(), detector, "", 0, 1, {}).request
    assert request is not None
    job = client.submit(request, edit.picture.pixels.tobytes())
    wait(client, job.id, show=False)
    faces = client.result(job.id).faces
    for number in numbers:
        if number > len(faces):
            raise ParameterOutOfRange(name="--face", value=number, wanted=f"at most {len(faces)}: so many are found")
    return [faces[number - 1].box for number in numbers]
