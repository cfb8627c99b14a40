"""The group of commands. Each is imported when it is called, so that `frisket --help` is quick."""

from __future__ import annotations

from importlib import import_module

import click

import frisket

COMMANDS = {
    "serve": "frisket.cli.serve:serve",
    "inpaint": "frisket.cli.inpaint:inpaint",
    "outpaint": "frisket.cli.outpaint:outpaint",
    "vary": "frisket.cli.vary:vary",
    "text-to-layer": "frisket.cli.text_to_layer:text_to_layer",
    "instruct": "frisket.cli.instruct:instruct",
    "restore-faces": "frisket.cli.restore_faces:restore_faces",
    "upscale": "frisket.cli.upscale:upscale",
    "select-subject": "frisket.cli.select_subject:select_subject",
    "faces": "frisket.cli.faces:faces",
    "jobs": "frisket.cli.jobs:jobs",
    "made-by": "frisket.cli.made_by:made_by",
    "models": "frisket.cli.models:models",
    "doctor": "frisket.cli.doctor:doctor",
    "plugin": "frisket.cli.plugin:plugin",
    "demo": "frisket.cli.demo:demo",
}
SUMMARIES = {
    "serve": "Run the server that editors connect to.",
    "inpaint": "Repaint the masked part of a picture file.",
    "outpaint": "Make a picture file larger and continue it there.",
    "vary": "Other versions of a picture file, or of its masked part.",
    "text-to-layer": "Paint a new picture file from words.",
    "instruct": "Change a picture file, or its masked part, as a sentence says.",
    "restore-faces": "Restore the faces in a picture file.",
    "upscale": "Make a picture file 2, 3 or 4 times as wide and high.",
    "select-subject": "Write a mask of what a picture file is of.",
    "faces": "List the faces in a picture file, and draw them.",
    "jobs": "List, watch, fetch and cancel the server's jobs.",
    "made-by": "Say where a picture file comes from: engine, model, seed, AI or not.",
    "models": "List, pull, verify, import and remove models.",
    "doctor": "Say what is installed, what is missing and how to mend it.",
    "plugin": "Install the GIMP 3 plug-in, or take it away.",
    "demo": "Fill a hole in a photograph, the whole way through a real server.",
}


class _Late(click.Group):
    """Knows its commands by name; loads one when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        return getattr(import_module(module), name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(SUMMARIES.items()))


@click.group(cls=_Late, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(frisket.__version__, prog_name="frisket")
def main() -> None:
    """AI retouching for image editors: repaints what you selected, and leaves every other pixel alone.

    \b
    Example:
      frisket inpaint photo.png --mask mask.png -o out.png
    """


if __name__ == "__main__":
    main(prog_name="frisket")
