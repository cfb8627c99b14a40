"""The network of RetinaFace (Deng et al., 2019) with the names of its published weights. Needs torch: imported late.

Two bodies: ResNet-50 (as in torchvision) and MobileNet v1 at a quarter of its width. Above either the same pyramid, the
same context modules and the same three heads; what comes out is, for every anchor, how sure it is that there is a face
(0...1), its box and its five points, in px of the picture.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

STRIDES = (8, 16, 32)
ANCHORS = ((16, 32), (64, 128), (256, 512))  # px, at each stride
CENTRE, SPREAD = 0.1, 0.2  # the "variances" in which places and sizes are told
MEAN = (104.0, 117.0, 123.0)  # blue, green, red, of 0...255
MOBILE = "body.stage1.0.0.weight"  # a name that only the small body has


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1, leak: float | None = None, groups: int = 1):
    """Convolution and batch norm, then a leaky ReLU; leak None: nothing."""
    layers: list[nn.Module] = [
        nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
    ]
    return nn.Sequential(*layers, *([] if leak is None else [nn.LeakyReLU(leak, inplace=True)]))


def separable(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    depth, point = conv(inputs, inputs, 3, stride, 0.1, inputs), conv(inputs, outputs, 1, 1, 0.1)
    return nn.Sequential(*depth, *point)


class MobileBody(nn.Module):
    """MobileNet v1 (Howard et al., 2017) x 0.25: the maps at 1/8, 1/16 and 1/32."""

    channels = (64, 128, 256)

    def __init__(self) -> None:
        super().__init__()
        widths = [8, 16, 32, 32, 64, 64]
        steps = [separable(a, b, 2 if b > a > 8 else 1) for a, b in pairwise(widths)]
        self.stage1 = nn.Sequential(conv(3, 8, 3, 2, 0.1), *steps)
        self.stage2 = nn.Sequential(separable(64, 128, 2), *(separable(128, 128, 1) for _ in range(5)))
        self.stage3 = nn.Sequential(separable(128, 256, 2), separable(256, 256, 1))

    def forward(self, x: Tensor) -> list[Tensor]:
        one = self.stage1(x)
        two = self.stage2(one)
        return [one, two, self.stage3(two)]


class Bottleneck(nn.Module):
    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        outputs = width * 4
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = None if stride == 1 and inputs == outputs else conv(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)), inplace=True)


class ResNetBody(nn.Module):
    """ResNet-50 (He et al., 2015): the maps at 1/8, 1/16 and 1/32."""

    channels = (512, 1024, 2048)

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.layer1 = self._layer(64, 64, 3, 1)
        self.layer2 = self._layer(256, 128, 4, 2)
        self.layer3 = self._layer(512, 256, 6, 2)
        self.layer4 = self._layer(1024, 512, 3, 2)

    @staticmethod
    def _layer(inputs: int, width: int, count: int, stride: int) -> nn.Sequential:
        first = Bottleneck(inputs, width, stride)
        return nn.Sequential(first, *(Bottleneck(width * 4, width, 1) for _ in range(count - 1)))

    def forward(self, x: Tensor) -> list[Tensor]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x)), inplace=True), 3, 2, 1)
        one = self.layer2(self.layer1(x))
        two = self.layer3(one)
        return [one, two, self.layer4(two)]


class Pyramid(nn.Module):
    """Feature pyramid (Lin et al., 2017): each map with what the coarser one knows."""

    def __init__(self, inputs: Sequence[int], width: int, leak: float) -> None:
        super().__init__()
        self.output1, self.output2, self.output3 = (conv(n, width, 1, 1, leak) for n in inputs)
        self.merge1, self.merge2 = conv(width, width, 3, 1, leak), conv(width, width, 3, 1, leak)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        one, two, three = self.output1(maps[0]), self.output2(maps[1]), self.output3(maps[2])
        two = self.merge2(two + F.interpolate(three, size=two.shape[2:], mode="nearest"))
        one = self.merge1(one + F.interpolate(two, size=one.shape[2:], mode="nearest"))
        return [one, two, three]


class Context(nn.Module):
    """SSH's context module (Najibi et al., 2017): windows of 3, 5 and 7 px side by side."""

    def __init__(self, width: int, leak: float) -> None:
        super().__init__()
        half, quarter = width // 2, width // 4
        self.conv3X3 = conv(width, half)
        self.conv5X5_1, self.conv5X5_2 = conv(width, quarter, leak=leak), conv(quarter, quarter)
        self.conv7X7_2, self.conv7x7_3 = conv(quarter, quarter, leak=leak), conv(quarter, quarter)

    def forward(self, x: Tensor) -> Tensor:
        five = self.conv5X5_1(x)
        seven = self.conv7x7_3(self.conv7X7_2(five))
        return F.relu(torch.cat([self.conv3X3(x), self.conv5X5_2(five), seven], dim=1), inplace=True)


