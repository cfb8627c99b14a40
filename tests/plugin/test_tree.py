"""The folder that GIMP gets: text alone, nothing missing in it, and no surprise in any Python that a GIMP brings."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from frisket.cli.plugin_bundle import SHIPPED, pack, plugin_sources

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")
OLDEST = (3, 10)  # that the actions run on; an older one reads the menu's files and says so
GRAMMAR = (3, 9)
# What the plug-in does without. Module below the folder -> what it looks for.
OPTIONAL = {
    ("vendor.frisket.engines.spec", "numpy"): "for the type checker alone",
    ("vendor.hpack.struct", "typing_extensions"): "for the type checker alone",
    ("vendor.google.protobuf.internal.api_implementation", "google._upb"): "the compiled one, which does not travel",
    ("vendor.google.protobuf.internal.api_implementation", "google.protobuf.pyext"): "likewise",
    ("vendor.google.protobuf.message_factory", "google.protobuf.pyext"): "likewise",
    ("vendor.google.protobuf.descriptor", "google.protobuf.pyext"): "likewise",
}
# In the standard library of some of VERSIONS only.
COME_OR_GONE = frozenset(
    ("aifc", "annotationlib", "asynchat", "asyncore", "audioop", "binhex", "cgi", "cgitb", "chunk", "compression",
     "crypt", "distutils", "formatter", "imghdr", "imp", "lib2to3", "mailcap", "msilib", "nis", "nntplib",
     "ossaudiodev", "parser", "pipes", "smtpd", "sndhdr", "spwd", "sunau", "symbol", "telnetlib", "tomllib", "uu",
     "xdrlib")
)  # fmt: skip
# Under any Python, without GIMP: compile all, register every procedure, run one of each, import all that travels.
PROGRAM = """
import importlib, json, pathlib, runpy, sys, types, warnings
from unittest.mock import MagicMock
order = json.loads(sys.stdin.read())
folder = pathlib.Path(order["folder"])
out = {"python": "%d.%d" % sys.version_info[:2], "errors": []}
warnings.simplefilter("error")
for path in sorted(folder.rglob("*.py")) if not order["pretend"] else ():
    try:
        compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except (SyntaxError, Warning) as error:
        out["errors"].append(f"{path}: {error}")
names = set(order["standard"])
out["strange"] = sorted(names - set(getattr(sys, "stdlib_module_names", names)))
if order["pretend"]:
    sys.version_info, sys.version = (3, 9, 18, "final", 0), "3.9.18 (pretended)"
sys.modules["gi"], sys.modules["gi.repository"] = types.ModuleType("gi"), MagicMock()
sys.modules["gi"].require_version = lambda *_: None
sys.modules["gi"].repository = repository = sys.modules["gi.repository"]
repository.Gimp.PlugIn = type("PlugIn", (), {"__gtype__": None})
repository.GLib.Error.new_literal = lambda domain, text, code: text
sys.path.insert(0, str(folder))
entry = runpy.run_path(str(folder / "frisket.py"))
plugin = entry["Frisket"]()
out["procedures"] = plugin.do_query_procedures()
for name in out["procedures"]:
    plugin.do_create_procedure(name)
out["registered"] = [call.args[1] for call in repository.Gimp.ImageProcedure.new.call_args_list]
out["said"] = {}
for name in out["procedures"] if sys.version_info < (3, 10) else ():
    procedure = MagicMock()
    procedure.get_name.return_value = name
    procedure.new_return_values = lambda status, failure: failure
    out["said"][name] = entry["run"](procedure, None, None, [], None, None)
if sys.version_info >= (3, 10):
    sys.path.insert(0, str(folder / "vendor"))
    for name in order["modules"]:
        importlib.import_module(name)
print(json.dumps(out))
"""


@dataclass(frozen=True)
class Built:
    """The unpacked zip. modules: dotted name below the folder -> parsed file, nodes: all that it is made of."""

    folder: Path
    modules: dict[str, ast.Module]
    nodes: dict[str, list[ast.AST]]

    def known(self, name: str) -> str | None:
        """A module's place below the folder, by the name under which the plug-in imports it."""
        place = name if name.startswith("frisket_gimp") else f"vendor.{name}"
        return place if place in self.modules else None


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Built:
    """As a user gets it from `frisket plugin zip`."""
    base = tmp_path_factory.mktemp("tree")
    pack(base / "frisket.zip")
    with zipfile.ZipFile(base / "frisket.zip") as packed:
        packed.extractall(base)
    folder = base / "frisket"
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules[name] = ast.parse(path.read_text("utf-8"), str(path), feature_version=GRAMMAR)
    return Built(folder, modules, {name: list(ast.walk(tree)) for name, tree in modules.items()})


def test_all_of_it_is_text(built):
    """Nothing compiled, for no system and no version; the catalogues of translations neither."""
    for path in built.folder.rglob("*"):
        if path.is_file():
            assert "\0" not in path.read_bytes().decode("utf-8"), path
            assert path.suffix in {".py", ".json", ".po", ""} or ".dist-info" in str(path), path


def test_all_of_the_sources_is_in_the_zip(built):
    ours = plugin_sources()
    wanted = {
        p.relative_to(ours)
        for p in ours.rglob("*")
        if p.is_file() and "__pycache__" not in p.parts and p.suffix != ".pot"
    }
    packed = {p.relative_to(built.folder) for p in built.folder.rglob("*") if p.is_file()}
    assert wanted <= packed, sorted(map(str, wanted - packed))
    assert {str(p) for p in packed - wanted if p.parts[0] != "vendor"} == set()
    assert Path("styles/watercolour.json") in packed


