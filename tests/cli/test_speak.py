"""Words for people, JSON for programs, an exit code for scripts."""

from __future__ import annotations

import json

import click
import pytest
from click.testing import CliRunner

from frisket.cli.exits import EXIT
from frisket.cli.speak import answer, json_option, spoken
from frisket.errors import FrisketError, JobUnknown, Kind, MaskEmpty, UnknownError


def saying(what: BaseException | None) -> click.Command:
    """A command that ends as `what` says."""

    @click.command()
    @json_option
    @spoken
    def command(as_json: bool) -> None:
        if what is not None:
            raise what
        answer(as_json, {"b": 1, "a": "ü"}, "two things")

    return command


def test_an_answer_is_text_or_one_json_object() -> None:
    plain, spoken_to = (CliRunner().invoke(saying(None), words) for words in ([], ["--json"]))
    assert (plain.stdout, plain.exit_code) == ("two things\n", 0)
    assert spoken_to.stdout.count("\n") == 1
    assert json.loads(spoken_to.stdout) == {"a": "ü", "b": 1}


def test_a_complaint_goes_to_standard_error() -> None:
    error = MaskEmpty(width=3, height=4)
    done = CliRunner().invoke(saying(error), [])
    assert done.stdout == ""
    assert done.stderr == f"{error.title}\n  {error.cause}\n  {error.remedy}\n"
    assert done.exit_code == 3


def test_a_complaint_to_a_program_holds_all_of_it() -> None:
    error = JobUnknown(job="j-1")
    done = CliRunner().invoke(saying(error), ["--json"])
    told = json.loads(done.stdout)
    assert (told["error"], told["kind"], told["data"]) == ("job-unknown", "missing", {"job": "j-1"})
    assert [told["title"], told["cause"], told["remedy"]] == [error.title, error.cause, error.remedy]
    assert done.stderr == ""


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_its_own_exit_code(kind: Kind) -> None:
    """Of a newer server's error too. 0 to 2 mean other things."""
    error = UnknownError("moon-full", kind, "Full moon", "It shines.", "Wait.", {})
    assert CliRunner().invoke(saying(error), []).exit_code == EXIT[kind]
    assert EXIT[kind] > 2
    assert len(set(EXIT.values())) == len(Kind)


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_ctrl_c_is_a_cancel_and_no_traceback(words: list[str]) -> None:
    done = CliRunner().invoke(saying(KeyboardInterrupt()), words)
    assert done.exit_code == EXIT[Kind.CANCELLED]
    assert FrisketError.registry["cancelled"].title in done.output
    assert "Traceback" not in done.output


def test_a_bug_is_not_dressed_up() -> None:
    done = CliRunner().invoke(saying(ZeroDivisionError()), [])
    assert isinstance(done.exception, ZeroDivisionError)
