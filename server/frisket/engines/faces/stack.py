"""A stack of aligned faces through a network: some at once, fewer where memory is short, stopped within a layer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import numpy as np
import torch

from frisket.engines.diffusion.engine import device, ran_out
from frisket.engines.spec import Degradation, DegradationKind, Report
from frisket.errors import EngineFailed, PictureNotFinite

SIDE = 512  # px of an aligned face, as all networks for faces here were trained
Net = Callable[[torch.Tensor], torch.Tensor]


def through(
    net: Net, module: torch.nn.Module, stack: np.ndarray, batch: int, report: Report, engine: str
) -> list[np.ndarray]:
    """What `net` makes of each face: arrays (c, s, s) float32.

    net: (b, 3, s, s) 0...1 on `device()` -> (b, c, s, s), by way of `module`. stack: (n, s, s, 3) float32, values
    beyond 0...1 are clipped. batch: so many faces at once; where memory runs out, half of that, and so on, told.
    Raises EngineFailed (faces of another size), PictureNotFinite, errors.Cancelled, MemoryError, torch's errors.
    """
    if stack.ndim != 4 or stack.shape[1:] != (SIDE, SIDE, 3):
        raise EngineFailed(engine=engine, reason=f"a stack of {SIDE} x {SIDE} faces is wanted, not {stack.shape}")
    made: list[np.ndarray] = []
    report(0, len(stack))
    while len(made) < len(stack):
        report.check()
        try:
            faces = _some(net, module, stack[len(made) : len(made) + batch], report)
        except (RuntimeError, MemoryError) as error:
            if not ran_out(error):
                raise
            free()
            if batch == 1:
                raise MemoryError(str(error)) from error
            batch = max(1, min(batch, len(stack) - len(made)) // 2)
            detail = f"{batch} at a time: memory was short"
            report.told(Degradation(DegradationKind.ONE_BY_ONE, f"Faces went through {engine} {detail}."))
            continue
        if not np.isfinite(faces).all():
            raise PictureNotFinite(what=engine)
        made += list(faces)
        report(len(made), len(stack))
    return made


def free() -> None:
    """Gives the card back what nothing uses."""
    if device() != "cpu":
        torch.cuda.empty_cache()


def _some(net: Net, module: torch.nn.Module, faces: np.ndarray, report: Report) -> np.ndarray:
    shown = np.ascontiguousarray(np.clip(faces, 0.0, 1.0).transpose(0, 3, 1, 2), dtype=np.float32)
    with torch.inference_mode(), stoppable(module, report):
        return net(torch.from_numpy(shown).to(device())).float().cpu().numpy()


@contextlib.contextmanager
def stoppable(module: torch.nn.Module, report: Report) -> Iterator[None]:
    """While it lasts, every layer of the module looks first whether to stop."""

    def look(*_: object) -> None:
        report.check()

    hooks = [layer.register_forward_pre_hook(look) for layer in module.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
