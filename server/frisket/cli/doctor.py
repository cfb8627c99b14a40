"""`frisket doctor`."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import click

import frisket
from frisket.cli.speak import answer, json_option, spoken
from frisket.client import places
from frisket.errors import FrisketError

EXTRAS = {
    "diffusion": ("torch", "diffusers", "transformers", "accelerate", "safetensors"),
    "faces": ("torch", "facexlib", "gfpgan", "spandrel"),
    "cluster": ("ray",),
}
LIGHT = ("numpy", "numba", "opencv-python-headless", "pillow", "grpcio", "protobuf", "zstandard", "h2", "click")
LOW_DISK = 2 << 30  # bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's: what was looked at, whether it is well, what was found, the command that mends it."""

    what: str
    well: bool
    found: str
    mend: str = ""
    needed: bool = True


@click.command()
@json_option
@spoken
def doctor(as_json: bool) -> None:
    """Say what is installed, what is missing and the command that mends it. Exits with 1 when something needed is.

    \b
    Example:
      frisket doctor
    """
    findings = [*_python(), *_packages(), *_extras(), *_home(), *_server(), *_gimp()]
    lines = [f"Frisket {frisket.__version__}"]
    for f in findings:
        mark = "ok  " if f.well else "MISS" if f.needed else "--  "
        lines.append(f"  {mark}  {f.what:18} {f.found}" + (f"\n{'':26}mend: {f.mend}" if f.mend else ""))
    fields = [{"what": f.what, "well": f.well, "found": f.found, "mend": f.mend, "needed": f.needed} for f in findings]
    answer(as_json, {"version": frisket.__version__, "findings": fields}, "\n".join(lines))
    if any(f.needed and not f.well for f in findings):
        sys.exit(1)


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= (3, 10), f"{version} at {sys.executable}")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    for package in LIGHT:
        version = _version(package)
        if package.startswith("opencv") and version is None:
            version = _version("opencv-python") or _version("opencv-contrib-python")
        mend = "" if version else "pip install --upgrade frisket"
        yield Finding(package, version is not None, version or "missing", mend)


def _extras() -> Iterator[Finding]:
    for extra, modules in EXTRAS.items():
        missing = [m for m in modules if find_spec(m) is None]
        found = "installed" if not missing else "without " + ", ".join(missing) + " (no engine here uses it yet)"
        yield Finding(f"extra: {extra}", not missing, found, needed=False)


def _home() -> Iterator[Finding]:
    home = places.home()
    nearest = next(p for p in (home, *home.parents) if p.exists())
    free = shutil.disk_usage(nearest).free
    mend = "free some disk space, or point FRISKET_HOME at a larger disk" if free < LOW_DISK else ""
    yield Finding("home", free >= LOW_DISK, f"{home} ({free >> 30} GiB free)", mend)
    if not _writable(nearest):
        yield Finding("home", False, f"{nearest} cannot be written", f"chown -R $USER {nearest}")
    if (home / "server.log").exists():
        yield Finding("log", True, f"{home / 'server.log'} (of servers that an editor started)", needed=False)


def _writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK)


def _server() -> Iterator[Finding]:
    from frisket.cli.connect import client_of

    try:
        runtime = places.read_runtime(places.home())
        with client_of(runtime) as client:
            info = client.server_info()
            engines = ", ".join(engine.id for engine in client.engines())
    except FrisketError as error:
        yield Finding("server", False, error.cause, error.remedy, needed=False)
        return
    same = info.version == frisket.__version__
    mend = "" if same else "restart the server: it is of another version than this command"
    yield Finding("server", same, f"{info.version} on {runtime.address}, process {runtime.pid}", mend)
    yield Finding("engines", True, engines)


def _gimp() -> Iterator[Finding]:
    from frisket.cli.gimp_folders import plugin_folders
    from frisket.cli.plugin_bundle import installed_version

    mend = "frisket plugin install"
    folders = plugin_folders(Path.home(), os.environ, sys.platform)
    if not folders:
        yield Finding("GIMP plug-in", False, "no GIMP 3 has run here yet", mend, needed=False)
    for folder in folders:
        version = installed_version(folder.path)
        well = version == frisket.__version__
        found = f"{version or 'not installed'} in {folder.path}"
        yield Finding("GIMP plug-in", well, found, "" if well else mend, needed=False)
