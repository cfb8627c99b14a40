"""The properties that docs/gimp.md names for scripts are those there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from frisket_gimp.actions import ACTIONS

DOCS = Path(__file__).parents[2] / "docs" / "gimp.md"


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_every_property_is_named(action):
    row = re.search(rf"^\| `{action.name}` \| (.*) \|$", DOCS.read_text("utf-8"), re.MULTILINE)
    assert row, "it has no line in the table"
    assert set(re.findall("`([^`]+)`", row[1])) == {*action.main, *action.folded}
