"""Dense connections, and the sparse ones that reach back by powers of two ([GP] Table 1)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Activation, Conv
from yolor_gp.models.blocks.registry import Block, Count, Width, register


def sparse_sources(layer: int) -> list[int]:
    """What layer `layer` (from 1; 0 is the input) of a sparse chain reads: layer - 1, -2, -4, ...

    O(log layer) features, and O(log depth) layers between any layer and the output.
    """
    sources, step = [], 1
    while layer - step >= 0:
        sources.append(layer - step)
        step *= 2
    return sources


def all_sources(layer: int) -> list[int]:
    """What layer `layer` (from 1; 0 is the input) of a dense chain reads: everything before it."""
    return list(range(layer - 1, -1, -1))


class ConcatChain(nn.Module):
    """3x3 convolutions of `growth` channels, each on the concatenation of earlier outputs."""

    def __init__(
        self,
        in_channels: int,
        growth: int,
        sources: list[list[int]],
        activation: Activation = "silu",
    ) -> None:
        super().__init__()
        self.sources = sources
        widths = [in_channels] + [growth] * (len(sources) - 1)
        *inputs, output = [sum(widths[s] for s in layer) for layer in sources]
        self.layers = nn.ModuleList(Conv(c, growth, 3, activation=activation) for c in inputs)
        self.out_channels = output

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        outputs = [x]
        for layer, sources in zip(self.layers, self.sources, strict=False):
            outputs.append(layer(torch.cat([outputs[s] for s in sources], dim=1)))
        return torch.cat([outputs[s] for s in self.sources[-1]], dim=1)


@register("Dense")
class Dense(Block):
    """DenseNet stage: every layer reads all before it; then a 1x1 to `out_channels`."""

    widths = ("out_channels", "growth")
    repeats = "depth"
    _sources = staticmethod(all_sources)

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        growth: Width,
        depth: Count = 1,
        activation: Activation = "silu",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        sources = [self._sources(layer) for layer in range(1, depth + 2)]
        self.chain = ConcatChain(in_channels, growth, sources, activation)
        self.transition = Conv(self.chain.out_channels, out_channels, activation=activation)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        return cast(Tensor, self.transition(self.chain(x)))


@register("SparseDense")
class SparseDense(Dense):
    """As Dense, but each layer reads only those 1, 2, 4, 8, ... before it."""

    _sources = staticmethod(sparse_sources)


@register("SparseResidual")
class SparseResidual(Block):
    """A chain of 3x3, each reading the sum of those 1, 2, 4, 8, ... before it."""

    repeats = "depth"

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        depth: Count = 1,
        activation: Activation = "silu",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.reduce: nn.Module = nn.Identity()
        if in_channels != out_channels:
            self.reduce = Conv(in_channels, out_channels, activation=activation)
        self.layers = nn.ModuleList(
            Conv(out_channels, out_channels, 3, activation=activation) for _ in range(depth)
        )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        outputs: list[Tensor] = [self.reduce(x)]
        for layer in self.layers:
            outputs.append(layer(_sum_of_sources(outputs)))
        return _sum_of_sources(outputs)


def _sum_of_sources(outputs: list[Tensor]) -> Tensor:
    first, *others = sparse_sources(len(outputs))
    total = outputs[first]
    for source in others:
        total = total + outputs[source]
    return total
