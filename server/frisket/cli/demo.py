"""`frisket demo`: a real photograph, a real selection, a real server."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from frisket.cli.connect import client_of, private_server
from frisket.cli.made_by import packet_of
from frisket.cli.speak import answer, json_option, spoken
from frisket.edits.requests import InpaintParams
from frisket.errors import FileUnwritable

PHOTO = Path(__file__).parent / "assets" / "rocket.jpg"
SEED = 7
# A lightning tower and the lamp at its foot, drawn around by hand; px of the photograph.
TOWER = [(193, 114), (208, 114), (210, 190), (212, 350), (226, 376), (226, 412), (200, 419), (158, 421), (166, 360)]
TOWER += [(178, 270), (186, 190)]
FEATHER = 1.0  # px


@click.command()
@click.option("-o", "--output", "folder", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@json_option
@spoken
def demo(folder: Path, as_json: bool) -> None:
    """Fill a hole in a photograph, the whole way: a server on loopback, the client, a progress bar, a layer.

    \b
    Example:
      frisket demo -o demo
    """
    from frisket.cli.edit_files import FileEdit
    from frisket.raster import files

    began = time.monotonic()
    if folder.exists() and not folder.is_dir():
        raise FileUnwritable(path=folder, reason="it is a file, a folder is needed")
    picture = files.read_picture(PHOTO)
    height, width = picture.pixels.shape[:2]
    mask = _selection(width, height)
    edit = FileEdit(picture, mask).asking(InpaintParams(), "", "", SEED, 1, {})
    if not as_json:
        click.echo("Starting a server on loopback (the first one compiles the engine: a few seconds) ...")
    with private_server() as runtime:
        if not as_json:
            click.echo(f"It listens on {runtime.address}. Sending {width} x {height} px with a selection.")
        with client_of(runtime) as client:
            done = edit.run(client, show=not as_json)
    folder.mkdir(parents=True, exist_ok=True)
    paths = _write(edit, done[0], folder)
    seconds = round(time.monotonic() - began, 1)
    unchanged = _outside_unchanged(edit, done[0])
    fields = {"seconds": seconds, "outside_unchanged": unchanged, **{k: str(p) for k, p in paths.items()}}
    verdict = "every one of them unchanged" if unchanged else "SOME OF THEM CHANGED, which is a bug"
    lines = [
        f"Done in {seconds} s. Pixels outside the selection: {int((mask == 0).sum())}, {verdict}.",
        f"  before and after  {paths['before_after']}",
        f"  the new layer     {paths['layer']}",
    ]
    answer(as_json, fields, "\n".join(lines))


def _selection(width: int, height: int):
    """The tower as a feathered 8-bit selection (h, w)."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFilter

    drawn = Image.new("L", (width, height), 0)
    ImageDraw.Draw(drawn).polygon(TOWER, fill=255)
    return np.asarray(drawn.filter(ImageFilter.GaussianBlur(FEATHER)))


def _write(edit, result, folder: Path) -> dict[str, Path]:
    """before-after.png and layer.png."""
    import numpy as np

    from frisket.raster import files

    before, after = edit.picture.pixels, edit.merged(result)
    marked = before.copy()
    marked[edit.mask > 127] = marked[edit.mask > 127] // 2 + np.array([127, 0, 0], np.uint8)
    gap = np.full((before.shape[0], 8, 3), 255, np.uint8)
    sheet = np.concatenate([before, gap, marked, gap, after], axis=1)
    paths = {"before_after": folder / "before-after.png", "layer": folder / "layer.png"}
    xmp = packet_of(result)
    files.write_picture(paths["before_after"], replace(edit.picture, pixels=sheet, exif=b"", xmp=xmp))
    files.write_picture(paths["layer"], replace(edit.layer_of(result), xmp=xmp))
    return paths


def _outside_unchanged(edit, result) -> bool:
    outside = edit.mask == 0
    return bool((edit.merged(result)[outside] == edit.picture.pixels[outside]).all())
