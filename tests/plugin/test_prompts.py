"""The history of prompts."""

from __future__ import annotations

from frisket_gimp import prompts


def history(task: str, *words: str) -> dict:
    found: dict = {}
    for text in words:
        found = prompts.with_run(found, task, {"prompt": text})
    return found


def test_newest_first_and_each_once():
    found = history("inpaint", "a barn", " a moon ", "", "a barn")
    assert prompts.earlier(found, "inpaint", "prompt") == ["a barn", "a moon"]
    assert prompts.earlier(found, "inpaint", "negative-prompt") == []


def test_only_the_last_thirty_are_kept():
    found = history("outpaint", *(str(number) for number in range(40)))
    assert prompts.earlier(found, "outpaint", "prompt") == [str(number) for number in range(39, 9, -1)]


def test_instructions_are_a_family_of_their_own():
    found = prompts.with_run(history("inpaint", "a barn"), "instruct", {"prompt": "make it winter"})
    assert prompts.earlier(found, "instruct", "prompt") == ["make it winter"]
    assert prompts.earlier(found, "text-to-layer", "prompt") == ["a barn"]
    left = prompts.cleared(found, "variation", "prompt")
    assert prompts.earlier(left, "inpaint", "prompt") == []
    assert prompts.earlier(left, "instruct", "prompt") == ["make it winter"]


def test_what_to_avoid_is_kept_apart():
    found = prompts.with_run({}, "inpaint", {"prompt": "a barn", "negative-prompt": "people"})
    assert prompts.earlier(found, "inpaint", "negative-prompt") == ["people"]
    assert prompts.earlier(found, "inpaint", "prompt") == ["a barn"]


def test_a_damaged_file_is_as_good_as_none():
    assert prompts.earlier({"picture prompt": 3}, "inpaint", "prompt") == []
    assert prompts.earlier({"picture prompt": ["a", 4, None]}, "inpaint", "prompt") == ["a"]


def test_they_are_not_remembered_where_that_is_not_wanted():
    history = prompts.with_run({}, "inpaint", {"prompt": "a lake"})
    silent = prompts.remembering(history, False)
    assert not prompts.remembers(silent)
    assert prompts.with_run(silent, "inpaint", {"prompt": "a sea"}) == silent
    assert prompts.earlier(silent, "inpaint", "prompt") == ["a lake"]
    again = prompts.with_run(prompts.remembering(silent, True), "inpaint", {"prompt": "a sea"})
    assert prompts.earlier(again, "inpaint", "prompt") == ["a sea", "a lake"]


def test_they_are_forgotten_and_the_wish_is_kept():
    history = prompts.remembering(prompts.with_run({}, "instruct", {"prompt": "winter"}), False)
    left = prompts.forgotten(history)
    assert prompts.earlier(left, "instruct", "prompt") == []
    assert not prompts.remembers(left)
