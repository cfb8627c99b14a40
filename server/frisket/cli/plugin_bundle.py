"""The plug-in's folder, put together: GIMP's side, the parts of this package that it uses, and what those import.

GIMP brings its own interpreter, which has no pip and often takes no compiled wheels. So everything is pure Python and
lies in the folder; nothing in it depends on the system or on the interpreter's version (3.10 or newer).
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import frisket
from frisket.errors import PluginFolderInTheWay, PluginFolderNotWritable, PluginPartsMissing

NAME = "frisket"  # of folder and script: GIMP wants them equal
ENTRY = "frisket.py"
LAUNCH_FILE = "launch.json"
OURS = ("*.py", "styles/*.json", "locale/*.po")  # what travels of GIMP's side

# The modules of this package that travel. The client's grpcio transport and everything with numpy stay at home.
SHIPPED = (
    "__init__.py",
    "errors.py",
    "raster/__init__.py",
    "raster/formats.py",
    "raster/geometry.py",
    "raster/sizes.py",
    "engines/__init__.py",
    "engines/spec.py",
    "edits/__init__.py",
    "edits/requests.py",
    "edits/results.py",
    "rpc/__init__.py",
    "rpc/convert.py",
    "rpc/stubs/__init__.py",
    "rpc/stubs/edits_pb2.py",
    "rpc/stubs/images_pb2.py",
    "rpc/stubs/jobs_pb2.py",
    "rpc/stubs/models_pb2.py",
    "rpc/stubs/studio_pb2.py",
    "client/__init__.py",
    "client/client.py",
    "client/h2_transport.py",
    "client/h2_wire.py",
    "client/launch.py",
    "client/link.py",
    "client/models.py",
    "client/places.py",
    "client/session.py",
    "client/status.py",
    "client/tls.py",
    "client/transport.py",
)

# Distribution -> its folder. Copied from the environment that this runs in: stubs never meet an older runtime.
VENDORED = {"h2": "h2", "hpack": "hpack", "hyperframe": "hyperframe", "protobuf": "google/protobuf"}
_LEFT_OUT = ("google/protobuf/testdata", "google/protobuf/compiler", "google/protobuf/pyext", "google/protobuf/util")


def plugin_sources() -> Path:
    """GIMP's side: inside an installed package, or beside it in a checkout. Raises PluginPartsMissing."""
    package = Path(frisket.__file__).parent
    for folder in (package / "plugin_files", package.parents[1] / "plugin" / "frisket"):
        if (folder / ENTRY).is_file():
            return folder
    raise PluginPartsMissing(part="the plug-in's own files", folder=package)


def build(folder: Path, command: Sequence[str], home: Path) -> None:
    """Write the whole plug-in into `folder`, which must not exist yet.

    command: starts a server. home: Frisket's folder, where that server leaves its note.
    Raises PluginPartsMissing, OSError.
    """
    vendor = folder / "vendor"
    ours = plugin_sources()
    package = Path(frisket.__file__).parent
    for path in sorted(p for pattern in OURS for p in ours.rglob(pattern)):
        _copy(path, folder / path.relative_to(ours))
    for name in SHIPPED:
        _copy(package / name, vendor / "frisket" / name)
    for distribution, top in VENDORED.items():
        for source, name in _vendored_files(distribution, top):
            _copy(source, vendor / name)
    # A regular package, or any other `google` further down the path would hide ours.
    (vendor / "google" / "__init__.py").write_text("")
    note = {"version": frisket.__version__, "command": list(command), "home": str(home)}
    (folder / LAUNCH_FILE).write_text(json.dumps(note, indent=2) + "\n")
    (folder / ENTRY).chmod(0o755)  # without it GIMP on Linux and macOS passes the script over in silence


def install(plugins: Path, command: Sequence[str], home: Path) -> Path:
    """Put the plug-in into GIMP's folder `plugins`; an older one is replaced when the new one is complete.

    Returns the plug-in's folder. Raises PluginFolderInTheWay, PluginFolderNotWritable, PluginPartsMissing.
    """
    target = plugins / NAME
    try:
        if _occupied(target) and not is_ours(target):
            raise PluginFolderInTheWay(folder=target)
        plugins.mkdir(parents=True, exist_ok=True)
        # A name with a dot that differs from its script's: GIMP would not run it even if it looked in just now.
        with tempfile.TemporaryDirectory(prefix=".frisket-", dir=plugins, ignore_cleanup_errors=True) as temporary:
            fresh, old = Path(temporary) / "new", Path(temporary) / "old"
            build(fresh, command, home)
            _swap(fresh, target, old)
    except OSError as error:
        raise PluginFolderNotWritable(folder=plugins, reason=error.strerror or error) from error
    return target


