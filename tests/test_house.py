"""The house keeps its shape: imports run downhill, modules stay small, tests mirror the tree, light stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "server" / "frisket"
WALL = 400  # lines
TESTS = ROOT / "tests"
LISTS = {"errors.py"}  # one class for each error: a list, not a second idea

DOWNHILL = ["errors", "raster", "models", "engines", "edits", "jobs", "workers", "rpc"]
# Tables and protocols: nothing runs in them. What is said there is tested with those who use it.
NO_MIRROR = {
    "cli.exits": "cli/test_speak.py goes through the table",
    "client.transport": "client/test_grpc_transport.py and client/test_h2_transport.py keep its promises",
    "edits.easel": "edits/test_run.py and workers/test_child.py keep its promises",
}
# Beside the chain: what each of these may import besides itself and errors.
BESIDE = {
    "client": {"raster.geometry", "raster.formats", "engines.spec", "edits.requests", "edits.results", "rpc.convert",
               "rpc.stubs"},
    "cli": {"client", "raster", "models", "engines.spec", "edits.requests", "edits.results", "rpc.convert",
            "rpc.stubs"},
}  # fmt: skip
# The one way back up the design allows: rpc writes the note that clients read; `cli serve` starts rpc by a late import.
ALSO = {"rpc": {"client.places"}}
LATE = {
    ("cli.serve", "engines.diffusion.speed"),
    ("cli.serve", "rpc.certificate"),
    ("cli.serve", "rpc.config"),
    ("cli.serve", "rpc.limits"),
    ("cli.serve", "rpc.serve"),
}


def modules() -> list[Path]:
    return [p for p in sorted(PACKAGE.rglob("*.py")) if "stubs" not in p.parts and "_vendor" not in p.parts]


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(p for p in parts if p != "__init__")


def imports(path: Path) -> list[tuple[str, bool]]:
    """Names below `frisket` that a module imports, and whether inside a function."""
    tree = ast.parse(path.read_text())
    late = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef | ast.AsyncFunctionDef) for n in ast.walk(f)}
    found = []
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            deeper = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [d if _is_module(d) else node.module for d in deeper]
        found += [(n[8:], id(node) in late) for n in names if n.startswith("frisket.")]
    return found


def _is_module(dotted: str) -> bool:
    base = PACKAGE.parent / Path(*dotted.split("."))
    return base.with_suffix(".py").exists() or (base / "__init__.py").exists()


def allowed(room: str, target: str) -> bool:
    other = target.split(".")[0]
    if other in (room, "errors"):
        return True
    listed = BESIDE.get(room, set()) | ALSO.get(room, set())
    if any(target == entry or target.startswith(entry + ".") for entry in listed):
        return True
    return room in DOWNHILL and other in DOWNHILL and DOWNHILL.index(other) < DOWNHILL.index(room)


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_run_downhill(path: Path) -> None:
    room = name_of(path).split(".")[0]
    wrong = [
        target
        for target, late in imports(path)
        if not allowed(room, target) and not (late and (name_of(path), target) in LATE)
    ]
    assert not wrong, f"{name_of(path)} imports uphill: {wrong}"


def test_the_direction_test_can_fail() -> None:
    assert not allowed("raster", "engines.spec")
    assert not allowed("client", "jobs.store")
    assert not allowed("jobs", "workers.slot")
    assert allowed("workers", "jobs.runner")


@pytest.mark.parametrize("path", [p for p in modules() if p.name not in LISTS], ids=name_of)
def test_modules_stay_below_the_wall(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= WALL, f"{path.name} has {lines} lines: look for the second idea in it"


def test_no_drawer_for_odds_and_ends() -> None:
    banned = {"utils", "util", "common", "helpers", "helper", "misc", "types", "manager"}
    assert not [p for p in modules() if p.stem in banned or p.parent.name in banned]


def test_every_module_says_what_it_is() -> None:
    silent = [name_of(p) for p in modules() if not ast.get_docstring(ast.parse(p.read_text()))]
    assert not silent


def mirror_of(dotted: str) -> Path:
    """raster.masks -> tests/raster/test_masks.py"""
    *rooms, stem = dotted.split(".")
    return TESTS.joinpath(*rooms, f"test_{stem}.py")


@pytest.mark.parametrize("dotted", [name_of(p) for p in modules() if p.name != "__init__.py"])
def test_every_module_has_its_mirror(dotted: str) -> None:
    where = mirror_of(dotted)
    if dotted in NO_MIRROR:
        assert not where.exists(), f"{dotted} has a mirror: take it off the list"
    else:
        assert where.exists(), f"{dotted} has no {where.relative_to(ROOT)}"
        assert "def test_" in where.read_text(), f"{where.relative_to(ROOT)} tests nothing"


def test_the_list_of_those_without_a_mirror_is_true() -> None:
    names = {name_of(p) for p in modules()}
    assert set(NO_MIRROR) <= names
    for reason in NO_MIRROR.values():
        named = [word for word in reason.split() if word.endswith(".py")]
        assert named, f"{reason!r} names no test"
        assert all((TESTS / name).exists() for name in named)


def test_the_mirror_test_can_fail() -> None:
    assert mirror_of("errors") == TESTS / "test_errors.py"
    assert mirror_of("engines.patch.match") == TESTS / "engines" / "patch" / "test_match.py"
    assert not mirror_of("raster.nonesuch").exists()


def loaded_by(code: str) -> set[str]:
    """Top-level modules in a fresh interpreter after running `code`."""
    probe = f"{code}\nimport sys; print(' '.join(sorted({{m.split('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("code", "banned"),
    [
        ("import frisket.rpc", {"torch", "numba", "numpy", "cv2"}),
        ("import frisket.rpc.serve", {"torch", "numba"}),
        ("import frisket.cli.main", {"torch", "numba", "numpy", "cv2", "grpc"}),
        ("import frisket.edits.requests, frisket.rpc.convert", {"torch", "numba", "numpy", "cv2", "grpc"}),
        ("import frisket.client.client", {"torch", "numba", "numpy", "cv2", "grpc"}),
        ("import frisket.client.h2_transport", {"torch", "numba", "numpy", "cv2", "grpc"}),
        ("import frisket.cli.models", {"torch", "numba", "numpy", "cv2", "grpc"}),
        ("import frisket.engines.patch.engine", {"torch", "numba", "numpy", "cv2"}),
    ],
)
def test_light_imports_stay_light(code: str, banned: set[str]) -> None:
    assert not loaded_by(code) & banned


def test_help_loads_nothing_heavy() -> None:
    code = "from click.testing import CliRunner; from frisket.cli.main import main\n"
    code += "assert CliRunner().invoke(main, ['--help']).exit_code == 0"
    assert not loaded_by(code) & {"torch", "numba", "numpy", "cv2", "grpc"}
