"""A block: channels weighed by what the whole image shows (squeeze and excitation, 1709.01507)."""

from __future__ import annotations

from torch import Tensor, nn

from yolor_gp.models.blocks.registry import Block, Count, register


@register("SqueezeExcite")
class SqueezeExcite(Block):
    """`{block: SqueezeExcite, ratio: 4}` in a model file; channels stay as they are."""

    widths = ()

    def __init__(self, in_channels: int, ratio: Count = 4) -> None:
        super().__init__()
        self.out_channels = in_channels
        hidden = max(in_channels // ratio, 1)
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(in_channels, hidden, 1),
            nn.ReLU(),
            nn.Conv2d(hidden, in_channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, h, w] -> [B, C, h, w]."""
        weighed: Tensor = x * self.weigh(x)
        return weighed
