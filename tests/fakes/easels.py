"""Easels for a real worker process: one request each says what to do."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Mapping

import numpy as np

from frisket.edits.easel import Finished, Teller
from frisket.errors import EngineFailed


class FakeEasel:
    """request: {"do": name of a method below, ...}."""

    def __init__(self, warm_s: float = 0.0) -> None:
        self._warm_s = warm_s

    def warm(self) -> None:
        time.sleep(self._warm_s)

    def run(self, request: str, planes: Mapping[str, memoryview], tell: Teller) -> list[Finished]:
        wanted = json.loads(request)
        return getattr(self, wanted["do"])(wanted, planes, tell)

    def echo(self, wanted, planes, tell):
        """Each plane as it came, as bytes."""
        return [Finished(json.dumps(sorted(planes)), tuple(bytes(planes[name]) for name in sorted(planes)))]

    def invert(self, wanted, planes, tell):
        """All bits of the pixels turned over, as an array of another type; `times` pictures."""
        pixels = np.frombuffer(planes["pixels"], np.uint16)
        return [Finished(str(n), (~pixels,)) for n in range(wanted.get("times", 1))]

    def scribble(self, wanted, planes, tell):
        """Tries to write on its input."""
        planes["pixels"][0] = 1
        return []

    def who(self, wanted, planes, tell):
        """Facts about the process."""
        with open("/proc/self/oom_score_adj") as file:
            oom = int(file.read())
        facts = {"pid": os.getpid(), "oom": oom, "numba": os.environ["NUMBA_CACHE_DIR"], "path": sys.path}
        facts["torch"] = os.environ["TORCHINDUCTOR_CACHE_DIR"]
        facts["sigint"] = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        facts["sigterm"] = signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
        facts["tracker"] = "multiprocessing.resource_tracker" in sys.modules
        return [Finished(json.dumps(facts), ())]

    def steps(self, wanted, planes, tell):
        """`n` steps of `step_s`, with a preview at each tenth; then an echo."""
        for n in range(wanted["n"]):
            time.sleep(wanted["step_s"])
            tell.progress((n + 1) / wanted["n"])
            if n % 10 == 0:
                tell.preview(bytes([n]) * 50_000, (n, 1, 2, 3))
        return self.echo(wanted, planes, tell)

    def look(self, wanted, planes, tell):
        """`n` steps of `step_s`; whether previews were wanted at each."""
        seen = []
        for n in range(wanted["n"]):
            tell.progress((n + 1) / wanted["n"])
            time.sleep(wanted["step_s"])
            seen.append(tell.wants_preview())
        return [Finished(json.dumps(seen), ())]

    def hang(self, wanted, planes, tell):
        """Never looks at the flag."""
        tell.progress(0.5)
        while True:
            time.sleep(0.01)

    def die(self, wanted, planes, tell):
        """In one of several ways; with `only_once`, a file, the second run lives."""
        mark = wanted.get("only_once")
        if mark is not None and os.path.exists(mark):
            return self.echo(wanted, planes, tell)
        if mark is not None:
            open(mark, "w").close()
        tell.progress(0.1)
        how = wanted["how"]
        if how == "segfault":
            ctypes.string_at(0)
        elif how == "exit":
            os._exit(137)
        elif how == "sysexit":
            sys.exit(3)
        os.kill(os.getpid(), int(how))
        raise AssertionError("still here")

    def memory(self, wanted, planes, tell):
        """Asks for more than there is."""
        return [Finished("", (np.empty(1 << 55, np.uint8),))]

    def fail(self, wanted, planes, tell):
        try:
            raise ZeroDivisionError("deep down")
        except ZeroDivisionError as error:
            raise EngineFailed(engine="fake", reason="it was told to") from error


def make(**kwargs) -> FakeEasel:
    return FakeEasel(**kwargs)


def make_stillborn() -> FakeEasel:
    """Kills the process before it is warm."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def make_broken() -> FakeEasel:
    raise ImportError("no such engine")


def make_babbling() -> FakeEasel:
    """Writes to the pipe what is no message, and goes on living."""
    os.write(int(sys.argv[-2]), b"\x00\x00\x00\x04oops")
    time.sleep(60)
    raise AssertionError