def pack(target: Path) -> None:
    """The plug-in as one zip that holds the folder `frisket`: unpacked, GIMP takes it. No server is noted in it.

    Raises PluginPartsMissing, PluginFolderNotWritable.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="frisket-") as temporary:
            build(Path(temporary) / NAME, [], Path())
            (Path(temporary) / NAME / LAUNCH_FILE).unlink()
            target.parent.mkdir(parents=True, exist_ok=True)
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as packed:
                for path in sorted(Path(temporary).rglob("*")):
                    if path.is_file():
                        _pack_one(packed, path, path.relative_to(temporary).as_posix())
    except OSError as error:
        raise PluginFolderNotWritable(folder=target, reason=error.strerror or error) from error


def _pack_one(packed: zipfile.ZipFile, path: Path, name: str) -> None:
    """With its mode (the script must stay executable) and a fixed date: the same plug-in is the same file."""
    info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
    info.compress_type, info.create_system = zipfile.ZIP_DEFLATED, 3  # 3: Unix, whose modes unpackers keep
    info.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
    packed.writestr(info, path.read_bytes())


def _swap(fresh: Path, target: Path, old: Path) -> None:
    had = _occupied(target)
    if had:
        os.replace(target, old)
    try:
        os.replace(fresh, target)
    except OSError:
        if had:
            os.replace(old, target)
        raise


def uninstall(plugins: Path, settings: bool = True) -> list[Path]:
    """Take the plug-in out of `plugins`; with `settings` also what GIMP and the plug-in kept for it: last values, the
    chosen server, prompts, the user's own styles. Returns what was removed.

    Raises PluginFolderInTheWay when the folder there is not ours, PluginFolderNotWritable.
    """
    target = plugins / NAME
    found: list[Path] = []
    try:
        if _occupied(target):
            if not is_ours(target):
                raise PluginFolderInTheWay(folder=target)
            target.unlink() if target.is_symlink() else shutil.rmtree(target)
            found.append(target)
        for path in _settings(plugins) if settings else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            found.append(path)
    except OSError as error:
        raise PluginFolderNotWritable(folder=plugins, reason=error.strerror or error) from error
    return found


def _settings(plugins: Path) -> list[Path]:
    """GIMP's own for each procedure, and the folder that frisket_gimp.kept writes."""
    folder = plugins.parent / "frisket"
    kept = [folder] if folder.is_dir() else []
    return kept + sorted((plugins.parent / "plug-in-settings").glob("plug-in-frisket-*"))


def installed_version(plugins: Path) -> str | None:
    """Version of the plug-in in `plugins`; None when it is not there."""
    try:
        return str(json.loads((plugins / NAME / LAUNCH_FILE).read_text())["version"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def is_ours(folder: Path) -> bool:
    """Whether `folder` holds this plug-in (of any version) and not somebody else's of the same name."""
    return (folder / ENTRY).is_file() and (folder / "frisket_gimp").is_dir()


def _occupied(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _vendored_files(distribution: str, top: str) -> Iterator[tuple[Path, str]]:
    """(source, name below vendor/) of a distribution's Python files and licences. Raises PluginPartsMissing."""
    try:
        installed = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise PluginPartsMissing(part=f"the Python package {distribution}", folder=sys.prefix) from None
    count = 0
    for file in installed.files or ():
        name = file.as_posix()
        wanted = name.startswith(top + "/") and name.endswith(".py") and not name.startswith(_LEFT_OUT)
        licence = ".dist-info/" in name and file.name.upper().startswith(("LICENSE", "LICENCE", "COPYING", "NOTICE"))
        if wanted or licence:
            count += wanted
            yield Path(str(file.locate())), name
    if not count:
        raise PluginPartsMissing(part=f"the files of the Python package {distribution}", folder=sys.prefix)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
