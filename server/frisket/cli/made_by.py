"""`frisket made-by`, and what the other commands write into their files for it to find."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from frisket.cli.speak import answer, json_option, spoken
from frisket.edits.requests import from_json
from frisket.engines.spec import Task
from frisket.raster import provenance

if TYPE_CHECKING:
    from frisket.client.client import Picture

keep_prompt_option = click.option(
    "--keep-prompt", is_flag=True, envvar="FRISKET_KEEP_PROMPT", help="Also write the prompt into the files."
)
WORDS = {
    provenance.Source.ALTERED: "a picture changed by an algorithm, without a trained model",
    provenance.Source.ALGORITHM: "made by an algorithm, without a trained model",
    provenance.Source.COMPOSITE_TRAINED: "partly made by AI (a trained model)",
    provenance.Source.TRAINED: "made by AI (a trained model)",
}


def packet_of(result: Picture, before: bytes = b"", keep_prompt: bool = False) -> bytes:
    """The XMP of a file with this result in it. before: the XMP of the picture that was edited.

    What was partly AI's stays so. The old packet itself for a result whose server does not say who painted it.
    """
    if result.maker is None:
        return before
    request = from_json(result.request_json)
    new = request.task is Task.TEXT_TO_LAYER
    made = provenance.MadeBy(
        software=result.maker.software,
        source=provenance.source_of(result.maker.trained, new, provenance.read_source(before)),
        engine=result.maker.engine,
        task=request.task.value,
        seed=result.seed,
        request=hashlib.sha256(result.request_json.encode()).hexdigest(),
        model=result.maker.model,
        revision=result.maker.revision,
        prompt=getattr(request.params, "prompt", "") if keep_prompt else "",
    )
    return provenance.packet(made)


@click.command("made-by")
@click.argument("picture", type=click.Path(path_type=Path))
@json_option
@spoken
def made_by(picture: Path, as_json: bool) -> None:
    """Say what the file PICTURE tells of where it comes from: engine, model, seed, and whether AI had a part in it.

    \b
    Example:
      frisket made-by out.png
    """
    from frisket.raster.files import read_picture

    xmp = read_picture(picture).xmp
    made, source = provenance.read(xmp), provenance.read_source(xmp)
    facts = asdict(made) if made else {}
    facts = {name: value for name, value in facts.items() if value != "" and name != "source"}
    if source is not None:
        facts["digital_source_type"] = source.uri
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in facts.items()]
    lines += [WORDS[source]] if source else ["It does not say."]
    answer(as_json, {"made_by_frisket": made is not None, **facts}, "\n".join(lines))
