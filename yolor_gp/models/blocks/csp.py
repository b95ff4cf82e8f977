"""Cross stage partial blocks [CSP]: half of the channels skip the computational blocks."""

from __future__ import annotations

from typing import Literal, cast

import torch
from torch import Tensor, nn

from yolor_gp.models.blocks.conv import Activation, Conv
from yolor_gp.models.blocks.dense import ConcatChain, all_sources
from yolor_gp.models.blocks.registry import Block, Count, Expansion, Ratio, Width, register
from yolor_gp.models.blocks.residual import (
    BasicBlock,
    Bottleneck,
    ResNetBlock,
    ShortcutRule,
    StopGradient,
)

# Where the two paths are fused ([CSP] Fig. 3, [GP] Table 6): "both" transitions; "first" concat,
# then transition; "last" transition on the computed path, then concat; "none" bare concat.
Fusion = Literal["both", "first", "last", "none"]
Computation = Literal["residual", "resnet", "basic", "dense"]


@register("CSPStage")
class CSPStage(Block):
    """A path of `depth` computational blocks beside a bypass, each a 1x1 of the input.

    The 50/50 split is made by two 1x1 convolutions of `expansion * out_channels` each;
    enter_channels: the width of the computed path's, where it differs.
    computation: "residual" (`Bottleneck` of `inner_expansion`), "resnet" (`ResNetBlock`, its 3x3
    in `groups`: ResNeXt), "basic" (`BasicBlock`), or "dense" (each 3x3 adds inner_expansion * width
    channels).
    fusion: which transitions there are. mask_ratio and stop_gradient act on each residual block.
    """

    widths = ("out_channels", "enter_channels")
    repeats = "depth"

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        depth: Count = 1,
        fusion: Fusion = "both",
        computation: Computation = "residual",
        shortcut: ShortcutRule = True,
        groups: Width = 1,
        expansion: Expansion = 0.5,
        inner_expansion: Expansion = 1.0,
        mask_ratio: Ratio = 0.0,
        stop_gradient: StopGradient = "none",
        enter_channels: Width | None = None,
        activation: Activation = "silu",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        width = max(int(out_channels * expansion), 1)
        inner = max(int(width * inner_expansion), 1)
        enter = enter_channels or width
        self.enter = Conv(in_channels, enter, activation=activation)
        self.bypass = Conv(in_channels, width, activation=activation)
        options = (mask_ratio, stop_gradient, activation)

        def block(source: int) -> nn.Module:
            if computation == "resnet":
                return ResNetBlock(source, width, inner, 1, groups, shortcut, *options)
            if computation == "basic":
                return BasicBlock(source, width, 1, shortcut, *options)
            return Bottleneck(source, width, shortcut, groups, inner_expansion, *options)

        computed = width
        if computation == "dense":
            sources = [all_sources(layer) for layer in range(1, depth + 2)]
            self.blocks: nn.Module = ConcatChain(enter, inner, sources, activation)
            computed = enter + depth * inner
        else:
            self.blocks = nn.Sequential(*(block(enter if i == 0 else width) for i in range(depth)))
        self.last: nn.Module = nn.Identity()
        if fusion in ("both", "last"):
            self.last, computed = Conv(computed, width, activation=activation), width
        self.first: nn.Module = nn.Identity()
        if fusion in ("both", "first"):
            self.first = Conv(computed + width, out_channels, activation=activation)
        elif computed + width != out_channels:
            raise ValueError(
                f"fusion '{fusion}' ends in a concatenation of {computed} + {width} channels,"
                f" not {out_channels}; use fusion 'both' or 'first'"
            )

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        computed = self.last(self.blocks(self.enter(x)))
        return cast(Tensor, self.first(torch.cat([computed, self.bypass(x)], dim=1)))


@register("CSPB")
class CSPB(Block):
    """The neck's form: 1x1, then `depth` blocks without shortcut beside a 1x1, joined by a 1x1.

    Both paths are as wide as the output [YOLOR].
    """

    repeats = "depth"

    def __init__(
        self,
        in_channels: int,
        out_channels: Width,
        depth: Count = 1,
        shortcut: ShortcutRule = False,
        expansion: Expansion = 1.0,
        mask_ratio: Ratio = 0.0,
        stop_gradient: StopGradient = "none",
    ) -> None:
        super().__init__()
        self.out_channels = out_channels
        width = max(int(out_channels * expansion), 1)
        self.enter = Conv(in_channels, width)
        self.blocks = nn.Sequential(
            *(
                Bottleneck(
                    width,
                    width,
                    shortcut,
                    expansion=1.0,
                    mask_ratio=mask_ratio,
                    stop_gradient=stop_gradient,
                )
                for _ in range(depth)
            )
        )
        self.bypass = Conv(width, width)
        self.join = Conv(2 * width, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """[B, in_channels, h, w] -> [B, out_channels, h, w]."""
        x = self.enter(x)
        return cast(Tensor, self.join(torch.cat([self.blocks(x), self.bypass(x)], dim=1)))
