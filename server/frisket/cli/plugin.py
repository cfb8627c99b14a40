"""`frisket plugin`: GIMP's side of Frisket, put where GIMP finds it and taken away again."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from frisket.cli import plugin_bundle
from frisket.cli.connect import serve_command
from frisket.cli.gimp_check import Registered, ask, wake
from frisket.cli.gimp_folders import Packaging, PluginFolder, default_folder, plugin_folders
from frisket.cli.speak import answer, json_option, spoken
from frisket.client import places
from frisket.errors import PluginNotRegistered

into_option = click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="GIMP's plug-ins folder, instead of those found on this machine.",
)


@click.group()
def plugin() -> None:
    """The GIMP 3 plug-in: install it, remove it, see where it is.

    \b
    Example:
      frisket plugin install
    """


@plugin.command()
@into_option
@click.option("--check/--no-check", default=True, help="Ask each GIMP whether it takes the plug-in. [default: yes]")
@json_option
@spoken
def install(into: Path | None, check: bool, as_json: bool) -> None:
    """Install the plug-in for every GIMP 3 of this user.

    An older one is replaced. Each GIMP that is found is started once, without a window, and asked whether it takes the
    plug-in. Start GIMP again afterwards; the menu is Filters > Frisket.

    \b
    Example:
      frisket plugin install
    """
    folders, guessed = _targets(into)
    woken = wake([] if guessed else folders) if check and folders[0].packaging is not Packaging.CHOSEN else []
    if woken:
        folders, guessed = _targets(into)
    command, home = serve_command(), places.home()
    done = [plugin_bundle.install(folder.path, command, home) for folder in folders]
    lines = [f"GIMP {version} had never run here: it was started once, to make its folder." for version in woken]
    lines += [f"Installed in {path}" for path in done]
    if guessed:
        lines.append(f"No GIMP 3 has run here yet: this is where GIMP {folders[0].version} will look.")
    if any(folder.packaging is Packaging.SNAP for folder in folders):
        lines.append("The snap of GIMP cannot start a server: run `frisket serve` before you use it.")
    asked = [ask(folder) for folder in folders] if check and into is None and not guessed else []
    for path, told in zip(done, asked, strict=False):
        if told.registered is Registered.NO:
            raise PluginNotRegistered(folder=path, gimp=told.words, told=told.told.strip() or "nothing")
        lines.append(f"{told.words} takes it." if told.registered is Registered.YES else f"Not checked: {told.words}.")
    lines.append("Start GIMP again; you find it under Filters > Frisket.")
    fields = {
        "installed": [str(path) for path in done],
        "guessed": guessed,
        "registered": [told.registered.value for told in asked],
    }
    answer(as_json, fields, "\n".join(lines))


@plugin.command("zip")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("frisket-gimp.zip"), show_default=True)
@json_option
@spoken
def as_zip(output: Path, as_json: bool) -> None:
    """Put the plug-in into one file, to unpack by hand into GIMP's plug-ins folder.

    For a machine without Frisket: the server runs elsewhere (`frisket serve --listen ...` prints a line to paste).

    \b
    Example:
      frisket plugin zip -o frisket-gimp.zip
    """
    plugin_bundle.pack(output)
    where = "Unpack it into the folder that GIMP names under Preferences > Folders > Plug-ins."
    answer(as_json, {"written": str(output)}, f"{output}\n{where}")


@plugin.command()
@into_option
@click.option("--keep-settings", is_flag=True, help="Leave the last values, the chosen server, prompts and styles.")
@json_option
@spoken
def uninstall(into: Path | None, keep_settings: bool, as_json: bool) -> None:
    """Remove the plug-in and all settings kept for it: last values, the chosen server, prompts, your own styles.

    Pictures keep their layers.

    \b
    Example:
      frisket plugin uninstall
    """
    folders, _ = _targets(into)
    gone = [str(path) for folder in folders for path in plugin_bundle.uninstall(folder.path, not keep_settings)]
    text = "\n".join(f"Removed {path}" for path in gone) or "The plug-in is not installed."
    answer(as_json, {"removed": gone}, text)


@plugin.command()
@into_option
@json_option
@spoken
def path(into: Path | None, as_json: bool) -> None:
    """Show where the plug-in is, or would be installed.

    \b
    Example:
      frisket plugin path
    """
    folders, _ = _targets(into)
    rows = [
        {
            "folder": str(folder.path / plugin_bundle.NAME),
            "packaging": folder.packaging.value,
            "gimp": folder.version,
            "installed": plugin_bundle.installed_version(folder.path),
        }
        for folder in folders
    ]
    lines = [
        f"{row['folder']}  ({'version ' + row['installed'] if row['installed'] else 'not installed'})" for row in rows
    ]
    answer(as_json, {"folders": rows}, "\n".join(lines))


def _targets(into: Path | None) -> tuple[list[PluginFolder], bool]:
    """The plug-in folders to work on, and whether they are only where a future GIMP will look."""
    if into is not None:
        return [PluginFolder(into.absolute(), Packaging.CHOSEN, "")], False
    found = plugin_folders(Path.home(), os.environ, sys.platform)
    if found:
        return found, False
    return [default_folder(Path.home(), os.environ, sys.platform)], True
