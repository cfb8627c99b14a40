"""What the plug-in shows goes through `_`: no literal is put into a widget as it is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

PLUGIN = Path(__file__).parents[2] / "plugin" / "frisket"
SHOWN = {"label", "title", "tooltip_text", "text", "placeholder_text"}  # keywords of widgets whose value is read
SETTERS = {"set_text", "set_label", "set_title", "set_tooltip_text", "set_placeholder_text", "message", "add_button"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PLUGIN.rglob("*.py")):
        yield path.name, ast.parse(path.read_text("utf-8"))


def text_of(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def is_translation(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_"


def test_nothing_is_shown_that_is_not_marked():
    found = []
    for name, tree in trees():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            plain = [word.value for word in node.keywords if word.arg in SHOWN]
            plain += node.args[:1] if called in SETTERS else []
            for value in plain:
                text = text_of(value)
                joined = isinstance(value, ast.JoinedStr) and any(
                    re.search("[A-Za-z]{2}", text_of(part) or "") for part in value.values
                )
                if joined or (text and re.search("[A-Za-z]{2}", text)):
                    found.append(f"{name}:{value.lineno} {ast.unparse(value)}")
    assert found == []


def test_no_function_calls_a_name_that_it_throws_things_into():
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.Lambda)):
                inside = list(ast.walk(node))
                thrown = any(isinstance(x, ast.Name) and x.id == "_" and isinstance(x.ctx, ast.Store) for x in inside)
                assert not (thrown and any(map(is_translation, inside))), f"{name}:{node.lineno}"
