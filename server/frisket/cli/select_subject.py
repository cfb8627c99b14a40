"""`frisket select-subject`."""

from __future__ import annotations

from pathlib import Path

import click

from frisket.cli.connect import a_server, client_of, server_option
from frisket.cli.editing import path, picture_argument
from frisket.cli.speak import answer, json_option, spoken


@click.command("select-subject")
@picture_argument
@click.option("-o", "--output", type=path, required=True, help="Where the mask goes: white = the subject.")
@click.option("--mask", type=path, help="White = roughly the thing that is meant. Without it: what stands out.")
@click.option("--engine", default="", help="Engine id. [default: the server's first that does this]")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the engine.")
@server_option
@json_option
@spoken
def select_subject(
    picture: Path, output: Path, mask: Path | None, engine: str, params, server: str | None, as_json: bool
) -> None:
    """Write a mask of what PICTURE is of: as large as it, soft at the edge, ready for the --mask of other commands.

    \b
    Example:
      frisket select-subject eagle.jpg -o mask.png
      frisket select-subject street.jpg --mask rough.png -o car.png
    """
    import numpy as np

    from frisket.cli.edit_files import FileEdit, parse_params
    from frisket.edits.requests import SelectSubjectParams
    from frisket.raster import files
    from frisket.raster.formats import Layout, PixelFormat

    edit = FileEdit.read(picture, mask, whole=True)
    gray = PixelFormat(layout=Layout.GRAY)
    files.check_target(output, gray)
    edit = edit.asking(SelectSubjectParams(), engine, "", 0, 1, parse_params(params))
    with a_server(server, quiet=as_json) as runtime, client_of(runtime) as client:
        found = client.subject(*edit.sent(client))
    made, box = np.zeros((edit.size.height, edit.size.width, 1), np.uint8), found.box
    made[box.slices] = np.frombuffer(found.mask, np.uint8).reshape(box.height, box.width, 1)
    files.write_picture(output, files.Picture(made, gray))
    degraded, notes = [d.detail for d in found.degraded], list(found.notes)
    fields = {"output": str(output), "box": [box.x, box.y, box.width, box.height], "degraded": degraded, "notes": notes}
    answer(as_json, fields, "\n".join([f"{output}  (subject: {box})", *(f"  {words}" for words in degraded + notes)]))
