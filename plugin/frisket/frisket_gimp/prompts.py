"""The prompts of earlier runs, newest first, as the plug-in keeps them. Pure: who calls reads and writes the file."""

from __future__ import annotations

from collections.abc import Mapping

FILE = "prompts"
KEPT = 30
FIELDS = ("prompt", "negative-prompt")
_REMEMBER = "remember"
_INSTRUCTIONS = ("instruct",)  # tasks whose prompt says what to change; the others say what is to be seen

History = Mapping[str, object]


def earlier(history: History, task: str, field: str) -> list[str]:
    """Of this field in actions of the same family, newest first; what is no list of texts is as good as none."""
    words = history.get(_key(task, field))
    return [text for text in words if isinstance(text, str)][:KEPT] if isinstance(words, list) else []


def with_run(history: History, task: str, settings: Mapping[str, object]) -> dict[str, object]:
    """The history after a run with these settings: its words come first, each only once, no more than KEPT."""
    new = dict(history)
    if not remembers(history):
        return new
    for field in FIELDS:
        text = str(settings.get(field, "")).strip()
        if text:
            older = [other for other in earlier(new, task, field) if other != text]
            new[_key(task, field)] = [text, *older][:KEPT]
    return new


def cleared(history: History, task: str, field: str) -> dict[str, object]:
    """Without those of this field and family."""
    return {key: words for key, words in history.items() if key != _key(task, field)}


def remembers(history: History) -> bool:
    """Whether it is to be added to."""
    return history.get(_REMEMBER) is not False


def remembering(history: History, wanted: bool) -> dict[str, object]:
    """The history, to be added to from now on or not."""
    return {**history, _REMEMBER: wanted}


def forgotten(history: History) -> dict[str, object]:
    """Without any words."""
    return {key: value for key, value in history.items() if key == _REMEMBER}


def _key(task: str, field: str) -> str:
    return f"{'instruction' if task in _INSTRUCTIONS else 'picture'} {field}"
