"""torchvision beside a torch of another build: importable all the same.

A torchvision built for a graphics card beside a torch built without (package indexes hand out such pairs) cannot load
its compiled operators, and then refuses to be imported at all: "operator torchvision::nms does not exist".
transformers, diffusers and spandrel import it; nothing that runs here calls those operators.
"""

from __future__ import annotations

import importlib.util

MISSED = ("nms", "qnms")  # those that torchvision says something about while it is imported
SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_held = []  # what is defined goes when its library object does


def make_importable() -> None:
    """Call before the first import of transformers, diffusers or spandrel. Does nothing where torchvision is sound, or
    not there. The operators stay without code: who calls one gets torch's NotImplementedError.
    """
    if importlib.util.find_spec("torchvision") is None:
        return
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        import torch

        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in MISSED:
            library.define(name + SCHEMA)
        _held.append(library)
        import torchvision  # noqa: F401
