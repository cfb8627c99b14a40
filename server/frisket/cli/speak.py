"""How the command line speaks: results, errors and progress, for people and (`--json`) for programs."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import click

from frisket.cli.exits import EXIT
from frisket.errors import Cancelled, FrisketError

json_option = click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object on standard output.")


def answer(as_json: bool, fields: dict[str, Any], text: str) -> None:
    """Print `fields` as JSON, or `text`."""
    click.echo(json.dumps(fields, sort_keys=True) if as_json else text)


def complain(error: FrisketError, as_json: bool) -> NoReturn:
    """Title, cause and remedy on standard error (JSON on standard output), then exit by kind."""
    if as_json:
        fields = {
            "error": error.slug,
            "kind": error.kind.value,
            "title": error.title,
            "cause": error.cause,
            "remedy": error.remedy,
            "data": error.data,
        }
        click.echo(json.dumps(fields, sort_keys=True))
    else:
        click.secho(error.title, fg="red", bold=True, err=True)
        click.echo(f"  {error.cause}\n  {error.remedy}", err=True)
    sys.exit(EXIT[error.kind])


def spoken(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command: FrisketErrors and Ctrl+C end it with words and an exit code, not with a traceback."""

    @functools.wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        as_json = bool(kwargs.get("as_json"))
        try:
            return command(*args, **kwargs)
        except FrisketError as error:
            complain(error, as_json)
        except KeyboardInterrupt:
            complain(Cancelled(), as_json)

    return run
