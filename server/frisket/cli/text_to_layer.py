"""`frisket text-to-layer`."""

from __future__ import annotations

from pathlib import Path

import click

from frisket.cli.connect import a_server, client_of
from frisket.cli.editing import options, report
from frisket.cli.made_by import packet_of
from frisket.cli.speak import spoken
from frisket.edits.requests import EditRequest, TextToLayerParams
from frisket.errors import ParameterOutOfRange
from frisket.raster.formats import PixelFormat
from frisket.raster.geometry import Box, Size


def size_of(text: str) -> Size:
    """ "1024x768" in px. Raises ParameterOutOfRange."""
    width, _, height = text.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and len(text) < 20 and int(width) and int(height)):
        raise ParameterOutOfRange(name="size", value=text, wanted="WIDTHxHEIGHT in px, such as 1024x768")
    return Size(int(width), int(height))


@click.command()
@click.argument("prompt")
@click.option("--size", default="1024x1024", show_default=True, metavar="WxH", help="px of the new picture.")
@options(prompt=False, picture=False)
@spoken
def text_to_layer(prompt: str, size: str, output: Path, **given) -> None:
    """Paint a new picture of what PROMPT says.

    It takes a model that paints from words: `frisket models list`.

    \b
    Example:
      frisket text-to-layer "a lighthouse in fog" --size 1024x768 -o lighthouse.png
    """
    from frisket.cli.edit_files import fetched, numbered, parse_params, random_seed
    from frisket.raster import files, pixels

    canvas, fmt = size_of(size), PixelFormat()
    request = EditRequest(
        canvas,
        Box.of(canvas),
        TextToLayerParams(prompt, given["negative_prompt"]),
        fmt,
        given["engine"],
        given["model"],
        random_seed() if given["seed"] is None else given["seed"],
        given["count"],
        parse_params(given["params"]),
    )
    files.check_target(output, fmt)
    as_json = given["as_json"]
    with a_server(given["server"], quiet=as_json) as runtime, client_of(runtime) as client:
        done = fetched(client, client.submit(request).id, request.count, show=not as_json)
    written = [output if number == 0 else numbered(output, number + 1) for number in range(len(done))]
    for path, made in zip(written, done, strict=True):
        picture = pixels.from_bytes(made.pixels, made.box.size, made.format)
        xmp = packet_of(made, keep_prompt=given["keep_prompt"])
        files.write_picture(path, files.Picture(picture, made.format, xmp=xmp))
    report(written, done, output, as_json)
