"""docs/add-a-task.md: what it prints is put into a copy of the repository, and the task goes from submit to result."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from live import ROOT

PAGE = ROOT / "docs" / "add-a-task.md"
BLOCK = re.compile(
    r"^<!-- (?P<kind>new|change): (?P<path>\S+) -->\n```\w+\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE
)
PRICE = re.compile(r"(?<=<!-- price -->\n).*(?=<!-- end of price -->)", re.DOTALL)


def blocks() -> list[tuple[str, str, str]]:
    return [(found["kind"], found["path"], found["text"]) for found in BLOCK.finditer(PAGE.read_text())]


def changed(text: str, diff: str) -> str:
    """`text` with each piece of `diff`, set apart by @@, put into it where its old lines are."""
    for piece in re.split(r"^@@\n", diff, flags=re.MULTILINE):
        lines = piece.splitlines(keepends=True)
        old = "".join(line[1:] for line in lines if line[0] in " -")
        assert text.count(old) == 1, f"stands {text.count(old)} times: {old}"
        text = text.replace(old, "".join(line[1:] for line in lines if line[0] in " +"))
    return text


def price() -> str:
    """In words: files and lines that are new, besides tests."""
    counts: dict[str, int] = {}
    for kind, path, text in blocks():
        if not path.startswith("tests/"):
            lines = [line for line in text.splitlines() if kind == "new" or line.startswith("+")]
            counts[path] = counts.get(path, 0) + len(lines)
    own = [path for kind, path, _ in blocks() if kind == "new" and path in counts]
    rest, lines = len(counts) - len(own), sum(counts.values())
    beside = lines - sum(counts[path] for path in own)
    return f"{len(own)} new files and {beside} lines in {rest} others: {lines} lines in all.\n"


def test_every_piece_has_its_place_and_the_price_is_as_it_says() -> None:
    for kind, path, text in blocks():
        if kind == "change":
            assert changed((ROOT / path).read_text(), text)
        else:
            assert not (ROOT / path).exists()
    (told,) = PRICE.findall(PAGE.read_text())
    assert told == price()


def test_a_piece_without_its_place_is_seen() -> None:
    with pytest.raises(AssertionError, match="stands 0 times"):
        changed("a\nb\n", " a\n+c\n d\n")
    assert changed("a\nb\n", " a\n+c\n@@\n-b\n+d\n") == "a\nc\nd\n"


@pytest.mark.slow
def test_it_goes_from_submit_to_result(tmp_path: Path) -> None:
    left_out = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("server", "protos"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=left_out)
    for name in ("conftest.py", "live.py", "fakes"):
        source, target = ROOT / "tests" / name, tmp_path / "tests" / name
        target.parent.mkdir(exist_ok=True)
        shutil.copytree(source, target, ignore=left_out) if source.is_dir() else shutil.copyfile(source, target)
    for kind, path, text in blocks():
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text if kind == "new" else changed(target.read_text(), text))
    env = os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "server"), str(tmp_path / "tests")])}
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/edits/test_colorize.py"]
    for words in (["protos/generate.py"], tests):
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, env=env, capture_output=True, text=True)
        assert not done.returncode, done.stdout + done.stderr
    assert "2 passed" in done.stdout
