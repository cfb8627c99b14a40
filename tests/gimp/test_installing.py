"""The real GIMP takes the installed plug-in, the unpacked zip, and says so when it does not."""

from __future__ import annotations

import shlex
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from real_gimp import Gimp

from frisket.cli import plugin_bundle
from frisket.cli.gimp_check import Registered, ask
from frisket.cli.gimp_folders import Packaging, PluginFolder

pytestmark = pytest.mark.gimp


@pytest.fixture
def program(gimp: Gimp, tmp_path: Path) -> list[str]:
    """What starts this GIMP, as if it were this machine's."""
    script = tmp_path / "gimp-console"
    script.write_text(f'#!/bin/sh\nexec {shlex.join(gimp.command("gimp-console-3"))} "$@"\n')
    script.chmod(0o755)
    return [str(script)]


def test_it_says_yes_to_what_was_installed_and_to_the_zip_and_no_to_a_damaged_one(gimp: Gimp, program, tmp_path):
    folder = PluginFolder(gimp.folder / "plug-ins", Packaging.NATIVE, "")
    told = ask(folder, [program])
    assert told.registered is Registered.YES, told
    assert told.words.startswith("GIMP 3.")

    shutil.rmtree(folder.path / "frisket")
    plugin_bundle.pack(tmp_path / "frisket.zip")
    with zipfile.ZipFile(tmp_path / "frisket.zip") as packed:  # as unzip does, which keeps the modes
        for info in packed.infolist():
            out = Path(packed.extract(info, folder.path))
            out.chmod(stat.S_IMODE(info.external_attr >> 16))
    assert ask(folder, [program]).registered is Registered.YES

    (folder.path / "frisket" / "frisket.py").chmod(0o644)  # GIMP passes it over in silence
    assert ask(folder, [program]).registered is Registered.NO
