"""Prototypes: the masks that every instance's coefficients combine [YOLACT]."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Conv


class MaskHead(nn.Module):
    """3x3, nearest x2, 3x3, 1x1 to K prototypes at twice the input's size."""

    def __init__(self, in_channels: int, hidden: int, prototypes: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Conv(in_channels, hidden, 3),
            nn.Upsample(scale_factor=2.0, mode="nearest"),
            Conv(hidden, hidden, 3),
            Conv(hidden, prototypes, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, K, 2h, 2w]."""
        return cast(Tensor, self.layers(x))
