"""Small blocks under the names and argument orders of official model files."""

from __future__ import annotations

import math
from typing import Literal, cast

import torch
from torch import Tensor

from yolor_gp.models.blocks.conv import Activation, Conv
from yolor_gp.models.blocks.implicit import ImplicitAdd, ImplicitMultiply
from yolor_gp.models.blocks.pool import MaxPool
from yolor_gp.models.blocks.registry import (
    Block,
    Count,
    Kernel,
    ManyInputs,
    Padding,
    Width,
    register,
)


@register("MP")
class MP(MaxPool):
    """Maximum over cells that do not overlap."""

    def __init__(self, in_channels: int, kernel: Kernel = 2) -> None:
        super().__init__(in_channels, kernel, stride=kernel, padding=0)


@register("SP")
class SP(MaxPool):
    """Maximum over a neighbourhood; stride 1 keeps the size."""

    def __init__(self, in_channels: int, kernel: Kernel = 3, stride: Count = 1) -> None:
        super().__init__(in_channels, kernel, stride, padding=kernel // 2)


def space_to_depth(x: Tensor) -> Tensor:
    """[B, C, h, w] -> [B, 4C, h / 2, w / 2]: even/odd rows, then columns, as YOLOv5 orders."""
    rows = [x[..., ::2, :], x[..., 1::2, :]]
    return torch.cat([part[..., column::2] for column in (0, 1) for part in rows], dim=1)


@register("ReOrg")
class ReOrg(Block):
    """Every 2x2 cells become one cell with four times the channels."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.out_channels = 4 * in_channels

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, 4C, h / 2, w / 2]."""
        return space_to_depth(x)


@register("Focus")
class Focus(Block):
    """`ReOrg`, then `Conv`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        kernel: Kernel = 1,
        stride: Count = 1,
        padding: Padding | None = None,
        groups: Width = 1,
        activation: Activation = "silu",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.conv = Conv(4 * in_channels, out_channels, kernel, stride, padding, groups, activation)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h / 2, w / 2]."""
        return cast(Tensor, self.conv(space_to_depth(x)))


@register("DWConv")
class DWConv(Conv):
    """`Conv` in as many groups as both widths allow: depth-wise when they are equal."""

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        kernel: Kernel = 1,
        stride: Count = 1,
        activation: Activation = "silu",
    ) -> None:
        groups = math.gcd(in_channels, out_channels)
        super().__init__(in_channels, out_channels, kernel, stride, None, groups, activation)


@register("Shortcut")
class Shortcut(ManyInputs):
    """The sum of two inputs of equal width."""

    def __init__(self, in_channels: tuple[int, ...], dimension: Literal[0, 1] = 0) -> None:
        super().__init__()
        if len(set(in_channels)) != 1 or len(in_channels) != 2:
            raise ValueError(f"two inputs of equal width are added, found {list(in_channels)}")
        self.out_channels = in_channels[0]

    def forward(self, inputs: list[Tensor]) -> Tensor:
        """Two of [B, C, h, w] -> [B, C, h, w]."""
        return inputs[0] + inputs[1]


@register("ImplicitA")
class ImplicitA(ImplicitAdd):
    """`ImplicitAdd` for a width the file states."""

    widths = ()

    def __init__(self, in_channels: int, channels: Width | None = None) -> None:
        if channels not in (None, in_channels):
            raise ValueError(f"the input has {in_channels} channels, not {channels}")
        super().__init__(in_channels)


@register("ImplicitM")
class ImplicitM(ImplicitMultiply):
    """`ImplicitMultiply` for a width the file states."""

    widths = ()

    def __init__(self, in_channels: int, channels: Width | None = None) -> None:
        if channels not in (None, in_channels):
            raise ValueError(f"the input has {in_channels} channels, not {channels}")
        super().__init__(in_channels)
