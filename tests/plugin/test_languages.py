"""Which language the plug-in speaks, what it reads of a `.po` file, and an error's words in that language."""

import pytest
from frisket_gimp import languages
from frisket_gimp.languages import Catalogue, chosen, entries, plain, words_of

from frisket.errors import Kind, MaskEmpty, UnknownError

GERMAN = r"""# A glossary.
msgid ""
msgstr ""
"Language: de\n"

#: dialog.py
msgid "_Fill"
msgstr "_Füllen"

msgid "one\n"
"two \"three\""
msgstr ""
"eins\n"
"zwei \"drei\""

#, fuzzy
msgid "Layer"
msgstr "Lage"

msgid "Seed"
msgstr ""

msgid "Nothing is selected"
msgstr "Nichts ist ausgewählt"

msgid "No pixel of the {width} x {height} picture is selected."
msgstr "Vom Bild ({width} x {height}) ist kein Pixel ausgewählt."
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "de.po").write_text(GERMAN, "utf-8")
    return tmp_path


def test_a_po_file_is_read_as_it_is(folder):
    read = list(entries(GERMAN))
    assert read[0] == ("", "Language: de\n", False)
    assert read[1:4] == [
        ("_Fill", "_Füllen", False),
        ('one\ntwo "three"', 'eins\nzwei "drei"', False),
        ("Layer", "Lage", True),
    ]
    german = Catalogue(folder / "de.po").gettext
    assert german("_Fill") == "_Füllen"
    assert german("Layer") == "Layer", "fuzzy"
    assert (german("Seed"), german("not there"), german("")) == ("Seed", "not there", "")


@pytest.mark.parametrize(
    ("environment", "word"),
    [
        ({"LANG": "de_AT.UTF-8"}, "_Füllen"),
        ({"LANGUAGE": "fr:de", "LANG": "en_US.UTF-8"}, "_Füllen"),
        ({"LANGUAGE": "en:de"}, "_Fill"),
        ({"LANGUAGE": "", "LC_ALL": "C.UTF-8", "LANG": "de_DE"}, "_Fill"),
        ({"LANG": "../de"}, "_Fill"),
        ({}, "_Fill"),
    ],
)
def test_the_first_variable_that_is_set_decides(environment, word, folder):
    assert chosen(environment, folder).gettext("_Fill") == word


def test_errors_words_are_translated_but_a_newer_servers_kept(folder, monkeypatch):
    monkeypatch.setattr(languages, "_found", chosen({"LANG": "de"}, folder))
    title, cause, remedy = words_of(MaskEmpty(width=7, height=5))
    assert title == "Nichts ist ausgewählt"
    assert cause == "Vom Bild (7 x 5) ist kein Pixel ausgewählt."
    assert remedy == MaskEmpty.remedy_template, "not in this catalogue"
    newer = UnknownError("new", Kind.INTERNAL, "Nothing is selected", "c {x}", "r", {})
    assert words_of(newer) == ("Nothing is selected", "c {x}", "r")


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("E_xpand Canvas...", "Expand Canvas"),
        ("キャンバスを広げる(_X)...", "キャンバスを広げる"),
        ("プロンプト (空欄: 続き)(_P)", "プロンプト (空欄: 続き)"),
    ],
)
def test_a_label_without_its_mnemonic(label, words):
    assert plain(label) == words
