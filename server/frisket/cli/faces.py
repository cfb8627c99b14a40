"""`frisket faces`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frisket.cli.connect import a_server, client_of, server_option
from frisket.cli.editing import path, picture_argument
from frisket.cli.speak import answer, json_option, spoken

if TYPE_CHECKING:
    from frisket.edits.results import Face
    from frisket.raster.files import Picture


@click.command()
@picture_argument
@click.option("-o", "--output", type=path, help="Also write the picture with their boxes and numbers.")
@click.option("--mask", type=path, help="White = the faces whose middle is there. Without it: all.")
@click.option("--engine", default="", help="Engine id. [default: the server's first that does this]")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE", help="A parameter of the engine.")
@server_option
@json_option
@spoken
def faces(
    picture: Path, output: Path | None, mask: Path | None, engine: str, params, server: str | None, as_json: bool
) -> None:
    """List the faces in PICTURE, the surest first. `frisket restore-faces --face` takes their numbers.

    \b
    Example:
      frisket faces party.jpg -o boxes.jpg
      frisket faces party.jpg --json
    """
    from frisket.cli.edit_files import FileEdit, parse_params
    from frisket.edits.requests import DetectFacesParams
    from frisket.raster import files
    from frisket.raster.formats import PixelFormat

    edit = FileEdit.read(picture, mask, whole=True)
    if output is not None:
        files.check_target(output, PixelFormat())
    edit = edit.asking(DetectFacesParams(), engine, "", 0, 1, parse_params(params))
    with a_server(server, quiet=as_json) as runtime, client_of(runtime) as client:
        found = client.faces(*edit.sent(client))
    if output is not None:
        files.write_picture(output, drawn(edit.picture, found.faces))
    listed = [{"number": number, **asdict(face)} for number, face in enumerate(found.faces, 1)]
    degraded = [d.detail for d in found.degraded]
    lines = [f"{f.box}  {f.score:.2f}" + _eyes(f) for f in found.faces]
    text = [f"{n:3}  {line}" for n, line in enumerate(lines, 1)] or [f"No face was found by {found.engine}."]
    fields = {"faces": listed, "engine": found.engine, "degraded": degraded, "output": str(output) if output else None}
    answer(as_json, fields, "\n".join([*text, *(f"  {words}" for words in degraded)]))


def _eyes(face: Face) -> str:
    if not face.landmarks:
        return ""
    (x, y), (u, v) = face.landmarks[:2]
    return f"  eyes at ({x:.0f}, {y:.0f}) and ({u:.0f}, {v:.0f})"


def drawn(picture: Picture, found: Sequence[Face]) -> Picture:
    """The picture in 8-bit RGB with a box, a number and a score for each face, and a dot for each landmark."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFont

    from frisket.raster import files, pixels
    from frisket.raster.formats import PixelFormat

    work = pixels.as_rgb(pixels.to_work(picture.pixels, picture.format), picture.format.layout)
    image = Image.fromarray(pixels.from_work(np.ascontiguousarray(work), PixelFormat()))
    pen, line = ImageDraw.Draw(image), max(2, max(image.size) // 500)
    font = ImageFont.load_default(max(12, 6 * line))
    for number, face in enumerate(found, 1):
        box = face.box
        pen.rectangle((box.x, box.y, box.right - 1, box.bottom - 1), outline=(255, 230, 0), width=line)
        for x, y in face.landmarks:
            pen.ellipse((x - line, y - line, x + line, y + line), fill=(0, 255, 255))
        words, at = f"{number}  {face.score:.2f}", (box.x + 2 * line, box.bottom + line)
        pen.rectangle(pen.textbbox(at, words, font=font), fill=(0, 0, 0))
        pen.text(at, words, fill=(255, 230, 0), font=font)
    return files.Picture(np.asarray(image), PixelFormat())
