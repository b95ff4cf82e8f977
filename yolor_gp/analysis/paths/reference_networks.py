"""Small networks with one idea each: the rows of Table 1 and the pictures of Figs. 7 and 8 [GP].

PlainNet, ResNet, DenseNet and their sparse forms differ in nothing but which earlier outputs a
layer takes and how it joins them; PRN adds the previous features to half of the channels only.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


def previous(layer: int) -> list[int]:
    """PlainNet: the layer before."""
    return [layer - 1]


def every(layer: int) -> list[int]:
    """ResNet and DenseNet: all layers before."""
    return list(range(layer - 1, -1, -1))


def sparse(layer: int) -> list[int]:
    """SparseNet: the layers 1, 2, 4, 8 ... before."""
    return [layer - (1 << k) for k in range(layer.bit_length()) if layer >= (1 << k)]


_RULES = {
    "PlainNet": (previous, "sum"),
    "ResNet": (every, "sum"),
    "DenseNet": (every, "concat"),
    "Sparse ResNet": (sparse, "sum"),
    "Sparse DenseNet": (sparse, "concat"),
}
KINDS = tuple(_RULES)


class AggregationNetwork(nn.Module):
    """`depth` 3x3 convolutions after a stem; each takes the sum or concatenation of earlier ones.

    Layer 0 is the stem; a 1x1 output layer follows the last. Input [B, 3, H, W], output
    [B, width, H, W].
    """

    def __init__(self, kind: str, depth: int, width: int = 4) -> None:
        super().__init__()
        rule, self.join = _RULES[kind]
        self.inputs = [rule(layer) for layer in range(1, depth + 2)]
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.layers = nn.ModuleList(
            nn.Conv2d(self._joined_width(taken, width), width, 3, padding=1, bias=False)
            for taken in self.inputs[:-1]
        )
        self.output = nn.Conv2d(self._joined_width(self.inputs[-1], width), width, 1, bias=False)

    def _joined_width(self, taken: Sequence[int], width: int) -> int:
        return width * len(taken) if self.join == "concat" else width

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, width, H, W]."""
        outputs = [self.stem(images)]
        for layer, taken in zip(self.layers, self.inputs, strict=False):
            outputs.append(layer(self._joined([outputs[index] for index in taken])))
        result: Tensor = self.output(self._joined([outputs[index] for index in self.inputs[-1]]))
        return result

    def _joined(self, parts: Sequence[Tensor]) -> Tensor:
        if self.join == "concat" and len(parts) > 1:
            return torch.cat(list(parts), dim=1)
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total


class ResidualNetwork(nn.Module):
    """Residual blocks of `convolutions` 3x3 layers between a stem and a 1x1 output layer.

    masked: the share of output channels that x is not added to (0: ResNet, 0.5: PRN).
    """

    def __init__(
        self, blocks: int, *, convolutions: int = 1, width: int = 4, masked: float = 0.0
    ) -> None:
        super().__init__()
        self.width, self.kept = width, width - round(width * masked)
        self.stem = nn.Conv2d(3, width, 3, padding=1, bias=False)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(convolutions))
            )
            for _ in range(blocks)
        )
        self.output = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] -> [B, width, H, W]."""
        features = self.stem(images)
        for block in self.blocks:
            features = self._add(block(features), features)
        result: Tensor = self.output(features)
        return result

    def _add(self, new: Tensor, old: Tensor) -> Tensor:
        if self.kept == self.width:
            return new + old
        added = new[:, : self.kept] + old[:, : self.kept]
        return torch.cat([added, new[:, self.kept :]], dim=1)
