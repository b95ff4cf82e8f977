"""Blocks of the networks of [FLOW]: pathways side by side, and DenseNet as it was published."""

from __future__ import annotations

from typing import Annotated, cast

import torch
from pydantic import Field
from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Activation, Conv, make_activation, make_batch_norm
from yolor_gp.models.blocks.registry import Block, Count, Kernel, Width, register

Pathways = Annotated[tuple[tuple[Count, Kernel], ...], Field(min_length=1, max_length=8)]
"""(number of layers, kernel) of each."""


class Pathway(nn.Module):
    """Pathways of the same input, added up, then an activation.

    The first layer of each has the stride, the last no activation of its own.
    """

    def __init__(
        self, in_channels: int, out_channels: int, paths: Pathways, stride: int, name: Activation
    ) -> None:
        super().__init__()
        self.paths = nn.ModuleList(
            nn.Sequential(
                *(
                    Conv(
                        in_channels if layer == 0 else out_channels,
                        out_channels,
                        kernel,
                        stride if layer == 0 else 1,
                        activation="none" if layer == number - 1 else name,
                    )
                    for layer in range(number)
                )
            )
            for number, kernel in paths
        )
        self.activation = make_activation(name)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h / stride, w / stride]."""
        total = self.paths[0](x)
        for path in list(self.paths)[1:]:
            total = total + path(x)
        return cast(Tensor, self.activation(total))


@register("MultiPathStage")
class MultiPathStage(Block):
    """A stage of MPNet [FLOW]: `depth` blocks of pathways joined by addition.

    paths: (number of layers, kernel) of each, as in (1: 3x3, 4: 7x7); the first block has the
    stride.
    """

    repeats = "depth"

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        paths: Pathways,
        depth: Count = 1,
        stride: Count = 2,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.blocks = nn.Sequential(
            *(
                Pathway(
                    in_channels if block == 0 else out_channels,
                    out_channels,
                    paths,
                    stride if block == 0 else 1,
                    activation,
                )
                for block in range(depth)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h / stride, w / stride]."""
        return cast(Tensor, self.blocks(x))


@register("Norm")
class Norm(Block):
    """Batch normalisation and activation."""

    def __init__(self, in_channels: int, activation: Activation = "relu") -> None:
        super().__init__()
        self.out_channels = in_channels
        self.norm = make_batch_norm(in_channels)
        self.activation = make_activation(activation)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> the same."""
        return cast(Tensor, self.activation(self.norm(x)))


@register("PreConv")
class PreConv(Block):
    """Batch normalisation, activation, bias-free convolution: a layer of DenseNet."""

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        kernel: Kernel = 1,
        stride: Count = 1,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.before = Norm(in_channels, activation)
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h / stride, w / stride]."""
        return cast(Tensor, self.conv(self.before(x)))


@register("DenseNetStage")
class DenseNetStage(Block):
    """`depth` times a 1x1 to 4 * growth and a 3x3 to growth channels, each on all before it.

    [Huang et al. 2016], as published: normalisation first.
    """

    widths = ("growth",)
    repeats = "depth"

    def __init__(
        self,
        in_channels: int,
        growth: Width = 32,
        depth: Count = 1,
        activation: Activation = "relu",
    ) -> None:
        super().__init__()
        self.out_channels = in_channels + depth * growth
        self.layers = nn.ModuleList(
            nn.Sequential(
                PreConv(in_channels + layer * growth, 4 * growth, 1, activation=activation),
                PreConv(4 * growth, growth, 3, activation=activation),
            )
            for layer in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        for layer in self.layers:
            x = torch.cat([x, layer(x)], dim=1)
        return x
