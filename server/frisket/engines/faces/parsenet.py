"""ParseNet: which part of an aligned face each pixel is of, one of 19 classes.

The network of Chen et al., "Progressive Semantic-Aware Style Transformation for Blind Face Restoration" (CVPR 2021), in
the size in which facexlib publishes its weights (parsing_parsenet.pth); names of tensors are those of that file. It
also draws the face anew (`out_img_conv`), which nobody asks for here.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

CLASSES = 19
WIDTHS = (64, 128, 256, 256, 256)  # channels at 512, 256, 128, 64 and 32 px
DEPTH = 10  # residual blocks at 32 px
SLOPE = 0.2


class _Conv(nn.Module):
    """3 x 3 on a mirrored border; `step` 2 halves the picture, `up` doubles it first."""

    def __init__(self, before: int, after: int, step: int = 1, up: bool = False, normed: bool = False) -> None:
        super().__init__()
        self.up = up
        self.conv2d = nn.Conv2d(before, after, 3, step, bias=not normed)
        if normed:
            self.norm = nn.ModuleDict({"norm": nn.BatchNorm2d(after)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.up:
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
        x = self.conv2d(functional.pad(x, (1, 1, 1, 1), mode="reflect"))
        return self.norm["norm"](x) if hasattr(self, "norm") else x


class _Block(nn.Module):
    """Two convolutions beside a way around them, which is one convolution where the size changes."""

    def __init__(self, before: int, after: int, down: bool = False, up: bool = False) -> None:
        super().__init__()
        if down or up:
            self.shortcut_func = _Conv(before, after, 2 if down else 1, up)
        self.conv1 = _Conv(before, after, up=up, normed=True)
        self.conv2 = _Conv(after, after, 2 if down else 1, normed=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        around = self.shortcut_func(x) if hasattr(self, "shortcut_func") else x
        return around + self.conv2(functional.leaky_relu(self.conv1(x), SLOPE))


class ParseNet(nn.Module):
    """(b, 3, 512, 512), RGB -1...1 -> (b, 19, 512, 512): a score for each class."""

    def __init__(self) -> None:
        super().__init__()
        steps = tuple(pairwise(WIDTHS))
        self.encoder = nn.Sequential(_Conv(3, WIDTHS[0]), *(_Block(a, b, down=True) for a, b in steps))
        self.body = nn.Sequential(*(_Block(WIDTHS[-1], WIDTHS[-1]) for _ in range(DEPTH)))
        self.decoder = nn.Sequential(*(_Block(b, a, up=True) for a, b in reversed(steps)))
        self.out_img_conv = _Conv(WIDTHS[0], 3)
        self.out_mask_conv = _Conv(WIDTHS[0], CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.encoder(x)
        return self.out_mask_conv(self.decoder(features + self.body(features)))
