"""The repeated blocks of a pinned model compiled when a worker starts. In a run nothing is: it would stand still.

Three rehearsals are enough for all sizes and numbers of pictures: a dimension that was seen to change is compiled as
one that may. What is not covered all the same, and every run with add-ons, which change the blocks, is computed as
without.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch

from frisket.engines.diffusion.watch import compiled_blocks
from frisket.engines.spec import EngineSpec, Task, Work
from frisket.errors import FrisketError, SpeedUnusable

OPTION = "--compile"
COMPILERS = ("g++", "clang++", "c++")
STEPS = 4  # of a rehearsal

log = logging.getLogger(__name__)


def check_compiler(device: str) -> None:
    """Raises SpeedUnusable where nothing can be compiled for `device`."""
    if not hasattr(torch.compiler, "set_stance"):
        _refuse(f"torch 2.6 or newer is needed, this is {torch.__version__}")
    if torch.device(device).type == "cuda":
        if find_spec("triton") is None:
            _refuse("the package triton is missing")
    elif not any(shutil.which(name) for name in (os.environ.get("CXX", ""), *COMPILERS) if name):
        _refuse("a C++ compiler is missing, such as g++")


def compile_blocks(pipe: Any) -> bool:
    """Marks the repeated blocks of the U-net or transformer: the next call compiles. False for one that has none."""
    network = getattr(pipe, "transformer", None) or pipe.unet
    try:
        network.compile_repeated_blocks(fullgraph=True)
    except ValueError:
        log.warning("%s leaves a %s as it is: it has no repeated blocks", OPTION, type(network).__name__)
        return False
    return True


def plain(pipe: Any) -> None:
    """Takes that back."""
    for block in compiled_blocks(pipe):
        block._compiled_call_impl = None


@contextlib.contextmanager
def rehearsing(pipe: Any) -> Iterator[None]:
    """While it lasts, runs compile. Raises SpeedUnusable for what the compiler says, and then nothing is compiled."""
    try:
        yield
    except (FrisketError, MemoryError, torch.OutOfMemoryError):
        plain(pipe)
        raise
    except Exception as error:
        plain(pipe)
        _refuse(" ".join(str(error).split())[:300] or type(error).__name__, error)


def settled(changed: bool) -> Any:
    """A context: while it lasts, what is compiled is used where it fits, and not at all where the blocks are `changed`.

    A compiler does not look whether a layer has hooks that it had not before.
    """
    return torch.compiler.set_stance("force_eager" if changed else "eager_on_recompile")


def rehearsals(spec: EngineSpec, task: Task) -> list[Work]:
    """One picture of the native size, one with both sides another, two of that."""
    rule = spec.size
    native = rule.native_side
    low, wide = (
        max(rule.min_side, side) // rule.multiple * rule.multiple for side in (native * 3 // 4, native * 5 // 4)
    )
    params = {param.name: param.default for param in spec.params} | {"steps": STEPS}
    works = []
    for height, width, count in ((native, native, 1), (low, wide, 1), (low, wide, 2)):
        hole = np.zeros((height, width), np.float32)
        hole[height // 4 : height // 2, width // 4 : width // 2] = 1
        crop = np.full((*hole.shape, 3), 0.5, np.float32)
        works.append(Work(task, crop, hole, params, tuple(range(count)), prompt="a picture"))
    return works


def _refuse(reason: str, error: Exception | None = None) -> None:
    raise SpeedUnusable(what="Models cannot be compiled", reason=reason.rstrip("."), option=OPTION) from error
