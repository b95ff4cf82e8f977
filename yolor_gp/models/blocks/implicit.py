"""Implicit knowledge [YOLOR]: learned constants added to, or multiplied with, feature maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from yolor_gp.models.blocks.registry import Block, register


@register("ImplicitAdd")
class ImplicitAdd(Block):
    """x + a with a learned a per channel, drawn from N(0, 0.02)."""

    def __init__(self, in_channels: int, mean: float = 0.0, deviation: float = 0.02) -> None:
        super().__init__()
        self.out_channels = in_channels
        self.value = nn.Parameter(torch.empty(1, in_channels, 1, 1))
        nn.init.normal_(self.value, mean, abs(deviation))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> the same shape."""
        return x + self.value


@register("ImplicitMultiply")
class ImplicitMultiply(Block):
    """x * m with a learned m per channel, drawn from N(1, 0.02)."""

    def __init__(self, in_channels: int, mean: float = 1.0, deviation: float = 0.02) -> None:
        super().__init__()
        self.out_channels = in_channels
        self.value = nn.Parameter(torch.empty(1, in_channels, 1, 1))
        nn.init.normal_(self.value, mean, abs(deviation))

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> the same shape."""
        return x * self.value
