"""Where GIMP 3 looks for a user's plug-ins, on each platform and in each way it is packaged.

Pure functions of the user's home folder, the environment and the platform, except that they look which folders exist.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

NEWEST = "3.2"  # configuration folder of the newest GIMP that this was tried with
_VERSION = re.compile(r"3\.(\d+)")


class Packaging(enum.Enum):
    """How the GIMP that reads a folder came onto the machine."""

    CHOSEN = "GIMP3_DIRECTORY"
    NATIVE = "native"  # distribution package, AppImage, installer; on Linux also Flatpak, which shares the folder
    FLATPAK = "flatpak"
    SNAP = "snap"


@dataclass(frozen=True, slots=True)
class PluginFolder:
    """A folder in which GIMP looks for plug-ins. version: "3.0"; "" when the folder's name does not say."""

    path: Path
    packaging: Packaging
    version: str


def plugin_folders(home: Path, env: Mapping[str, str], platform: str) -> list[PluginFolder]:
    """The plug-in folder of every GIMP 3 that has run here, oldest version first.

    home: the user's. platform: as sys.platform. GIMP3_DIRECTORY, when set, is the only one, as it is for GIMP.
    """
    chosen = env.get("GIMP3_DIRECTORY")
    if chosen:
        return [PluginFolder(home / chosen / "plug-ins", Packaging.CHOSEN, "")]  # GIMP takes a relative one below home
    found: list[PluginFolder] = []
    for packaging, parent in _parents(home, env, platform):
        if not parent.is_dir():
            continue
        versions = sorted((int(m[1]), p) for p in parent.iterdir() if p.is_dir() and (m := _VERSION.fullmatch(p.name)))
        found += [PluginFolder(p / "plug-ins", packaging, p.name) for _, p in versions]
    return _once(found)


def default_folder(home: Path, env: Mapping[str, str], platform: str) -> PluginFolder:
    """Where the newest known GIMP will look once it runs. For a machine on which none has run yet."""
    packaging, parent = _parents(home, env, platform)[0]
    return PluginFolder(parent / NEWEST / "plug-ins", packaging, NEWEST)


def _parents(home: Path, env: Mapping[str, str], platform: str) -> list[tuple[Packaging, Path]]:
    """Folders that hold a configuration folder per version; the usual one first."""
    if platform == "win32":
        return [(Packaging.NATIVE, Path(env.get("APPDATA") or home / "AppData" / "Roaming") / "GIMP")]
    if platform == "darwin":
        return [(Packaging.NATIVE, home / "Library" / "Application Support" / "GIMP")]
    return [
        (Packaging.NATIVE, Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "GIMP"),
        (Packaging.NATIVE, home / ".config" / "GIMP"),  # a Flatpak's, even where XDG_CONFIG_HOME points elsewhere
        (Packaging.FLATPAK, home / ".var" / "app" / "org.gimp.GIMP" / "config" / "GIMP"),
        (Packaging.SNAP, home / "snap" / "gimp" / "current" / ".config" / "GIMP"),
    ]


def _once(folders: list[PluginFolder]) -> list[PluginFolder]:
    """Each real folder once: one may be a link to another."""
    seen: dict[Path, PluginFolder] = {}
    for folder in folders:
        seen.setdefault(folder.path.resolve(), folder)
    return list(seen.values())
