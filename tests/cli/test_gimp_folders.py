"""Each platform's layout, made in a temporary home."""

from pathlib import Path

import pytest

from frisket.cli.gimp_folders import NEWEST, Packaging, PluginFolder, default_folder, plugin_folders


def ran(*configs: Path) -> None:
    """GIMP has run with these configuration folders."""
    for config in configs:
        config.mkdir(parents=True)


LAYOUTS = [
    ("linux", {}, ".config/GIMP", Packaging.NATIVE),
    ("linux", {"XDG_CONFIG_HOME": "{home}/elsewhere"}, "elsewhere/GIMP", Packaging.NATIVE),
    ("linux", {}, ".var/app/org.gimp.GIMP/config/GIMP", Packaging.FLATPAK),
    ("linux", {}, "snap/gimp/current/.config/GIMP", Packaging.SNAP),
    ("darwin", {}, "Library/Application Support/GIMP", Packaging.NATIVE),
    ("win32", {"APPDATA": "{home}/AppData/Roaming"}, "AppData/Roaming/GIMP", Packaging.NATIVE),
    ("win32", {}, "AppData/Roaming/GIMP", Packaging.NATIVE),
]


@pytest.mark.parametrize(("platform", "env", "parent", "packaging"), LAYOUTS)
def test_every_version_that_has_run_is_found(tmp_path, platform, env, parent, packaging):
    env = {name: value.format(home=tmp_path) for name, value in env.items()}
    ran(*(tmp_path / parent / name for name in ("3.2", "3.0", "3.10", "2.10", "3.x", "backup-3.0")))
    wanted = [PluginFolder(tmp_path / parent / v / "plug-ins", packaging, v) for v in ("3.0", "3.2", "3.10")]
    assert plugin_folders(tmp_path, env, platform) == wanted


def test_several_packagings_on_one_machine(tmp_path):
    ran(tmp_path / ".config/GIMP/3.0", tmp_path / ".var/app/org.gimp.GIMP/config/GIMP/3.2")
    found = plugin_folders(tmp_path, {}, "linux")
    assert [(f.packaging, f.version) for f in found] == [(Packaging.NATIVE, "3.0"), (Packaging.FLATPAK, "3.2")]


def test_a_folder_linked_twice_counts_once(tmp_path):
    ran(tmp_path / ".config/GIMP/3.0")
    flatpak = tmp_path / ".var/app/org.gimp.GIMP/config"
    flatpak.mkdir(parents=True)
    (flatpak / "GIMP").symlink_to(tmp_path / ".config/GIMP")
    assert len(plugin_folders(tmp_path, {}, "linux")) == 1


@pytest.mark.parametrize("chosen", ["/srv/gimp", "inside/home"])
def test_gimp3_directory_is_the_only_one(tmp_path, chosen):
    ran(tmp_path / ".config/GIMP/3.0")
    found = plugin_folders(tmp_path, {"GIMP3_DIRECTORY": chosen}, "linux")
    assert found == [PluginFolder(tmp_path / chosen / "plug-ins", Packaging.CHOSEN, "")]


@pytest.mark.parametrize(("platform", "env", "parent", "packaging"), [LAYOUTS[0], LAYOUTS[1], LAYOUTS[4], LAYOUTS[5]])
def test_where_gimp_will_look_when_none_has_run(tmp_path, platform, env, parent, packaging):
    env = {name: value.format(home=tmp_path) for name, value in env.items()}
    assert plugin_folders(tmp_path, env, platform) == []
    folder = default_folder(tmp_path, env, platform)
    assert folder == PluginFolder(tmp_path / parent / NEWEST / "plug-ins", packaging, NEWEST)
