"""The user's language: gettext's rules over the `.po` files in `locale` beside this package; English where none fits.

The `.po` files are read as they are, so the plug-in holds no compiled file. They have neither contexts nor plurals.
"""

from __future__ import annotations

import ast
import gettext
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "locale"
VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")  # the first that is set decides, as in gettext


class Catalogue(gettext.NullTranslations):
    """The messages of one `.po` file. What is empty there, or marked fuzzy, stays English."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._texts = {english: text for english, text, fuzzy in entries(path.read_text("utf-8")) if text and not fuzzy}

    def gettext(self, message: str) -> str:
        return self._texts.get(message, message) if message else ""


def entries(po: str) -> Iterator[tuple[str, str, bool]]:
    """(msgid, msgstr, fuzzy) of each entry of a `.po` file's text; the header has the msgid ""."""
    english, text, fuzzy, where = "", None, False, "msgid"
    for line in [*po.splitlines(), 'msgid ""']:
        word, quote, rest = line.strip().partition('"')
        flagged = line.startswith("#,") and "fuzzy" in line
        if (flagged or word == "msgid ") and text is not None:
            yield english, text, fuzzy
            english, text, fuzzy = "", None, False
        fuzzy = fuzzy or flagged
        if line.startswith("#") or not quote:
            continue
        where = word.strip() or where
        piece = ast.literal_eval(quote + rest)
        if where == "msgid":
            english += piece
        else:
            text = (text or "") + piece


def chosen(environment: Mapping[str, str], folder: Path = FOLDER) -> gettext.NullTranslations:
    """The catalogue in `folder` of the first language wanted that has one; English's where that is wanted first."""
    wanted = next((environment[name] for name in VARIABLES if environment.get(name)), "")
    for language in wanted.split(":"):
        plain = language.partition(".")[0].partition("@")[0]
        for name in (plain, plain.partition("_")[0]):
            if name in ("en", "C", "POSIX"):
                return gettext.NullTranslations()
            path = folder / f"{name}.po"
            if name.replace("_", "").isalnum() and path.is_file():
                return Catalogue(path)
    return gettext.NullTranslations()


_found = chosen(os.environ)


def _(text: str) -> str:
    """The text in the user's language. Fields are filled in afterwards: `_("{n} px").format(n=3)`."""
    return _found.gettext(text)


def plain(label: str) -> str:
    """A label without its mnemonic and its dots. Where letters are not Latin, the mnemonic is in brackets: (_F)."""
    return re.sub(r"\(_\w\)|_|\.\.\.", "", label)


def words_of(error) -> tuple[str, str, str]:
    """(title, cause, remedy) of a FrisketError in the user's language; one of a newer server keeps its own words."""
    from frisket.errors import UnknownError  # found only once `vendor` is on the path

    if isinstance(error, UnknownError):
        return error.title, error.cause, error.remedy
    data = {name: _(value) for name, value in error.data.items()}  # some hold a sentence
    cause, remedy = (_(template).format(**data) for template in (error.cause_template, error.remedy_template))
    return _(error.title), cause, remedy
