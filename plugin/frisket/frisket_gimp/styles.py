"""Styles: words around the user's own, and an engine, by a name. Each is a JSON file.

    {"name": "Watercolour", "prompt": "{prompt}, watercolour painting", "negative_prompt": "", "engine": "",
     "options": {}}

Only the name is needed. `{prompt}` stands for what the user wrote.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from frisket.errors import ParameterOutOfRange, SettingsUnwritable
from frisket_gimp.languages import _

SHIPPED = Path(__file__).parents[1] / "styles"
PLACE = "{prompt}"


@dataclass(frozen=True)
class Style:
    """options: the engine's own parameters. file: where it was read."""

    name: str
    prompt: str = PLACE
    negative_prompt: str = ""
    engine: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    file: Path | None = None

    @property
    def own(self) -> bool:
        """The user's, not shipped."""
        return self.file is not None and self.file.parent != SHIPPED


def known(own: Path) -> list[Style]:
    """The shipped ones and the user's in the folder `own`, by name; an own one hides a shipped one of its name."""
    found: dict[str, Style] = {}
    for folder in (SHIPPED, own):
        for path in sorted(folder.glob("*.json")):
            style = _read(path)
            if style:
                found[style.name.casefold()] = style
    return [found[name] for name in sorted(found)]


def called(name: str, styles: Iterable[Style]) -> Style | None:
    """None for no name. Upper and lower case are the same. Raises ParameterOutOfRange for an unknown one."""
    wanted = name.strip().casefold()
    if not wanted:
        return None
    styles = list(styles)
    for style in styles:
        if style.name.casefold() == wanted:
            return style
    names = ", ".join(f"'{style.name}'" for style in styles)
    raise ParameterOutOfRange(name="style", value=f"'{name}'", wanted=_("empty or one of {names}").format(names=names))


def applied(style: Style, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with the style's part in them. An engine that the user chose stays, and then the style's options are
    not used; an option that the user set stays."""
    values = dict(settings)
    words = str(values.get("prompt", "")).strip()
    values["prompt"] = _around(style, words)
    avoid = (str(values.get("negative-prompt", "")).strip(), style.negative_prompt.strip())
    values["negative-prompt"] = ", ".join(text for text in avoid if text)
    chosen = str(values.get("engine", "")).strip()
    if not chosen or chosen == style.engine:
        values["engine"] = style.engine
        values["options"] = _merged(style.options, str(values.get("options", "")))
    return values


def summary(style: Style) -> str:
    """What it adds, in a line."""
    parts = [style.prompt, f"- {style.negative_prompt}" if style.negative_prompt else "", style.engine]
    return "  ".join(part for part in parts if part)


def template(words: str) -> str:
    """A prompt as the template of a style: with a place for the words of the next one."""
    words = words.strip()
    if PLACE in words:
        return words
    return f"{PLACE}, {words}" if words else PLACE


def save(style: Style, folder: Path) -> Path:
    """Write it as one of the user's own; one of the same name is replaced. Raises SettingsUnwritable."""
    target = _file_for(style.name, folder)
    told = {key: value for key, value in asdict(style).items() if value and key != "file"}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = target.with_suffix(".tmp")
        fresh.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(fresh, target)
    except OSError as error:
        raise SettingsUnwritable(path=target, reason=error.strerror or error) from error
    return target


def delete(style: Style) -> None:
    """One of the user's own. Raises SettingsUnwritable."""
    if style.own and style.file:
        try:
            style.file.unlink(missing_ok=True)
        except OSError as error:
            raise SettingsUnwritable(path=style.file, reason=error.strerror or error) from error


def _file_for(name: str, folder: Path) -> Path:
    """That of the user's style of this name, or one that is not there yet."""
    for path in sorted(folder.glob("*.json")):
        known_one = _read(path)
        if known_one and known_one.name.casefold() == name.casefold():
            return path
    stem = "".join(c if c.isalnum() else "-" for c in name.casefold()).strip("-") or "style"
    numbers = ("", *(f"-{number}" for number in range(2, 1000)))
    return next(path for number in numbers if not (path := folder / f"{stem}{number}.json").exists())


def _around(style: Style, words: str) -> str:
    frame = style.prompt if PLACE in style.prompt else f"{PLACE}, {style.prompt}"
    text = frame.replace(PLACE, words)
    return text if words else text.strip(" ,.;:\n")


def _merged(options: Mapping[str, object], text: str) -> str:
    """JSON of both; what is no JSON object is left for the request to refuse."""
    try:
        own = json.loads(text) if text.strip() else {}
    except ValueError:
        return text
    if not isinstance(own, dict):
        return text
    both = {**options, **own}
    return json.dumps(both, sort_keys=True) if both else ""


def _read(path: Path) -> Style | None:
    """None for what is no style."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(told, dict):
        return None
    texts = {key: told.get(key, "") for key in ("name", "prompt", "negative_prompt", "engine")}
    options = told.get("options", {})
    if not all(isinstance(text, str) for text in texts.values()) or not isinstance(options, dict):
        return None
    if not texts["name"].strip():
        return None
    return Style(**{**texts, "prompt": texts["prompt"] or PLACE}, options=options, file=path)
