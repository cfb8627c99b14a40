"""GFPGAN's network: that of the package `gfpgan` where it is installed, else spandrel's. Both draw the same picture.

The package, through basicsr, imports a module that torchvision took out in 0.17; while it is imported that module is
there, with the one function that is wanted. Where the package does not import all the same, spandrel's is taken.
"""

from __future__ import annotations

import contextlib
import sys
import types
import warnings
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from frisket.engines import nets
from frisket.engines.vision_ops import make_importable
from frisket.models.record import Record

GONE = "torchvision.transforms.functional_tensor"
SIZES: dict[str, Any] = {  # of the published weights, version 1.2 and later
    "out_size": 512, "num_style_feat": 512, "channel_multiplier": 2, "decoder_load_path": None, "fix_decoder": False,
    "num_mlp": 8, "input_is_latent": True, "different_w": True, "narrow": 1, "sft_half": True,
}  # fmt: skip


def network(folder: Path, record: Record) -> torch.nn.Module:
    """On the processor, for use alone: `draw` says how. Raises as `nets.spandrel_model` does."""
    kind = of_package()
    if kind is None:
        return nets.spandrel_model(folder, record, "FaceSR").model
    state, path = nets.state_of(folder, record), nets.weights_file(folder, record)
    with torch.device("meta"):
        made = kind(**SIZES)
    return nets.filled(made, state, path)


def draw(net: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """(b, 3, 512, 512), RGB -1...1 -> the like, with the noise that the file keeps instead of a new one each time."""
    return net(x, return_rgb=False, randomize_noise=False)[0]


def of_package() -> Any:
    """The class of the package `gfpgan`; None where that is not installed, or does not import."""
    if find_spec("gfpgan") is None:
        return None
    make_importable()
    try:
        with _gone_module(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module("gfpgan.archs.gfpganv1_clean_arch").GFPGANv1Clean
    except Exception:  # a stranger's import may raise anything; the other network draws the same
        return None


@contextlib.contextmanager
def _gone_module() -> Iterator[None]:
    """While it lasts, the module that basicsr wants can be imported."""
    import_module("torchvision.transforms.functional")
    if GONE in sys.modules or find_spec(GONE) is not None:
        yield
        return
    module = types.ModuleType(GONE)
    module.rgb_to_grayscale = sys.modules["torchvision.transforms.functional"].rgb_to_grayscale  # type: ignore[attr-defined]
    sys.modules[GONE] = module
    try:
        yield
    finally:
        sys.modules.pop(GONE, None)