def test_the_grammar_is_the_oldest_ones():
    with pytest.raises(SyntaxError):  # the check bites
        ast.parse("match x:\n  case 1: pass", feature_version=GRAMMAR)


def test_every_import_is_gi_the_standard_library_or_in_the_folder(built):
    missing = {(where, name) for where, name in _imported(built) if not _is_there(built, name)}
    assert missing <= set(OPTIONAL)
    for where, name in missing:
        assert name not in _imports_outright(built.modules[where]), f"{where} cannot do without {name}"


def test_every_name_that_our_side_imports_is_defined(built):
    bound = {}
    for where in built.modules:
        for node in built.nodes[where] if where.startswith(("frisket", "vendor.frisket")) else ():
            if isinstance(node, ast.ImportFrom):
                origin = _origin(built, where, node)
                place = built.known(origin)
                if place is None or origin.endswith("_pb2"):  # those make their classes as they are imported
                    continue
                bound[place] = bound.get(place) or _bound(built.nodes[place])
                for alias in node.names:
                    there = alias.name in bound[place] or built.known(f"{origin}.{alias.name}")
                    assert there, f"{where} imports {alias.name}, which {origin} lacks"


def test_an_old_python_gets_the_menu_and_a_sentence(built):
    out = _run([sys.executable, "-I", "-S"], built, pretend=True)
    _check_refusals(out, "3.9.18")


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_in_a_real_python(version, built):
    """Compiles and imports without a warning, with nothing but the standard library; before 3.10 says that it won't."""
    python = interpreter(version)
    if python is None:
        pytest.skip(f"NOT TRIED in Python {version}: none on the path, in pyenv or in a GIMP's tree")
    out = _run(python, built)
    assert (out["python"], out["errors"], out["strange"]) == (version, [], [])
    assert out["registered"] == out["procedures"]
    if tuple(map(int, version.split("."))) < OLDEST:
        _check_refusals(out, version + ".")


def interpreter(version: str) -> list[str] | None:
    """The command of a Python of that version: on the path, of pyenv, or out of a GIMP's tree by that tree's loader."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    tree = Path(os.environ.get("FRISKET_GIMP_TREE", "/var/tmp/frisket-gimp/trixie"))
    for root in sorted(tree.parent.glob("*/usr")):
        if (root / "bin" / name).exists():
            loader = [str(root / "lib64/ld-linux-x86-64.so.2"), "--library-path", str(root / "lib/x86_64-linux-gnu")]
            return ["env", f"PYTHONHOME={root}", *loader, str(root / "bin" / name), "-S", "-s"]
    found = [str(p) for p in sorted(pyenv.glob(f"{version}.*/bin/{name}"))]
    on_path = shutil.which(name)
    for python in [*found, *([on_path] if on_path else [])]:
        if subprocess.run([python, "-I", "-c", ""], capture_output=True).returncode == 0:  # a shim may lead nowhere
            return [python, "-I", "-S"]
    return None


def _run(python: list[str], built: Built, pretend: bool = False) -> dict:
    shipped = [name[:-3].replace("/", ".").removesuffix(".__init__") for name in SHIPPED]
    modules = ["frisket" if name == "__init__" else f"frisket.{name}" for name in shipped]
    modules += [name for name in built.modules if name.startswith("frisket_gimp")]
    standard = {name.split(".")[0] for _, name in _imported(built) if _is_standard(name)}
    order = {"folder": str(built.folder), "pretend": pretend, "modules": modules, "standard": sorted(standard)}
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    command = [*python, "-B", "-W", "error", "-c", PROGRAM]
    done = subprocess.run(command, input=json.dumps(order), capture_output=True, text=True, timeout=60, env=env)
    assert done.returncode == 0, done.stderr[-4000:]
    assert not done.stderr
    return json.loads(done.stdout)


def _check_refusals(out: dict, version: str) -> None:
    assert len(out["procedures"]) >= 10
    assert out["registered"] == out["procedures"] == list(out["said"])
    for text in out["said"].values():
        assert text.startswith(
            "Frisket's plug-in cannot be loaded: it needs Python 3.10 or newer, and this GIMP brings "
        )
        assert f"brings {version}" in text


def _is_standard(name: str) -> bool:
    top = name.split(".")[0]
    return top in sys.stdlib_module_names and top not in COME_OR_GONE


def _is_there(built: Built, name: str) -> bool:
    return name.split(".")[0] == "gi" or _is_standard(name) or built.known(name) is not None


def _origin(built: Built, where: str, node: ast.ImportFrom) -> str:
    """The absolute name of what `from ... import` looks into."""
    if not node.level:
        return node.module or ""
    package = (built.folder / where.replace(".", "/")).is_dir()
    parts = where.removeprefix("vendor.").split(".")
    parts = parts[: len(parts) - node.level + package]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _imported(built: Built) -> Iterator[tuple[str, str]]:
    """(module below the folder, name of a module that it imports somewhere)."""
    for where, nodes in built.nodes.items():
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from ((where, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield where, _origin(built, where, node)


def _imports_outright(tree: ast.Module) -> set[str]:
    """Of a module's own statements, on no condition."""
    plain = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}


def _bound(nodes: list[ast.AST]) -> set[str]:
    """Names that a module's code binds anywhere: more than enough to miss a name that is nowhere."""
    names: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
    return names
