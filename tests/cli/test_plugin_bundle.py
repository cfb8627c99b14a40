"""The plug-in's folder: complete, pure Python, replaced as a whole, removed without a trace."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import frisket
from frisket.cli import plugin_bundle
from frisket.cli.plugin_bundle import SHIPPED, VENDORED, build, install, installed_version, is_ours, uninstall
from frisket.errors import PluginFolderInTheWay, PluginFolderNotWritable, PluginPartsMissing

COMMAND = ["/opt/frisket", "serve"]
HOME = Path("/home/ann/.local/share/frisket")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "frisket"
    build(folder, COMMAND, HOME)
    return folder


def test_only_python_text_and_licences(bundle):
    files = [path for path in bundle.rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files if ".dist-info" not in str(path)}
    assert kinds == {".py", ".json", ".po"}
    assert sum(path.stat().st_size for path in files) < 3_000_000
    for distribution in VENDORED:
        assert list((bundle / "vendor").glob(f"{distribution}-*.dist-info/**/LICENSE*")), distribution
    assert (bundle / "vendor/google/__init__.py").read_text() == ""


def test_gimp_takes_it_for_a_plug_in(bundle):
    entry = bundle / "frisket.py"
    assert os.access(entry, os.X_OK)
    assert entry.read_text().startswith("#!/usr/bin/env python3\n")
    assert bundle.name == entry.stem


def test_the_note_for_starting_a_server(bundle):
    note = json.loads((bundle / "launch.json").read_text())
    assert note == {"version": frisket.__version__, "command": COMMAND, "home": str(HOME)}


def test_it_runs_with_nothing_else_installed(bundle):
    """A bare interpreter that sees the standard library and vendor/ imports all that the plug-in uses."""
    modules = [name[:-3].replace("/", ".").removesuffix(".__init__") for name in SHIPPED]
    names = ["frisket" if name == "__init__" else f"frisket.{name}" for name in modules]
    program = f"""
import sys
sys.path.insert(0, {str(bundle / "vendor")!r})
import importlib
for name in {names!r}:
    importlib.import_module(name)
from google.protobuf.internal import api_implementation
assert api_implementation.Type() == "python", api_implementation.Type()
homes = ({str(bundle)!r}, sys.base_prefix, sys.prefix)
strays = [m.__file__ for m in sys.modules.values() if getattr(m, "__file__", None) and "site-packages" in m.__file__]
tops = {{name.split(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names) - {{"__main__"}}
print(sorted(tops), strays)
"""
    bare = [sys.executable, "-I", "-S", "-B", "-W", "error", "-c", program]
    done = subprocess.run(bare, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    tops, strays = done.stdout.strip().split("] ")
    assert strays == "[]"
    assert set(json.loads((tops + "]").replace("'", '"'))) <= {"frisket", "google", "h2", "hpack", "hyperframe"}


def test_an_older_one_is_replaced_as_a_whole(tmp_path):
    plugins = tmp_path / "GIMP" / "3.0" / "plug-ins"
    target = install(plugins, COMMAND, HOME)
    assert target == plugins / "frisket"
    assert installed_version(plugins) == frisket.__version__
    (target / "left-over.py").write_text("")
    assert install(plugins, ["other"], HOME) == target
    assert not (target / "left-over.py").exists()
    assert json.loads((target / "launch.json").read_text())["command"] == ["other"]
    assert os.listdir(plugins) == ["frisket"]


def test_a_failed_install_leaves_the_old_one(tmp_path, monkeypatch):
    target = install(tmp_path, COMMAND, HOME)
    monkeypatch.setitem(VENDORED, "no-such-distribution", "nothing")
    with pytest.raises(PluginPartsMissing, match="no-such-distribution"):
        install(tmp_path, ["other"], HOME)
    assert json.loads((target / "launch.json").read_text())["command"] == COMMAND
    assert os.listdir(tmp_path) == ["frisket"]
    monkeypatch.undo()
    replace = os.replace
    monkeypatch.setattr(os, "replace", lambda a, b: replace(a, b) if Path(a).name != "new" else replace("/none", b))
    with pytest.raises(PluginFolderNotWritable):
        install(tmp_path, ["other"], HOME)
    assert json.loads((target / "launch.json").read_text())["command"] == COMMAND


def test_uninstall_leaves_nothing(tmp_path):
    plugins, settings = tmp_path / "plug-ins", tmp_path / "plug-in-settings"
    install(plugins, COMMAND, HOME)
    settings.mkdir()
    mine, other = settings / "plug-in-frisket-fill-selection.last", settings / "plug-in-other.last"
    mine.write_text("")
    other.write_text("")
    styles = tmp_path / "frisket" / "styles"
    styles.mkdir(parents=True)
    (styles / "mine.json").write_text("{}")
    assert uninstall(plugins, settings=False) == [plugins / "frisket"]
    assert (styles / "mine.json").exists()
    assert uninstall(plugins) == [tmp_path / "frisket", mine]
    assert os.listdir(plugins) == []
    assert not styles.parent.exists()
    assert os.listdir(settings) == [other.name]
    assert uninstall(plugins) == []
    assert installed_version(plugins) is None


def test_a_stranger_of_the_same_name_is_left_alone(tmp_path):
    (tmp_path / "frisket").mkdir()
    (tmp_path / "frisket" / "frisket.py").write_text("print('somebody else')")
    assert not is_ours(tmp_path / "frisket")
    for action in (lambda: install(tmp_path, COMMAND, HOME), lambda: uninstall(tmp_path)):
        with pytest.raises(PluginFolderInTheWay):
            action()
    assert os.listdir(tmp_path / "frisket") == ["frisket.py"]


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PluginFolderNotWritable, match="file"):
        install(tmp_path / "file" / "plug-ins", COMMAND, HOME)


def test_sources_are_found_in_a_checkout():
    assert (plugin_bundle.plugin_sources() / "frisket.py").is_file()


def test_the_shipped_styles_travel(bundle):
    shipped = {path.name for path in (plugin_bundle.plugin_sources() / "styles").glob("*.json")}
    assert "watercolour.json" in shipped
    assert {path.name for path in (bundle / "styles").iterdir()} == shipped
