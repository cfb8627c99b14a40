"""TRACER: which pixels belong to what a picture is of.

The network of Lee, Shin and Han, "TRACER: Extreme Attention Guided Salient Object Tracing Network" (AAAI 2022), on
EfficientNet-B0 (Tan and Le, ICML 2019); names of tensors are those of the authors' weights (tracer-efficient-0.pth).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

SIDE = 320  # px: what it was trained with
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's RGB
RADIUS = 16  # frequencies below this many periods are no edge
QUIET = 0.1  # of the channels: those of the least weight are left out
SURE = 0.93  # background as sure as this is no part of an edge
# Stages of EfficientNet-B0: repeats, kernel, step, expansion, channels before and after.
STAGES = (
    (1, 3, 1, 1, 32, 16),
    (2, 3, 2, 6, 16, 24),
    (2, 5, 2, 6, 24, 40),
    (3, 3, 2, 6, 40, 80),
    (3, 5, 1, 6, 80, 112),
    (4, 5, 2, 6, 112, 192),
    (1, 3, 1, 6, 192, 320),
)
TAPS = {2: 24, 4: 40, 10: 112, 15: 320}  # blocks whose features are used, and their channels
WIDTHS = (32, 64, 128)  # of the decoder


def _same(x: torch.Tensor, kernel: int, step: int) -> torch.Tensor:
    """Padded as TensorFlow's "SAME" does it for an even size: the odd px goes right and below."""
    total = kernel - step
    return functional.pad(x, (total // 2, total - total // 2, total // 2, total - total // 2))


class _Block(nn.Module):
    """Widened, filtered channel by channel, weighed by squeeze and excitation, narrowed."""

    def __init__(self, before: int, after: int, kernel: int, step: int, expansion: int) -> None:
        super().__init__()
        wide, squeezed = before * expansion, max(1, before // 4)
        self._kernel, self._step, self._keeps = kernel, step, step == 1 and before == after
        if expansion > 1:
            self._expand_conv = nn.Conv2d(before, wide, 1, bias=False)
            self._bn0 = nn.BatchNorm2d(wide, 1e-3)
        self._depthwise_conv = nn.Conv2d(wide, wide, kernel, step, groups=wide, bias=False)
        self._bn1 = nn.BatchNorm2d(wide, 1e-3)
        self._se_reduce, self._se_expand = nn.Conv2d(wide, squeezed, 1), nn.Conv2d(squeezed, wide, 1)
        self._project_conv = nn.Conv2d(wide, after, 1, bias=False)
        self._bn2 = nn.BatchNorm2d(after, 1e-3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.silu(self._bn0(self._expand_conv(x))) if hasattr(self, "_expand_conv") else x
        y = functional.silu(self._bn1(self._depthwise_conv(_same(y, self._kernel, self._step))))
        weight = self._se_expand(functional.silu(self._se_reduce(y.mean((2, 3), keepdim=True))))
        y = self._bn2(self._project_conv(y * torch.sigmoid(weight)))
        return x + y if self._keeps else y


class _Backbone(nn.Module):
    """EfficientNet-B0 without its head; edges are put into its first features."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = nn.BatchNorm2d(32, 1e-3)
        self._blocks = nn.ModuleList(
            _Block(before if first else after, after, kernel, step if first else 1, expansion)
            for repeats, kernel, step, expansion, before, after in STAGES
            for first in (True, *(False,) * (repeats - 1))
        )
        self.Frequency_Edge_Module1 = _Edges(TAPS[2])

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = functional.silu(self._bn0(self._conv_stem(_same(x, 3, 2))))
        taps = []
        for number, block in enumerate(self._blocks):
            x = block(x)
            if not taps and number in TAPS:
                x = self.Frequency_Edge_Module1(x)
            if number in TAPS:
                taps.append(x)
        return taps


class _Conv(nn.Module):
    def __init__(
        self, before: int, after: int, kernel: int | tuple[int, int], padding: int | tuple[int, int] = 0, gap: int = 1
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, padding=padding, dilation=gap, bias=False)
        self.bn = nn.BatchNorm2d(after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.selu(self.bn(self.conv(x)))


class _Depthwise(nn.Module):
    def __init__(self, channels: int, kernel: int, gap: int) -> None:
        super().__init__()
        padding = gap if kernel > 1 else 0
        self.DWConv = nn.Conv2d(channels, channels, kernel, padding=padding, dilation=gap, groups=channels, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.selu(self.bn(self.DWConv(x)))


class _Separable(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.DWConv = nn.Conv2d(before, before, 3, padding=1, groups=before, bias=False)
        self.bn = nn.BatchNorm2d(before)
        self.PWConv = nn.Conv2d(before, after, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.selu(self.bn(self.DWConv(x)))
        return functional.selu(self.bn2(self.PWConv(x)))


class _Wide(nn.Module):
    """Features seen at four widths beside each other."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.DWSConv = _Separable(before, channels)
        for number, (kernel, gap) in enumerate(((1, 1), (3, 1), (3, 3), (3, 5)), 1):
            pair = nn.Sequential(_Depthwise(channels, kernel, gap), _Conv(channels, channels // 4, 1))
            self.add_module(f"DWConv{number}", pair)

    def seen(self, x: torch.Tensor) -> torch.Tensor:
        x = self.DWSConv(x)
        return x + torch.cat([self.get_submodule(f"DWConv{number}")(x) for number in range(1, 5)], 1)


class _Edges(_Wide):
    """What high frequencies of the features tell of edges, added to them."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)
        self.UAM = _Attention(channels, spatial=False)
        self.conv = _Conv(channels, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, columns = (torch.arange(n, device=x.device) - x.shape[2] / 2 for n in x.shape[2:])
        high = torch.hypot(rows[:, None], columns[None]) >= RADIUS
        spectrum = torch.fft.fftshift(torch.fft.fft2(x)) * high
        fine = torch.fft.ifft2(torch.fft.ifftshift(spectrum)).abs()
        return x + torch.relu(self.conv(self.seen(self.UAM.traced(fine)[0])))


class _Attention(nn.Module):
    """Which channels matter, and with `spatial` which places: that is then the answer, in one channel."""

    def __init__(self, channels: int, spatial: bool = True) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(channels)
        self.norm = nn.Sequential(nn.BatchNorm2d(channels))
        names = ("channel_q", "channel_k", "channel_v", "fc")
        for name in names:
            self.add_module(name, nn.Conv2d(channels, channels, 1, bias=False))
        for name in ("spatial_q", "spatial_k", "spatial_v") if spatial else ():
            self.add_module(name, nn.Conv2d(channels, 1, 1, bias=False))

    def _attended(self, kind: str, x: torch.Tensor, axis: int) -> tuple[torch.Tensor, torch.Tensor]:
        q, k, v = (self.get_submodule(f"{kind}_{letter}")(x).squeeze(axis) for letter in "qkv")
        return torch.softmax(q @ k.transpose(1, 2), -1) @ v, v

    def traced(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """x with its channels weighed, and their weights (b, c, 1, 1) 0...1."""
        normed = self.norm(x.mean((2, 3), keepdim=True))
        weights = torch.sigmoid(self.get_submodule("fc")(self._attended("channel", normed, 3)[0].unsqueeze(3)))
        return x * weights + x, weights

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, weights = self.traced(x)
        least = torch.quantile(weights, QUIET, dim=1, keepdim=True)
        found, v = self._attended("spatial", self.bn(x) * torch.where(weights > least, weights, 0), 1)
        return (found + v).unsqueeze(1)


class _Field(nn.Module):
    """Features seen through receptive fields of four sizes."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.branch0 = nn.Sequential(_Conv(before, after, 1))
        for number, size in enumerate((3, 5, 7), 1):
            lines = _Conv(after, after, (1, size), (0, size // 2)), _Conv(after, after, (size, 1), (size // 2, 0))
            branch = nn.Sequential(_Conv(before, after, 1), *lines, _Conv(after, after, 3, size, size))
            self.add_module(f"branch{number}", branch)
        self.conv_cat, self.conv_res = _Conv(4 * after, after, 3, 1), _Conv(before, after, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        seen = torch.cat([self.get_submodule(f"branch{number}")(x) for number in range(4)], 1)
        return torch.relu(self.conv_cat(seen) + self.conv_res(x))


class _Joined(nn.Module):
    """Three levels of features as one first map of the subject."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.conv_upsample1 = _Conv(coarse, middle, 3, 1)
        self.conv_upsample2 = _Conv(coarse, fine, 3, 1)
        self.conv_upsample3 = _Conv(middle, fine, 3, 1)
        self.conv_upsample4 = _Conv(coarse, coarse, 3, 1)
        self.conv_upsample5 = _Conv(coarse + middle, coarse + middle, 3, 1)
        self.conv_concat2 = _Conv(coarse + middle, coarse + middle, 3, 1)
        self.conv_concat3 = _Conv(sum(widths), sum(widths), 3, 1)
        self.UAM = _Attention(sum(widths))

    def forward(self, coarse: torch.Tensor, middle: torch.Tensor, fine: torch.Tensor) -> torch.Tensor:
        up = _doubled(coarse)
        between = torch.cat((self.conv_upsample1(up) * middle, self.conv_upsample4(up)), 1)
        between = self.conv_upsample5(_doubled(self.conv_concat2(between)))
        fine = self.conv_upsample2(_doubled(up)) * self.conv_upsample3(_doubled(middle)) * fine
        return self.UAM(self.conv_concat3(torch.cat((fine, between), 1)))


class _Refined(_Wide):
    """A map of the subject, made better by finer features where it is, and where it is unsure."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels // 2)
        self.conv1 = _Conv(channels // 2, 1, 1)

    def forward(self, found: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        inside = torch.sigmoid(found)
        outside = torch.where(1 - inside > SURE, 0, 1 - inside)
        return found + torch.relu(self.conv1(self.seen(features * inside + features * outside)))


class Tracer(nn.Module):
    """(b, 3, s, s), RGB 0...1, s a multiple of 32 -> (b, 1, s, s): how sure each px is of the subject, 0...1."""

    def __init__(self) -> None:
        super().__init__()
        self.model = _Backbone()
        first, *deeper = TAPS.values()
        self.rfb2, self.rfb3, self.rfb4 = (_Field(b, a) for b, a in zip(deeper, WIDTHS, strict=True))
        self.agg = _Joined(WIDTHS)
        self.ObjectAttention2, self.ObjectAttention1 = _Refined(deeper[0]), _Refined(first)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean, spread = (x.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, SPREAD))
        taps = self.model((x - mean) / spread)
        rough = self.agg(self.rfb4(taps[3]), self.rfb3(taps[2]), self.rfb2(taps[1]))
        better = self.ObjectAttention2(rough, taps[1])
        best = self.ObjectAttention1(_enlarged(better, 2), taps[0])
        return torch.sigmoid((_enlarged(rough, 8) + _enlarged(better, 8) + _enlarged(best, 4)) / 3)


def _doubled(x: torch.Tensor) -> torch.Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=True)


def _enlarged(x: torch.Tensor, times: int) -> torch.Tensor:
    return functional.interpolate(x, scale_factor=float(times), mode="bilinear")
