"""`frisket models`: what can be had, what is installed, and how one gets from the one to the other."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import click

from frisket.cli import models_remote as remote
from frisket.cli import models_words as words
from frisket.cli.speak import answer, json_option, spoken
from frisket.client import places
from frisket.errors import LicenceNotAccepted, ModelDamaged
from frisket.models import adopt, catalogue, pull
from frisket.models.catalogue import Entry, Licence, in_words
from frisket.models.families import Family
from frisket.models.folder import Folder, Report
from frisket.models.hub import hub_of
from frisket.models.record import Record

FAMILIES = [family.value for family in Family]
SERVER = "Work on another server's models: the line that it printed, or HOST:PORT of a tunnel (token in FRISKET_TOKEN)."
server_option = click.option("--server", metavar="LINE", envvar="FRISKET_SERVER", help=SERVER)


@click.group()
def models() -> None:
    """Models: list, pull, remove, verify, import. Works on this machine's folder; no server is needed.

    A server that runs on it notices what changes. With --server it is that server's folder, and the server fetches.

    \b
    Example:
      frisket models list
      frisket models pull sdxl-inpaint
    """


@models.command("list")
@server_option
@json_option
@spoken
def list_(server: str | None, as_json: bool) -> None:
    """List the models that are installed, and those of the catalogue that could be. Asks no network.

    \b
    Example:
      frisket models list
    """
    if server:
        with remote.models_of(server) as far:
            listed = far.catalogue()
        root, fields = listed.folder, [remote.fields_of(model) for model in listed.models]
    else:
        root, fields = str(_folder().root), _listed(_folder(), _catalogue())
    answer(as_json, {"folder": root, "models": fields}, "\n".join(map(words.line, fields)))


@models.command("pull")
@click.argument("model")
@click.option("-y", "--yes", is_flag=True, help="Accept the model's licence without being asked.")
@server_option
@json_option
@spoken
def pull_(model: str, yes: bool, server: str | None, as_json: bool) -> None:
    """Install MODEL of the catalogue, or bring it up to date. Goes on where an earlier pull stopped.

    \b
    Example:
      frisket models pull sdxl-inpaint
      HF_ENDPOINT=https://mirror.example.org frisket models pull sdxl-inpaint --yes
    """
    if server:
        _pull_there(server, model, yes, as_json)
        return
    folder, entry = _folder(), catalogue.find(_catalogue(), model)
    accepted = yes or _accepts(entry.id, entry.title, entry.licence, ask=not as_json)
    hub = hub_of(os.environ, places.home() / "hub.json")
    try:
        with _bar("Pulling", show=not as_json) as report:
            made = pull.pull(folder, entry, hub, accepted, report=report)
    except KeyboardInterrupt:
        click.echo("\nStopped. What has arrived is kept: run it again to go on.", err=True)
        raise
    text = f"{made.id} is installed: {in_words(made.size)} in {folder.path(made.id)} (commit {made.commit[:12]})"
    answer(as_json, words.of_record(made), text)


def _pull_there(server: str, model: str, yes: bool, as_json: bool) -> None:
    with remote.models_of(server) as far:
        listed = remote.found(far, model)
        if not (yes or listed.pulling):  # who pulls it has accepted
            yes = _accepts(model, listed.title, remote.licence_of(listed), ask=not as_json)
            if not yes:
                raise _unaccepted(model, remote.licence_of(listed))
        try:
            with _bar("Pulling", show=not as_json) as report:
                fields = remote.ended(far.pull(model, yes), report)
        except KeyboardInterrupt:
            click.echo(f"\nThe server goes on with it; `frisket models cancel {model}` ends it.", err=True)
            raise
    text = f"{model} is installed: {in_words(fields['size'])} on {server} (commit {fields['commit'][:12]})"
    answer(as_json, fields, text)


@models.command()
@click.argument("model")
@server_option
@json_option
@spoken
def cancel(model: str, server: str | None, as_json: bool) -> None:
    """End a server's pull of MODEL. What has arrived is kept. (One of this machine ends with Ctrl+C.)

    \b
    Example:
      frisket models cancel sdxl-inpaint --server 127.0.0.1:7411
    """
    if not server:
        raise click.UsageError("--server is missing: a pull of this machine ends with Ctrl+C")
    with remote.models_of(server) as far:
        stopped = far.cancel_pull(model)
    text = f"The pull of {model} ends" if stopped else f"{model} is not being pulled"
    answer(as_json, {"id": model, "stopped": stopped}, text)


@models.command()
@click.argument("model")
@server_option
@json_option
@spoken
def remove(model: str, server: str | None, as_json: bool) -> None:
    """Delete MODEL from this machine, and what has arrived of it.

    \b
    Example:
      frisket models remove sdxl-inpaint
    """
    if server:
        with remote.models_of(server) as far:
            freed = far.remove(model)
    else:
        freed = _folder().remove(model)
    answer(as_json, {"id": model, "freed": freed}, f"{model} is removed: {in_words(freed)} are free again")


@models.command()
@click.argument("model", required=False)
@server_option
@json_option
@spoken
def verify(model: str | None, server: str | None, as_json: bool) -> None:
    """Read every byte of MODEL (or of all) again and compare it with what was installed.

    \b
    Example:
      frisket models verify sdxl-inpaint
    """
    whole: dict[str, str] = {}
    if server:
        with remote.models_of(server) as far:
            for name in [model] if model else remote.on_disk(far):
                with _bar(f"Verifying {name}", show=not as_json) as report:
                    fields = remote.ended(far.verify(name), report)
                whole[name] = in_words(fields["size"])
    else:
        folder = _folder()
        for name in [model] if model else folder.ids():
            with _bar(f"Verifying {name}", show=not as_json) as report:
                record = folder.check(name, report)
            whole[name] = f"{len(record.files)} files, {in_words(record.size)}"
    lines = [f"{name} is whole: {what}" for name, what in whole.items()]
    answer(as_json, {"whole": list(whole)}, "\n".join(lines) or "No models are installed.")


@models.command("import")
@click.argument("source", metavar="DIR|FILE", type=click.Path(path_type=Path))
@click.option("--id", "model", default="", help="The name to give it; by default made of the file's.")
@click.option("--family", type=click.Choice(FAMILIES), metavar="NAME", help="What it is, where that cannot be told.")
@json_option
@spoken
def import_(source: Path, model: str, family: str | None, as_json: bool) -> None:
    """Copy a diffusers folder, a .safetensors file or a network (.pth, .onnx) in. Its header is checked; nothing runs.

    \b
    Example:
      frisket models import ~/Downloads/realistic.safetensors --id realistic
    """
    folder = _folder()
    with _bar("Importing", show=not as_json) as report:
        made = adopt.adopt(folder, source, model, Family(family) if family else None, report)
    text = f"{made.id} is installed as {made.family.value}: {in_words(made.size)} in {folder.path(made.id)}"
    answer(as_json, words.of_record(made), text)


def _folder() -> Folder:
    return Folder(places.home() / "models")


def _catalogue() -> Mapping[str, Entry]:
    return catalogue.load(places.home() / "catalogue")


def _listed(folder: Folder, entries: Mapping[str, Entry]) -> list[dict[str, object]]:
    installed = _records(folder)
    gone = sorted(name for name, record in installed.items() if record is None)
    return [
        *(words.of_record(record) for record in installed.values() if record),
        *({"id": name, "state": "damaged"} for name in gone),
        *(words.of_entry(entry) for entry in entries.values() if entry.id not in installed),
    ]


def _records(folder: Folder) -> dict[str, Record | None]:
    """The installed ones by id, None for one whose lock file cannot be read."""
    found: dict[str, Record | None] = {}
    for name in folder.ids():
        found[name] = None
        with contextlib.suppress(ModelDamaged):
            found[name] = folder.record(name)
    return found


def _accepts(model: str, title: str, licence: Licence, ask: bool) -> bool:
    """Whether the user accepts the licence. Raises LicenceNotAccepted where nobody can be asked."""
    if not ask or not sys.stdin.isatty():
        raise _unaccepted(model, licence)
    click.echo(f"{title} comes under {licence.name}: {licence.link}", err=True)
    click.echo(f"Commercial use: {licence.commercial.value}.", err=True)
    return click.confirm("Do you accept it?", err=True)


def _unaccepted(model: str, licence: Licence) -> LicenceNotAccepted:
    return LicenceNotAccepted(model=model, licence=licence.name, link=licence.link, commercial=licence.commercial.value)


@contextlib.contextmanager
def _bar(label: str, show: bool) -> Iterator[Report]:
    """A bar on standard error that counts bytes."""
    where = sys.stderr if show else io.StringIO()
    told: Callable[[str | None], str | None] = lambda what: what  # noqa: E731
    with click.progressbar(length=1, label=label, show_eta=True, file=where, item_show_func=told) as bar:

        def report(done: int, total: int, what: str, /) -> None:
            bar.length = max(total, 1)
            bar.update(done - bar.pos, f"{in_words(done)} of {in_words(total)}")

        yield report
