"""docs/gimp.md says of faults what the errors say."""

from __future__ import annotations

from pathlib import Path

from frisket.errors import FrisketError

DOCS = Path(__file__).parents[2] / "docs"
OF_THE_PLUGIN = "Something unexpected happened in the plug-in"


def test_the_titles_of_what_breaks_are_those_of_the_errors() -> None:
    text = (DOCS / "gimp.md").read_text().partition("and when something breaks")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("| ")]
    assert {len(row) for row in rows} == {4}
    titles = [row[1].strip() for row in rows[1:]]
    known = {error.title for error in FrisketError.registry.values()} | {OF_THE_PLUGIN}
    assert len(titles) > 15
    assert [title for title in titles if title not in known and not title.startswith("none")] == []