class Head(nn.Module):
    """`size` numbers for each of the two anchors at each place."""

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.conv1x1 = nn.Conv2d(width, 2 * size, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv1x1(x).permute(0, 2, 3, 1).reshape(-1, self.size)


class RetinaFace(nn.Module):
    """mobile: with the small body. `forward` takes one picture."""

    def __init__(self, mobile: bool) -> None:
        super().__init__()
        self.body = MobileBody() if mobile else ResNetBody()
        width, leak = (64, 0.1) if mobile else (256, 0.0)
        self.fpn = Pyramid(self.body.channels, width, leak)
        self.ssh1, self.ssh2, self.ssh3 = (Context(width, leak) for _ in STRIDES)
        self.ClassHead = nn.ModuleList(Head(width, 2) for _ in STRIDES)
        self.BboxHead = nn.ModuleList(Head(width, 4) for _ in STRIDES)
        self.LandmarkHead = nn.ModuleList(Head(width, 10) for _ in STRIDES)

    @classmethod
    def for_state(cls, state: Mapping[str, Tensor]) -> RetinaFace:
        """The variant that these weights are of."""
        return cls(MOBILE in state)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """picture (1, 3, h, w): blue, green, red, 0...255. Scores (n,), boxes (n, 4) x, y, w, h, points (n, 10)."""
        x = picture - picture.new_tensor(MEAN).reshape(1, 3, 1, 1)
        levels = self.fpn(self.body(x))
        maps = [ssh(level) for ssh, level in zip((self.ssh1, self.ssh2, self.ssh3), levels, strict=True)]
        scores, boxes, points = (
            torch.cat([head(m) for head, m in zip(heads, maps, strict=True)])
            for heads in (self.ClassHead, self.BboxHead, self.LandmarkHead)
        )
        place, size = anchors([m.shape[2:] for m in maps], picture.device)
        middle = place + boxes[:, :2] * CENTRE * size
        extent = size * torch.exp(boxes[:, 2:] * SPREAD)
        five = place[:, None] + points.reshape(-1, 5, 2) * CENTRE * size[:, None]
        return scores.softmax(1)[:, 1], torch.cat([middle - extent / 2, extent], 1), five.reshape(-1, 10)


def anchors(shapes: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, Tensor]:
    """Middles (n, 2) and sides (n, 1) in px of the boxes that the heads' numbers are relative to, in their order."""
    places, sizes = [], []
    for (h, w), stride, sides in zip(shapes, STRIDES, ANCHORS, strict=True):
        y, x = torch.meshgrid(torch.arange(h, device=device), torch.arange(w, device=device), indexing="ij")
        middles = (torch.stack([x, y], dim=-1).reshape(-1, 1, 2) + 0.5) * stride
        places.append(middles.expand(-1, len(sides), -1).reshape(-1, 2))
        sizes.append(torch.tensor(sides, dtype=torch.float32, device=device).repeat(h * w))
    return torch.cat(places), torch.cat(sizes)[:, None]
