"""The real GIMP 3 in the tree that make_tree.sh builds, without a screen or on a virtual one."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from frisket.cli import plugin_bundle
from frisket.cli.connect import serve_command
from frisket.client.client import Client
from frisket.client.h2_transport import H2Transport
from frisket.client.places import read_runtime
from frisket.errors import ServerNotRunning

HERE = Path(__file__).parent
TREE = Path(os.environ.get("FRISKET_GIMP_TREE", "/var/tmp/frisket-gimp/trixie"))
SYSTEM = "/usr/lib/x86_64-linux-gnu/gimp/3.0/plug-ins"
TREES = {"3.0": TREE, "3.2": TREE.with_name("forky")}  # by GIMP's version
# GIMP 3.2 with windows wants /proc. It is mounted in a namespace of its own and goes with it.
_MOUNT = 'mount -t proc proc "$0/proc" 2>/dev/null; exec chroot "$0" "$@"'
GIMPRC = """(plug-in-path "${gimp_dir}/core:${gimp_dir}/plug-ins")
(check-updates no)
(show-welcome-dialog no)
(config-version "3.0.4")
(color-profile-policy keep)
(save-session-info no)
"""


class Gimp:
    """A GIMP with a configuration of its own. `folder` is seen by the host, `inside` by GIMP."""

    def __init__(self, folder: Path, tree: Path = TREE) -> None:
        self.folder, self.tree = folder, tree
        self.seconds = 100  # that it may run
        self.inside = "/" + str(folder.relative_to(tree))
        (folder / "core").mkdir()
        for name in ("python-eval", "file-png"):
            (folder / "core" / name).symlink_to(f"{SYSTEM}/{name}")
        (folder / "gimprc").write_text(GIMPRC)
        home = folder / "frisket-home"
        home.mkdir()
        # The command is one that the tree can run: it proves that the note is used.
        noted = f"cp {self.inside}/waiting.json {self.inside}/frisket-home/server.json"
        script = f'printf "%s\\n" "$@" > {self.inside}/options.txt; {noted}; sleep 5'
        command = ["/bin/sh", "-c", script, "serve"]
        plugin_bundle.install(folder / "plug-ins", command, Path(self.inside) / "frisket-home")
        shutil.copy(HERE / "inside.py", folder / "inside.py")

    def command(self, program: str, *arguments: str, **env: str) -> list[str]:
        base = {"PATH": "/usr/bin:/bin", "HOME": self.inside, "GIMP3_DIRECTORY": self.inside, "LANG": "C.UTF-8"}
        pairs = [f"{name}={value}" for name, value in {**base, **env}.items()]
        enter = ["unshare", "-m", "sh", "-c", _MOUNT, str(self.tree)]
        return [*enter, "env", "-i", *pairs, "timeout", "-k", "5", str(self.seconds), program, *arguments]

    def script(self, body: str) -> str:
        """What GIMP's Python is given: our helpers, then `body`."""
        (self.folder / "body.py").write_text(body)
        run = "for n in ('inside', 'body'): exec(pathlib.Path(D, n + '.py').read_text())"
        return f"import pathlib; D = {self.inside!r}\n{run}"

    def run(self, body: str) -> dict:
        """Run `body` in GIMP; it fills the dictionary `out`, which comes back. Fails the test when it raises."""
        (self.folder / "out.json").unlink(missing_ok=True)
        options = ("-n", "-i", "-d", "-f", "--batch-interpreter", "python-fu-eval", "-b", self.script(body), "--quit")
        command, limit = self.command("gimp-console-3", *options), self.seconds + 10
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit)
        assert done.returncode == 0, f"GIMP ended with {done.returncode}\n{done.stdout}\n{done.stderr[-6000:]}"
        return json.loads((self.folder / "out.json").read_text())

    @contextlib.contextmanager
    def shown(self, screen: Screen, body: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run `body` in a GIMP with windows, which ends with this block; `finished` waits for its `out`."""
        (self.folder / "out.json").unlink(missing_ok=True)
        options = ("-n", "-s", "-d", "--batch-interpreter", "python-fu-eval", "-b", self.script(body))
        command = self.command("gimp-3", *options, DISPLAY=screen.display, NO_AT_BRIDGE="1")
        with open(self.folder / "gimp.log", "wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            yield process
        finally:
            kill(process)

    def finished(self, seconds: float = 40.0) -> dict:
        """`out` of the script that runs in a shown GIMP."""
        return json.loads(self.wait_for("out.json", seconds).read_text())

    def wait_for(self, name: str, seconds: float = 40.0) -> Path:
        """A file of this GIMP's folder, once it is there."""
        until = time.monotonic() + seconds
        while not (self.folder / name).exists():
            assert time.monotonic() < until, f"no {name} after {seconds} s\n" + (self.folder / "gimp.log").read_text()
            time.sleep(0.05)
        return self.folder / name

    @contextlib.contextmanager
    def started(self, body: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run `body` in a GIMP without windows, beside the test; `kill` ends it as a crash would."""
        options = ("-n", "-i", "-d", "-f", "--batch-interpreter", "python-fu-eval", "-b", self.script(body), "--quit")
        command, null = self.command("gimp-console-3", *options), subprocess.DEVNULL
        process = subprocess.Popen(command, stdout=null, stderr=null, start_new_session=True)
        try:
            yield process
        finally:
            kill(process)

    def array(self, name: str, shape: tuple[int, ...], dtype: type) -> np.ndarray:
        """Raw samples that `dump` left."""
        return np.frombuffer((self.folder / f"{name}.raw").read_bytes(), dtype).reshape(shape)


def kill(process: subprocess.Popen[bytes]) -> None:
    """GIMP and its plug-ins, at once."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@contextlib.contextmanager
def a_server(gimp: Gimp) -> Iterator[Client]:
    """A real server on this machine that `gimp` finds, and a client of it."""
    home = gimp.folder / "frisket-home"
    with open(gimp.folder / "server.log", "wb") as log:
        command = serve_command("--listen", "127.0.0.1:0")
        env = {**os.environ, "FRISKET_HOME": str(home)}
        server = subprocess.Popen(command, env=env, stdout=log, stderr=log)
    client = None
    try:
        until = time.monotonic() + 60
        while client is None:
            with contextlib.suppress(ServerNotRunning):
                runtime = read_runtime(home)
                client = Client(H2Transport(runtime.address, runtime.token), "test")
            assert time.monotonic() < until, (gimp.folder / "server.log").read_text()
            assert server.poll() is None, (gimp.folder / "server.log").read_text()
            time.sleep(0.1)
        yield client
    finally:
        if client:
            client.close()
        server.terminate()
        server.wait(30)


@contextlib.contextmanager
def a_gimp(tree: Path = TREE) -> Iterator[Gimp]:
    """A GIMP that has never run before, swept away afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="frisket-test-", dir=tree / "var" / "tmp"))
    folder.chmod(0o755)
    try:
        yield Gimp(folder, tree)
    finally:
        shutil.rmtree(folder)


def step_aside(reason: str) -> None:
    """Skip, or fail where FRISKET_NEED_GIMP says that all must be there."""
    (pytest.fail if os.environ.get("FRISKET_NEED_GIMP") else pytest.skip)(reason)


def why_no_gimp(tree: Path = TREE) -> str:
    """Empty when the real GIMP of that tree can run here."""
    if not (tree / ".frisket-ready").exists():
        return f"no tree with the real GIMP in {tree}: build it with tests/gimp/make_tree.sh '' {tree.name}"
    if sys.platform != "linux" or os.geteuid() != 0:
        return "the real GIMP runs in a chroot and a mount namespace, which needs root"
    return ""


def why_no_screen() -> str:
    """Empty when there are the programs for a virtual screen."""
    missing = [name for name in ("Xvfb", "openbox", "xdotool", "import") if not shutil.which(name)]
    return f"a virtual screen needs {', '.join(missing)}: apt-get install xvfb openbox xdotool imagemagick" * bool(
        missing
    )


class Screen:
    """A virtual screen with a window manager, and hands. By TCP: the tree does not see this machine's sockets."""

    def __init__(self, display: str) -> None:
        self.display = display
        self._env = {**os.environ, "DISPLAY": display}

    def do(self, *words: str) -> str:
        """One xdotool command; its answer."""
        done = subprocess.run(["xdotool", *words], env=self._env, capture_output=True, text=True, timeout=30)
        return done.stdout.strip()

    def window(self, title: str, seconds: float = 30.0) -> str:
        """Wait for a visible window with this title (a regular expression) and give it the keyboard."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.do("search", "--onlyvisible", "--name", title).split()
            if found:
                self.do("windowactivate", "--sync", found[-1])
                return found[-1]
            time.sleep(0.1)
        raise AssertionError(f"no window {title!r} within {seconds} s; there are: {self.titles()}")

    def titles(self) -> list[str]:
        return [self.do("getwindowname", w) for w in self.do("search", "--onlyvisible", "--name", ".+").split()]

    def move(self, x: int, y: int) -> None:
        """The pointer."""
        self.do("mousemove", str(x), str(y))

    def key(self, *keys: str) -> None:
        self.do("key", "--clearmodifiers", *keys)

    def shot(self, path: Path, window: str = "root", *options: str) -> None:
        """A picture of the screen or of a window; `options` as ImageMagick's import takes them."""
        subprocess.run(["import", "-window", window, *options, str(path)], env=self._env, check=True, timeout=30)


@contextlib.contextmanager
def a_screen(size: str = "1280x820x24") -> Iterator[Screen]:
    started: list[subprocess.Popen[bytes]] = []
    reader, writer = os.pipe()
    try:
        xvfb = ["Xvfb", "-displayfd", str(writer), "-screen", "0", size, "-nolisten", "unix", "-listen", "tcp", "-ac"]
        started.append(subprocess.Popen(xvfb, pass_fds=[writer], stderr=subprocess.DEVNULL))
        number = os.read(reader, 16).decode().strip()
        screen = Screen(f"127.0.0.1:{number}")
        env = {**os.environ, "DISPLAY": screen.display}
        started.append(subprocess.Popen(["openbox"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
        yield screen
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()
        os.close(reader)
        os.close(writer)
