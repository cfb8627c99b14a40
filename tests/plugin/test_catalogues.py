"""Each `.po` file of the plug-in says all that a user can read: no string is missing, no field or mnemonic is lost."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from frisket_gimp import actions
from frisket_gimp.languages import FOLDER, entries

from frisket.errors import FrisketError

SOURCES = sorted(path for path in FOLDER.parent.rglob("*.py") if "vendor" not in path.parts)
TABLES = ("STATES",)  # of literals that are translated where they are shown; actions and errors are read as they are


def marked(path: Path) -> Iterator[str]:
    """The literals in `_(...)` and in the tables."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_":
            yield from (str(a.value) for a in node.args if isinstance(a, ast.Constant))
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in TABLES:
            assert isinstance(node.value, ast.Dict), path
            yield from (str(v.value) for v in node.value.values if isinstance(v, ast.Constant))


def msgids() -> set[str]:
    """All that is translated, in English."""
    texts = {text for path in SOURCES for text in marked(path)}
    for entry in (*actions.ACTIONS, *actions.COMMANDS):
        texts |= {entry.label, entry.blurb, entry.help, getattr(entry, "button", ""), getattr(entry, "words", "")}
        for argument in entry.arguments:
            texts |= {argument.label, argument.about, *(label for _, label in argument.choices)}
    for error in (FrisketError, *FrisketError.registry.values()):
        if error.__module__ == FrisketError.__module__:  # not those that tests make
            texts |= {error.title, error.cause_template, error.remedy_template}
            texts |= {str(text) for name, text in vars(error).items() if name.isupper()}  # what goes into a field
    return texts - {""}


def fields(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


def mnemonics(text: str) -> int:
    """How many letters come after an underscore, as a menu has them; not those of NAMES_LIKE_THIS. Which letter it is
    is the language's own affair."""
    return 0 if re.search(r"[A-Z]_[A-Z]{2}|total_bytes", text) else len(re.findall(r"_\w", text))


def edges(text: str) -> tuple[str, str, int]:
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :], text.count("\n")


def faults(english: set[str], read: list[tuple[str, str, bool]]) -> list[tuple[str, str]]:
    """(what, msgid) of all that is wrong with what was read of a `.po` file."""
    found = [("missing", e) for e in english - {e for e, text, fuzzy in read if text and not fuzzy}]
    for e, text, _ in read:
        if e and e not in english:
            found.append(("not in use", e))
        if e and text:
            same = (("fields", fields), ("mnemonic", mnemonics), ("edges", edges))
            found += [(what, e) for what, of in same if of(e) != of(text)]
    return sorted(found)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.po")), ids=lambda path: path.name)
def test_nothing_is_missing_or_lost(path):
    read = list(entries(path.read_text("utf-8")))
    assert len(read) == len({e for e, _, _ in read}), "an entry is there twice"
    assert faults(msgids(), read) == []


def test_the_strings_are_found():
    texts = msgids()
    assert {"_Fill Selection...", "Nothing is selected", "about {n} min", "waiting", "In the middle"} <= texts
    assert len(texts) > 400
    assert (FOLDER / "ja.po").is_file()


def test_each_fault_is_found():
    english = {"_Fill", "{n} px", "Layer", "Seed", "Size\n"}
    read = [
        ("_Fill", "塗りつぶす", False),
        ("{n} px", "{m} px", False),
        ("Layer", "レイヤー", True),
        ("Seed", "", False),
        ("Size\n", "大きさ", False),
        ("Old", "古い", False),
    ]
    assert faults(english, read) == [
        ("edges", "Size\n"),
        ("fields", "{n} px"),
        ("missing", "Layer"),
        ("missing", "Seed"),
        ("mnemonic", "_Fill"),
        ("not in use", "Old"),
    ]
