"""The checked-in stubs are what the protos say."""

from __future__ import annotations

import importlib.util
import itertools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_regenerating_changes_nothing(tmp_path: Path) -> None:
    pytest.importorskip("grpc_tools")
    spec = importlib.util.spec_from_file_location("generate", ROOT / "protos" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fresh = {p.name: p.read_text() for p in module.generate(tmp_path)}
    kept = {p.name: p.read_text() for p in module.STUBS.iterdir() if p.suffix in (".py", ".pyi")}
    assert fresh == kept


FIELD = re.compile(r"^\s+(?!\s|rpc|option |package|[A-Z_0-9]+ = )[\w.<>, ]+ \w+ = \d+;(?P<comment>\s*//)?")


def test_every_field_is_explained() -> None:
    bare = []
    for proto in sorted((ROOT / "protos" / "frisket" / "v1").glob("*.proto")):
        lines = proto.read_text().splitlines()
        assert lines[0].startswith("//"), f"{proto.name} does not say what it is"
        for above, line in itertools.pairwise(lines):
            found = FIELD.match(line)
            if found and not found["comment"] and not above.strip().startswith("//"):
                bare.append(f"{proto.name}: {line.strip()}")
    assert not bare
