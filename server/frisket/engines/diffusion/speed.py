"""How a server was told to run models faster; nothing here is on unless somebody asked for it. No torch."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Attention(enum.Enum):
    """Which code multiplies what networks attend to. All but the first few come with packages or cards of their own.

    Kernels that a hub would hand out are none of them: they are code from a network.
    """

    NATIVE = "native"  # torch's, which chooses among the next four by itself
    CUDNN = "cudnn"
    NATIVE_FLASH = "native-flash"
    EFFICIENT = "efficient"
    MATH = "math"  # plain products: the slowest, for comparison
    FLASH = "flash"  # flash-attn
    FLASH_3 = "flash-3"  # flash-attn 3
    SAGE = "sage"  # sageattention, in eight bits: pictures differ
    XFORMERS = "xformers"


@dataclass(frozen=True, slots=True)
class Speed:
    """attention: of transformers. compiled: the repeated blocks of pinned models, when a worker starts."""

    attention: Attention = Attention.NATIVE
    compiled: bool = False
