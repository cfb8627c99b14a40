"""Styles: what they add, and their files."""

from __future__ import annotations

import json

import pytest
from frisket_gimp import styles
from frisket_gimp.styles import Style

from frisket.errors import ParameterOutOfRange, SettingsUnwritable

INK = Style("Ink", "{prompt}, ink", "colour", "brush", {"quality": 4, "paper": "a"})


@pytest.mark.parametrize(
    ("frame", "words", "made"),
    [
        ("{prompt}, ink", "a barn", "a barn, ink"),
        ("{prompt}, ink", "", "ink"),
        ("ink of {prompt}.", "a barn", "ink of a barn."),
        ("ink", "a barn", "a barn, ink"),
        ("{prompt}", "", ""),
        ("{prompt}, ink", "a {prompt}", "a {prompt}, ink"),
    ],
)
def test_words(frame, words, made):
    assert styles.applied(Style("s", frame), {"prompt": words})["prompt"] == made


def test_what_the_user_set_stays():
    given = {"prompt": "a", "negative-prompt": "people", "engine": "", "options": '{"paper": "b"}', "seed": 3}
    made = styles.applied(INK, given)
    assert made["negative-prompt"] == "people, colour"
    assert (made["engine"], json.loads(made["options"])) == ("brush", {"quality": 4, "paper": "b"})
    assert made["seed"] == 3
    other = styles.applied(INK, {**given, "engine": "patch"})
    assert (other["engine"], other["options"]) == ("patch", given["options"])
    assert given["prompt"] == "a"


def test_by_name(tmp_path):
    shipped = styles.known(tmp_path)
    assert len(shipped) >= 6
    assert styles.called("", shipped) is None
    found = styles.called(" watercolour", shipped)
    assert found is not None
    assert (found.name, found.own) == ("Watercolour", False)
    with pytest.raises(ParameterOutOfRange, match=r"'crayon'.*'Ink drawing'.*'Watercolour'"):
        styles.called("crayon", shipped)


def test_shipped_ones_suit_every_engine(tmp_path):
    for style in styles.known(tmp_path):
        assert styles.PLACE in style.prompt
        assert not style.negative_prompt, "an engine without use for it refuses"


def test_saved_and_deleted(tmp_path):
    folder = tmp_path / "styles"
    path = styles.save(INK, folder)
    styles.save(Style("Pixel art", "{prompt}, mine"), folder)
    found = styles.known(folder)
    ink = styles.called("INK", found)
    assert ink == Style("Ink", "{prompt}, ink", "colour", "brush", {"quality": 4, "paper": "a"}, path)
    mine = styles.called("pixel art", found)
    assert mine is not None
    assert (mine.prompt, mine.own) == ("{prompt}, mine", True)
    styles.delete(mine)
    again = styles.called("pixel art", styles.known(folder))
    assert again is not None
    assert not again.own
    styles.delete(again)
    assert again in styles.known(folder)


def test_names_that_differ_in_a_sign_only(tmp_path):
    names = ["My style", "my-style!", "my/style", "水彩", "油絵", "!", "?"]
    for name in names:
        styles.save(Style(name, "{prompt}, " + name), tmp_path)
    styles.save(Style("MY STYLE", "{prompt}, newer"), tmp_path)
    own = {style.name: style.prompt for style in styles.known(tmp_path) if style.own}
    assert own == {"MY STYLE": "{prompt}, newer", **{name: "{prompt}, " + name for name in names[1:]}}
    assert all(path.parent == tmp_path for path in tmp_path.rglob("*"))


def test_files_that_are_no_styles_are_passed_over(tmp_path):
    for name, text in {"a": "{", "b": "[]", "c": '{"name": ""}', "d": '{"name": "d", "prompt": 3}'}.items():
        (tmp_path / f"{name}.json").write_text(text)
    (tmp_path / "e.json").write_text('{"name": "e"}')
    assert [style.name for style in styles.known(tmp_path) if style.own] == ["e"]


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "styles").write_text("")
    with pytest.raises(SettingsUnwritable):
        styles.save(INK, tmp_path / "styles")


@pytest.mark.parametrize(
    ("words", "made"), [("ink", "{prompt}, ink"), ("a {prompt} b", "a {prompt} b"), (" ", "{prompt}")]
)
def test_template(words, made):
    assert styles.template(words) == made
