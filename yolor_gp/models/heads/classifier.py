"""Image classification: global average, and a 1x1 convolution to the classes."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from yolor_gp.models.blocks.registry import Block, Width, register


@register("Classifier")
class Classifier(Block):
    """[B, C, h, w] -> logits [B, num_classes]: the average over the image, then a 1x1."""

    widths: ClassVar[tuple[str, ...]] = ()
    task: ClassVar[str | None] = "classification"

    def __init__(self, in_channels: int, num_classes: Width) -> None:
        super().__init__()
        self.out_channels = num_classes
        self.num_classes = num_classes
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv = nn.Conv2d(in_channels, num_classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, num_classes]."""
        logits: Tensor = self.conv(self.pool(x))
        return logits.flatten(1)
