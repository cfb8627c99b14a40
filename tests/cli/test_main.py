"""The group of commands: all are there, explain themselves with an example, and are misused with words."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

import frisket
from frisket.cli.main import COMMANDS, SUMMARIES, main


@pytest.mark.parametrize(
    "name",
    [None, *COMMANDS]
    + [f"jobs {verb}" for verb in ("watch", "cancel", "result", "show")]
    + [f"models {verb}" for verb in ("list", "pull", "remove", "verify", "import")],
)
def test_every_command_has_help_with_an_example(name: str | None) -> None:
    words = [*(name.split() if name else []), "--help"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "Example:" in done.output
    assert f"frisket {name or ''}".rstrip() in done.output.split("Example:")[1]


def test_every_command_has_a_summary() -> None:
    assert set(COMMANDS) == set(SUMMARIES)
    listed = CliRunner().invoke(main, ["-h"]).output
    assert all(f"  {name} " in listed for name in COMMANDS)


def test_the_version() -> None:
    assert CliRunner().invoke(main, ["--version"]).output == f"frisket, version {frisket.__version__}\n"


def test_misuse_is_2() -> None:
    for words in (["nonesuch"], ["inpaint"], ["inpaint", "a.png", "-o", "b.png", "--count", "17"]):
        done = CliRunner().invoke(main, words)
        assert done.exit_code == 2
        assert "Usage:" in done.output
