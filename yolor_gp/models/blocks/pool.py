"""Pooling: down-sampling, and spatial pyramids that see far."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Conv
from yolor_gp.models.blocks.registry import (
    Block,
    Count,
    Expansion,
    Kernel,
    Padding,
    Width,
    register,
)


@register("MaxPool")
class MaxPool(Block):
    """Maximum over `kernel` x `kernel` cells; `padding` keeps the size of odd kernels.

    after: rows and columns added below and to the right only, which are never the maximum.
    """

    def __init__(
        self,
        in_channels: int,
        kernel: Kernel = 2,
        stride: Count = 2,
        padding: Padding | None = None,
        after: Padding = 0,
    ) -> None:
        super().__init__()
        self.out_channels = in_channels
        padding = (kernel - 1) // 2 if padding is None else padding
        before: nn.Module = nn.Identity()
        if after:
            before = nn.ConstantPad2d((0, after, 0, after), -math.inf)
        self.before = before
        self.pool = nn.MaxPool2d(kernel, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h / stride, w / stride]."""
        return cast(Tensor, self.pool(self.before(x)))


@register("AveragePool")
class AveragePool(Block):
    """Mean over `kernel` x `kernel` cells."""

    def __init__(self, in_channels: int, kernel: Kernel = 2, stride: Count = 2) -> None:
        super().__init__()
        self.out_channels = in_channels
        self.pool = nn.AvgPool2d(kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h / stride, w / stride]."""
        return cast(Tensor, self.pool(x))


@register("Flatten")
class Flatten(Block):
    """A map as one column of numbers, for layers that see no places: 1x1 convolutions are linear.

    side: the map is first averaged to so many cells a side; 1: the mean over the image.
    """

    def __init__(self, in_channels: int, side: Kernel = 1) -> None:
        super().__init__()
        self.out_channels = in_channels * side * side
        self.pool = nn.AdaptiveAvgPool2d(side)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C * side * side, 1, 1]."""
        return cast(Tensor, self.pool(x)).flatten(1)[:, :, None, None]


class PoolPyramid(nn.Module):
    """x beside its maxima over growing neighbourhoods: [B, C, h, w] -> [B, C * (1 + n), h, w]."""

    def __init__(self, kernels: tuple[int, ...]) -> None:
        super().__init__()
        self.pools = nn.ModuleList(nn.MaxPool2d(k, stride=1, padding=k // 2) for k in kernels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C * (1 + number of kernels), h, w]."""
        return torch.cat([x, *[pool(x) for pool in self.pools]], dim=1)


@register("SPP")
class SPP(Block):
    """Spatial pyramid pooling: 1x1 to half the input's width, pyramid, 1x1 to `out_channels`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        kernels: tuple[Kernel, ...] = (5, 9, 13),
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        hidden = in_channels // 2
        self.reduce = Conv(in_channels, hidden)
        self.pyramid = PoolPyramid(kernels)
        self.expand = Conv(hidden * (len(kernels) + 1), out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        return cast(Tensor, self.expand(self.pyramid(self.reduce(x))))


@register("SPPF")
class SPPF(Block):
    """SPP by three pools of `kernel` in a row: they see as far as kernels 5, 9, 13 together."""

    def __init__(self, in_channels: int, out_channels: Width, kernel: Kernel = 5) -> None:
        super().__init__()
        self.out_channels = out_channels
        hidden = in_channels // 2
        self.reduce = Conv(in_channels, hidden)
        self.pool = nn.MaxPool2d(kernel, stride=1, padding=kernel // 2)
        self.expand = Conv(hidden * 4, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        x = self.reduce(x)
        near = self.pool(x)
        middle = self.pool(near)
        far = self.pool(middle)
        return cast(Tensor, self.expand(torch.cat([x, near, middle, far], dim=1)))


@register("SPPCSPC")
class SPPCSPC(Block):
    """Spatial pyramid pooling on one path of a cross-stage-partial block [YOLOR, CSP].

    Path a: 1x1, 3x3, 1x1, pyramid, 1x1, 3x3; path b: 1x1; both joined by a 1x1. The hidden width
    is 2 * expansion * out_channels. `number` and `shortcut` and `groups` are read and unused: the
    official files write them before `expansion`.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        number: int = 1,
        shortcut: bool = False,
        groups: int = 1,
        expansion: Expansion = 0.5,
        kernels: tuple[Kernel, ...] = (5, 9, 13),
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        hidden = int(2 * out_channels * expansion)
        self.before = nn.Sequential(
            Conv(in_channels, hidden, 1), Conv(hidden, hidden, 3), Conv(hidden, hidden, 1)
        )
        self.pyramid = PoolPyramid(kernels)
        self.after = nn.Sequential(
            Conv(hidden * (len(kernels) + 1), hidden, 1), Conv(hidden, hidden, 3)
        )
        self.bypass = Conv(in_channels, hidden, 1)
        self.join = Conv(2 * hidden, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        a = self.after(self.pyramid(self.before(x)))
        return cast(Tensor, self.join(torch.cat([a, self.bypass(x)], dim=1)))
