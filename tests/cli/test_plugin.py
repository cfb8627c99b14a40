"""`frisket plugin ...` as a user types it."""

import json
import sys
import zipfile

import pytest
from click.testing import CliRunner

from frisket.cli.plugin import plugin


@pytest.fixture
def user(tmp_path, monkeypatch):
    """A home without any GIMP."""
    for name in ("GIMP3_DIRECTORY", "XDG_CONFIG_HOME", "FRISKET_HOME", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "no-programs"))
    monkeypatch.setattr(sys, "platform", "linux")
    return tmp_path


def run(*words: str):
    return CliRunner().invoke(plugin, [*words])


def test_install_path_uninstall(user):
    for version in ("3.0", "3.2"):
        (user / ".config/GIMP" / version).mkdir(parents=True)
    folders = [str(user / f".config/GIMP/{version}/plug-ins/frisket") for version in ("3.0", "3.2")]
    done = run("install", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.output) == {"installed": folders, "guessed": False, "registered": ["unknown"] * 2}
    rows = json.loads(run("path", "--json").output)["folders"]
    assert [(row["folder"], row["gimp"], row["installed"] is not None) for row in rows] == [
        (folders[0], "3.0", True),
        (folders[1], "3.2", True),
    ]
    note = json.loads((user / ".config/GIMP/3.0/plug-ins/frisket/launch.json").read_text())
    assert note["command"][0] == sys.executable
    assert note["command"][-1] == "serve"
    assert note["home"] == str(user / ".local/share/frisket")
    assert json.loads(run("uninstall", "--json").output) == {"removed": folders}
    assert run("uninstall").output == "The plug-in is not installed.\n"
    assert "not installed" in run("path").output


def test_a_guess_is_called_one(user):
    done = run("install")
    assert (user / ".config/GIMP/3.2/plug-ins/frisket/frisket.py").is_file()
    assert "No GIMP 3 has run here yet" in done.output
    assert "Filters > Frisket" in done.output


def test_a_gimp_that_never_ran_makes_its_folder_first(user, monkeypatch):
    (user / ".config/GIMP/3.0").mkdir(parents=True)
    (user / "bin").mkdir()
    for version in ("3.0", "3.2"):
        program = user / "bin" / f"gimp-console-{version}"
        folder = user / ".config/GIMP" / version
        program.write_text(f"""#!/bin/sh
[ "$1" = --version ] && {{ echo "GNU Image Manipulation Program version {version}.4"; exit; }}
[ -d {folder} ] || {{ mkdir -p {folder}; echo "made by GIMP" > {folder}/gimprc; }}
echo frisket-registered:yes
""")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{user / 'bin'}:/usr/bin:/bin")
    done = run("install")
    assert done.exit_code == 0, done.output
    assert "GIMP 3.2.4 had never run here" in done.output
    assert "GIMP 3.0.4 had never" not in done.output
    assert (user / ".config/GIMP/3.2/gimprc").read_text() == "made by GIMP\n"
    for version in ("3.0", "3.2"):
        assert (user / f".config/GIMP/{version}/plug-ins/frisket/frisket.py").is_file()
    assert done.output.count("takes it.") == 2


@pytest.mark.parametrize("says", ["yes", "no"])
def test_gimp_is_asked_whether_it_takes_it(user, monkeypatch, says):
    (user / ".config/GIMP/3.0").mkdir(parents=True)
    (user / "bin").mkdir()
    program = user / "bin" / "gimp-console-3.0"
    program.write_text(
        '#!/bin/sh\ncase "$*" in *--version*) echo GIMP version 3.0.4;;'
        f" *) echo frisket-registered:{says}; echo ImportError: h2 >&2;; esac\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{user}/bin:/bin:/usr/bin")
    done = run("install")
    if says == "yes":
        assert "GIMP 3.0.4 takes it." in done.output
    else:
        assert done.exit_code == 6
        assert "ImportError: h2" in done.output
    assert "takes it" not in run("install", "--no-check").output


def test_a_zip_unpacks_into_a_folder_that_gimp_takes(user):
    target = user / "a" / "frisket.zip"
    assert run("zip", "-o", str(target)).exit_code == 0
    first = target.read_bytes()
    run("zip", "-o", str(target))
    assert target.read_bytes() == first, "the same plug-in is the same file"
    with zipfile.ZipFile(target) as packed:
        names = packed.namelist()
        assert all(name.startswith("frisket/") and ".." not in name for name in names)
        assert packed.getinfo("frisket/frisket.py").external_attr >> 16 & 0o111
        assert not [name for name in names if name.endswith((".pyc", ".so", "launch.json"))]
        assert {"frisket/vendor/frisket/client/h2_transport.py", "frisket/vendor/h2/connection.py"} <= set(names)
    (user / "in-the-way").touch()
    assert "cannot be written" in run("zip", "-o", str(user / "in-the-way" / "x.zip")).output


def test_into_a_given_folder(user):
    done = run("install", "--into", str(user / "gimp-plugins"), "--json")
    assert json.loads(done.output)["installed"] == [str(user / "gimp-plugins" / "frisket")]
    assert not (user / ".config").exists()


def test_a_snap_is_told_to_start_the_server(user):
    (user / "snap/gimp/current/.config/GIMP/3.0").mkdir(parents=True)
    assert "run `frisket serve`" in run("install").output


def test_an_error_has_words_and_an_exit_code(user):
    (user / "frisket").mkdir()
    done = run("install", "--into", str(user))
    assert done.exit_code == 6
    assert "is not Frisket's plug-in" in done.output
    assert "--into" in done.output


@pytest.mark.parametrize("command", ["install", "uninstall", "path", "zip"])
def test_help_has_an_example(command):
    done = run(command, "--help")
    assert f"frisket plugin {command}" in done.output
