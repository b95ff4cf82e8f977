"""ELAN: a chain of convolutions tapped at even distances ([GP] 3.3), and its down-sampling."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Conv
from yolor_gp.models.blocks.registry import Block, Count, Width, register


@register("ELAN")
class ELAN(Block):
    """Two 1x1 paths a and b; a chain of 3x3 from b, tapped after every `stack`; a 1x1 joins all.

    ELAN-{s} of [GP] Table 7 is `stack` s: the number of convolutions in one computational block.
    depth: convolutions in the chain, a multiple of `stack`. The taps together are as wide as a
    and b together, so the chain has 2 * hidden * stack / depth channels (stack 2, depth 4: hidden;
    stack 1, depth 4: hidden / 2, inferred from the FLOPs of all three rows of Table 7).
    """

    widths = ("out_channels", "hidden")

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        hidden: Width,
        stack: Count = 2,
        depth: Count = 4,
    ) -> None:
        super().__init__()
        if depth % stack:
            raise ValueError(f"depth {depth} is not a multiple of stack {stack}")
        self.out_channels = out_channels
        self.stack = stack
        width = max(2 * hidden * stack // depth, 1)
        self.a = Conv(in_channels, hidden)
        self.b = Conv(in_channels, hidden)
        self.chain = nn.ModuleList(
            Conv(hidden if i == 0 else width, width, 3) for i in range(depth)
        )
        self.join = Conv(2 * hidden + depth // stack * width, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        y = self.b(x)
        taps = [self.a(x), y]
        for i, conv in enumerate(self.chain):
            y = conv(y)
            if (i + 1) % self.stack == 0:
                taps.append(y)
        return cast(Tensor, self.join(torch.cat(taps[::-1], dim=1)))


@register("Down")
class Down(Block):
    """Half the size by two paths side by side: 1x1 then strided 3x3, and max-pool then 1x1.

    half: the width of each path; out_channels is twice that.
    """

    widths = ("half",)

    def __init__(self, in_channels: int, half: Width) -> None:
        super().__init__()
        self.out_channels = 2 * half
        self.strided = nn.Sequential(Conv(in_channels, half, 1), Conv(half, half, 3, 2))
        self.pooled = nn.Sequential(nn.MaxPool2d(2, 2), Conv(in_channels, half, 1))

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, 2 * half, h / 2, w / 2]."""
        return torch.cat([self.strided(x), self.pooled(x)], dim=1)
